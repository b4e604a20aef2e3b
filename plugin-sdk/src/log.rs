//! Writes to the broker's log under the plugin's name. Needs no grant.
//!
//! On targets other than WebAssembly the messages go to stderr.

use std::fmt;

/// How much a message matters, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something does not work.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What a reader of the log expects to be told.
    Info,
    /// For those who look for a fault.
    Debug,
    /// Everything.
    Trace,
}

/// Writes an error: what does not work.
pub fn error(message: impl fmt::Display) {
    write(Level::Error, message);
}

/// Writes a warning: what is not as it should be.
pub fn warn(message: impl fmt::Display) {
    write(Level::Warn, message);
}

/// Writes what a reader of the log expects to be told.
pub fn info(message: impl fmt::Display) {
    write(Level::Info, message);
}

/// Writes a message for those who look for a fault. It is not formatted where nobody reads it.
pub fn debug(message: impl fmt::Display) {
    if enabled(Level::Debug) {
        write(Level::Debug, message);
    }
}

/// Writes one message. Line breaks and control characters are escaped, long messages are cut.
pub fn write(level: Level, message: impl fmt::Display) {
    host::write(level, &message.to_string());
}

/// Whether a message of this level is written at all.
pub fn enabled(level: Level) -> bool {
    host::enabled(level)
}

#[cfg(target_family = "wasm")]
mod host {
    use super::Level;
    use crate::bindings::capabilities::amqtt::plugin::log as wit;

    impl From<Level> for wit::Level {
        fn from(level: Level) -> Self {
            match level {
                Level::Error => wit::Level::Error,
                Level::Warn => wit::Level::Warn,
                Level::Info => wit::Level::Info,
                Level::Debug => wit::Level::Debug,
                Level::Trace => wit::Level::Trace,
            }
        }
    }

    pub(super) fn write(level: Level, message: &str) {
        wit::write(level.into(), message);
    }

    pub(super) fn enabled(level: Level) -> bool {
        wit::enabled(level.into())
    }
}

#[cfg(not(target_family = "wasm"))]
mod host {
    use super::Level;

    pub(super) fn write(level: Level, message: &str) {
        eprintln!("{level:?} - {message}");
    }

    pub(super) fn enabled(_: Level) -> bool {
        true
    }
}
