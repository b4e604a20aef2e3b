use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use super::field::Field;
use super::report::Report;
use super::suggest::nearest;
use super::yaml::{At, Entry, Node, Value};

/// A mapping with known keys, dashes and underscores alike, that notices what nobody asked for.
pub(super) struct Section<'a> {
    path: String,
    at: At,
    /// Keys with dashes.
    entries: Vec<(String, &'a Entry)>,
    known: Vec<&'static str>,
}

/// What a key that nobody asked for is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Where a mistyped key could open the broker.
    Error,
    /// Elsewhere.
    Warning,
}

/// The one key that documents of the broker's ancestors repeat: PyYAML keeps the last.
const REPEATABLE: &str = "capath";

impl<'a> Section<'a> {
    /// The section that a node is; a node without a value is an empty one. None after an error.
    pub(super) fn open(path: &str, node: &'a Node, report: &mut Report) -> Option<Self> {
        let entries: &[Entry] = match &node.value {
            Value::Null => &[],
            Value::Mapping(entries) => entries,
            _ => {
                let field = Field::new(path.to_owned(), node.at, node);
                field.wrong("a mapping, `key: value` on lines of their own", None, report);
                return None;
            }
        };
        let keyed = entries.iter().map(|entry| (dashed(&entry.key), entry));
        Some(Self {
            path: path.to_owned(),
            at: node.at,
            entries: without_repeated(path, keyed, report),
            known: Vec::new(),
        })
    }

    /// Where the section is.
    pub(super) fn at(&self) -> At {
        self.at
    }

    /// The value of a key, spelled with dashes here.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        self.take_unlisted(key)
    }

    /// The value of a key that is not to be suggested to anyone.
    pub(super) fn take_unlisted(&mut self, key: &str) -> Option<Field<'a>> {
        let index = self.entries.iter().position(|(name, _)| name == key)?;
        let (_, entry) = self.entries.remove(index);
        Some(Field::new(join(&self.path, key), entry.at, &entry.value))
    }

    /// What was not taken.
    pub(super) fn rest(self) -> Vec<(String, Field<'a>)> {
        let Self { path, entries, .. } = self;
        let fields = entries.into_iter().map(|(key, entry)| {
            let field = Field::new(join(&path, &key), entry.at, &entry.value);
            (key, field)
        });
        fields.collect()
    }

    /// Says of every key that was not taken that it is unknown.
    pub(super) fn close(self, unknown: Unknown, report: &mut Report) {
        for (key, entry) in &self.entries {
            let path = join(&self.path, &entry.key);
            let hint = match nearest(key, self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None if self.known.is_empty() => "there are no keys here".to_owned(),
                None => format!("known keys are {}", ticked(&self.known)),
            };
            match unknown {
                Unknown::Error => report.error(Some(entry.at), format!("unknown key `{path}`"), Some(hint)),
                Unknown::Warning => {
                    report.warning(Some(entry.at), format!("unknown key `{path}` has no effect"), Some(hint));
                }
            }
        }
    }
}

/// The entries, each key once: with an error, or with a warning and the last one in force.
pub(super) fn without_repeated<'a>(
    path: &str,
    entries: impl Iterator<Item = (String, &'a Entry)>,
    report: &mut Report,
) -> Vec<(String, &'a Entry)> {
    let mut indices: HashMap<String, usize> = HashMap::new();
    let mut unique: Vec<(String, &'a Entry)> = Vec::new();
    for (key, entry) in entries {
        let slot = match indices.entry(key.clone()) {
            Slot::Vacant(slot) => {
                slot.insert(unique.len());
                unique.push((key, entry));
                continue;
            }
            Slot::Occupied(slot) => &mut unique[*slot.get()],
        };
        let path = join(path, &key);
        if key == REPEATABLE {
            let earlier = "this value is not used: the key is repeated below";
            report.warning(Some(slot.1.at), format!("key `{path}`: {earlier}"), None);
            report.warning(Some(entry.at), format!("key `{path}` is repeated: this value counts"), None);
            slot.1 = entry;
        } else {
            report.error(
                Some(entry.at),
                format!("key `{path}` is repeated"),
                Some("keep one of them; `-` and `_` are the same in keys".to_owned()),
            );
        }
    }
    unique
}

/// A key as this program spells it.
pub(super) fn dashed(key: &str) -> String {
    key.replace('_', "-")
}

/// The path of a key within the section of that path.
pub(super) fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

/// Names in a row, each marked as a name.
pub(super) fn ticked<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(", ")
}
