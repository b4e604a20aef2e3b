use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use super::error::Place;
use super::field::Field;
use super::report::Report;
use super::setting::{Form, Keys, Setting, Unknown};
use super::suggest::nearest;
use super::yaml::{Entry, Node, Value};

/// A mapping with known keys, dashes and underscores alike, that notices the others.
pub(super) struct Section<'a> {
    path: String,
    at: Place,
    /// Keys with dashes.
    entries: Vec<(String, &'a Entry)>,
    keys: &'static Keys,
}

/// The one key that documents of the broker's ancestors repeat: PyYAML keeps the last.
const REPEATABLE: &str = "capath";

impl<'a> Section<'a> {
    /// The section that a node is; a node without a value is an empty one. None after an error.
    pub(super) fn open(path: &str, node: &'a Node, keys: &'static Keys, report: &mut Report) -> Option<Self> {
        let entries: &[Entry] = match &node.value {
            Value::Null => &[],
            Value::Mapping(entries) => entries,
            _ => {
                let field = Field::new(path.to_owned(), node.place, node, Form::Section(keys));
                field.wrong("a mapping, `key: value` on lines of their own", None, report);
                return None;
            }
        };
        let keyed = entries.iter().map(|entry| (dashed(&entry.key), entry));
        Some(Self { path: path.to_owned(), at: node.place, entries: without_repeated(path, keyed, report), keys })
    }

    /// Where the section is.
    pub(super) fn at(&self) -> Place {
        self.at
    }

    /// The value of a key, spelled with dashes here. The key has a row in the section's tables.
    pub(super) fn take(&mut self, key: &str) -> Option<Field<'a>> {
        let setting = self.keys.find(key);
        debug_assert!(setting.is_some(), "`{key}` has no row in the tables of `{}`", self.path);
        let form = setting.map_or(Form::Any, |setting| setting.form);
        let index = self.entries.iter().position(|(name, _)| name == key)?;
        let (_, entry) = self.entries.remove(index);
        Some(Field::new(join(&self.path, key), entry.place, &entry.value, form))
    }

    /// Where these keys stand, of those that are there.
    pub(super) fn places(&self, settings: &'static [Setting]) -> Vec<(&'static str, Place)> {
        let place = |key| self.entries.iter().find(|(name, _)| name == key).map(|(_, entry)| entry.place);
        settings.iter().filter_map(|setting| Some((setting.key, place(setting.key)?))).collect()
    }

    /// Takes out what `judge`, by its path and as it is spelled, has a message and a hint for: these are errors.
    pub(super) fn refuse(&mut self, judge: impl Fn(&str, &Entry) -> Option<(String, String)>, report: &mut Report) {
        let Self { path, entries, .. } = self;
        entries.retain(|(_, entry)| {
            let judged = judge(&join(path, &entry.key), entry);
            let refused = judged.is_some();
            if let Some((message, hint)) = judged {
                report.error(Some(entry.place), message, Some(hint));
            }
            !refused
        });
    }

    /// What was not taken.
    pub(super) fn rest(self) -> Vec<(String, Field<'a>)> {
        let Self { path, entries, .. } = self;
        let fields = entries.into_iter().map(|(key, entry)| {
            let field = Field::new(join(&path, &key), entry.place, &entry.value, Form::Any);
            (key, field)
        });
        fields.collect()
    }

    /// Says of every key that was not taken that it is unknown.
    pub(super) fn close(self, report: &mut Report) {
        for (key, entry) in &self.entries {
            let path = join(&self.path, &entry.key);
            let known: Vec<&str> = self.keys.settings().map(|setting| setting.key).collect();
            let hint = match nearest(key, known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None if known.is_empty() => "there are no keys here".to_owned(),
                None => format!("known keys are {}", ticked(&known)),
            };
            match self.keys.unknown {
                Unknown::Error => report.error(Some(entry.place), format!("unknown key `{path}`"), Some(hint)),
                Unknown::Warning => {
                    report.warning(Some(entry.place), format!("unknown key `{path}` has no effect"), Some(hint));
                }
                Unknown::PluginsOwn => {}
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
            let (unused, line) = (slot.1.place.line, entry.place.line);
            let message = format!("key `{path}` is repeated: line {line} counts, line {unused} has no effect");
            report.warning(Some(entry.place), message, None);
            slot.1 = entry;
        } else {
            let message = format!("key `{path}` is repeated: it stands in line {} already", slot.1.place.line);
            let hint = "keep one of them; `-` and `_` are the same in keys";
            report.error(Some(entry.place), message, Some(hint.to_owned()));
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
