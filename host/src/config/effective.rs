//! The configuration in force: every value and where it came from, as YAML that could be read again.

use std::path::Path;

use serde_json::Value as Json;

use super::field::Field;
use super::report::Report;
use super::section::{dashed, join};
use super::setting::{Form, Keys, Preset, Setting, Unknown};
use super::yaml::{Entry, Node, Value};
use super::{ConfigError, Reading, Source, known, listeners, plugins, root};

/// What stands for a value that is nobody's business.
const HIDDEN: &str = "(hidden)";

/// Where comments stand, unless a line is longer.
const COMMENT_COLUMN_MAX: usize = 60;

/// The configuration of a file, or the default one, with defaults filled in and the origin of each value as a comment.
/// Secrets are left out.
///
/// # Errors
/// When the file cannot be read or anything in it is wrong.
pub fn effective(path: Option<&Path>) -> Result<String, ConfigError> {
    let source = match path {
        Some(path) => Source::open(path)?,
        None => Source::default_config(),
    };
    of(&source)
}

pub(super) fn of(source: &Source) -> Result<String, ConfigError> {
    source.config()?;
    let Reading { root, .. } = source.read()?;
    let base_dir = source.base_dir.as_deref().unwrap_or(Path::new(""));
    let mut printer = Printer { file: &source.name, base_dir, lines: Vec::new() };
    printer.section(0, &Levels { own: Some(&root), inherited: None }, &root::KEYS, "", true);
    Ok(printer.text())
}

/// Where a section's values may stand.
struct Levels<'a> {
    own: Option<&'a Node>,
    inherited: Option<&'a Node>,
}

impl<'a> Levels<'a> {
    fn find(&self, setting: &Setting) -> Option<&'a Entry> {
        let inherited = self.inherited.filter(|_| !matches!(setting.form, Form::Bind));
        [self.own, inherited].into_iter().flatten().find_map(|node| last(node, setting.key))
    }
}

/// The entry of a key that counts.
fn last<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    match &node.value {
        Value::Mapping(entries) => entries.iter().rev().find(|entry| dashed(&entry.key) == key),
        _ => None,
    }
}

struct Printer<'a> {
    file: &'a str,
    base_dir: &'a Path,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    text: String,
    /// Where it came from.
    origin: String,
}

