use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// How filters of shared subscriptions begin.
const SHARE_PREFIX: &str = "$share/";

/// The topic of a message: at least one character, no wildcard, no U+0000 `[MQTT-4.7.3-1]` `[MQTT-3.3.2-2]`.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// Checks `topic` and keeps a copy of it.
    pub fn new(topic: &str) -> Result<Self, TopicError> {
        Self::check(topic)?;
        Ok(Self(topic.into()))
    }

    /// Says whether `topic` may be the topic name of a message, without making one.
    pub fn check(topic: &str) -> Result<(), TopicError> {
        check_length(topic)?;
        // They are ASCII and never part of a longer character.
        const FORBIDDEN: [u8; 3] = [b'+', b'#', 0];
        if !has_any(topic.as_bytes(), FORBIDDEN) {
            return Ok(());
        }
        match topic.bytes().find(|byte| FORBIDDEN.contains(byte)) {
            None => Ok(()),
            Some(0) => Err(TopicError::Nul),
            Some(_) => Err(TopicError::WildcardInName),
        }
    }

    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, shared with this topic.
    pub fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// Maps keyed by topic are looked up with the text of a packet.
impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What a subscription asks for: a topic, with `+` for one level and `#` for all that remain.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(Arc<str>);

impl TopicFilter {
    /// Checks `filter` and keeps a copy of it.
    pub fn new(filter: &str) -> Result<Self, TopicError> {
        Self::check(filter)?;
        Ok(Self(filter.into()))
    }

    /// Says whether `filter` may be the topic filter of a subscription, without making one.
    ///
    /// `+` and `#` stand alone in their level, and `#` in the last `[MQTT-4.7.1-2]` `[MQTT-4.7.1-3]`.
    pub fn check(filter: &str) -> Result<(), TopicError> {
        check_length(filter)?;
        let bytes = filter.as_bytes();
        if !has_any(bytes, [b'+', b'#', 0]) {
            return Ok(());
        }
        for (at, byte) in bytes.iter().enumerate() {
            let (before, after) = (at.checked_sub(1).map(|before| bytes[before]), bytes.get(at + 1));
            let begins_level = matches!(before, None | Some(b'/'));
            match byte {
                0 => return Err(TopicError::Nul),
                b'#' if !begins_level || after.is_some() => return Err(TopicError::HashMisplaced),
                b'+' if !begins_level || !matches!(after, None | Some(b'/')) => return Err(TopicError::PlusMisplaced),
                _ => {}
            }
        }
        Ok(())
    }

    /// The filter as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it may match more than one topic.
    pub fn has_wildcard(&self) -> bool {
        self.0.contains(['+', '#'])
    }

    /// The group and the filter of a shared subscription; none if it is none or has no group or filter that may be one
    /// `[MQTT-4.8.2-1]` `[MQTT-4.8.2-2]`.
    pub fn share(&self) -> Option<(&str, Self)> {
        let (group, filter) = self.0.strip_prefix(SHARE_PREFIX)?.split_once('/')?;
        let filter = Self::new(filter).ok()?;
        (!group.is_empty() && !group.contains(['+', '#'])).then_some((group, filter))
    }

    /// The part of a filter that topics are matched with: all of it, but for the group of a shared subscription.
    pub fn subscribed(filter: &str) -> &str {
        let shared = filter.strip_prefix(SHARE_PREFIX).and_then(|rest| rest.split_once('/'));
        shared.map_or(filter, |(_, filter)| filter)
    }

    /// Whether a filter is one of a shared subscription (MQTT 5.0, 4.8.2).
    pub fn is_shared(filter: &str) -> bool {
        filter.starts_with(SHARE_PREFIX)
    }

    /// Whether a message published to `topic` is one that this filter asks for.
    ///
    /// A leading wildcard does not match a topic that starts with `$` `[MQTT-4.7.2-1]`. Byte by byte: splitting both into
    /// levels takes several times as long, and this may be asked of every message.
    pub fn matches(&self, topic: &str) -> bool {
        let (filter, topic) = (Self::subscribed(&self.0).as_bytes(), topic.as_bytes());
        if topic.first() == Some(&b'$') && matches!(filter.first(), Some(b'+' | b'#')) {
            return false;
        }
        let (mut at, mut topic_at) = (0, 0);
        loop {
            // Both are at the start of a level.
            match filter.get(at) {
                Some(b'#') => return true,
                Some(b'+') => {
                    at += 1;
                    topic_at += topic[topic_at..].iter().take_while(|byte| **byte != b'/').count();
                }
                _ => {
                    while let Some(byte) = filter.get(at).filter(|byte| **byte != b'/') {
                        if topic.get(topic_at) != Some(byte) {
                            return false;
                        }
                        (at, topic_at) = (at + 1, topic_at + 1);
                    }
                }
            }
            match (filter.get(at), topic.get(topic_at)) {
                (None, None) => return true,
                (Some(_), Some(b'/')) => (at, topic_at) = (at + 1, topic_at + 1),
                // `a/#` matches `a` (4.7.1.2).
                (Some(_), None) => return filter[at..] == *b"/#",
                _ => return false,
            }
        }
    }
}

/// Why a text is no topic name or topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Shorter than one character `[MQTT-4.7.3-1]`.
    #[error("topic is empty")]
    Empty,
    /// Longer than the length field can say `[MQTT-4.7.3-3]`.
    #[error("topic is longer than 65535 bytes")]
    TooLong,
    /// Contains U+0000 `[MQTT-4.7.3-2]`.
    #[error("topic contains U+0000")]
    Nul,
    /// A topic name contains `+` or `#` `[MQTT-3.3.2-2]`.
    #[error("topic name contains a wildcard")]
    WildcardInName,
    /// `#` is not alone in the last level `[MQTT-4.7.1-2]`.
    #[error("`#` is not alone in the last level of the topic filter")]
    HashMisplaced,
    /// `+` is not alone in its level `[MQTT-4.7.1-3]`.
    #[error("`+` is not alone in its level of the topic filter")]
    PlusMisplaced,
}

