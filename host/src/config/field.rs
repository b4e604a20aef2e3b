use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::report::Report;
use super::section::{Section, join, without_repeated};
use super::yaml::{At, Node, Value};
use crate::types::TopicFilter;

/// Characters of a value that a message quotes.
const QUOTED_MAX: usize = 60;

/// A value and the path of its key. Each way of reading it reports what is wrong and then gives none.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    path: String,
    key_at: At,
    node: &'a Node,
}

impl<'a> Field<'a> {
    pub(super) fn new(path: String, key_at: At, node: &'a Node) -> Self {
        Self { path, key_at, node }
    }

    /// The path of the key, for example `auth.password-file`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Where the key is.
    pub(super) fn key_at(&self) -> At {
        self.key_at
    }

    /// Where the value is.
    pub(super) fn at(&self) -> At {
        self.node.at
    }

    /// The value as it was read.
    pub(super) fn node(&self) -> &'a Node {
        self.node
    }

    /// Says that the value is not what is wanted.
    pub(super) fn wrong(&self, wanted: &str, hint: Option<String>, report: &mut Report) {
        let found = found(self.node);
        let subject = match self.path.as_str() {
            "" => "the file".to_owned(),
            path => format!("key `{path}`"),
        };
        // A value that is missing has no place of its own.
        let at = match self.node.value {
            Value::Null => self.key_at,
            _ => self.node.at,
        };
        report.error(Some(at), format!("{subject}: found {found}, wanted {wanted}"), hint);
    }

    /// On or off, in the words of YAML 1.1 and 1.2, quoted or not.
    pub(super) fn switch(&self, report: &mut Report) -> Option<bool> {
        let value = match &self.node.value {
            Value::Bool(value) => return Some(*value),
            Value::Text(text) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        match value.as_str() {
            "true" | "on" | "yes" => Some(true),
            "false" | "off" | "no" => Some(false),
            _ => {
                let placeholder = value.contains('/').then(|| "choose one of the two".to_owned());
                self.wrong("`true` or `false`", placeholder, report);
                None
            }
        }
    }

    /// A whole number, quoted or not.
    pub(super) fn integer(&self, range: RangeInclusive<i64>, report: &mut Report) -> Option<i64> {
        let value = match &self.node.value {
            Value::Integer(value) => i64::try_from(*value).ok(),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        let value = value.filter(|value| range.contains(value));
        if value.is_none() {
            let (min, max) = range.into_inner();
            let wanted = match max {
                i64::MAX => format!("a whole number of at least {min}"),
                _ => format!("a whole number from {min} to {max}"),
            };
            self.wrong(&wanted, None, report);
        }
        value
    }

    /// Text of at least one character; `wanted` says of what kind.
    pub(super) fn text(&self, wanted: &str, report: &mut Report) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) if !text.is_empty() => return Some(text),
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
                self.wrong(wanted, Some("quote it if it is meant as text".to_owned()), report);
            }
            _ => self.wrong(wanted, None, report),
        }
        None
    }

    /// The path of a file or folder, made absolute: a relative one starts at the folder of the configuration file.
    pub(super) fn file(&self, base_dir: &Path, report: &mut Report) -> Option<String> {
        let path = base_dir.join(self.text("a path", report)?);
        // Without `.`; a `..` stays, for the system to follow.
        let path: PathBuf = path.components().collect();
        let path = path.into_os_string().into_string();
        if path.is_err() {
            let message = format!("key `{}`: the path of the configuration file is not UTF-8", self.path);
            report.error(Some(self.at()), message, Some("give an absolute path".to_owned()));
        }
        path.ok()
    }

    /// The items of a list, under the path of the list.
    pub(super) fn list(&self, wanted: &str, report: &mut Report) -> Option<Vec<Field<'a>>> {
        let Value::List(items) = &self.node.value else {
            let hint = matches!(self.node.value, Value::Null).then(|| "write `[]` for none".to_owned());
            self.wrong(wanted, hint, report);
            return None;
        };
        let fields = items.iter().map(|item| Self::new(self.path.clone(), item.at, item));
        Some(fields.collect())
    }

    /// A list of texts.
    pub(super) fn texts(&self, wanted_list: &str, wanted: &str, report: &mut Report) -> Option<Vec<&'a str>> {
        let items = self.list(wanted_list, report)?;
        let texts: Vec<_> = items.iter().map(|item| item.text(wanted, report)).collect();
        texts.into_iter().collect()
    }

    /// A list of topic filters.
    pub(super) fn topics(&self, report: &mut Report) -> Option<Vec<TopicFilter>> {
        let items = self.list("a list of topics", report)?;
        let topics: Vec<_> = items.iter().map(|item| item.topic(report)).collect();
        topics.into_iter().collect()
    }

    fn topic(&self, report: &mut Report) -> Option<TopicFilter> {
        let text = self.text("a topic", report)?;
        match TopicFilter::new(text) {
            Ok(topic) => Some(topic),
            Err(error) => {
                self.wrong("a topic", Some(error.to_string()), report);
                None
            }
        }
    }

    /// A mapping whose keys are names, kept as they are spelled.
    pub(super) fn named(&self, wanted: &str, report: &mut Report) -> Option<Vec<(String, Field<'a>)>> {
        let Value::Mapping(entries) = &self.node.value else {
            self.wrong(wanted, None, report);
            return None;
        };
        let keyed = entries.iter().map(|entry| (entry.key.clone(), entry));
        let entries = without_repeated(&self.path, keyed, report).into_iter();
        let fields = entries.map(|(name, entry)| {
            let field = Self::new(join(&self.path, &name), entry.at, &entry.value);
            (name, field)
        });
        Some(fields.collect())
    }

    /// A mapping with known keys.
    pub(super) fn section(&self, report: &mut Report) -> Option<Section<'a>> {
        Section::open(&self.path, self.node, report)
    }

    /// Any value, for a plugin that knows what it is.
    pub(super) fn json(&self, report: &mut Report) -> Option<Json> {
        match &self.node.value {
            Value::Null => Some(Json::Null),
            Value::Bool(value) => Some(Json::Bool(*value)),
            Value::Integer(value) => {
                let number = serde_json::Number::from_i128(*value);
                if number.is_none() {
                    self.wrong("a number of at most 64 bits", Some("quote it".to_owned()), report);
                }
                number.map(Json::Number)
            }
            Value::Float(value) => {
                let number = serde_json::Number::from_f64(*value);
                if number.is_none() {
                    self.wrong("a finite number", None, report);
                }
                number.map(Json::Number)
            }
            Value::Text(text) => Some(Json::String(text.clone())),
            Value::List(_) => {
                let items = self.list("a list", report)?;
                let values: Vec<_> = items.iter().map(|item| item.json(report)).collect();
                values.into_iter().collect::<Option<Vec<_>>>().map(Json::Array)
            }
            Value::Mapping(_) => {
                let fields = self.named("a mapping", report)?;
                let values: Vec<_> =
                    fields.into_iter().map(|(name, field)| field.json(report).map(|value| (name, value))).collect();
                values.into_iter().collect::<Option<_>>().map(Json::Object)
            }
        }
    }
}

/// A value as a message quotes it.
fn found(node: &Node) -> String {
    match &node.value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Integer(value) => format!("`{value}`"),
        Value::Float(value) => format!("`{value}`"),
        Value::Text(text) => {
            let cut = match text.char_indices().nth(QUOTED_MAX) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text.clone(),
            };
            // Control characters could rewrite the terminal.
            let shown: String = cut
                .chars()
                .flat_map(|c| match c.is_control() {
                    true => c.escape_default().collect::<Vec<_>>(),
                    false => vec![c],
                })
                .collect();
            format!("`{shown}`")
        }
        Value::List(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
    }
}
