//! From the configuration's list to plugins that run.

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use serde_json::Value;

use super::capabilities::{BrokerInfo, Capabilities, Files, PluginLog, Publisher, Sessions, escape};
use super::common::Common;
use super::limits::LOADED_AT_ONCE_MAX;
use super::loaded::{Circuits, Loaded, Origin};
use super::search::{Found, NotFound, find, shadowed};
use super::wasm::{Code, EmbeddedPlugin, Fault, Plugin, StartError, Unusable, embedded};
use super::{Grants, HookSpec, Mishap, PluginSpec, TopicCheckSpec};
use crate::file_stamp::FileStamp;
use crate::types::TopicFilter;

/// Why the plugins of a configuration cannot be run. The broker does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The name leads nowhere.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The file is not a plugin for this broker, or wants more than it is granted.
    #[error("plugin \"{plugin}\" ({origin}) cannot be used: {reason}")]
    Unusable {
        /// Which plugin.
        plugin: Arc<str>,
        /// Where it came from.
        origin: Origin,
        /// What is wrong with it.
        reason: Box<Unusable>,
    },
    /// The plugin did not like its settings, or failed in its `init`.
    #[error("plugin \"{plugin}\" ({origin}) {reason}")]
    NotStarted {
        /// Which plugin.
        plugin: Arc<str>,
        /// Where it came from.
        origin: Origin,
        /// What it said or did.
        reason: String,
    },
    /// The plugin asks for calls of a hook that it does not have: nothing would ever come of that.
    #[error(
        "plugin \"{plugin}\" ({origin}) {asks} and does not export `{hook}`\n\
         hint: name `{}` in `plugin!`, or leave it out of the interests",
        trait_of(hook)
    )]
    NothingToAsk {
        /// Which plugin.
        plugin: Arc<str>,
        /// Where it came from.
        origin: Origin,
        /// What it asks for.
        asks: &'static str,
        /// What would be called for that.
        hook: &'static str,
    },
    /// A list names a plugin that is not among those to load.
    #[error("plugin \"{plugin}\" of `{list}` is not loaded\nhint: add it to `plugins`")]
    NotLoaded {
        /// The configuration's list.
        list: &'static str,
        /// Which plugin.
        plugin: String,
    },
    /// Topics are to be decided, and none of the plugins that were named decides them.
    #[error(
        "topic-check is on and none of its plugins decides topics: {}\n\
         hint: list one that does, for example `topic_acl`, or set `topic-check.enabled: false`",
        plugins.join(", ")
    )]
    NoTopicCheck {
        /// Those that were named.
        plugins: Vec<String>,
    },
    /// The broker is about to end: plugins are not loaded any more.
    #[error("the broker is stopping")]
    Stopping,
    /// The machine does not let us run plugins at all.
    #[error("the plugin engine does not start: {0}")]
    Engine(#[source] io::Error),
}

impl LoadError {
    /// An instance failed in `init`.
    pub(crate) fn not_started(plugin: &Arc<str>, origin: Origin, fault: &Fault) -> Self {
        let hint = if let Fault::OutOfMemory(_) = fault { "\nhint: raise `memory` in its entry" } else { "" };
        Self::NotStarted { plugin: Arc::clone(plugin), origin, reason: fault.in_hook("init") + hint }
    }
}

/// The plugins of a configuration and what each is asked for.
pub(crate) struct Roster {
    /// All of them, in list order.
    pub(crate) all: Vec<Arc<Loaded>>,
    /// Those that answer auth, in order.
    pub(crate) auth: Vec<Arc<Loaded>>,
    /// Those that decide topics, in order.
    pub(crate) topic_check: Vec<Arc<Loaded>>,
}

impl Roster {
    /// Loads every plugin and starts its first instance, in place of those that were there before.
    pub(crate) fn load(spec: &HookSpec, common: &Common, before: &[Arc<Loaded>]) -> Result<Self, LoadError> {
        let mut all = Vec::new();
        for plugins in spec.plugins.chunks(LOADED_AT_ONCE_MAX) {
            let loaded = thread::scope(|scope| {
                let load = |plugin| scope.spawn(move || load_one(plugin, spec, common, before));
                let loading: Vec<_> = plugins.iter().map(load).collect();
                let join = |thread: ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
                loading.into_iter().map(join).collect::<Result<Vec<_>, LoadError>>()
            });
            all.extend(loaded?);
        }
        Self::assemble(all, spec)
    }

    /// The same, past the first error: all that is wrong.
    pub(crate) fn try_all(spec: &HookSpec, common: &Common) -> Vec<Mishap> {
        let (mut all, mut errors, mut idle) = (Vec::new(), Vec::new(), Vec::new());
        for plugin in &spec.plugins {
            match load_one(plugin, spec, common, &[]) {
                Ok(loaded) => {
                    idle.extend(without_effect(plugin, &loaded, spec.auth.as_deref()));
                    all.push(loaded);
                }
                Err(error) => errors.push(Mishap::Error(Some(plugin.name.as_str().into()), error)),
            }
        }
        if errors.is_empty()
            && let Err(error) = Self::assemble(all, spec)
        {
            errors.push(Mishap::Error(None, error));
        }
        errors.extend(idle);
        errors
    }

