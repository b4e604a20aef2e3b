use std::hash::Hash;

use super::children::Children;
use super::level::hidden_from_wildcards;
#[cfg(test)]
use crate::types::visits;
use crate::types::{Few, TopicFilter};

/// Subscriptions by topic filter: who (`K`) asked for it, and how (`V`).
///
/// Inserting and removing cost as much as the filter has levels; matching visits only nodes that match a prefix of the
/// topic. The number of levels is bounded by whoever makes the filters (`Limits::topic_levels_max`).
#[derive(Debug)]
pub struct SubscriptionTree<K, V> {
    root: Node<K, V>,
    len: usize,
}

#[derive(Debug)]
struct Node<K, V> {
    children: Children<Node<K, V>>,
    plus: Option<Box<Node<K, V>>>,
    /// Whose filter ends with this level.
    subscribers: Few<K, V>,
    /// Whose filter goes on with `#` after this level, and so matches this level too.
    hash_subscribers: Few<K, V>,
}

impl<K: Hash + Eq, V> SubscriptionTree<K, V> {
    /// A tree without subscriptions.
    pub fn new() -> Self {
        Self { root: Node::new(), len: 0 }
    }

    /// Adds a subscription, or replaces the one with the same filter and key `[MQTT-3.8.4-3]`; returns the old one.
    pub fn insert(&mut self, filter: &TopicFilter, key: K, value: V) -> Option<V> {
        let mut node = &mut self.root;
        let mut to_hash = false;
        for level in filter.as_str().split('/') {
            #[cfg(test)]
            visits::count();
            match level {
                "#" => to_hash = true,
                "+" => node = node.plus.get_or_insert_with(|| Box::new(Node::new())),
                level => node = node.children.get_or_insert_with(level, Node::new),
            }
        }
        let subscribers = if to_hash { &mut node.hash_subscribers } else { &mut node.subscribers };
        let old = subscribers.insert(key, value);
        self.len += usize::from(old.is_none());
        old
    }

    /// The subscription of this filter and key.
    pub fn value(&self, filter: &TopicFilter, key: &K) -> Option<&V> {
        let mut node = &self.root;
        for level in filter.as_str().split('/') {
            match level {
                "#" => return node.hash_subscribers.get(key),
                "+" => node = node.plus.as_ref()?,
                level => node = node.children.get(level)?,
            }
        }
        node.subscribers.get(key)
    }

    /// Takes a subscription away and returns it.
    pub fn remove(&mut self, filter: &TopicFilter, key: &K) -> Option<V> {
        let removed = self.root.remove(Some(filter.as_str()), key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Calls `found` for every subscription whose filter matches `topic`.
    ///
    /// A key with overlapping filters is found once for each.
    pub fn matches<'a>(&'a self, topic: &str, mut found: impl FnMut(&'a K, &'a V)) {
        if hidden_from_wildcards(topic) {
            let (first, rest) = split_level(topic);
            if let Some(child) = self.root.children.get(first) {
                child.matches(rest, &mut found);
            }
        } else {
            self.root.matches(Some(topic), &mut found);
        }
    }

    /// Whether there is any subscription whose filter matches `topic`: looks no further than to the first.
    pub fn has_match(&self, topic: &str) -> bool {
        if hidden_from_wildcards(topic) {
            let (first, rest) = split_level(topic);
            self.root.children.get(first).is_some_and(|child| child.has_match(rest))
        } else {
            self.root.has_match(Some(topic))
        }
    }

    /// How many subscriptions there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<K: Hash + Eq, V> Default for SubscriptionTree<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Hash + Eq, V> Node<K, V> {
    fn new() -> Self {
        Self { children: Children::NONE, plus: None, subscribers: Few::None, hash_subscribers: Few::None }
    }

    /// `rest` is what of the topic lies below this node; none where the topic ends here.
    fn matches<'a>(&'a self, rest: Option<&str>, found: &mut impl FnMut(&'a K, &'a V)) {
        #[cfg(test)]
        visits::count();
        self.hash_subscribers.iter().for_each(|(key, value)| found(key, value));
        let Some(rest) = rest else {
            self.subscribers.iter().for_each(|(key, value)| found(key, value));
            return;
        };
        let (level, rest) = split_level(rest);
        if let Some(child) = self.children.get(level) {
            child.matches(rest, found);
        }
        if let Some(plus) = &self.plus {
            plus.matches(rest, found);
        }
    }

