use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::capabilities::escape;
use super::circuit::Circuit;
use super::faults::{Call, Faults};
use super::wasm::{Fault, Plugin};
use crate::file_stamp::FileStamp;
use crate::types::ClientInfo;

/// A plugin of the configuration, ready to be asked.
pub(crate) struct Loaded {
    pub(crate) name: Arc<str>,
    pub(crate) origin: Origin,
    /// What its file was before it was read, if it has one.
    pub(crate) stamp: Option<FileStamp>,
    pub(crate) wasm: Plugin,
    pub(crate) faults: Arc<Faults>,
    pub(crate) circuits: Circuits,
}

/// Whether a plugin is called: what fails of one kind says nothing of the other.
#[derive(Default)]
pub(crate) struct Circuits {
    deciding: Circuit,
    observing: Circuit,
}

impl Loaded {
    /// Whether its answers to auth take no longer than handing the question to another thread, whatever it is asked.
    ///
    /// Only of known code can this be said: what has been quick so far may have had nothing to do yet, such as hashing a
    /// password or reading its file again.
    pub(crate) fn answers_at_once(&self) -> bool {
        self.origin == Origin::BuiltIn && &*self.name == "auth_anonymous" && self.wasm.instances().is_none()
    }

    /// Whether it is another loading of the same, with the same settings.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.wasm.is_same(&other.wasm)
    }

    /// Whether it is called for that.
    pub(crate) fn circuit(&self, call: Call) -> &Circuit {
        if call.decides() { &self.circuits.deciding } else { &self.circuits.observing }
    }

    /// Takes note of a fault in a call that `client` has caused, if anybody has.
    pub(crate) fn report(&self, call: Call, client: Option<&ClientInfo>, fault: &Fault) {
        self.faults.report(self, call, client, fault);
    }
}

/// As messages name it: `plugin "x" 1.2.0`.
impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin \"{}\"", self.name)?;
        match self.wasm.version() {
            Some(version) => write!(f, " {}", escape(version)),
            None => Ok(()),
        }
    }
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
            Self::File(path) => write!(f, "`{}`", escape(&path.display().to_string())),
        }
    }
}
