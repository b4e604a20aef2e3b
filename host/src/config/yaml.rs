//! YAML text as a tree whose every key and value can tell its line and column.
//!
//! The only file that knows which YAML library is used. serde_yaml tells places only in errors: a place is found by
//! reading the text once more and failing on purpose at the node in question.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::error::Place;

/// Keys and values of one text. Aliases count where they are used, so that a small text cannot become a huge tree.
const NODES_MAX: u32 = 1_000_000;

/// Which node of the text it is, in reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At(u32);

/// One value and where it is.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) value: Value,
}

/// A value as YAML 1.2 understands it: `on` and `yes` are text.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// One key of a mapping. A key may be there more than once.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: At,
    pub(super) value: Node,
}

/// Why a text is no YAML.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) place: Option<Place>,
    pub(super) message: String,
}

/// Reads a text with one document.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    read(text, None).map_err(|error| {
        let place = place_of(&error);
        let mut message = error.to_string();
        if let Some(place) = place {
            // The place is told apart from the message.
            message = message.replacen(&format!(" at line {} column {}", place.line, place.column), "", 1);
        }
        SyntaxError { place, message }
    })
}

/// Where a node of this text is.
pub(super) fn place(text: &str, at: At) -> Option<Place> {
    read(text, Some(at)).err().as_ref().and_then(place_of)
}

fn place_of(error: &serde_yaml::Error) -> Option<Place> {
    error.location().map(|location| Place { line: location.line(), column: location.column() })
}

fn read(text: &str, stop_at: Option<At>) -> Result<Node, serde_yaml::Error> {
    let count = Cell::new(0);
    let reader = Reader { count: &count, stop_at };
    reader.deserialize(serde_yaml::Deserializer::from_str(text))
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    count: &'a Cell<u32>,
    stop_at: Option<At>,
}

impl Reader<'_> {
    fn next<E: de::Error>(self) -> Result<At, E> {
        let at = At(self.count.get());
        if self.stop_at == Some(at) {
            return Err(E::custom("here"));
        }
        if at.0 >= NODES_MAX {
            return Err(E::custom(format_args!("more than {NODES_MAX} keys and values")));
        }
        self.count.set(at.0 + 1);
        Ok(at)
    }

    fn leaf<E: de::Error>(self, value: Value) -> Result<Node, E> {
        Ok(Node { at: self.next()?, value })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Node;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain value, a list or a mapping")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.leaf(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.leaf(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        self.leaf(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        self.leaf(Value::Integer(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        self.leaf(Value::Integer(value.into()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Node, E> {
        self.leaf(i128::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Node, E> {
        self.leaf(Value::Integer(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        self.leaf(Value::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        self.leaf(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let at = self.next()?;
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self)? {
            items.push(item);
        }
        let value = Value::List(items);
        Ok(Node { at, value })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let at = self.next()?;
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        while let Some((key, at)) = map.next_key_seed(KeyReader(self))? {
            let value = map.next_value_seed(self)?;
            if key == "<<" {
                merged.push(value);
            } else {
                entries.push(Entry { key, at, value });
            }
        }
        for node in merged {
            merge(&mut entries, node)?;
        }
        let value = Value::Mapping(entries);
        Ok(Node { at, value })
    }
}

/// Adds what `<<` names to the entries that the mapping has itself: those go first.
fn merge<E: de::Error>(entries: &mut Vec<Entry>, node: Node) -> Result<(), E> {
    match node.value {
        Value::Mapping(more) => {
            let known = entries.len();
            for entry in more {
                if entries[..known].iter().all(|own| own.key != entry.key) {
                    entries.push(entry);
                }
            }
            Ok(())
        }
        Value::List(nodes) => nodes.into_iter().try_for_each(|node| merge(entries, node)),
        _ => Err(E::custom("`<<` wants a mapping or a list of mappings")),
    }
}

/// Reads a key as it is spelled: user names such as `0x10` or `true` are text.
struct KeyReader<'a>(Reader<'a>);

impl<'de> DeserializeSeed<'de> for KeyReader<'_> {
    type Value = (String, At);

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeyReader<'_> {
    type Value = (String, At);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key on one line")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok((key.to_owned(), self.0.next()?))
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test fails by it")]
mod tests {
    use super::*;

    const TEXT: &str = "\
listeners:
  default: &base {type: tcp}
  two:
    <<: *base
    bind: [1, 'b']
    bind: 1883
0x10: true
";

    fn entries(node: &Node) -> &[Entry] {
        match &node.value {
            Value::Mapping(entries) => entries,
            other => panic!("no mapping: {other:?}"),
        }
    }

    #[test]
    fn keys_are_text_repeated_keys_are_kept_and_merges_are_resolved() {
        let root = parse(TEXT).expect("is YAML");
        let keys = |node: &Node| entries(node).iter().map(|entry| entry.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&root), ["listeners", "0x10"]);
        let listeners = &entries(&root)[0].value;
        assert_eq!(keys(&entries(listeners)[1].value), ["bind", "bind", "type"]);
    }

    #[test]
    fn every_key_and_value_has_a_place() {
        let root = parse(TEXT).expect("is YAML");
        let check = |at: At, line: usize, column: usize| assert_eq!(place(TEXT, at), Some(Place { line, column }));
        check(root.at, 1, 1);
        let two = &entries(&entries(&root)[0].value)[1];
        check(two.at, 3, 3);
        let second_bind = &entries(&two.value)[1];
        check(second_bind.at, 6, 5);
        check(second_bind.value.at, 6, 11);
        let Value::List(items) = &entries(&two.value)[0].value.value else { panic!("no list") };
        check(items[1].at, 5, 15);
    }

    #[test]
    fn what_is_no_yaml_has_a_place() {
        let error = parse("a: b\nc: {").expect_err("the mapping does not end");
        assert_eq!(error.place.map(|place| place.line), Some(3), "{error:?}");
        assert!(!error.message.starts_with("at line"), "{error:?}");
        assert!(parse("a: !secret b").is_err());
        assert!(parse("[1]: b").is_err());
        assert!(parse("a: 1\n---\nb: 2").is_err());
    }

    #[test]
    fn aliases_cannot_make_a_small_text_huge() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let item = format!("*a{}, ", i - 1);
            text.push_str(&format!("a{i}: &a{i} [{}]\n", item.repeat(10)));
        }
        assert!(parse(&text).is_err());
        // Few aliases of much.
        let text = format!("a: &a [{}]\nb: [{}]", "x, ".repeat(2_000), "*a, ".repeat(2_000));
        let error = parse(&text).expect_err("is too much");
        assert!(error.message.contains("more than 1000000 keys and values"), "{error:?}");
    }
}