impl Printer<'_> {
    /// The keys of a section. Those that are not there are printed where they have a default, if that is asked for.
    fn section(&mut self, depth: usize, levels: &Levels<'_>, keys: &Keys, path: &str, with_defaults: bool) {
        for setting in keys.settings() {
            match levels.find(setting) {
                Some(entry) => self.entry(depth, setting, entry, &join(path, setting.key), with_defaults),
                None if with_defaults => self.default(depth, setting),
                None => {}
            }
        }
        let own = levels.own.filter(|_| keys.unknown == Unknown::PluginsOwn);
        if let Some(Node { value: Value::Mapping(entries), .. }) = own {
            for entry in entries.iter().filter(|entry| keys.find(&dashed(&entry.key)).is_none()) {
                self.plugins_own(depth, entry);
            }
        }
    }

    fn default(&mut self, depth: usize, setting: &Setting) {
        match (setting.form, setting.default) {
            (Form::Section(keys), _) => {
                let before = self.lines.len();
                self.push(depth, format!("{}:", setting.key), "default");
                self.section(depth + 1, &Levels { own: None, inherited: None }, keys, "", true);
                if self.lines[before + 1..].iter().all(|line| line.text.trim_start().starts_with('#')) {
                    self.lines.truncate(before);
                }
            }
            (_, Preset::Value(value)) => self.push(depth, format!("{}: {value}", setting.key), "default"),
            (_, Preset::Meaning(meaning)) => self.push(depth, format!("# {}: {meaning}", setting.key), "default"),
            (_, Preset::None) => {}
        }
    }

    fn entry(&mut self, depth: usize, setting: &Setting, entry: &Entry, path: &str, with_defaults: bool) {
        let origin = self.origin(entry);
        let node = &entry.value;
        match setting.form {
            Form::Section(keys) => {
                self.push(depth, format!("{}:", setting.key), &origin);
                self.section(depth + 1, &Levels { own: Some(node), inherited: None }, keys, path, with_defaults);
            }
            Form::Listeners(keys) => {
                self.push(depth, format!("{}:", setting.key), &origin);
                self.listeners(depth + 1, node, keys);
            }
            Form::Plugins => self.plugins(depth, setting.key, entry, path),
            form => {
                let field = Field::new(path.to_owned(), entry.place, node, form);
                // It was read without an error before.
                match form.read(&field, self.base_dir, &mut Report::default()) {
                    Some(_) if is_secret(setting.key) => self.leaf(depth, setting.key, &HIDDEN.into(), &origin),
                    Some(value) => self.leaf(depth, setting.key, &value, &origin),
                    None => {}
                }
            }
        }
    }

    fn listeners(&mut self, depth: usize, node: &Node, keys: &Keys) {
        let Value::Mapping(entries) = &node.value else { return };
        let default = last(node, listeners::DEFAULT).map(|entry| &entry.value);
        for entry in entries {
            self.push(depth, format!("{}:", yaml_text(&entry.key)), &self.origin(entry));
            // What listens nowhere is only what the others inherit.
            let listens = entry.key != listeners::DEFAULT || last(&entry.value, "bind").is_some();
            let levels = Levels { own: Some(&entry.value), inherited: default };
            self.section(depth + 1, &levels, keys, "", listens);
        }
    }

    fn plugins(&mut self, depth: usize, key: &str, entry: &Entry, path: &str) {
        let field = Field::new(path.to_owned(), entry.place, &entry.value, Form::Plugins);
        let plugins = plugins::entries(&field, &mut Report::default()).unwrap_or_default();
        let none = if plugins.is_empty() { " []" } else { "" };
        self.push(depth, format!("{key}:{none}"), &self.origin(entry));
        for plugin in plugins {
            let line = format!("{}:{}", self.file, plugin.at.line);
            let Some(settings) = &plugin.settings else {
                self.push(depth + 1, format!("- {}", plugin.name), &line);
                continue;
            };
            self.push(depth + 1, format!("- {}:", plugin.name), &line);
            let keys = known::find(&plugin.name).map_or(&known::FOREIGN, |known| &known.keys);
            let levels = Levels { own: Some(settings.node()), inherited: None };
            self.section(depth + 3, &levels, keys, "", false);
        }
    }

    /// A setting of a plugin that the broker knows nothing of.
    fn plugins_own(&mut self, depth: usize, entry: &Entry) {
        let origin = self.origin(entry);
        let field = Field::new(entry.key.clone(), entry.place, &entry.value, Form::Any);
        let Some(mut value) = field.json(&mut Report::default()) else { return };
        if is_secret(&entry.key) || entry.value.written.is_some() {
            value = HIDDEN.into();
        }
        hide_secrets(&mut value, &entry.value);
        self.leaf(depth, &entry.key, &value, &origin);
    }

    fn leaf(&mut self, depth: usize, key: &str, value: &Json, origin: &str) {
        match value {
            Json::Object(members) if !members.is_empty() => {
                self.push(depth, format!("{}:", yaml_text(key)), origin);
                members.iter().for_each(|(key, value)| self.leaf(depth + 1, key, value, ""));
            }
            Json::String(text) => self.push(depth, format!("{}: {}", yaml_text(key), yaml_text(text)), origin),
            // The rest of JSON is YAML as it is.
            other => self.push(depth, format!("{}: {other}", yaml_text(key)), origin),
        }
    }

    fn origin(&self, entry: &Entry) -> String {
        let environment = if from_environment(&entry.value) { "environment, " } else { "" };
        format!("{environment}{}:{}", self.file, entry.place.line)
    }

    fn push(&mut self, depth: usize, text: String, origin: &str) {
        self.lines.push(Line { text: format!("{:1$}{text}", "", 2 * depth), origin: origin.to_owned() });
    }

    fn text(self) -> String {
        let width = |line: &Line| line.text.chars().count();
        let column = self.lines.iter().map(width).filter(|width| *width < COMMENT_COLUMN_MAX).max().unwrap_or(0);
        let lines = self.lines.into_iter().map(|line| match line.origin.as_str() {
            "" => format!("{}\n", line.text),
            // What is in quotes may hold a line break; a comment may not.
            origin => format!("{:column$}  # {}\n", line.text, origin.escape_debug()),
        });
        lines.collect()
    }
}

fn from_environment(node: &Node) -> bool {
    node.written.is_some() || matches!(&node.value, Value::List(items) if items.iter().any(from_environment))
}

/// A text as a YAML value or key: in quotes unless it can only be that text.
fn yaml_text(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | ':');
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(plain)
        && !text.ends_with(':')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "on" | "off" | "yes" | "no" | "y" | "n"
        );
    // `${` in a value would be a variable again.
    if is_plain { text.to_owned() } else { Json::from(text.replace("${", "$${")).to_string() }
}

/// Whether a key's value is likely one that only the plugin should see. The path of a file is none.
fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 8] = ["password", "passwd", "passphrase", "secret", "token", "credential", "api-key", "apikey"];
    const PATHS: [&str; 4] = ["file", "path", "dir", "folder"];
    let key = dashed(&key.to_ascii_lowercase());
    WORDS.iter().any(|word| key.contains(word)) && !PATHS.iter().any(|path| key.ends_with(path))
}

/// Hides what is secret within a plugin's own value.
fn hide_secrets(value: &mut Json, node: &Node) {
    match (value, &node.value) {
        (Json::Object(members), Value::Mapping(entries)) => {
            for entry in entries {
                let Some(member) = members.get_mut(&entry.key) else { continue };
                if is_secret(&entry.key) || entry.value.written.is_some() {
                    *member = HIDDEN.into();
                }
                hide_secrets(member, &entry.value);
            }
        }
        (Json::Array(items), Value::List(nodes)) => {
            for (item, node) in items.iter_mut().zip(nodes) {
                if node.written.is_some() {
                    *item = HIDDEN.into();
                }
                hide_secrets(item, node);
            }
        }
        (value @ Json::String(_), _) if value.as_str().is_some_and(looks_secret) => *value = HIDDEN.into(),
        _ => {}
    }
}

/// A password hash, or an address with a password in it.
fn looks_secret(text: &str) -> bool {
    let hash = text.starts_with('$') && text[1..].contains('$');
    let address = text.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split('/').next().unwrap_or_default();
        authority.contains('@')
    });
    hash || address || text.contains("PRIVATE KEY-----")
}
