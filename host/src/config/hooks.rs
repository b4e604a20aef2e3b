use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::field::Field;
use super::known::{self, From, Known};
use super::plugin_limits;
use super::plugins::{self, Entry};
use super::report::Report;
use super::section::{Section, dashed};
use super::setting::{Form, Keys, Preset, Setting, Unknown};
use crate::hooks::{Grants, HookSpec, PluginSpec, TopicCheckSpec};

/// What `auth` may have.
pub(super) static AUTH_KEYS: Keys = Keys {
    tables: &[
        &[Setting::new(
            "plugins",
            Form::Plugins,
            Preset::Meaning("every loaded plugin that answers auth"),
            "Who is asked whether a client may connect, in order.",
        )],
        known::AUTH,
    ],
    unknown: Unknown::Error,
};

/// What `topic-check` may have.
pub(super) static TOPIC_CHECK_KEYS: Keys = Keys {
    tables: &[
        &[
            Setting::new(
                "enabled",
                Form::Switch,
                Preset::Meaning("true if the section names plugins or an ACL"),
                "Whether topics are checked; `false` asks nobody: every topic is allowed.",
            ),
            Setting::new(
                "plugins",
                Form::Plugins,
                Preset::Meaning("every loaded plugin that decides topics"),
                "Who is asked about a topic, in order.",
            ),
        ],
        known::TOPIC_CHECK,
    ],
    unknown: Unknown::Error,
};

/// The parts of a configuration that say which plugins there are and what they are asked.
pub(super) struct Parts<'a> {
    pub(super) plugins: Option<Field<'a>>,
    pub(super) auth: Option<Field<'a>>,
    pub(super) topic_check: Option<Field<'a>>,
    /// `sys-interval` at the top.
    pub(super) sys_interval_secs: Option<i64>,
    pub(super) plugin_dirs: Vec<PathBuf>,
    pub(super) plugin_cache: Option<PathBuf>,
    pub(super) base_dir: &'a Path,
}

/// What the sections have for the plugins that they are about.
struct Shared {
    auth: Map<String, Json>,
    topic_check: Map<String, Json>,
    top: Map<String, Json>,
}

impl Parts<'_> {
    /// Reads and checks everything about plugins.
    pub(super) fn read(self, report: &mut Report) -> HookSpec {
        let base_dir = self.base_dir;
        let everywhere = self.plugins.and_then(|field| plugins::entries(&field, report));
        let auth = self.auth.and_then(|field| AuthSection::read(&field, base_dir, report));
        let auth = auth.unwrap_or_default();
        let topic_check =
            self.topic_check.and_then(|field| TopicCheckSection::read(&field, base_dir, report)).unwrap_or_default();
        let mut top = Map::new();
        if let Some(seconds) = self.sys_interval_secs {
            top.insert("sys-interval".to_owned(), seconds.into());
        }

        let lists = [everywhere.as_deref(), auth.plugins.as_deref(), topic_check.plugins.as_deref()];
        let entries = union(lists.into_iter().flatten().flatten(), report);
        let names = |list: &[Entry<'_>]| unique(list.iter().map(|entry| entry.name.clone()));
        let deciders = topic_check.deciders(&entries, report);
        let shared = Shared { auth: auth.settings, topic_check: topic_check.settings, top };
        let mut spec = HookSpec {
            plugins: entries.iter().filter_map(|entry| plugin(entry, &shared, base_dir, report)).collect(),
            auth: auth.plugins.as_deref().map(names),
            topic_check: deciders,
            plugin_dirs: self.plugin_dirs,
            plugin_cache: self.plugin_cache,
        };
        tell_that_names_are_proved(&mut spec);
        spec
    }
}

/// The section `auth`.
#[derive(Default)]
struct AuthSection<'a> {
    plugins: Option<Vec<Entry<'a>>>,
    settings: Map<String, Json>,
}

