//! The configuration: YAML text in, a checked [`Config`] out, or all that is wrong with it.
//!
//! `yaml` reads text, `section` and `field` read values and say what is wrong with them into a `report`; the other
//! files each know one part of the configuration.

mod admission;
mod bind;
mod error;
mod field;
mod hooks;
mod known;
mod limits;
mod listeners;
mod plugin_limits;
mod plugins;
mod report;
mod section;
mod suggest;
#[cfg(test)]
mod tests;
mod yaml;

use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub use self::error::{ConfigError, Place, Problem};
use self::field::Field;
use self::report::Report;
use self::section::{Section, Unknown};
use crate::hooks::HookSpec;
use crate::net::BindAddress;
use crate::types::{Limits, Overlapping, QoS};

/// What a broker runs with when no file is named.
const DEFAULT: &str = "\
listeners:
  default:
    type: tcp
    bind: 0.0.0.0:1883
sys_interval: 20
auth:
  allow-anonymous: true
plugins:
  - auth_file
  - auth_anonymous
";

/// Bytes of the largest file that is read: some ten times the largest ACL known.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Seconds between two publications of the broker's figures, unless it is configured.
const SYS_INTERVAL_SECS: u64 = 20;

/// The folder beside the configuration file that is searched for plugins after all others.
const PLUGINS_FOLDER: &str = "plugins";

/// Everything that a broker is started with. Whatever is here has been checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; at least one.
    pub listeners: Vec<ListenerConfig>,
    /// Which plugins to load and what to ask them.
    pub hooks: HookSpec,
    /// Bounds on what clients may make the broker hold.
    pub limits: Limits,
    /// Seconds past its keep-alive after which a silent client is closed; none: as the standard says.
    pub timeout_disconnect_delay_secs: Option<u64>,
    /// Seconds between two publications of the broker's figures; 0 for none.
    pub sys_interval_secs: u64,
    /// The highest QoS that is granted and accepted.
    pub max_qos: QoS,
    /// How often a client is sent a message that several of its subscriptions ask for.
    pub overlapping: Overlapping,
    /// What people should know of, one line each. Not logged yet.
    pub warnings: Vec<String>,
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Its name in the configuration.
    pub name: String,
    /// What is spoken there.
    pub kind: ListenerKind,
    /// Where it listens.
    pub bind: BindAddress,
    /// Connections at once; none for no limit.
    pub max_connections: Option<NonZeroUsize>,
}

/// What carries MQTT on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerKind {
    /// Plain TCP.
    Tcp,
}

impl ListenerKind {
    /// The port where `bind` names none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Tcp => 1883,
        }
    }
}

impl Config {
    /// What a broker runs with when no file is named: it lets everyone in, and has a warning that says so.
    pub fn default_config() -> Self {
        read(DEFAULT, None, "default configuration").expect("a test reads this text")
    }

    /// Reads a file. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// When the file cannot be read or anything in it is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { file: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(ConfigError::TooLarge { file: path.to_owned(), bytes_max: FILE_BYTES_MAX });
        }
        let file_name = path.display().to_string();
        let text = std::str::from_utf8(&bytes).map_err(|error| not_utf8(&bytes[..error.valid_up_to()], &file_name))?;
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        let base_dir = absolute.parent().unwrap_or(Path::new("/"));
        Self::parse(text, base_dir, &file_name)
    }

    /// Reads a text. Relative paths in it start at `base_dir`, which should be absolute; messages say `file_name`.
    ///
    /// # Errors
    /// When anything in it is wrong.
    pub fn parse(text: &str, base_dir: &Path, file_name: &str) -> Result<Self, ConfigError> {
        read(text, Some(base_dir), file_name)
    }
}

fn not_utf8(valid: &[u8], file_name: &str) -> ConfigError {
    let line_start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    ConfigError::NotYaml(Problem {
        file: file_name.to_owned(),
        place: Some(Place {
            line: valid.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: String::from_utf8_lossy(&valid[line_start..]).chars().count() + 1,
        }),
        message: "the file is not UTF-8 text".to_owned(),
        hint: None,
    })
}

fn not_yaml(text: &str, error: yaml::SyntaxError, file_name: &str) -> ConfigError {
    let line = error.place.and_then(|place| text.lines().nth(place.line - 1)).unwrap_or("");
    let hint = if line.contains('\t') {
        Some("indent with spaces, not with tabs")
    } else if line.split_once(':').is_some_and(|(_, value)| value.trim_start().starts_with('[')) {
        Some("quote an address in brackets: `bind: \"[::1]:1883\"`")
    } else {
        None
    };
    ConfigError::NotYaml(Problem {
        file: file_name.to_owned(),
        place: error.place,
        message: error.message,
        hint: hint.map(ToOwned::to_owned),
    })
}

