//! The settings of the plugins that are part of the broker.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::plugin_limits;
use super::report::Report;
use super::section::Section;
use super::setting::{Form, Keys, Preset, Setting, Unknown};

/// An embedded plugin.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    /// The section that it is set up by.
    pub(super) section: From,
    /// What may stand under its own name: what is the broker's first.
    pub(super) keys: Keys,
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

/// Decides whether clients without a password are let in.
pub(super) const AUTH_ANONYMOUS: &str = "auth_anonymous";
/// Decides by a password file.
pub(super) const AUTH_FILE: &str = "auth_file";
/// Decides by an exchange of AUTH packets.
pub(super) const AUTH_SCRAM: &str = "auth_scram";
/// Publishes the broker's figures.
pub(super) const BROKER_SYS: &str = "broker_sys";

/// What `auth` may have for the plugins.
pub(super) const AUTH: &[Setting] = &[ALLOW_ANONYMOUS, PASSWORD_FILE];

pub(super) const ALLOW_ANONYMOUS: Setting = Setting::new(
    "allow-anonymous",
    Form::Switch,
    // Not as a value: without `auth_anonymous` nobody would apply it.
    Preset::Meaning("true"),
    "For `auth_anonymous`: whether clients without a user name are let in.",
);
const PASSWORD_FILE: Setting = Setting::new(
    "password-file",
    Form::File,
    Preset::None,
    "For `auth_file`: the file with user names and password hashes; `amqtt passwd` writes it.",
);

const VERIFIERS: Setting = Setting::new(
    "password-file",
    Form::File,
    Preset::None,
    "For `auth_scram`: the file with user names and SCRAM-SHA-256 verifiers; `amqtt passwd --scram` writes it.",
);
const DECOY_KEY: Setting = Setting::new(
    "decoy-key",
    Form::Secret("text"),
    Preset::None,
    "For `auth_scram`: what made-up salts of unknown users are derived from, in place of the file's content.",
);

/// What `topic-check` may have for the plugins.
pub(super) const TOPIC_CHECK: &[Setting] =
    &[ACL, PUBLISH_ACL, SUBSCRIBE_ACL, RECEIVE_ACL, ACL_FILE, PROHIBITED, EXEMPT];

const ACL: Setting = acl("acl", "For `topic_acl`: the topics that each user may publish and subscribe to.");
const PUBLISH_ACL: Setting =
    acl("publish-acl", "For `topic_acl`: the topics that each user may publish to, in place of `acl`.");
const SUBSCRIBE_ACL: Setting =
    acl("subscribe-acl", "For `topic_acl`: the topics that each user may subscribe to, in place of `acl`.");
const RECEIVE_ACL: Setting =
    acl("receive-acl", "For `topic_acl`: the topics whose messages each user is delivered, where not every one is.");
const ACL_FILE: Setting = Setting::new(
    "acl-file",
    Form::File,
    Preset::None,
    "For `topic_acl`: the file with its rules, in mosquitto's format, in place of `acl` and the others.",
);
const PROHIBITED: Setting = Setting::new(
    "taboo",
    Form::Topics,
    Preset::None,
    "For `topic_taboo`: the topics that are taboo, in place of its own.",
);
const EXEMPT: Setting = Setting::new(
    "taboo-exempt",
    Form::Texts("user name"),
    Preset::None,
    "For `topic_taboo`: the users for whom nothing is taboo, in place of its own.",
);

/// Seconds between two publications of the broker's figures.
pub(super) const SYS_INTERVAL: Setting = Setting::new(
    "sys-interval",
    Form::SECONDS,
    Preset::Value("20"),
    "Seconds between two rounds of statistics under `$SYS`; 0 for none.",
);

const fn acl(key: &'static str, about: &'static str) -> Setting {
    Setting::new(key, Form::TopicsOfUsers, Preset::None, about)
}

