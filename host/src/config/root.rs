//! What stands at the top of a configuration.

use std::path::{Path, PathBuf};

use super::field::Field;
use super::report::Report;
use super::section::Section;
use super::setting::{Form, Keys, Preset, Setting, Unknown};
use super::yaml::{Node, Value};
use super::{Config, LogLevel, admission, capabilities, hooks, known, limits, listeners, misplaced, mosquitto};
use crate::hooks::HookSpec;
use crate::types::Overlapping;

/// Every key of a configuration.
pub(super) static KEYS: Keys = Keys { tables: &[SETTINGS, capabilities::SETTINGS], unknown: Unknown::Warning };

const SETTINGS: &[Setting] = &[
    Setting::new(
        "listeners",
        Form::Listeners(&listeners::KEYS),
        Preset::None,
        "Where to listen, by names; `default` passes its values on to the others.",
    ),
    Setting::new("plugins", Form::Plugins, Preset::None, "Plugins to load: a name, or `name: {settings}`."),
    Setting::new("auth", Form::Section(&hooks::AUTH_KEYS), Preset::None, "Who may connect."),
    Setting::new("topic-check", Form::Section(&hooks::TOPIC_CHECK_KEYS), Preset::None, "Who may use which topic."),
    known::SYS_INTERVAL,
    Setting::new(
        "timeout-disconnect-delay",
        Form::SECONDS,
        Preset::Meaning("half the keep-alive"),
        "Seconds past its keep-alive after which a silent client is closed, at most half the keep-alive.",
    ),
    Setting::new(
        "overlapping-subscriptions",
        Form::Word(&["once", "each"]),
        Preset::Value("once"),
        "How often a client gets a message that several of its subscriptions ask for.",
    ),
    Setting::new("plugin-dirs", Form::Files, Preset::None, "Folders to search for plugins."),
    Setting::new("plugin-cache", Form::File, Preset::None, "A folder to keep compiled code of plugins in."),
    Setting::new(
        "plugin-reload",
        Form::Word(&["on-signal", "on-change"]),
        Preset::Value("on-signal"),
        "When plugins are loaded again: at SIGHUP, or also when one of their files has changed.",
    ),
    Setting::new(
        "limits",
        Form::Section(&limits::KEYS),
        Preset::None,
        "Bounds on what clients may make the broker hold.",
    ),
    Setting::new(
        "log-level",
        Form::Word(&["error", "warn", "info", "debug"]),
        Preset::Value("info"),
        "What the log tells: this and what is more important; `-d` is `debug`.",
    ),
    Setting::new("persistence", Form::Section(&PERSISTENCE), Preset::None, "Where sessions are kept."),
];

static PERSISTENCE: Keys = Keys {
    tables: &[&[Setting::new("file", Form::File, Preset::None, "The file that sessions are kept in.")]],
    unknown: Unknown::Warning,
};

/// Seconds between two publications of the broker's figures, unless it is configured.
const SYS_INTERVAL_SECS: u64 = 20;

/// The folder beside the configuration file that is searched for plugins after all others.
const PLUGINS_FOLDER: &str = "plugins";

/// Reads the whole of a file. None only after an error; after one, values may be missing from what there is.
pub(super) fn read(root: &Node, base_dir: Option<&Path>, report: &mut Report) -> Option<Config> {
    if matches!(root.value, Value::Null) {
        let hint = "without `-c` the broker runs with its default configuration";
        report.error(None, "the file is empty".to_owned(), Some(hint.to_owned()));
        return None;
    }
    if let Value::Text(text) = &root.value
        && mosquitto::is_written_in(text)
    {
        report.error(Some(root.place), "the file is no YAML mapping".to_owned(), Some(mosquitto::HINT.to_owned()));
        return None;
    }
    let mut top = Section::open("", root, &KEYS, report)?;
    let is_readable = report.errors_len() == 0;
    let base = base_dir.unwrap_or(Path::new(""));
    let listeners = top.take("listeners");
    let listeners = listeners::read(listeners, &top, base, report);
    let limits = limits::read(top.take("limits"), report);
    let integer = |field: Option<Field<'_>>, report: &mut Report| field?.integer(report);
    let timeout_disconnect_delay = integer(top.take("timeout-disconnect-delay"), report);
    let capabilities = capabilities::read(&mut top, report);
    let overlapping = overlapping(top.take("overlapping-subscriptions"), report);
    let log_level = log_level(top.take("log-level"), report);
    let reload_on_change = top.take("plugin-reload").and_then(|field| field.word(report)) == Some("on-change");
    let mut plugin_dirs = plugin_dirs(top.take("plugin-dirs"), base, report);
    plugin_dirs.extend(base_dir.map(|folder| folder.join(PLUGINS_FOLDER)));
    let plugin_cache = top.take("plugin-cache").and_then(|field| field.file(base, report));
    let others = report.errors_len();
    let sys_interval = integer(top.take("sys-interval"), report);
    let hooks = hooks::Parts {
        plugins: top.take("plugins"),
        auth: top.take("auth"),
        topic_check: top.take("topic-check"),
        sys_interval_secs: sys_interval,
        plugin_dirs,
        plugin_cache: plugin_cache.map(PathBuf::from),
        base_dir: base,
    };
    let hooks = hooks.read(report);
    admission::warn(&hooks, report);
    if let Some(persistence) = top.take("persistence") {
        read_persistence(&persistence, base, report);
    }
    misplaced::refuse(&mut top, report);
    if is_readable && report.errors_len() == others {
        report.plugins_are_whole();
    }
    top.close(report);
    Some(Config {
        listeners,
        limits,
        timeout_disconnect_delay_secs: timeout_disconnect_delay.map(i64::unsigned_abs),
        sys_interval_secs: sys_interval_secs(&hooks)
            .or(sys_interval.map(i64::unsigned_abs))
            .unwrap_or(SYS_INTERVAL_SECS),
        hooks,
        capabilities,
        overlapping,
        log_level,
        reload_on_change,
        warnings: Vec::new(),
    })
}

/// What `broker_sys` has been set to, if it is loaded and set.
fn sys_interval_secs(hooks: &HookSpec) -> Option<u64> {
    let plugin = hooks.plugins.iter().find(|plugin| plugin.name == known::BROKER_SYS)?;
    plugin.settings.get("sys-interval")?.as_u64()
}

fn overlapping(field: Option<Field<'_>>, report: &mut Report) -> Overlapping {
    match field.and_then(|field| field.word(report)) {
        Some("each") => Overlapping::Each,
        _ => Overlapping::Once,
    }
}

fn log_level(field: Option<Field<'_>>, report: &mut Report) -> LogLevel {
    match field.and_then(|field| field.word(report)) {
        Some("error") => LogLevel::Error,
        Some("warn") => LogLevel::Warn,
        Some("debug") => LogLevel::Debug,
        _ => LogLevel::Info,
    }
}

fn read_persistence(persistence: &Field<'_>, base_dir: &Path, report: &mut Report) {
    let Some(mut section) = persistence.section(&PERSISTENCE, report) else { return };
    if let Some(file) = section.take("file") {
        file.file(base_dir, report);
    }
    section.close(report);
    let message = "key `persistence` has no effect in this version: sessions are lost at a restart".to_owned();
    report.warning(Some(persistence.key_at()), message, None);
}

fn plugin_dirs(field: Option<Field<'_>>, base_dir: &Path, report: &mut Report) -> Vec<PathBuf> {
    let items = field.and_then(|field| field.list("a list of folders", report)).unwrap_or_default();
    let folders = items.iter().filter_map(|item| item.file(base_dir, report));
    folders.map(PathBuf::from).collect()
}
