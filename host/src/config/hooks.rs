use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::error::Place;
use super::field::Field;
use super::known::{self, From, Known};
use super::mistyped;
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
        let is_given = self.plugins.is_some();
        let everywhere = self.plugins.and_then(|field| plugins::entries(&field, report));
        // Of a list with an error it is not known who is asked.
        let all_known = everywhere.is_some() || !is_given;
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
        if all_known {
            auth.rules().refuse_idle(&entries, report);
        }
        let decides = matches!(&deciders, TopicCheckSpec::Named(names) if !names.is_empty());
        if all_known && decides {
            topic_check.rules().refuse_idle(&entries, report);
        }
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
    /// Where the settings stand.
    given: Vec<(&'static str, Place)>,
}

impl<'a> AuthSection<'a> {
    fn read(field: &Field<'a>, base_dir: &Path, report: &mut Report) -> Option<Self> {
        let mut section = field.section(&AUTH_KEYS, report)?;
        let list = section.take("plugins");
        let plugins = list.as_ref().and_then(|list| plugins::entries(list, report));
        // Where the list has an error it is not known who is asked.
        let is_known = list.is_none() || plugins.is_some();
        let given = if is_known { section.places(known::AUTH) } else { Vec::new() };
        let settings = known::take(known::AUTH, &mut section, base_dir, report);
        section.close(report);
        Some(Self { plugins, settings, given })
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            section: "auth",
            from: From::Auth,
            asked: self.plugins.as_deref(),
            given: &self.given,
            settings: &self.settings,
        }
    }
}

/// The section `topic-check`.
#[derive(Default)]
struct TopicCheckSection<'a> {
    field: Option<Field<'a>>,
    enabled: Option<bool>,
    plugins: Option<Vec<Entry<'a>>>,
    settings: Map<String, Json>,
    /// Where the settings stand.
    given: Vec<(&'static str, Place)>,
}

impl<'a> TopicCheckSection<'a> {
    fn read(field: &Field<'a>, base_dir: &Path, report: &mut Report) -> Option<Self> {
        let mut section = field.section(&TOPIC_CHECK_KEYS, report)?;
        let enabled = section.take("enabled").and_then(|switch| switch.switch(report));
        let list = section.take("plugins");
        let plugins = list.as_ref().and_then(|list| plugins::entries(list, report));
        // Where the list has an error it is not known who is asked.
        let is_known = list.is_none() || plugins.is_some();
        let given = if is_known { section.places(known::TOPIC_CHECK) } else { Vec::new() };
        let settings = known::take(known::TOPIC_CHECK, &mut section, base_dir, report);
        section.close(report);
        Some(Self { field: Some(field.clone()), enabled, plugins, settings, given })
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            section: "topic-check",
            from: From::TopicCheck,
            asked: self.plugins.as_deref(),
            given: &self.given,
            settings: &self.settings,
        }
    }

    /// Who decides topics; that nobody would is an error.
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

/// What a section has for plugins, which nobody may apply.
struct Rules<'a> {
    section: &'static str,
    from: From,
    /// The section's own list of plugins.
    asked: Option<&'a [Entry<'a>]>,
    /// The section's settings for plugins, and where they stand.
    given: &'a [(&'static str, Place)],
    settings: &'a Map<String, Json>,
}

impl Rules<'_> {
    /// Makes errors of rules for plugins that are not asked: they look as if they were in force.
    fn refuse_idle(&self, loaded: &[Entry<'_>], report: &mut Report) {
        let asked = self.asked.unwrap_or(loaded);
        let is_asked = |name: &str| asked.iter().any(|entry| entry.name == name);
        let list = match self.asked {
            Some(_) => format!("{}.plugins", self.section),
            None => "plugins".to_owned(),
        };
        // Of what has an error of its own nothing else is said.
        for (key, place) in self.given.iter().filter(|(key, _)| self.settings.contains_key(*key)) {
            let mut readers = known::all().iter().filter(|known| known.section == self.from && known.reads(key));
            let is_kept = self.is_kept_by_all(key, asked) || readers.clone().any(|known| is_asked(known.name));
            let Some(owner) = readers.find(|known| known.owns(key)).filter(|_| !is_kept) else { continue };
            let (section, owner) = (self.section, owner.name);
            let message = format!("key `{section}.{key}`: nobody applies it, because `{owner}` is not asked");
            let hint = format!("add `{owner}` to `{list}`, or leave `{key}` out");
            report.error(Some(*place), message, Some(hint));
        }
        for entry in loaded.iter().filter(|entry| !is_asked(&entry.name)) {
            let known = known::find(&entry.name).filter(|known| known.section == self.from);
            let has_rules =
                |known: &Known| entry.settings.as_ref().is_some_and(|field| field.has_key(|key| known.owns(key)));
            if known.is_some_and(has_rules) {
                let message = format!("plugin `{}` has rules and is not asked", entry.name);
                report.error(Some(entry.at), message, Some(format!("add it to `{list}`")));
            }
        }
    }

    /// Clients without a user name are let in by `auth_anonymous` alone of the plugins that are known.
    fn is_kept_by_all(&self, key: &str, asked: &[Entry<'_>]) -> bool {
        key == known::ALLOW_ANONYMOUS.key
            && self.settings.get(key) == Some(&Json::Bool(false))
            && asked.iter().all(Entry::is_embedded)
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
    read_entry(&mut spec, known, field, base_dir, report)?;
    Some(spec)
}

/// Adds to a plugin what stands under its name, and says whether grants did.
pub(super) fn read_entry(
    spec: &mut PluginSpec,
    known: Option<&'static Known>,
    field: &Field<'_>,
    base_dir: &Path,
    report: &mut Report,
) -> Option<bool> {
    let mut section = field.section(known.map_or(&known::FOREIGN, |known| &known.keys), report)?;
    if let Some(path) = section.take("path").and_then(|path| path.file(base_dir, report)) {
        spec.path.get_or_insert_with(|| PathBuf::from(path));
    }
    if let Some(sum) = section.take("sha256") {
        report.keep_place(&pin_of(&spec.name), sum.key_at());
        spec.sha256 = sum.sha256(report);
    }
    spec.limits = plugin_limits::take(&mut section, report);
    let grants = section.take("grants");
    let has_grants = grants.is_some();
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
            mistyped::refuse(&mut section, report);
            let others = section.rest();
            let own = others.iter().filter_map(|(key, field)| field.json(report).map(|value| (key.clone(), value)));
            spec.settings.extend(own);
            if let Some(grants) = grants {
                spec.grants = read_grants(&grants, &others, &mut spec.settings, base_dir, report)?;
            }
        }
    }
    Some(has_grants)
}

/// What the place of a plugin's `sha256` is kept under.
pub(super) fn pin_of(plugin: &str) -> String {
    format!("{plugin}.sha256")
}

fn own_settings(known: &Known, mut section: Section<'_>, base_dir: &Path, report: &mut Report) -> Map<String, Json> {
    let own = known::take(known.own_settings(), &mut section, base_dir, report);
    section.close(report);
    own
}

/// What a plugin in a file of its own may use. The paths that it may read become absolute in its settings.
fn read_grants(
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