    fn assemble(all: Vec<Arc<Loaded>>, spec: &HookSpec) -> Result<Self, LoadError> {
        let auth = choose_auth(&all, spec.auth.as_deref())?;
        let topic_check = choose_topic_check(&all, &spec.topic_check)?;
        Ok(Self { all, auth, topic_check })
    }
}

/// What the entry of a plugin has and nothing comes of. `auth` names those that are asked about logins, if any are named.
fn without_effect(spec: &PluginSpec, loaded: &Loaded, auth: Option<&[String]>) -> Vec<Mishap> {
    let (name, mut texts) = (&loaded.name, Vec::new());
    let manifest = loaded.wasm.manifest();
    let answers_auth = manifest.exports.auth || manifest.exports.enhanced_auth;
    let is_asked = answers_auth && auth.is_none_or(|names| names.iter().any(|asked| **asked == **name));
    if spec.limits.instances.is_some() && !is_asked {
        texts.push(format!("plugin \"{name}\": `instances` has no effect: it is not asked about logins"));
    }
    let unused = manifest.unused(&spec.grants);
    if !unused.is_empty() {
        let unused = unused.join("`, `");
        let hint = "leave it out of `grants`";
        texts.push(format!("plugin \"{name}\" never uses what it is granted: `{unused}`; hint: {hint}"));
    }
    texts.into_iter().map(|text| Mishap::Idle(Arc::clone(name), text)).collect()
}

/// Loads one plugin, whatever the others are, and starts its first instance.
pub(crate) fn load_one(
    plugin: &PluginSpec,
    spec: &HookSpec,
    common: &Common,
    before: &[Arc<Loaded>],
) -> Result<Arc<Loaded>, LoadError> {
    let name: Arc<str> = plugin.name.as_str().into();
    let before = before.iter().find(|loaded| loaded.name == name);
    let (origin, stamp, wasm) = start(common, plugin, &name, spec, before)?;
    let faults = common.tally.faults_of(&name);
    Ok(Arc::new(Loaded { name, origin, stamp, wasm, faults, circuits: Circuits::default() }))
}

fn start(
    common: &Common,
    spec: &PluginSpec,
    name: &Arc<str>,
    all: &HookSpec,
    before: Option<&Arc<Loaded>>,
) -> Result<(Origin, Option<FileStamp>, Plugin), LoadError> {
    let Common { runtime, broker, tally, verdict_number, .. } = common;
    let names: Vec<_> = embedded().iter().map(|plugin| plugin.name).collect();
    let found = match &spec.path {
        Some(path) => Found::File(path.clone()),
        None => find(name, &names, &all.plugin_dirs)?,
    };
    let mut grants = spec.grants.clone();
    let (origin, stamp, code) = match found {
        Found::File(path) => {
            // Before it is read: what changes meanwhile is loaded again.
            let stamp = FileStamp::of(&path);
            let code = Code::from_file(runtime, &path, spec.sha256, &grants, all.plugin_cache.as_deref());
            (Origin::File(path), Some(stamp), code)
        }
        Found::Embedded(place) => {
            let plugin = &embedded()[place];
            if let Some(file) = shadowed(name, &all.plugin_dirs) {
                tracing::warn!(
                    "plugin \"{name}\" is built in: `{}` is not loaded; hint: give the file another name, or load it in place \
                     of the one that is built in by `path` in its entry",
                    escape(&file.display().to_string())
                );
            }
            grant_built_in(&mut grants, plugin);
            (Origin::BuiltIn, None, Code::from_embedded(runtime, plugin, spec.sha256, &grants))
        }
    };
    let unusable =
        |reason| LoadError::Unusable { plugin: Arc::clone(name), origin: origin.clone(), reason: Box::new(reason) };
    let files = Files::new(&grants.files, &spec.settings, Arc::clone(&tally.accepts));
    let is_logger = origin == Origin::BuiltIn && matches!(&**name, "event_logger" | "packet_logger");
    let excess = tally.excesses.of(name);
    let new_log = if is_logger { PluginLog::of_logger } else { PluginLog::new };
    let capabilities = Capabilities {
        log: new_log(Arc::clone(name), Arc::clone(&excess)),
        files: match before {
            Some(before) => files.in_place_of(before.wasm.files()),
            None => files,
        },
        publisher: Publisher::new(grants.publish, Arc::clone(broker), excess),
        broker_info: BrokerInfo::new(Arc::clone(broker), Arc::clone(tally)),
        sessions: Sessions::new(Arc::clone(broker)),
        verdict_number: Arc::clone(verdict_number),
    };
    let settings = Value::Object(spec.settings.clone()).to_string();
    let plugin = match Plugin::start(code.map_err(unusable)?, Arc::new(capabilities), settings, spec.limits) {
        Ok(plugin) => plugin,
        Err(StartError::Unusable(reason)) => return Err(unusable(reason)),
        Err(StartError::Fault(fault)) => return Err(LoadError::not_started(name, origin, &fault)),
    };
    if let Some((asks, hook)) = nothing_to_ask(&plugin) {
        return Err(LoadError::NothingToAsk { plugin: Arc::clone(name), origin, asks, hook });
    }
    let exports = plugin.manifest().exports;
    if exports.enhanced_auth && plugin.methods().is_empty() {
        tracing::warn!("plugin \"{name}\" ({origin}) exports enhanced-auth and serves no method with these settings");
    }
    if exports.topic_check && plugin.interests().actions.is_empty() {
        tracing::warn!("plugin \"{name}\" ({origin}) exports topic-check and decides no action with these settings");
    }
    tracing::info!("plugin \"{name}\" ({origin}): {}", plugin.manifest());
    Ok((origin, stamp, plugin))
}

