//! What keys there are: one table for each section. The tables are what reads the file, what knows unknown keys, what
//! prints the effective configuration and what the JSON Schema is made of.

use std::path::Path;

use serde_json::Value as Json;

use super::field::Field;
use super::plugin_limits::Quantity;
use super::report::Report;

/// A key that a section may have.
#[derive(Debug)]
pub(super) struct Setting {
    /// With dashes; in a file, underscores are the same.
    pub(super) key: &'static str,
    pub(super) form: Form,
    pub(super) default: Preset,
    /// What it does, for people who see it in an editor.
    pub(super) about: &'static str,
}

/// What holds where a key is not there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Preset {
    /// This value, written as in a file.
    Value(&'static str),
    /// Something that cannot be written as a value.
    Meaning(&'static str),
    /// Nothing.
    None,
}

/// The keys of a section, and what a key is that is none of them.
#[derive(Debug)]
pub(super) struct Keys {
    /// Tables, so that sections can share some.
    pub(super) tables: &'static [&'static [Setting]],
    pub(super) unknown: Unknown,
}

/// What a key is that stands in no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// An error, where a mistyped key could open the broker.
    Error,
    /// A warning, elsewhere.
    Warning,
    /// A plugin's own setting, which the plugin checks.
    PluginsOwn,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Switch,
    Integer {
        min: i64,
        max: i64,
    },
    /// A whole number with a unit.
    Quantity(&'static Quantity),
    /// One of these words.
    Word(&'static [&'static str]),
    /// An address to listen on.
    Bind,
    /// The path of a file or folder; a relative one starts at the folder of the configuration file.
    File,
    /// A list of such paths.
    Files,
    /// Text of this kind.
    Text(&'static str),
    /// The same, which is nobody's business.
    Secret(&'static str),
    /// A list of texts of this kind.
    Texts(&'static str),
    /// A list of topic filters.
    Topics,
    /// A mapping of user names to lists of topic filters.
    TopicsOfUsers,
    /// 64 hexadecimal digits.
    Sha256,
    /// Plugins by name, with or without settings.
    Plugins,
    Section(&'static Keys),
    /// A mapping of listeners' names to sections with these keys, all but `bind` inherited from `default`.
    Listeners(&'static Keys),
    /// Whatever a plugin makes of it.
    Any,
}

impl Setting {
    pub(super) const fn new(key: &'static str, form: Form, default: Preset, about: &'static str) -> Self {
        Self { key, form, default, about }
    }
}

impl Keys {
    /// Every key of the section.
    pub(super) fn settings(&self) -> impl Iterator<Item = &'static Setting> + use<> {
        self.tables.iter().copied().flatten()
    }

    /// The row of a key that is spelled with dashes.
    pub(super) fn find(&self, key: &str) -> Option<&'static Setting> {
        self.settings().find(|setting| setting.key == key)
    }
}

impl Form {
    /// Any number of things, and bytes, of which there have to be some.
    pub(super) const SOME: Self = Self::Integer { min: 1, max: i64::MAX };
    /// The same where none is a meaning too.
    pub(super) const AMOUNT: Self = Self::Integer { min: 0, max: i64::MAX };
    /// Seconds up to a year.
    pub(super) const SECONDS: Self = Self::Integer { min: 0, max: 31_536_000 };

    /// Reads a value to the one shape in which it is handed on. Sections are read key by key instead.
    pub(super) fn read(self, field: &Field<'_>, base_dir: &Path, report: &mut Report) -> Option<Json> {
        match self {
            Self::Switch => field.switch(report).map(Json::Bool),
            Self::Integer { .. } => field.integer(report).map(Json::from),
            Self::Quantity(quantity) => {
                quantity.read(field, report)?;
                field.text(quantity.wanted, report).map(Json::from)
            }
            Self::Word(_) => field.word(report).map(Json::from),
            Self::Bind => field.bind(report).map(Json::String),
            Self::File => field.file(base_dir, report).map(Json::String),
            Self::Files => {
                let items = field.list("a list of paths", report)?;
                let paths: Vec<_> = items.iter().map(|item| item.file(base_dir, report)).collect();
                paths.into_iter().collect::<Option<Vec<_>>>().map(Json::from)
            }
            Self::Text(kind) | Self::Secret(kind) => field.text(kind, report).map(Json::from),
            Self::Texts(kind) => field.texts(kind, report).map(Json::from),
            Self::Topics => topics(field, report),
            Self::TopicsOfUsers => {
                let users = field.named("a mapping of user names to lists of topics", report)?;
                let lists: Vec<_> =
                    users.into_iter().map(|(user, list)| topics(&list, report).map(|list| (user, list))).collect();
                lists.into_iter().collect::<Option<_>>().map(Json::Object)
            }
            Self::Sha256 => {
                field.sha256(report)?;
                field.text("a sum", report).map(Json::from)
            }
            Self::Plugins | Self::Section(_) | Self::Listeners(_) | Self::Any => field.json(report),
        }
    }
}

fn topics(field: &Field<'_>, report: &mut Report) -> Option<Json> {
    let topics = field.topics(report)?;
    Some(topics.iter().map(|topic| topic.as_str()).collect())
}