    fn has_match(&self, rest: Option<&str>) -> bool {
        #[cfg(test)]
        visits::count();
        if !self.hash_subscribers.is_empty() {
            return true;
        }
        let Some(rest) = rest else { return !self.subscribers.is_empty() };
        let (level, rest) = split_level(rest);
        self.children.get(level).is_some_and(|child| child.has_match(rest))
            || self.plus.as_ref().is_some_and(|plus| plus.has_match(rest))
    }

    fn remove(&mut self, rest: Option<&str>, key: &K) -> Option<V> {
        #[cfg(test)]
        visits::count();
        let Some(rest) = rest else {
            return self.subscribers.remove(key);
        };
        match split_level(rest) {
            ("#", _) => self.hash_subscribers.remove(key),
            ("+", rest) => {
                let plus = self.plus.as_mut()?;
                let removed = plus.remove(rest, key);
                if plus.is_empty() {
                    self.plus = None;
                }
                removed
            }
            (level, rest) => {
                let child = self.children.get_mut(level)?;
                let removed = child.remove(rest, key);
                if child.is_empty() {
                    self.children.remove(level);
                }
                removed
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.plus.is_none()
            && self.subscribers.is_empty()
            && self.hash_subscribers.is_empty()
    }
}

fn split_level(topic: &str) -> (&str, Option<&str>) {
    match topic.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (topic, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(filters: &[&str]) -> SubscriptionTree<usize, ()> {
        let mut tree = SubscriptionTree::new();
        for (key, filter) in filters.iter().enumerate() {
            tree.insert(&TopicFilter::new(filter).expect("valid filter"), key, ());
        }
        tree
    }

    fn check(filters: &[&str], topic: &str, expected: &[&str]) {
        let mut found = Vec::new();
        tree(filters).matches(topic, |key, ()| found.push(filters[*key]));
        assert_eq!(tree(filters).has_match(topic), !found.is_empty(), "topic {topic:?}");
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "topic {topic:?}");
    }

    const FILTERS: &[&str] =
        &["#", "+", "a", "a/#", "a/+", "a/b", "+/b", "+/+", "/+", "/", "a//b", "a/+/b", "$SYS/#", "$SYS/+", "a/b/#"];

    #[test]
    fn every_matching_filter_is_found() {
        check(FILTERS, "a", &["#", "+", "a", "a/#"]);
        check(FILTERS, "a/b", &["#", "a/#", "a/+", "a/b", "+/b", "+/+", "a/b/#"]);
        check(FILTERS, "/", &["#", "+/+", "/+", "/"]);
        check(FILTERS, "a//b", &["#", "a/#", "a//b", "a/+/b"]);
        check(FILTERS, "x/y/z", &["#"]);
    }

    /// `[MQTT-4.7.2-1]`
    #[test]
    fn leading_wildcards_pass_dollar_topics_by() {
        check(FILTERS, "$SYS/x", &["$SYS/#", "$SYS/+"]);
        check(FILTERS, "$SYS", &["$SYS/#"]);
        check(FILTERS, "$other", &[]);
    }

    #[test]
    fn the_tree_agrees_with_matching_one_filter_at_a_time() {
        for topic in ["a", "a/b", "/", "//", "a/b/c", "$SYS/x", "$SYS", "b", "a/", "/a", "a//b", "a/x/b"] {
            let expected: Vec<&str> = FILTERS
                .iter()
                .copied()
                .filter(|filter| TopicFilter::new(filter).expect("valid filter").matches(topic))
                .collect();
            check(FILTERS, topic, &expected);
        }
    }

    #[test]
    fn removing_everything_leaves_no_nodes() {
        let mut tree = tree(FILTERS);
        assert_eq!(tree.len(), FILTERS.len());
        for (key, filter) in FILTERS.iter().enumerate() {
            let filter = TopicFilter::new(filter).expect("valid filter");
            assert_eq!(tree.remove(&filter, &999), None);
            assert_eq!(tree.remove(&filter, &key), Some(()));
            assert_eq!(tree.remove(&filter, &key), None);
        }
        assert!(tree.is_empty() && tree.root.is_empty());
    }

    #[test]
    fn the_same_key_and_filter_replace() {
        let filter = TopicFilter::new("a/+").expect("valid filter");
        let mut tree = SubscriptionTree::new();
        assert_eq!(tree.value(&filter, &1), None);
        assert_eq!(tree.insert(&filter, 1, "old"), None);
        assert_eq!((tree.value(&filter, &1), tree.value(&filter, &2)), (Some(&"old"), None));
        assert_eq!(tree.insert(&filter, 1, "new"), Some("old"));
        assert_eq!(tree.len(), 1);
    }

    /// Many subscribers of one filter, many filters beside each other, and a few that match.
    fn crowded(others: usize) -> SubscriptionTree<usize, ()> {
        let mut tree = tree(&["site/7/+/temperature", "site/#", "site/7/device-7/temperature"]);
        for key in 0..others {
            for filter in
                ["crowd/+".to_owned(), format!("site/{}/device-{key}/+", key % 1_000), format!("other-{key}/#")]
            {
                tree.insert(&TopicFilter::new(&filter).expect("valid filter"), key, ());
            }
        }
        tree
    }

    #[test]
    fn the_cost_of_one_topic_does_not_grow_with_other_subscriptions() {
        let costs = |others: usize| {
            let mut tree = crowded(others);
            let own = TopicFilter::new("site/7/+/humidity").expect("valid filter");
            let crowd = TopicFilter::new("crowd/+").expect("valid filter");
            let subscribe = visits::of(|| (tree.insert(&own, usize::MAX, ()), tree.insert(&crowd, usize::MAX, ())));
            let publish = visits::of(|| tree.matches("site/7/device-7/temperature", |_, ()| {}));
            let unsubscribe = visits::of(|| (tree.remove(&own, &usize::MAX), tree.remove(&crowd, &usize::MAX)));
            [subscribe, publish, unsubscribe]
        };
        let few = costs(100);
        assert_eq!(costs(30_000), few);
        assert!(few.into_iter().all(|visited| visited < 12), "{few:?}");
    }

    /// Filters that all match every prefix of the topic: a subscriber pays for each level once, and for no combination.
    #[test]
    fn no_pattern_costs_more_than_its_nodes() {
        let long_topic = ["a"; 1_000].join("/");
        for end in ["", "/x", "/#"] {
            let filters: Vec<String> = (0..1_usize << 10)
                .map(|choice| {
                    let levels: Vec<&str> = (0..10).map(|level| ["a", "+"][choice >> level & 1]).collect();
                    levels.join("/") + end
                })
                .collect();
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            let tree = tree(&filters);
            for topic in ["a/a/a/a/a/a/a/a/a/a", "a/a/a/a/a/a/a/a/a/a/y", &long_topic] {
                let visited = visits::of(|| tree.matches(topic, |_, ()| {}));
                assert!(visited < 1 << 12, "{visited} nodes for a topic of {} bytes", topic.len());
            }
        }
        let lone = ["+"; 999].join("/") + "/x";
        assert!(visits::of(|| tree(&[&lone]).matches(&long_topic, |_, ()| {})) <= 2 * 1_000);
    }
}
