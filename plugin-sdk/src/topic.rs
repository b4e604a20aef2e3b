use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A topic filter of a plugin's settings, as a rule about topics and about the filters of others.
///
/// Read from a text by serde; an error quotes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFilter(Box<str>);

impl TopicFilter {
    /// Checks that a text is a topic filter (MQTT 3.1.1, section 4.7).
    ///
    /// # Errors
    ///
    /// The text says which rule of the standard it breaks.
    pub fn new(filter: &str) -> Result<Self, &'static str> {
        if filter.is_empty() {
            return Err("a topic filter has at least one character");
        }
        if filter.contains('\0') {
            return Err("a topic filter has no NUL");
        }
        let mut levels = filter.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err("`#` stands alone in the last level");
            }
            if level.contains('+') && level != "+" {
                return Err("`+` stands alone in its level");
            }
        }
        Ok(TopicFilter(filter.into()))
    }

    /// The filter as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this matches a topic name, or every topic that a topic filter can match.
    ///
    /// Takes time in proportion to the length of both.
    // In the plugin's own crate, and so with its optimisation: this is what a topic-check spends its time with. Byte by
    // byte: splitting both into levels takes several times as long.
    #[inline]
    pub fn covers(&self, topic: &str) -> bool {
        let (rule, asked) = (self.0.as_bytes(), topic.as_bytes());
        // A wildcard in front matches no topic that starts with `$` [MQTT-4.7.2-1].
        if asked.first() == Some(&b'$') && matches!(rule.first(), Some(b'+' | b'#')) {
            return false;
        }
        let (mut at, mut asked_at) = (0, 0);
        loop {
            // Both are at the start of a level.
            match rule.get(at) {
                Some(b'#') => return true,
                Some(b'+') => {
                    if asked.get(asked_at) == Some(&b'#') {
                        return false;
                    }
                    at += 1;
                    while asked.get(asked_at).is_some_and(|byte| *byte != b'/') {
                        asked_at += 1;
                    }
                }
                _ => {
                    while let Some(byte) = rule.get(at).filter(|byte| **byte != b'/') {
                        if asked.get(asked_at) != Some(byte) {
                            return false;
                        }
                        at += 1;
                        asked_at += 1;
                    }
                }
            }
            match (rule.get(at), asked.get(asked_at)) {
                (None, None) => return true,
                (Some(_), Some(b'/')) => {
                    at += 1;
                    asked_at += 1;
                }
                // `a/#` matches `a` [MQTT-4.7.1-2].
                (Some(_), None) => return rule[at..] == *b"/#",
                _ => return false,
            }
        }
    }
}

impl TopicFilter {
    /// Whether there is a topic name that both filters match.
    pub fn overlaps(&self, other: &TopicFilter) -> bool {
        let wildcard = |filter: &TopicFilter| filter.0.starts_with(['+', '#']);
        // [MQTT-4.7.2-1]
        if self.0.starts_with('$') && wildcard(other) || other.0.starts_with('$') && wildcard(self) {
            return false;
        }
        let (mut levels, mut others) = (self.0.split('/'), other.0.split('/'));
        loop {
            match (levels.next(), others.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
                (Some(level), Some(other)) if level == other => {}
                _ => return false,
            }
        }
    }
}

impl<'de> Deserialize<'de> for TopicFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FilterVisitor)
    }
}

struct FilterVisitor;

