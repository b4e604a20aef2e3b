//! The configuration in force: every value and where it came from, as YAML that could be read again.

use std::path::Path;

use serde_json::Value as Json;

use super::field::Field;
use super::report::Report;
use super::section::{dashed, join};
use super::setting::{Form, Keys, Preset, Setting, Unknown};
use super::yaml::{Entry, Node, Value};
use super::{ConfigError, Reading, Source, known, listeners, plugins, root, secret};
use crate::hooks::is_command;

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
                let Some(value) = form.read(&field, self.base_dir, &mut Report::default()) else { return };
                let value = match form {
                    Form::Secret(_) => HIDDEN.into(),
                    _ => as_in_a_file(value, node, setting.key, false),
                };
                self.leaf(depth, setting.key, &value, &origin);
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
                let name = plugin.written.map_or_else(|| plugin.name.clone(), yaml_text);
                self.push(depth + 1, format!("- {name}"), &line);
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
        let Some(value) = field.json(&mut Report::default()) else { return };
        self.leaf(depth, &entry.key, &as_in_a_file(value, &entry.value, &entry.key, true), &origin);
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
        // JSON leaves some characters as they are that command a terminal. They can only stand within quotes.
        let text = text.chars().fold(String::new(), |text, c| match is_command(c) {
            true => format!("{text}\\u{:04x}", u32::from(c)),
            false => text + c.encode_utf8(&mut [0; 4]),
        });
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
    if is_plain { text.to_owned() } else { Json::from(text).to_string() }
}

/// A value as a file has it: what comes from the environment as the reference to it, and without what may be secret. Of
/// a plugin's `own` settings, which only the plugin understands, little is known not to be.
fn as_in_a_file(value: Json, node: &Node, key: &str, own: bool) -> Json {
    if let Some(written) = &node.written {
        return if own { HIDDEN } else { written }.into();
    }
    match (value, &node.value) {
        (value @ (Json::Bool(_) | Json::Null), _) => value,
        _ if own && secret::is_name(key) => HIDDEN.into(),
        (Json::Object(members), Value::Mapping(entries)) => {
            let member = |(key, value): (String, Json)| {
                let entry = entries.iter().rev().find(|entry| entry.key == key)?;
                let value = as_in_a_file(value, &entry.value, &key, own);
                Some((key, value))
            };
            members.into_iter().filter_map(member).collect()
        }
        (Json::Array(items), Value::List(nodes)) => {
            items.into_iter().zip(nodes).map(|(item, node)| as_in_a_file(item, node, key, own)).collect()
        }
        (Json::String(text), _) if own && !secret::is_harmless(key, &text) => HIDDEN.into(),
        (Json::String(text), _) if text.contains("PRIVATE KEY-----") => HIDDEN.into(),
        // `${` would be a variable again.
        (Json::String(text), _) => text.replace("${", "$${").into(),
        (value, _) => value,
    }
}
