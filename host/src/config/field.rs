use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::bind;
use super::error::Place;
use super::report::Report;
use super::secret;
use super::section::{Section, dashed, join, without_repeated};
use super::setting::{Form, Keys};
use super::yaml::{Node, Value};
use crate::types::TopicFilter;

/// Characters of a value that a message quotes.
const QUOTED_MAX: usize = 60;

/// A value, the path of its key and what it has to be. Each way of reading it reports what is wrong and then gives none.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    path: String,
    key_at: Place,
    node: &'a Node,
    form: Form,
}

impl<'a> Field<'a> {
    pub(super) fn new(path: String, key_at: Place, node: &'a Node, form: Form) -> Self {
        Self { path, key_at, node, form }
    }

    /// The path of the key, for example `auth.password-file`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Where the key is.
    pub(super) fn key_at(&self) -> Place {
        self.key_at
    }

    /// Where the value is.
    pub(super) fn at(&self) -> Place {
        self.node.place
    }

    /// The value as it was read.
    pub(super) fn node(&self) -> &'a Node {
        self.node
    }

    /// The value as a message quotes it. What comes from the environment may be secret: the reference stands for it.
    pub(super) fn shown(&self) -> String {
        match &self.node.value {
            Value::Null => "nothing".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
            _ if self.is_secret() => "a secret".to_owned(),
            value => match (self.written().or(self.node.spelled.as_deref()), value) {
                (Some(written), _) => quoted(written),
                (None, Value::Text(text)) => quoted(text),
                (None, Value::Integer(value)) => format!("`{value}`"),
                (None, Value::Float(value)) => format!("`{value}`"),
                (None, value) => format!("`{}`", matches!(value, Value::Bool(true))),
            },
        }
    }

    /// What stands in the file for a value that comes from the environment.
    pub(super) fn written(&self) -> Option<&'a str> {
        self.node.written.as_deref()
    }

    /// Whether the value is another one than stands in the file.
    pub(super) fn is_from_environment(&self) -> bool {
        self.node.written.is_some()
    }

    /// Whether the value is nobody's business.
    fn is_secret(&self) -> bool {
        match self.form {
            Form::Secret(_) => true,
            Form::Any => secret::is_name(self.path.rsplit('.').next().unwrap_or_default()),
            _ => false,
        }
    }

    /// Says that the value is not what is wanted.
    pub(super) fn wrong(&self, wanted: &str, hint: Option<String>, report: &mut Report) {
        // A value that is missing has no place of its own.
        let at = match self.node.value {
            Value::Null => self.key_at,
            _ => self.node.place,
        };
        report.wrong_value(at, &self.path, self.shown(), wanted, hint);
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

    /// A whole number in the range that the key's row has, quoted or not.
    pub(super) fn integer(&self, report: &mut Report) -> Option<i64> {
        let (min, max) = match self.form {
            Form::Integer { min, max } => (min, max),
            _ => (i64::MIN, i64::MAX),
        };
        let mut hint = None;
        let value = match &self.node.value {
            Value::Integer(value) => i64::try_from(*value).ok(),
            Value::Text(text) if has_leading_zeros(text) => {
                hint = Some(
                    "leave out the zeros in front: some readers of YAML take them as the mark of an octal number"
                        .to_owned(),
                );
                None
            }
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        let value = value.filter(|value| (min..=max).contains(value));
        if value.is_none() {
            let wanted = match max {
                i64::MAX => format!("a whole number of at least {min}"),
                _ => format!("a whole number from {min} to {max}"),
            };
            self.wrong(&wanted, hint, report);
        }
        value
    }

    /// One of the words that the key's row has, in any case.
    pub(super) fn word(&self, report: &mut Report) -> Option<&'static str> {
        let words = match self.form {
            Form::Word(words) => words,
            _ => &[],
        };
        let wanted = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        let text = self.text(&wanted, report)?;
        let found = words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied();
        if found.is_none() {
            self.wrong(&wanted, None, report);
        }
        found
    }

    /// What may be an address to listen on. Whether it is one depends on the port that it leaves out.
    pub(super) fn bind(&self, report: &mut Report) -> Option<String> {
        match &self.node.value {
            Value::Integer(port) => Some(port.to_string()),
            Value::List(_) => {
                self.wrong(bind::WANTED, Some(bind::QUOTE_BRACKETS.to_owned()), report);
                None
            }
            _ => self.text(bind::WANTED, report).map(ToOwned::to_owned),
        }
    }

    /// 64 hexadecimal digits as 32 bytes.
    pub(super) fn sha256(&self, report: &mut Report) -> Option<[u8; 32]> {
        const WANTED: &str = "a SHA-256 sum, 64 hexadecimal digits";
        let text = self.text(WANTED, report)?;
        let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
        match digits {
            Some(digits) if digits.len() == 64 => Some(std::array::from_fn(|i| digits[2 * i] << 4 | digits[2 * i + 1])),
            _ => {
                self.wrong(WANTED, None, report);
                None
            }
        }
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
            let hint = match &self.node.value {
                Value::Null => Some("write `[]` for none".to_owned()),
                Value::Text(text) if !self.is_secret() && !self.is_from_environment() && is_item(text) => {
                    Some(format!("write `['{text}']` for a list of one"))
                }
                _ => None,
            };
            self.wrong(wanted, hint, report);
            return None;
        };
        let fields = items.iter().map(|item| Self::new(self.path.clone(), item.place, item, self.form));
        Some(fields.collect())
    }

    /// A list of texts of one kind.
    pub(super) fn texts(&self, kind: &str, report: &mut Report) -> Option<Vec<&'a str>> {
        let items = self.list(&format!("a list of {kind}s"), report)?;
        let wanted = format!("a {kind}");
        let texts: Vec<_> = items.iter().map(|item| item.text(&wanted, report)).collect();
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
            let field = Self::new(join(&self.path, &name), entry.place, &entry.value, self.form);
            (name, field)
        });
        Some(fields.collect())
    }

    /// Whether it is a mapping that has such a key, with dashes.
    pub(super) fn has_key(&self, is_it: impl Fn(&str) -> bool) -> bool {
        matches!(&self.node.value, Value::Mapping(entries) if entries.iter().any(|entry| is_it(&dashed(&entry.key))))
    }

    /// A mapping with known keys.
    pub(super) fn section(&self, keys: &'static Keys, report: &mut Report) -> Option<Section<'a>> {
        Section::open(&self.path, self.node, keys, report)
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

/// Whether a text, in single quotes, may be meant as the one item of a list, and not as a placeholder.
fn is_item(text: &str) -> bool {
    let is_short = text.len() <= QUOTED_MAX && !text.contains(['\'', ' ', ',']);
    is_short && text.contains(|c: char| c.is_alphanumeric() || matches!(c, '#' | '+'))
}

/// Digits that some readers of YAML take for a number in base 8.
fn has_leading_zeros(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Text as short as a message may have it.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}
