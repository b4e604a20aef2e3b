use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::faults::Faults;
use super::wasm::Plugin;

/// A plugin of the configuration, ready to be asked.
pub(crate) struct Loaded {
    pub(crate) name: Arc<str>,
    pub(crate) wasm: Plugin,
    pub(crate) faults: Faults,
}

/// Where a plugin came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is part of the binary.
    BuiltIn,
    /// A file.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File(path) => write!(f, "`{}`", path.display()),
        }
    }
}
