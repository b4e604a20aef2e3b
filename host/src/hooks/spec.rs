use std::path::PathBuf;
use std::time::Duration;

use crate::types::TopicFilter;

/// Which plugins to load and what to ask them: what the configuration says, checked.
#[derive(Debug, Clone, Default)]
pub struct HookSpec {
    /// The plugins in list order, each name once.
    pub plugins: Vec<PluginSpec>,
    /// Names of those that answer auth, in order; none: every loaded plugin that exports auth.
    pub auth: Option<Vec<String>>,
    /// Which of them decide topics.
    pub topic_check: TopicCheckSpec,
    /// Folders to search for `NAME.wasm`, in order.
    pub plugin_dirs: Vec<PathBuf>,
    /// The folder that compiled code of plugins is kept in.
    pub plugin_cache: Option<PathBuf>,
}

/// Who decides topics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TopicCheckSpec {
    /// Nobody: every topic is allowed.
    Off,
    /// Every loaded plugin that exports topic-check.
    #[default]
    All,
    /// These, in order. At least one of them has to export topic-check.
    Named(Vec<String>),
}

/// One plugin of the configuration.
#[derive(Debug, Clone)]
pub struct PluginSpec {
    /// Its name with underscores, aliases resolved.
    pub name: String,
    /// The file to load; none: an embedded plugin of that name, else the first match in the folders.
    pub path: Option<PathBuf>,
    /// What the SHA-256 of the file has to be.
    pub sha256: Option<[u8; 32]>,
    /// The settings handed to its `init`, top-level keys with dashes.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// What the configuration lets it use. The embedded plugins carry grants of their own.
    pub grants: Grants,
    /// What it may take of the machine, where the configuration says so.
    pub limits: PluginLimits,
}

impl PluginSpec {
    /// One that is given these settings and nothing else.
    pub fn new(name: &str, settings: serde_json::Map<String, serde_json::Value>) -> Self {
        Self {
            name: name.to_owned(),
            path: None,
            sha256: None,
            settings,
            grants: Grants::default(),
            limits: PluginLimits::default(),
        }
    }
}

/// Bounds on one plugin; none: the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PluginLimits {
    /// Bytes of all memories of an instance together.
    pub memory_bytes: Option<usize>,
    /// How long a call may run, of whichever hook. Starting an instance has a limit of its own.
    pub deadline: Option<Duration>,
    /// How many instances answer auth at once, at most 64; there are threads for all of them.
    pub instances: Option<usize>,
}

/// What a plugin may use besides the log, the clock and random numbers.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Settings keys whose values are paths of files that the plugin may read.
    pub files: Vec<String>,
    /// Topics that the plugin may publish to.
    pub publish: Vec<TopicFilter>,
    /// Whether the plugin may read the broker's counters.
    pub broker_info: bool,
    /// Whether the plugin may see who is connected and what is subscribed to.
    pub sessions: bool,
    /// Whether the plugin may end cached verdicts.
    pub invalidate: bool,
}
