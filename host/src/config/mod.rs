//! The configuration: YAML text in, a checked [`Config`] out, or all that is wrong with it.
//!
//! `yaml` reads text and `environment` fills in variables; `section` and `field` read values and say what is wrong with
//! them into a `report`; `misplaced` knows keys that were meant to be elsewhere, `secret` what is not to be printed. Which
//! keys there are is in tables of `setting`s, one beside the code that reads each part: `root`, `listeners`, `limits`,
//! `hooks` with `plugins` and `known`. The tables also make the effective configuration and the JSON Schema.

mod admission;
mod bind;
mod capabilities;
mod check;
mod effective;
mod environment;
mod error;
mod field;
mod hooks;
mod json_schema;
mod known;
mod limits;
mod listeners;
mod misplaced;
mod mistyped;
mod mosquitto;
mod plugin_limits;
mod plugins;
mod report;
mod root;
mod secret;
mod section;
mod setting;
mod suggest;
#[cfg(test)]
mod tests;
mod tls;
mod trial;
mod yaml;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub use self::check::{Checked, check};
pub use self::effective::effective;
pub use self::error::{ConfigError, Place, Problem, Value};
pub use self::json_schema::json_schema;
use self::report::{Findings, Report};
pub use self::trial::{PluginTrial, Tried, add_grant};
use self::yaml::Node;
use crate::hooks::HookSpec;
use crate::net::{BindAddress, TlsSettings};
use crate::regular_file;
use crate::types::{Capabilities, Limits, Overlapping};

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
    /// What the broker does for its clients.
    pub capabilities: Capabilities,
    /// How often a client is sent a message that several of its subscriptions ask for.
    pub overlapping: Overlapping,
    /// What the log tells.
    pub log_level: LogLevel,
    /// Whether plugins are loaded again when one of their files has changed, and not only at SIGHUP.
    pub reload_on_change: bool,
    /// What people should know of, one line each. Not logged yet.
    pub warnings: Vec<String>,
}

/// What the log tells: this and what is more important.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// What does not work.
    Error,
    /// What may not be meant.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// Every step.
    Debug,
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
    /// TLS; none for a listener that is not encrypted.
    pub tls: Option<TlsSettings>,
}

/// What is spoken on a listener, within TLS or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerKind {
    /// MQTT.
    Tcp,
    /// MQTT over WebSocket.
    WebSocket {
        /// The path that clients have to ask for; none for any.
        path: Option<String>,
        /// The origins of web pages that may connect; none for any.
        origins: Option<Vec<String>>,
    },
}

impl ListenerKind {
    /// The port where `bind` names none.
    pub const fn default_port(&self, tls: bool) -> u16 {
        match (self, tls) {
            (Self::Tcp, false) => 1883,
            (Self::Tcp, true) => 8883,
            (Self::WebSocket { .. }, false) => 9001,
            (Self::WebSocket { .. }, true) => 9003,
        }
    }
}

impl Config {
    /// What a broker runs with when no file is named: it lets everyone in, and has a warning that says so.
    pub fn default_config() -> Self {
        Source::default_config().config().expect("a test reads this text")
    }

    /// Reads a file, or what comes from a pipe. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// When the file cannot be read or anything in it is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Source::open(path)?.config()
    }

    /// The same for a broker that runs and must not wait: a pipe, which has been read once, is refused.
    ///
    /// # Errors
    /// When the file cannot be read or anything in it is wrong.
    pub fn load_again(path: &Path) -> Result<Self, ConfigError> {
        Source::open_regular(path)?.config()
    }

    /// Reads a text. Relative paths in it start at `base_dir`, which should be absolute; messages say `file_name`.
    ///
    /// # Errors
    /// When anything in it is wrong.
    pub fn parse(text: &str, base_dir: &Path, file_name: &str) -> Result<Self, ConfigError> {
        let base_dir = Some(base_dir.to_owned());
        Source { text: text.to_owned(), base_dir, name: file_name.to_owned(), environment: variable }.config()
    }
}

/// A configuration's text and what its meaning depends on.
struct Source {
    text: String,
    /// Where relative paths start; without it, no `plugins` beside the file is searched.
    base_dir: Option<PathBuf>,
    /// The file as messages name it.
    name: String,
    environment: fn(&str) -> Option<OsString>,
}