impl Visitor<'_> for FilterVisitor {
    type Value = TopicFilter;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a topic filter")
    }

    fn visit_str<E: Error>(self, filter: &str) -> Result<TopicFilter, E> {
        TopicFilter::new(filter).map_err(|reason| E::custom(format_args!("{reason}: `{filter}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::TopicFilter;

    fn check(rule: &str, topic: &str, expected: bool) {
        let covers = TopicFilter::new(rule).expect(rule).covers(topic);
        assert_eq!(covers, expected, "{rule} covers {topic}");
    }

    #[test]
    fn topic_names() {
        for (rule, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a", false),
            ("a/b", "a/b/c", false),
            ("a/b", "a/b/", false),
            ("a/b", "A/b", false),
            ("a/b", "/a/b", false),
            ("+", "a", true),
            ("+", "a/b", false),
            ("+", "", true),
            ("+/+", "/a", true),
            ("/+", "/a", true),
            ("/+", "a", false),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a//c", true),
            ("a/+/c", "a/c", false),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("#", "a/b/c", true),
            ("#", "/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "ab", false),
            ("+/#", "a", true),
        ] {
            check(rule, topic, expected);
        }
    }

    #[test]
    fn a_filter_is_covered_only_as_a_whole() {
        for (rule, filter, expected) in [
            ("#", "#", true),
            ("#", "+", true),
            ("#", "a/#", true),
            ("+", "#", false),
            ("+", "+", true),
            ("+", "+/a", false),
            ("a/#", "a/#", true),
            ("a/#", "a/+/#", true),
            ("a/+/#", "a/#", false),
            ("a/+/#", "a/+/#", true),
            ("a/+", "a/#", false),
            ("a/b", "a/+", false),
            ("a/b", "a/b/#", false),
            ("a/b/#", "a/b/#", true),
            ("repositories/+/master", "repositories/#", false),
            ("repositories/+/master", "repositories/+/master", true),
            ("repositories/+/master", "repositories/+/+", false),
            ("repositories/+/master", "+/+/master", false),
        ] {
            check(rule, filter, expected);
        }
    }

    /// The rules again, level by level.
    fn covers_by_levels(rule: &str, topic: &str) -> bool {
        if topic.starts_with('$') && rule.starts_with(['+', '#']) {
            return false;
        }
        let mut asked = topic.split('/');
        for level in rule.split('/') {
            match (level, asked.next()) {
                ("#", _) => return true,
                ("+", Some(asked)) if asked != "#" => {}
                (level, Some(asked)) if level == asked => {}
                _ => return false,
            }
        }
        asked.next().is_none()
    }

    #[test]
    fn every_short_filter_is_judged_as_by_its_levels() {
        let mut texts = vec![String::new()];
        let mut longest = texts.clone();
        for _ in 0..5 {
            longest =
                longest.iter().flat_map(|text| ["a", "b", "+", "#", "/", "$"].map(|end| text.clone() + end)).collect();
            texts.extend(longest.iter().filter(|text| TopicFilter::new(text).is_ok()).cloned());
        }
        texts.remove(0);
        for rule in texts.iter().filter(|rule| !rule.contains('b')) {
            let filter = TopicFilter::new(rule).expect(rule);
            for topic in &texts {
                assert_eq!(filter.covers(topic), covers_by_levels(rule, topic), "{rule} covers {topic}");
            }
        }
    }

    #[test]
    fn filters_overlap_where_a_topic_matches_both() {
        let mut texts = vec![String::new()];
        let mut longest = texts.clone();
        for _ in 0..4 {
            longest = longest.iter().flat_map(|text| ["a", "+", "#", "/", "$"].map(|end| text.clone() + end)).collect();
            texts.extend(longest.iter().filter(|text| TopicFilter::new(text).is_ok()).cloned());
        }
        texts.remove(0);
        let names: Vec<_> = texts.iter().filter(|text| !text.contains(['+', '#'])).collect();
        let filters: Vec<_> = texts.iter().map(|text| TopicFilter::new(text).expect(text)).collect();
        for (one, other) in filters.iter().flat_map(|one| filters.iter().map(move |other| (one, other))) {
            let shared = names.iter().find(|name| one.covers(name) && other.covers(name));
            // A name of four characters is long enough for most of them.
            if let Some(name) = shared {
                assert!(one.overlaps(other), "{one:?} and {other:?} match {name}");
            }
            assert_eq!(one.overlaps(other), other.overlaps(one), "{one:?} {other:?}");
        }
        for (one, other, expected) in [
            ("a/+/c", "a/b/+", true),
            ("a/+", "a/b/#", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a", true),
            ("a/+", "a", false),
            ("a/b/#", "a/c/#", false),
            ("#", "$SYS/#", false),
            ("+/a", "$SYS/a", false),
        ] {
            let [one, other] = [one, other].map(|text| TopicFilter::new(text).expect(text));
            assert_eq!(one.overlaps(&other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_leading_wildcard_covers_no_dollar_topic() {
        for (rule, topic, expected) in [
            ("#", "$SYS/broker/uptime", false),
            ("+/broker/uptime", "$SYS/broker/uptime", false),
            ("#", "$SYS/#", false),
            ("+/#", "$SYS/+", false),
            ("$SYS/#", "$SYS/broker/uptime", true),
            ("$SYS/#", "$SYS/#", true),
            ("$SYS/+", "$SYS/#", false),
            ("$SYS/#", "#", false),
            ("$SYS/#", "+/uptime", false),
            ("a/#", "a/$b", true),
        ] {
            check(rule, topic, expected);
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in ["", "a/#/b", "a#", "#/a", "a/b+", "+a", "a/++", "##", "a\0b"] {
            assert!(TopicFilter::new(text).is_err(), "{text:?}");
        }
        for text in ["/", "//", "+/+/#", "a b", "$SYS/#"] {
            assert!(TopicFilter::new(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn many_wildcards_take_no_longer() {
        let filter = TopicFilter::new(&"+/".repeat(30_000)).expect("a filter");
        assert!(!filter.covers(&"a/".repeat(29_999)));
        assert!(filter.covers(&"a/".repeat(30_000)));
    }
}