impl<'a> AuthSection<'a> {
    fn read(field: &Field<'a>, base_dir: &Path, report: &mut Report) -> Option<Self> {
        let mut section = field.section(&AUTH_KEYS, report)?;
        let plugins = section.take("plugins").and_then(|list| plugins::entries(&list, report));
        let settings = known::take(known::AUTH, &mut section, base_dir, report);
        section.close(report);
        Some(Self { plugins, settings })
    }
}

/// The section `topic-check`.
#[derive(Default)]
struct TopicCheckSection<'a> {
    field: Option<Field<'a>>,
    enabled: Option<bool>,
    plugins: Option<Vec<Entry<'a>>>,
    settings: Map<String, Json>,
}

impl<'a> TopicCheckSection<'a> {
    fn read(field: &Field<'a>, base_dir: &Path, report: &mut Report) -> Option<Self> {
        let mut section = field.section(&TOPIC_CHECK_KEYS, report)?;
        let enabled = section.take("enabled").and_then(|switch| switch.switch(report));
        let plugins = section.take("plugins").and_then(|list| plugins::entries(&list, report));
        let settings = known::take(known::TOPIC_CHECK, &mut section, base_dir, report);
        section.close(report);
        Some(Self { field: Some(field.clone()), enabled, plugins, settings })
    }