/// How many levels a topic name or filter has.
pub fn levels(topic: &str) -> usize {
    1 + topic.bytes().filter(|byte| *byte == b'/').count()
}

/// Whether one of these is among the bytes. Looks at eight at a time, since it is asked of every message.
fn has_any<const N: usize>(bytes: &[u8], wanted: [u8; N]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let is_among = |eight: &[u8; 8]| {
        let zeros = |found, byte| {
            let zero_where_equal = u64::from_ne_bytes(*eight) ^ (ONES * u64::from(byte));
            // The highest bit of some byte is set if one of them is 0, and only then.
            found | (zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & ONES << 7)
        };
        wanted.into_iter().fold(0, zeros) != 0
    };
    match bytes.last_chunk() {
        // The last ones may be looked at twice.
        Some(last) => bytes.as_chunks().0.iter().any(is_among) || is_among(last),
        None => bytes.iter().any(|byte| wanted.contains(byte)),
    }
}

fn check_length(topic: &str) -> Result<(), TopicError> {
    match topic.len() {
        0 => Err(TopicError::Empty),
        1..=65_535 => Ok(()),
        _ => Err(TopicError::TooLong),
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_names_have_no_wildcards() {
        for topic in ["a", "/", "a//b", "$SYS/x", " ", "ünïcödé/雪"] {
            assert_eq!(TopicName::check(topic), Ok(()), "{topic}");
        }
        assert_eq!(TopicName::check(""), Err(TopicError::Empty));
        assert_eq!(TopicName::check("a/+"), Err(TopicError::WildcardInName));
        assert_eq!(TopicName::check("a#"), Err(TopicError::WildcardInName));
        assert_eq!(TopicName::check("a\0"), Err(TopicError::Nul));
        assert_eq!(TopicName::check(&"x".repeat(65_536)), Err(TopicError::TooLong));
    }

    #[test]
    fn a_wildcard_is_found_wherever_it_stands() {
        for len in 1..40 {
            assert_eq!(TopicName::check(&"a".repeat(len)), Ok(()));
            assert_eq!(TopicName::check(&"\u{1}\u{ff}$*,".repeat(len)), Ok(()), "neighbours are none");
            for at in 0..=len {
                for (byte, error) in
                    [('+', TopicError::WildcardInName), ('#', TopicError::WildcardInName), ('\0', TopicError::Nul)]
                {
                    let mut topic = "a".repeat(len);
                    topic.insert(at, byte);
                    assert_eq!(TopicName::check(&topic), Err(error), "{topic:?}");
                }
            }
        }
    }

    #[test]
    fn wildcards_stand_alone_in_their_level() {
        for filter in ["#", "+", "+/+", "/+", "a/#", "+/a/#", "/#", "a/+/b", "many/levels/+/and/characters/#"] {
            assert!(TopicFilter::new(filter).is_ok(), "{filter}");
        }
        for filter in ["a#", "a/#/b", "##", "#/", "a/b#", "many/levels/and/characters#"] {
            assert_eq!(TopicFilter::new(filter), Err(TopicError::HashMisplaced), "{filter}");
        }
        for filter in ["a+", "++", "a/+b/c", "many/levels/+and/characters"] {
            assert_eq!(TopicFilter::new(filter), Err(TopicError::PlusMisplaced), "{filter}");
        }
    }

    /// Every filter of up to six of these characters, level by level `[MQTT-4.7.1-2]` `[MQTT-4.7.1-3]` `[MQTT-4.7.3-2]`.
    #[test]
    fn filters_are_what_their_levels_are() {
        const CHARACTERS: [char; 5] = ['a', '/', '+', '#', '\0'];
        let mut filters = vec![String::new()];
        for _ in 0..6 {
            filters = filters.iter().flat_map(|f| CHARACTERS.map(|character| format!("{f}{character}"))).collect();
            for filter in &filters {
                let levels: Vec<&str> = filter.split('/').collect();
                let is_level = |(at, level): (usize, &&str)| match *level {
                    "#" => at + 1 == levels.len(),
                    "+" => true,
                    level => !level.contains(['+', '#', '\0']),
                };
                let expected = levels.iter().enumerate().all(is_level);
                assert_eq!(TopicFilter::check(filter).is_ok(), expected, "{filter:?}");
            }
        }
    }

    #[test]
    fn matching_follows_the_examples_of_the_standard() {
        let check = |filter: &str, topic: &str, expected: bool| {
            let filter = TopicFilter::new(filter).expect("valid filter");
            assert_eq!(filter.matches(topic), expected, "{filter:?} {topic}");
        };
        check("sport/tennis/player1/#", "sport/tennis/player1", true);
        check("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true);
        check("sport/#", "sport", true);
        check("sport/tennis/+", "sport/tennis/player1", true);
        check("sport/tennis/+", "sport/tennis/player1/ranking", false);
        check("sport/+", "sport", false);
        check("sport/+", "sport/", true);
        check("+/+", "/finance", true);
        check("/+", "/finance", true);
        check("+", "/finance", false);
        check("#", "$SYS/x", false);
        check("+/monitor/Clients", "$SYS/monitor/Clients", false);
        check("$SYS/#", "$SYS/x", true);
        check("a/b", "a/b/c", false);
        check("a/b/c", "a/b", false);
    }
}