/// What a text was read to.
struct Reading {
    /// Every value, with the environment's filled in.
    root: Node,
    /// None only after an error; after one, values may be missing from what there is.
    config: Option<Config>,
    findings: Findings,
}

impl Source {
    fn default_config() -> Self {
        Self {
            text: DEFAULT.to_owned(),
            base_dir: None,
            name: "default configuration".to_owned(),
            environment: variable,
        }
    }

    fn open(path: &Path) -> Result<Self, ConfigError> {
        Self::open_with(path, regular_file::open_or_pipe)
    }

    /// Without pipes and their waiting.
    fn open_regular(path: &Path) -> Result<Self, ConfigError> {
        Self::open_with(path, regular_file::open)
    }

    fn open_with(path: &Path, open: fn(&Path) -> io::Result<File>) -> Result<Self, ConfigError> {
        let unreadable = |source: io::Error| match source.kind() {
            ErrorKind::FileTooLarge => ConfigError::TooLarge { file: path.to_owned(), bytes_max: FILE_BYTES_MAX },
            _ => ConfigError::Unreadable { file: path.to_owned(), source },
        };
        let bytes = open(path).and_then(|file| regular_file::read_from(file, FILE_BYTES_MAX)).map_err(unreadable)?;
        let name = path.display().to_string();
        let text = String::from_utf8(bytes)
            .map_err(|error| not_utf8(error.as_bytes(), error.utf8_error().valid_up_to(), &name))?;
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        let base_dir = absolute.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { text, base_dir: Some(base_dir), name, environment: variable })
    }

    /// Reads all of it, whatever is wrong with the values.
    fn read(&self) -> Result<Reading, ConfigError> {
        let mut root = yaml::parse(&self.text).map_err(|error| not_yaml(&self.text, error, &self.name))?;
        let mut report = Report::default();
        environment::fill_in(&mut root, self.environment, &mut report);
        let config = root::read(&root, self.base_dir.as_deref(), &mut report);
        Ok(Reading { root, config, findings: report.finish(&self.name) })
    }

    fn config(&self) -> Result<Config, ConfigError> {
        let Reading { config, findings, .. } = self.read()?;
        match config {
            Some(mut config) if findings.errors.is_empty() => {
                config.warnings = findings.warnings.iter().map(Problem::on_one_line).collect();
                Ok(config)
            }
            _ => Err(ConfigError::Invalid(findings.errors)),
        }
    }
}

/// A variable of this process's environment.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn not_utf8(bytes: &[u8], valid_up_to: usize, file_name: &str) -> ConfigError {
    let valid = &bytes[..valid_up_to];
    let line_start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let place = Place {
        line: valid.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: String::from_utf8_lossy(&valid[line_start..]).chars().count() + 1,
    };
    let message = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16 text",
        _ => "the file is not UTF-8 text",
    };
    not_readable(file_name, place, message.to_owned(), Some("save it as UTF-8".to_owned()))
}

fn not_yaml(text: &str, error: yaml::SyntaxError, file_name: &str) -> ConfigError {
    let line = text.lines().nth(error.place.line - 1).unwrap_or("");
    let of_text = || syntax_hint(text, line, &error.message).map(ToOwned::to_owned);
    let hint = error.hint.or_else(of_text).or(error.general_hint);
    not_readable(file_name, error.place, error.message, hint)
}

/// What can be done about a text that is no YAML, for an error in this line of it.
fn syntax_hint(text: &str, line: &str, message: &str) -> Option<&'static str> {
    let is_list = |after: &str| after.trim_start().strip_prefix(':').is_some_and(|it| it.trim_start().starts_with('['));
    Some(if mosquitto::is_written_in(text) {
        mosquitto::HINT
    } else if line.contains('\t') {
        "indent with spaces, not with tabs"
    } else if line.match_indices("bind").any(|(start, bind)| is_list(&line[start + bind.len()..])) {
        bind::QUOTE_BRACKETS
    } else if message.contains("mapping values are not allowed") {
        "a key stands on a line of its own, indented like the others beside it; quote a text with `: ` in it"
    } else {
        return None;
    })
}

fn not_readable(file_name: &str, place: Place, message: String, hint: Option<String>) -> ConfigError {
    ConfigError::NotYaml(Box::new(Problem {
        file: file_name.to_owned(),
        place: Some(place),
        message,
        hint,
        value: None,
    }))
}