    /// Who decides topics. Rules that nobody would apply are an error.
    fn deciders(&self, loaded: &[Entry<'_>], report: &mut Report) -> TopicCheckSpec {
        if self.enabled == Some(false) {
            return TopicCheckSpec::Off;
        }
        let wanted = self.enabled == Some(true) || self.plugins.is_some() || !self.settings.is_empty();
        let (Some(field), true) = (&self.field, wanted) else {
            return TopicCheckSpec::All;
        };
        // A plugin that is not embedded may decide topics: loading it will tell.
        let may_decide = |entry: &&Entry<'_>| known::find(&entry.name).is_none_or(|it| it.section == From::TopicCheck);
        let chosen: Vec<String> = match &self.plugins {
            Some(list) => unique(list.iter().map(|entry| entry.name.clone())),
            None => loaded.iter().filter(may_decide).map(|entry| entry.name.clone()).collect(),
        };
        if chosen.is_empty() {
            let message = format!("key `{}`: no plugin decides topics", field.path());
            let hint = "add `plugins: [topic_acl]` there, or `enabled: false` to allow every topic";
            report.error(Some(field.key_at()), message, Some(hint.to_owned()));
        }
        TopicCheckSpec::Named(chosen)
    }
}

/// Lets `auth_anonymous` know if `auth_scram` has users prove who they are: it must not let others in under their names.
fn tell_that_names_are_proved(spec: &mut HookSpec) {
    let is_asked = |name: &str| spec.auth.as_ref().is_none_or(|auth| auth.iter().any(|asked| asked == name));
    let embedded = |name| move |plugin: &PluginSpec| plugin.name == name && plugin.path.is_none();
    if !is_asked(known::AUTH_SCRAM) || !spec.plugins.iter().any(embedded(known::AUTH_SCRAM)) {
        return;
    }
    for plugin in spec.plugins.iter_mut().filter(|plugin| embedded(known::AUTH_ANONYMOUS)(plugin)) {
        plugin.settings.insert("names-are-proved".to_owned(), true.into());
    }
}

/// Every plugin once, in the order of the lists, with the settings of the one entry that has some.
fn union<'a>(entries: impl Iterator<Item = &'a Entry<'a>>, report: &mut Report) -> Vec<Entry<'a>> {
    let mut all: Vec<Entry<'a>> = Vec::new();
    for entry in entries {
        let Some(known) = all.iter_mut().find(|known| known.name == entry.name) else {
            all.push(entry.clone());
            continue;
        };
        if known.settings.is_none() {
            known.settings = entry.settings.clone();
        } else if entry.settings.is_some() {
            let message = format!("plugin `{}` has settings in two places", entry.name);
            report.error(Some(entry.at), message, Some("keep one of them".to_owned()));
        }
    }
    all
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: indexmap::IndexSet<String> = names.collect();
    names.into_iter().collect()
}

/// One plugin: what stands under its own name, and what the section that it belongs to has for it.
fn plugin(entry: &Entry<'_>, shared: &Shared, base_dir: &Path, report: &mut Report) -> Option<PluginSpec> {
    report.keep_place(&entry.name, entry.at);
    let known = known::find(&entry.name);
    let settings = match known.map(|known| known.section) {
        Some(From::Auth) => shared.auth.clone(),
        Some(From::TopicCheck) => shared.topic_check.clone(),
        Some(From::Top) => shared.top.clone(),
        Some(From::Nothing) | None => Map::new(),
    };
    let mut spec = PluginSpec::new(&entry.name, settings);
    let Some(field) = &entry.settings else {
        return Some(spec);
    };
    let mut section = field.section(known.map_or(&known::FOREIGN, |known| &known.keys), report)?;
    spec.path = section.take("path").and_then(|path| path.file(base_dir, report)).map(PathBuf::from);
    spec.sha256 = section.take("sha256").and_then(|sum| sum.sha256(report));
    spec.limits = plugin_limits::take(&mut section, report);
    let grants = section.take("grants");
    match known {
        Some(known) if spec.path.is_none() => {
            if let Some(grants) = grants {
                let message = format!("key `{}`: `{}` has what it needs", grants.path(), known.name);
                let hint = "this is for plugins in files of their own, which `path` names";
                report.error(Some(grants.key_at()), message, Some(hint.to_owned()));
            }
            spec.settings.extend(own_settings(known, section, base_dir, report));
        }
        _ => {
            let others = section.rest();
            let own = others.iter().filter_map(|(key, field)| field.json(report).map(|value| (key.clone(), value)));
            spec.settings.extend(own);
            if let Some(grants) = grants {
                spec.grants = read_grants(&grants, &others, &mut spec.settings, base_dir, report)?;
            }
        }
    }
    Some(spec)
}

fn own_settings(known: &Known, mut section: Section<'_>, base_dir: &Path, report: &mut Report) -> Map<String, Json> {
    let own = known::take(known.own_settings(), &mut section, base_dir, report);
    section.close(report);
    own
}

/// What a plugin in a file of its own may use. The paths that it may read become absolute in its settings.
pub(super) fn read_grants(
    field: &Field<'_>,
    others: &[(String, Field<'_>)],
    settings: &mut Map<String, Json>,
    base_dir: &Path,
    report: &mut Report,
) -> Option<Grants> {
    let mut section = field.section(&known::GRANTS, report)?;
    let files = section.take("files");
    let publish = section.take("publish");
    let mut switch = |key: &str| section.take(key).and_then(|switch| switch.switch(report)).unwrap_or(false);
    let (broker_info, sessions, invalidate) = (switch("broker-info"), switch("sessions"), switch("invalidate"));
    section.close(report);

    let mut grants = Grants {
        files: Vec::new(),
        publish: publish.and_then(|topics| topics.topics(report)).unwrap_or_default(),
        broker_info,
        sessions,
        invalidate,
    };
    let keys = files.and_then(|list| {
        let keys = list.texts("settings key", report)?;
        Some((list, keys))
    });
    let Some((list, keys)) = keys else {
        return Some(grants);
    };
    grants.files = unique(keys.into_iter().map(dashed));
    for key in &grants.files {
        if let Some((_, value)) = others.iter().find(|(name, _)| name == key) {
            if let Some(path) = value.file(base_dir, report) {
                settings.insert(key.clone(), Json::String(path));
            }
        } else if let Some(Json::String(_)) = settings.get(key) {
            // From the section of the embedded plugin that this one replaces: absolute already.
        } else {
            let message = format!("key `{}`: the plugin has no setting `{key}`", list.path());
            let hint = "name the keys of the plugin's settings whose values are paths";
            report.warning(Some(list.at()), message, Some(hint.to_owned()));
        }
    }
    Some(grants)
}
