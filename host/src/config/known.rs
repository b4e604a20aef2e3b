//! The settings of the plugins that are part of the broker.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::field::Field;
use super::report::Report;
use super::section::Section;

/// An embedded plugin.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    /// The section that it is set up by.
    pub(super) section: From,
    /// What may stand under its own name.
    pub(super) settings: &'static [Setting],
}

/// The section that an embedded plugin is set up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Auth,
    TopicCheck,
    /// `sys-interval` at the top.
    Top,
    Nothing,
}

/// A key and what its value has to be.
pub(super) type Setting = (&'static str, Form);

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Switch,
    File,
    Seconds,
    /// A list of topic filters.
    Topics,
    /// A list of user names.
    Users,
    /// A mapping of user names to lists of topic filters.
    TopicsOfUsers,
}

/// Seconds of the longest interval that a setting may name: a year.
pub(super) const SECONDS_MAX: i64 = 31_536_000;

/// Decides whether clients without a password are let in.
pub(super) const AUTH_ANONYMOUS: &str = "auth_anonymous";
/// Decides by a password file.
pub(super) const AUTH_FILE: &str = "auth_file";
/// Publishes the broker's figures.
pub(super) const BROKER_SYS: &str = "broker_sys";

const ALLOW_ANONYMOUS: Setting = ("allow-anonymous", Form::Switch);
const PASSWORD_FILE: Setting = ("password-file", Form::File);
const ACL: [Setting; 4] = [
    ("acl", Form::TopicsOfUsers),
    ("publish-acl", Form::TopicsOfUsers),
    ("subscribe-acl", Form::TopicsOfUsers),
    ("receive-acl", Form::TopicsOfUsers),
];
const TABOO: [Setting; 2] = [("taboo", Form::Topics), ("taboo-exempt", Form::Users)];

/// What `auth` may have for the plugins.
pub(super) const AUTH: [Setting; 2] = [ALLOW_ANONYMOUS, PASSWORD_FILE];
/// What `topic-check` may have for the plugins.
pub(super) const TOPIC_CHECK: [Setting; 6] = [ACL[0], ACL[1], ACL[2], ACL[3], TABOO[0], TABOO[1]];

const KNOWN: [Known; 7] = [
    known(AUTH_ANONYMOUS, From::Auth, &[ALLOW_ANONYMOUS]),
    known(AUTH_FILE, From::Auth, &[PASSWORD_FILE]),
    known("topic_acl", From::TopicCheck, &ACL),
    known("topic_taboo", From::TopicCheck, &TABOO),
    known(BROKER_SYS, From::Top, &[("sys-interval", Form::Seconds)]),
    known("event_logger", From::Nothing, &[]),
    known("packet_logger", From::Nothing, &[]),
];

const fn known(name: &'static str, section: From, settings: &'static [Setting]) -> Known {
    Known { name, section, settings }
}

/// The embedded plugin of that name.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// Takes these settings out of a section, each in the one form that plugins are handed.
pub(super) fn take(
    settings: &[Setting],
    section: &mut Section<'_>,
    base_dir: &Path,
    report: &mut Report,
) -> Map<String, Json> {
    let mut taken = Map::new();
    for (key, form) in settings {
        let Some(field) = section.take(key) else { continue };
        if let Some(value) = form.read(&field, base_dir, report) {
            taken.insert((*key).to_owned(), value);
        }
    }
    taken
}

impl Form {
    fn read(self, field: &Field<'_>, base_dir: &Path, report: &mut Report) -> Option<Json> {
        match self {
            Self::Switch => field.switch(report).map(Json::Bool),
            Self::File => field.file(base_dir, report).map(Json::String),
            Self::Seconds => field.integer(0..=SECONDS_MAX, report).map(Json::from),
            Self::Topics => topics(field, report),
            Self::Users => field.texts("a list of user names", "a user name", report).map(Json::from),
            Self::TopicsOfUsers => {
                let users = field.named("a mapping of user names to lists of topics", report)?;
                let lists: Vec<_> =
                    users.into_iter().map(|(user, list)| topics(&list, report).map(|list| (user, list))).collect();
                lists.into_iter().collect::<Option<_>>().map(Json::Object)
            }
        }
    }
}

fn topics(field: &Field<'_>, report: &mut Report) -> Option<Json> {
    let topics = field.topics(report)?;
    Some(topics.iter().map(|topic| topic.as_str()).collect())
}