/// What a plugin asks for without having the hook that would be called for it, and that hook.
fn nothing_to_ask(plugin: &Plugin) -> Option<(&'static str, &'static str)> {
    let (exports, interests) = (plugin.manifest().exports, plugin.interests());
    if !interests.actions.is_empty() && !exports.topic_check {
        Some(("declares actions to decide", "topic-check"))
    } else if !plugin.methods().is_empty() && !exports.enhanced_auth {
        Some(("serves authentication methods", "enhanced-auth"))
    } else if !interests.events.is_empty() && !exports.events {
        Some(("asks to be told of events", "events"))
    } else if interests.tick_seconds > 0 && !exports.ticks {
        Some(("asks for ticks", "ticks"))
    } else {
        None
    }
}

/// What the SDK calls a hook, as the macro `plugin!` takes it.
fn trait_of(hook: &str) -> &'static str {
    match hook {
        "topic-check" => "TopicCheck",
        "enhanced-auth" => "EnhancedAuth",
        "events" => "Events",
        _ => "Ticks",
    }
}

/// What the plugins of the binary may use without being granted it: what their settings name.
fn grant_built_in(grants: &mut Grants, plugin: &EmbeddedPlugin) {
    match plugin.name {
        "auth_file" | "auth_scram" => grants.files.push("password-file".to_owned()),
        "topic_acl" => {
            grants.files.push("acl-file".to_owned());
            grants.invalidate = true;
        }
        "broker_sys" => {
            grants.publish.extend(TopicFilter::new("$SYS/#"));
            grants.broker_info = true;
        }
        _ => {}
    }
}

fn choose_auth(all: &[Arc<Loaded>], named: Option<&[String]>) -> Result<Vec<Arc<Loaded>>, LoadError> {
    let exports_auth = |plugin: &Arc<Loaded>| {
        let exports = plugin.wasm.manifest().exports;
        exports.auth || exports.enhanced_auth
    };
    let chosen = match named {
        None => all.iter().filter(|plugin| exports_auth(plugin)).cloned().collect(),
        Some(names) => choose_named(all, names, "auth.plugins", exports_auth)?,
    };
    if chosen.is_empty() {
        tracing::warn!(
            "no plugin answers auth: every CONNECT is refused; hint: add `auth_file` or `auth_anonymous` to `auth.plugins`"
        );
    }
    Ok(chosen)
}

fn choose_topic_check(all: &[Arc<Loaded>], spec: &TopicCheckSpec) -> Result<Vec<Arc<Loaded>>, LoadError> {
    let exports_topic_check = |plugin: &Arc<Loaded>| plugin.wasm.manifest().exports.topic_check;
    match spec {
        TopicCheckSpec::Off => Ok(Vec::new()),
        TopicCheckSpec::All => Ok(all.iter().filter(|plugin| exports_topic_check(plugin)).cloned().collect()),
        TopicCheckSpec::Named(names) => {
            let chosen = choose_named(all, names, "topic-check.plugins", exports_topic_check)?;
            if chosen.is_empty() {
                return Err(LoadError::NoTopicCheck { plugins: names.clone() });
            }
            Ok(chosen)
        }
    }
}

/// The plugins of a list that have the list's hook, in its order.
fn choose_named(
    all: &[Arc<Loaded>],
    names: &[String],
    list: &'static str,
    has_hook: impl Fn(&Arc<Loaded>) -> bool,
) -> Result<Vec<Arc<Loaded>>, LoadError> {
    let mut chosen = Vec::new();
    for name in names {
        let plugin = all.iter().find(|plugin| *plugin.name == **name);
        let plugin = plugin.ok_or_else(|| LoadError::NotLoaded { list, plugin: name.clone() })?;
        if has_hook(plugin) {
            chosen.push(Arc::clone(plugin));
        } else {
            tracing::warn!("plugin \"{name}\" of `{list}` does not export that hook: it is not asked");
        }
    }
    Ok(chosen)
}
