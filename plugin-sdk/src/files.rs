//! Reads files that the plugin's settings name. The broker's configuration grants each settings key.
//!
//! On targets other than WebAssembly a file is what `stand_in` set for its key on this thread, and all of a test is one
//! call.

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

/// A number that is another one once the file has changed, been written, replaced, deleted or made, and has stayed so
/// from one look to the next.
///
/// Take it before [`read`], keep it, and read again when it differs; [`Watched`](crate::Watched) does this. Asking once in a second, or with each login, costs
/// little: the broker looks at the file at most once in a second.
///
/// # Errors
///
/// Where the key is not granted or not set.
pub fn stamp(key: &str) -> Result<u64, FileError> {
    host::stamp(key)
}

/// Makes what this instance has read last of the file, in the running call, the content that all instances go by, and
/// gives its number. [`Watched`](crate::Watched) does this.
///
/// # Errors
///
/// [`FileError::Refused`] if another file was read since, or none, or it was accepted already.
pub fn accept(key: &str) -> Result<u64, FileError> {
    host::accept(key)
}

/// The content that was accepted last. Where none was since the plugin was loaded, it is that of the plugin in whose place
/// a reload has put this one, if its settings named the same file; else none.
///
/// # Errors
///
/// [`FileError::NotGranted`].
pub fn accepted(key: &str) -> Result<Option<Vec<u8>>, FileError> {
    host::accepted(key)
}

/// How often a content was accepted since the plugin was loaded. The same number means the same content; another one means
/// that something was accepted meanwhile, which may have been the same bytes.
///
/// # Errors
///
/// [`FileError::NotGranted`].
pub fn accepted_number(key: &str) -> Result<u64, FileError> {
    host::accepted_number(key)
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
        wit::read(key).map_err(FileError::from)
    }

    pub(super) fn stamp(key: &str) -> Result<u64, FileError> {
        wit::stamp(key).map_err(FileError::from)
    }

    pub(super) fn accept(key: &str) -> Result<u64, FileError> {
        wit::accept(key).map_err(FileError::from)
    }

    pub(super) fn accepted(key: &str) -> Result<Option<Vec<u8>>, FileError> {
        wit::accepted(key).map_err(FileError::from)
    }

    pub(super) fn accepted_number(key: &str) -> Result<u64, FileError> {
        wit::accepted_number(key).map_err(FileError::from)
    }

    impl From<wit::FileError> for FileError {
        fn from(error: wit::FileError) -> Self {
            match error {
                wit::FileError::NotGranted => FileError::NotGranted,
                wit::FileError::NotSet => FileError::NotSet,
                wit::FileError::Refused(reason) => FileError::Refused(reason),
                wit::FileError::TooLarge(bytes) => FileError::TooLarge(bytes),
                wit::FileError::Failed(reason) => FileError::Failed(reason),
            }
        }
    }
}

#[cfg(not(target_family = "wasm"))]
pub use host::stand_in;

#[cfg(test)]
pub(crate) use host::{fail_to_read, load_again, stand_in_half_written};

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use super::FileError;

    thread_local! {
        static FILES: RefCell<HashMap<String, StandIn>> = RefCell::default();
        /// The file that was read last: its key and its content.
        static LAST_READ: RefCell<Option<(String, Vec<u8>)>> = const { RefCell::new(None) };
    }

    struct StandIn {
        content: Result<Vec<u8>, FileError>,
        unreadable: Option<FileError>,
        stamp: u64,
        accepted: (u64, Option<Vec<u8>>),
    }

    /// Sets what [`read`](super::read) gives for a key on this thread, in unit tests: a change of the file.
    pub fn stand_in(key: &str, content: Result<Vec<u8>, FileError>) {
        FILES.with_borrow_mut(|files| {
            let file = files.entry(key.to_owned()).or_insert(StandIn {
                content: Ok(Vec::new()),
                unreadable: None,
                stamp: 0,
                accepted: (0, None),
            });
            file.content = content;
            file.stamp += 1;
        });
    }

    /// Sets the content alone: what is being written is no change to the broker yet.
    #[cfg(test)]
    pub(crate) fn stand_in_half_written(key: &str, content: &[u8]) {
        FILES.with_borrow_mut(|files| files.get_mut(key).expect("is set").content = Ok(content.to_vec()));
    }

    /// Has the file be read no more, as it is, until that is over.
    #[cfg(test)]
    pub(crate) fn fail_to_read(key: &str, error: Option<FileError>) {
        FILES.with_borrow_mut(|files| files.get_mut(key).expect("is set").unreadable = error);
    }

    /// Has the plugin be loaded again: what was accepted is of the one before.
    #[cfg(test)]
    pub(crate) fn load_again(key: &str) {
        FILES.with_borrow_mut(|files| files.get_mut(key).expect("is set").accepted.0 = 0);
    }

    pub(super) fn read(key: &str) -> Result<Vec<u8>, FileError> {
        let content = FILES.with_borrow(|files| {
            let file = files.get(key).ok_or(FileError::NotSet)?;
            file.unreadable.clone().map_or_else(|| file.content.clone(), Err)
        })?;
        LAST_READ.set(Some((key.to_owned(), content.clone())));
        Ok(content)
    }

    pub(super) fn stamp(key: &str) -> Result<u64, FileError> {
        FILES.with_borrow(|files| files.get(key).map(|file| file.stamp).ok_or(FileError::NotSet))
    }

    pub(super) fn accept(key: &str) -> Result<u64, FileError> {
        let Some((_, content)) = LAST_READ.take().filter(|(read, _)| read == key) else {
            return Err(FileError::Refused("it was not the last to be read in this call".to_owned()));
        };
        FILES.with_borrow_mut(|files| {
            let file = files.get_mut(key).ok_or(FileError::NotSet)?;
            file.accepted = (file.accepted.0 + 1, Some(content));
            Ok(file.accepted.0)
        })
    }

    pub(super) fn accepted(key: &str) -> Result<Option<Vec<u8>>, FileError> {
        FILES.with_borrow(|files| Ok(files.get(key).and_then(|file| file.accepted.1.clone())))
    }

    pub(super) fn accepted_number(key: &str) -> Result<u64, FileError> {
        FILES.with_borrow(|files| Ok(files.get(key).map_or(0, |file| file.accepted.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a broker has it: otherwise a plugin passes its tests and fails there.
    #[test]
    fn what_was_read_last_can_be_accepted_once_and_nothing_else() {
        let refused = || Err(FileError::Refused("it was not the last to be read in this call".to_owned()));
        stand_in("a", Ok(b"1".to_vec()));
        stand_in("b", Ok(Vec::new()));
        assert_eq!(accept("a"), refused(), "nothing was read");
        assert_eq!(read("a"), Ok(b"1".to_vec()));
        stand_in("a", Ok(b"2".to_vec()));
        assert_eq!(accept("a"), Ok(1));
        assert_eq!((accepted("a"), accepted_number("a")), (Ok(Some(b"1".to_vec())), Ok(1)), "not what was never read");
        assert_eq!(accept("a"), refused(), "it is accepted already");
        assert!(read("a").is_ok() && read("b").is_ok());
        assert_eq!(accept("a"), refused(), "another one was read since");
        assert_eq!(accept("b"), refused(), "it has to be read again");
        assert_eq!((accepted("a"), accepted_number("b")), (Ok(Some(b"1".to_vec())), Ok(0)));
    }
}