/// Without a folder, no `plugins` beside the file is searched.
fn read(text: &str, base_dir: Option<&Path>, file_name: &str) -> Result<Config, ConfigError> {
    let root = yaml::parse(text).map_err(|error| not_yaml(text, error, file_name))?;
    let mut report = Report::default();
    let config = read_root(&root, base_dir, &mut report);
    let warnings = report.finish(text, file_name)?;
    let mut config = config.expect("without an error there is a configuration");
    config.warnings = warnings;
    Ok(config)
}

/// None only after an error; after one, values may be missing from what there is.
fn read_root(root: &yaml::Node, base_dir: Option<&Path>, report: &mut Report) -> Option<Config> {
    if matches!(root.value, yaml::Value::Null) {
        let hint = "without `-c` the broker runs with its default configuration";
        report.error(None, "the file is empty".to_owned(), Some(hint.to_owned()));
        return None;
    }
    let mut top = Section::open("", root, report)?;
    let listeners = top.take("listeners");
    let listeners = listeners::read(listeners, &top, report);
    let limits = limits::read(top.take("limits"), report);
    let seconds = |field: Option<Field<'_>>, report: &mut Report| field?.integer(0..=known::SECONDS_MAX, report);
    let timeout_disconnect_delay = seconds(top.take("timeout-disconnect-delay"), report);
    let sys_interval = seconds(top.take("sys-interval"), report);
    let max_qos = top.take("max-qos").and_then(|field| field.integer(0..=2, report));
    let overlapping = overlapping(top.take("overlapping-subscriptions"), report);
    let base = base_dir.unwrap_or(Path::new(""));
    let mut plugin_dirs = plugin_dirs(top.take("plugin-dirs"), base, report);
    plugin_dirs.extend(base_dir.map(|folder| folder.join(PLUGINS_FOLDER)));
    let hooks = hooks::Parts {
        plugins: top.take("plugins"),
        auth: top.take("auth"),
        topic_check: top.take("topic-check"),
        sys_interval_secs: sys_interval,
        plugin_dirs,
        base_dir: base,
    };
    let hooks = hooks.read(report);
    admission::warn(&hooks, report);
    if let Some(persistence) = top.take("persistence") {
        let message = "key `persistence` has no effect in this version: sessions are lost at a restart".to_owned();
        report.warning(Some(persistence.key_at()), message, None);
    }
    refuse_misplaced(&mut top, report);
    top.close(Unknown::Warning, report);
    Some(Config {
        listeners,
        limits,
        timeout_disconnect_delay_secs: timeout_disconnect_delay.map(i64::unsigned_abs),
        sys_interval_secs: sys_interval_secs(&hooks)
            .or(sys_interval.map(i64::unsigned_abs))
            .unwrap_or(SYS_INTERVAL_SECS),
        hooks,
        max_qos: match max_qos {
            Some(0) => QoS::AtMostOnce,
            Some(1) => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        },
        overlapping,
        warnings: Vec::new(),
    })
}

/// What `broker_sys` has been set to, if it is loaded and set.
fn sys_interval_secs(hooks: &HookSpec) -> Option<u64> {
    let plugin = hooks.plugins.iter().find(|plugin| plugin.name == known::BROKER_SYS)?;
    plugin.settings.get("sys-interval")?.as_u64()
}

fn overlapping(field: Option<Field<'_>>, report: &mut Report) -> Overlapping {
    const WANTED: &str = "`once` or `each`";
    let Some(field) = field else { return Overlapping::Once };
    match field.text(WANTED, report) {
        Some("each") => return Overlapping::Each,
        Some("once") | None => {}
        Some(_) => field.wrong(WANTED, None, report),
    }
    Overlapping::Once
}

fn plugin_dirs(field: Option<Field<'_>>, base_dir: &Path, report: &mut Report) -> Vec<PathBuf> {
    let items = field.and_then(|field| field.list("a list of folders", report)).unwrap_or_default();
    let folders = items.iter().filter_map(|item| item.file(base_dir, report));
    folders.map(PathBuf::from).collect()
}

/// A key of a section that stands outside of it has no effect. What it was to forbid would be allowed.
fn refuse_misplaced(top: &mut Section<'_>, report: &mut Report) {
    const MISPLACED: [(&str, &str); 11] = [
        ("allow-anonymous", "auth"),
        ("password-file", "auth"),
        ("enabled", "topic-check"),
        ("acl", "topic-check"),
        ("publish-acl", "topic-check"),
        ("subscribe-acl", "topic-check"),
        ("receive-acl", "topic-check"),
        ("default", "listeners"),
        ("bind", "listeners"),
        ("ssl", "listeners"),
        ("max-connections", "listeners"),
    ];
    for (key, section) in MISPLACED {
        let Some(field) = top.take_unlisted(key) else { continue };
        let message = format!("key `{key}` stands outside of `{section}`");
        let hint = format!("indent it, to be a part of `{section}`");
        report.error(Some(field.key_at()), message, Some(hint));
    }
}
