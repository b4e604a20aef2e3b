//! Both trees against the plainest thing that does the same: a list, and matching one filter at a time.

use std::collections::BTreeMap;

use super::*;
use crate::types::random::{Random, for_each_seed};
use crate::types::{TopicFilter, TopicName};

/// Few words, so that filters and topics meet; empty levels and `$` among them.
fn levels(random: &mut Random, words: &[&str]) -> String {
    let levels: Vec<&str> = (0..1 + random.below(4)).map(|_| words[random.below(words.len())]).collect();
    levels.join("/")
}

fn topic(random: &mut Random) -> TopicName {
    loop {
        if let Ok(topic) = TopicName::new(&levels(random, &["a", "b", "", "$x", "ab"])) {
            return topic;
        }
    }
}

fn filter(random: &mut Random) -> TopicFilter {
    loop {
        if let Ok(filter) = TopicFilter::new(&levels(random, &["a", "b", "", "$x", "+", "+", "#"])) {
            return filter;
        }
    }
}

#[test]
fn subscriptions_agree_with_a_list() {
    for_each_seed(1_000, |seed| {
        let random = &mut Random::new(seed);
        let mut tree = SubscriptionTree::new();
        let mut list = BTreeMap::new();
        for step in 0..60 {
            let (filter, key) = (filter(random), random.below(3));
            if random.one_in(3) {
                assert_eq!(tree.remove(&filter, &key), list.remove(&(filter, key)));
            } else {
                assert_eq!(tree.insert(&filter, key, step), list.insert((filter, key), step));
            }
            assert_eq!((tree.len(), tree.is_empty()), (list.len(), list.is_empty()));
            let topic = topic(random);
            let mut found = Vec::new();
            tree.matches(topic.as_str(), |key, value| found.push((*key, *value)));
            found.sort_unstable();
            let matching = list.iter().filter(|((filter, _), _)| filter.matches(topic.as_str()));
            let mut expected: Vec<_> = matching.map(|((_, key), value)| (*key, *value)).collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "{topic:?} in {list:?}");
        }
    });
}

/// Whatever comes and goes between two parts of a lookup: among few topics of several levels, and among many beside each
/// other.
#[test]
fn a_lookup_in_parts_finds_what_is_there_all_the_time_once() {
    let (mut parts, mut longest) = (0, 0);
    for_each_seed(2_000, |seed| {
        let random = &mut Random::new(seed);
        let (mut tree, mut list) = (RetainedTree::new(), BTreeMap::new());
        let is_wide = random.one_in(2);
        let (steps, changes_max, work_max, filter) =
            if is_wide { (200, 60, 30, TopicFilter::new("+").expect("valid")) } else { (60, 3, 3, filter(random)) };
        let mut change = |tree: &mut RetainedTree<i32>, step: i32, random: &mut Random| {
            let wide = |random: &mut Random| TopicName::new(&random.below(100).to_string()).expect("valid");
            let topic = if is_wide { wide(random) } else { topic(random) };
            if random.one_in(2) {
                assert_eq!(tree.remove(&topic), list.remove(&topic));
            } else {
                assert_eq!(tree.insert(&topic, step), list.insert(topic, step));
            }
            list.clone()
        };
        let mut staying = (0..steps).map(|step| change(&mut tree, step, random)).last().expect("some steps");
        let (mut found, mut progress) = (Vec::new(), Some(Progress::default()));
        for part in 1.. {
            let Some(from) = progress else { break };
            let (work_max, work) = (1 + random.below(work_max), random.below(2));
            progress = tree.matches_on(&filter, from, work_max, |value| {
                found.push(*value);
                work
            });
            (parts, longest) = (parts + 1, longest.max(part));
            for one in 0..random.below(changes_max + 1) as i32 {
                let after = change(&mut tree, 1_000 * part + one, random);
                staying.retain(|topic, value| after.get(topic) == Some(value));
            }
        }
        for (topic, value) in staying.iter().filter(|(topic, _)| filter.matches(topic.as_str())) {
            let times = found.iter().filter(|found| *found == value).count();
            assert_eq!(times, 1, "{topic:?} by {filter:?}: {found:?} of {staying:?}");
        }
        found.sort_unstable();
        assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "{filter:?}: {found:?}");
    });
    assert!(parts > 2 * 2_000 && longest > 5, "{parts} parts, {longest} at most");
}

#[test]
fn retained_values_agree_with_a_list() {
    for_each_seed(1_000, |seed| {
        let random = &mut Random::new(seed);
        let mut tree = RetainedTree::new();
        let mut list = BTreeMap::new();
        for step in 0..60 {
            let topic = topic(random);
            if random.one_in(3) {
                assert_eq!(tree.remove(&topic), list.remove(&topic));
            } else {
                assert_eq!(tree.value(&topic), list.get(&topic));
                assert_eq!(tree.insert(&topic, step), list.insert(topic, step));
            }
            assert_eq!((tree.len(), tree.is_empty()), (list.len(), list.is_empty()));
            let filter = filter(random);
            let mut found = Vec::new();
            tree.matches(&filter, |value| found.push(*value));
            found.sort_unstable();
            let matching = list.iter().filter(|(topic, _)| filter.matches(topic.as_str()));
            let mut expected: Vec<_> = matching.map(|(_, value)| *value).collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "{filter:?} in {list:?}");
        }
    });
}