/// What an entry of a list of plugins may have for the broker.
pub(super) const ENTRY: &[Setting] = &[
    Setting::new("path", Form::File, Preset::None, "The file to load, instead of searching for `NAME.wasm`."),
    Setting::new("sha256", Form::Sha256, Preset::None, "What the SHA-256 of the file has to be, in hexadecimal."),
    Setting::new("grants", Form::Section(&GRANTS), Preset::None, "What a plugin in a file of its own may use."),
];

/// What `grants` may have.
pub(super) static GRANTS: Keys = Keys {
    tables: &[&[
        Setting::new(
            "files",
            Form::Texts("settings key"),
            Preset::None,
            "Keys of the plugin's settings that name files which it may read.",
        ),
        Setting::new("publish", Form::Topics, Preset::None, "Topics that it may publish to."),
        Setting::new("broker-info", Form::Switch, Preset::Value("false"), "Whether it may read the broker's counters."),
        Setting::new(
            "sessions",
            Form::Switch,
            Preset::Value("false"),
            "Whether it may see who is connected and what is subscribed to.",
        ),
        Setting::new("invalidate", Form::Switch, Preset::Value("false"), "Whether it may end cached verdicts."),
    ]],
    unknown: Unknown::Error,
};

/// What the entry of a plugin may have that is not embedded.
pub(super) static FOREIGN: Keys = Keys { tables: &[ENTRY, plugin_limits::SETTINGS], unknown: Unknown::PluginsOwn };

static KNOWN: [Known; 8] = [
    known(AUTH_ANONYMOUS, From::Auth, &[ENTRY, plugin_limits::SETTINGS, &[ALLOW_ANONYMOUS]]),
    known(AUTH_FILE, From::Auth, &[ENTRY, plugin_limits::SETTINGS, &[PASSWORD_FILE]]),
    known(AUTH_SCRAM, From::Nothing, &[ENTRY, plugin_limits::SETTINGS, &[VERIFIERS, DECOY_KEY]]),
    known(
        "topic_acl",
        From::TopicCheck,
        &[ENTRY, plugin_limits::SETTINGS, &[ACL, PUBLISH_ACL, SUBSCRIBE_ACL, RECEIVE_ACL, ACL_FILE]],
    ),
    known("topic_taboo", From::TopicCheck, &[ENTRY, plugin_limits::SETTINGS, &[PROHIBITED, EXEMPT]]),
    known(BROKER_SYS, From::Top, &[ENTRY, plugin_limits::SETTINGS, &[SYS_INTERVAL]]),
    known("event_logger", From::Nothing, &[ENTRY, plugin_limits::SETTINGS]),
    known("packet_logger", From::Nothing, &[ENTRY, plugin_limits::SETTINGS]),
];

const fn known(name: &'static str, section: From, tables: &'static [&'static [Setting]]) -> Known {
    Known { name, section, keys: Keys { tables, unknown: Unknown::Error } }
}

impl Known {
    /// Whether a key, with dashes, is the plugin's own.
    pub(super) fn owns(&self, key: &str) -> bool {
        self.own_settings().iter().any(|setting| setting.key == key)
    }

    /// Whether it makes a difference to the plugin.
    pub(super) fn reads(&self, key: &str) -> bool {
        // It leaves users to their passwords where there are some.
        self.owns(key) || (self.name == AUTH_ANONYMOUS && key == PASSWORD_FILE.key)
    }

    /// What is the plugin's own of what may stand under its name.
    pub(super) fn own_settings(&self) -> &'static [Setting] {
        self.keys.tables.get(2).copied().unwrap_or_default()
    }
}

/// Every embedded plugin.
pub(super) fn all() -> &'static [Known] {
    &KNOWN
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
    for setting in settings {
        let Some(field) = section.take(setting.key) else { continue };
        if let Some(value) = setting.form.read(&field, base_dir, report) {
            taken.insert(setting.key.to_owned(), value);
        }
    }
    taken
}
