//! Reads files that the plugin's settings name. The broker's configuration grants each settings key.
//!
//! On targets other than WebAssembly a file is what `stand_in` set for its key on this thread.

use std::fmt;

/// Reads the whole file whose path is the value of a settings key.
///
/// The plugin names the key, never a path: `read("password-file")`.
///
/// # Errors
///
/// [`FileError`] tells the cases apart.
pub fn read(key: &str) -> Result<Vec<u8>, FileError> {
    host::read(key)
}

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    /// The settings key is not granted as a file to this plugin.
    NotGranted,
    /// The key is granted, and the settings do not have it.
    NotSet,
    /// The path is not a plain file within the folder that it names, with the reason.
    Refused(String),
    /// The file has this many bytes, more than the broker hands to a plugin.
    TooLarge(u64),
    /// Opening or reading failed, with the reason of the operating system.
    Failed(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::NotGranted => f.write_str("the configuration does not grant this file to the plugin"),
            FileError::NotSet => f.write_str("the settings do not name this file"),
            FileError::Refused(reason) => write!(f, "the broker does not open it: {reason}"),
            FileError::TooLarge(bytes) => write!(f, "it is too large for a plugin: {bytes} bytes"),
            FileError::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for FileError {}

#[cfg(target_family = "wasm")]
mod host {
    use super::FileError;
    use crate::bindings::capabilities::amqtt::plugin::files as wit;

    pub(super) fn read(key: &str) -> Result<Vec<u8>, FileError> {
        wit::read(key).map_err(|err| match err {
            wit::FileError::NotGranted => FileError::NotGranted,
            wit::FileError::NotSet => FileError::NotSet,
            wit::FileError::Refused(reason) => FileError::Refused(reason),
            wit::FileError::TooLarge(bytes) => FileError::TooLarge(bytes),
            wit::FileError::Failed(reason) => FileError::Failed(reason),
        })
    }
}

#[cfg(not(target_family = "wasm"))]
pub use host::stand_in;

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use super::FileError;

    thread_local! {
        static FILES: RefCell<HashMap<String, Result<Vec<u8>, FileError>>> = RefCell::default();
    }

    /// Sets what [`read`](super::read) gives for a key on this thread, in unit tests.
    pub fn stand_in(key: &str, content: Result<Vec<u8>, FileError>) {
        FILES.with_borrow_mut(|files| files.insert(key.to_owned(), content));
    }

    pub(super) fn read(key: &str) -> Result<Vec<u8>, FileError> {
        FILES.with_borrow(|files| files.get(key).cloned().unwrap_or(Err(FileError::NotSet)))
    }
}
