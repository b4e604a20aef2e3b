//! Who the clients are and what they talk about: the access list of amqtt's documentation, and topics that it allows.

/// The user whose name all clients of the load have, with any broker.
pub(crate) const USER: &str = "username1";

/// The user who reads what amqtt says of itself once the load is through.
pub(crate) const WATCHER: &str = "watcher";

/// The entries of the documentation as they are (its `username2` is a placeholder), and one for the watcher.
pub(crate) const ACL: &str = concat!(
    "    username1: ['repositories/+/master', 'calendar/#', 'data/memes']\n",
    "    username2: ['data/memes']\n",
    "    anonymous: []\n",
    "    watcher: ['$SYS/broker/counters/+']\n",
);

/// The topics of one of several pairs. Those of pairs with one topic are allowed by all rules of the list: a topic, a filter
/// with `+`, one with `#`.
pub(crate) fn topics_of_pair(pair: usize, topics: usize) -> Vec<String> {
    match (topics, pair) {
        (1, 0) => vec!["data/memes".to_owned()],
        (1, odd) if odd % 2 == 1 => vec![format!("repositories/{pair}/master")],
        _ => (0..topics).map(|at| format!("calendar/{pair}/{at}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = include_str!("../../seeds/002.yaml");

    #[test]
    fn the_access_list_is_the_documented_one() {
        for user in [USER, "anonymous"] {
            let entry = ACL.lines().map(str::trim).find(|line| line.starts_with(user)).expect("has an entry");
            assert!(DOCUMENTED.lines().any(|line| line.trim().starts_with(entry)), "{entry}");
        }
    }

    #[test]
    fn pairs_have_topics_of_their_own() {
        let mut topics: Vec<_> = (0..10).flat_map(|pair| topics_of_pair(pair, 1)).collect();
        assert_eq!(topics[..3], ["data/memes", "repositories/1/master", "calendar/2/0"]);
        topics.sort();
        topics.dedup();
        assert_eq!(topics.len(), 10);
        assert_eq!(topics_of_pair(1, 2), ["calendar/1/0", "calendar/1/1"]);
    }
}
