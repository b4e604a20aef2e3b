//! Lines of text, as topics, filters, or both: the trees agree with matching one filter at a time.
#![no_main]

use amqtt_fuzz::routing::{RetainedTree, SubscriptionTree};
use amqtt_fuzz::types::{TopicFilter, TopicName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let topics: Vec<TopicName> = text.lines().filter_map(|line| TopicName::new(line).ok()).collect();
    let filters: Vec<TopicFilter> = text.lines().filter_map(|line| TopicFilter::new(line).ok()).collect();
    let (mut subscriptions, mut retained) = (SubscriptionTree::new(), RetainedTree::new());
    for (key, filter) in filters.iter().enumerate() {
        assert_eq!(subscriptions.insert(filter, key, key), None);
    }
    for topic in &topics {
        retained.insert(topic, topic.clone());
    }
    for topic in &topics {
        let mut found = Vec::new();
        subscriptions.matches(topic.as_str(), |key, _| found.push(*key));
        found.sort_unstable();
        let expected = (0..filters.len()).filter(|key| filters[*key].matches(topic.as_str()));
        assert_eq!(found, expected.collect::<Vec<_>>(), "{topic:?} in {filters:?}");
    }
    for filter in &filters {
        let mut found = Vec::new();
        retained.matches(filter, |topic| found.push(topic));
        found.sort_unstable();
        let mut expected: Vec<_> = topics.iter().filter(|topic| filter.matches(topic.as_str())).collect();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(found, expected, "{filter:?} in {topics:?}");
    }
    for (key, filter) in filters.iter().enumerate() {
        assert_eq!(subscriptions.remove(filter, &key), Some(key));
    }
    topics.iter().for_each(|topic| drop(retained.remove(topic)));
    assert!(subscriptions.is_empty() && retained.is_empty());
});
