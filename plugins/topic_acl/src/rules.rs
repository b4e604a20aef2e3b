use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use amqtt_plugin_sdk::TopicFilter;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The entry for clients without a user name. A client that calls itself so is not meant.
const ANONYMOUS: &str = "anonymous";

/// Something for each user. No hash: without random numbers it would have no secret, and names that collide in it would
/// make checks slow.
pub(crate) type ByUsername<T> = BTreeMap<String, T>;

/// What each user may do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Rules {
    by_username: ByUsername<List>,
}

impl Rules {
    /// Whether one rule of a user covers a topic name, or all that a topic filter can match.
    pub(crate) fn judge(&self, username: Option<&str>, topic: &str) -> Judgement<'_> {
        let entry = match username.unwrap_or_default() {
            "" => ANONYMOUS,
            ANONYMOUS => return Judgement::nothing_is_allowed(),
            name => name,
        };
        match self.by_username.get(entry) {
            None => Judgement::nothing_is_allowed(),
            // No rule denies: what one of them allows it allows altogether.
            Some(List(rules)) => match rules.iter().find(|rule| rule.covers(topic)) {
                Some(rule) => Judgement { allowed: true, extends_to: Some(Cow::Borrowed(rule)) },
                None => Judgement::DENIED,
            },
        }
    }
}

/// What the rules say of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement<'a> {
    pub(crate) allowed: bool,
    /// They say the same of every topic name that this matches.
    pub(crate) extends_to: Option<Cow<'a, TopicFilter>>,
}

impl Judgement<'_> {
    /// Of this topic, and nothing of others.
    pub(crate) const DENIED: Self = Self { allowed: false, extends_to: None };

    /// There are no rules for a client.
    pub(crate) fn nothing_is_allowed() -> Self {
        Self { allowed: false, extends_to: TopicFilter::new("#").ok().map(Cow::Owned) }
    }
}

/// The rules of one user.
#[derive(Debug, Clone, Default)]
struct List(Vec<TopicFilter>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of topics")
    }

    /// A name with nothing after it, which is how YAML spells it, has no topics.
    fn visit_unit<E: Error>(self) -> Result<List, E> {
        Ok(List::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut topics: A) -> Result<List, A::Error> {
        let mut rules = Vec::new();
        while let Some(rule) = topics.next_element()? {
            rules.push(rule);
        }
        Ok(List(rules))
    }
}

#[cfg(test)]
mod tests {
    use super::Rules;

    fn check(json: &str, expected: Result<usize, &str>) {
        match (serde_json::from_str::<Rules>(json), expected) {
            (Ok(rules), Ok(count)) => {
                assert_eq!(rules.by_username.values().map(|list| list.0.len()).sum::<usize>(), count, "{json}");
            }
            (Err(err), Err(expected)) => assert!(err.to_string().contains(expected), "{json}: {err}"),
            (read, expected) => panic!("{json}: {read:?} in place of {expected:?}"),
        }
    }

    #[test]
    fn reads_lists_of_topics() {
        check(r#"{}"#, Ok(0));
        check(r#"{"bob":["a","b/#"],"eve":[]}"#, Ok(2));
        check(r#"{"bob":null}"#, Ok(0));
        check(r#"{"bob":"..."}"#, Err(r#"invalid type: string "...", expected a list of topics"#));
        check(r#"{"bob":[1]}"#, Err("expected a topic filter"));
        check(r#"{"bob":["a/#/b"]}"#, Err("`a/#/b`"));
        check("[]", Err("expected a map"));
    }
}
