//! Writes to the broker's log under the plugin's name. Needs no grant.
//!
//! With the feature `log`, which is on by default, so do the macros of the crate [`log`](https://docs.rs/log), in the
//! plugin and in what it depends on. They have the broker's levels: what the broker leaves out is not formatted.
//!
//! On targets other than WebAssembly the messages go to stderr and are kept for `take_written`.

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
///
/// Of what instances write while they are made ([`Plugin::new`](crate::Plugin::new)), the log has that of the first one of
/// a loading alone: others would say it again.
pub fn write(level: Level, message: impl fmt::Display) {
    host::write(level, &message.to_string());
}

/// Whether a message of this level is written at all. All instances have the same answer, also while they are made; it may
/// change while the broker runs.
pub fn enabled(level: Level) -> bool {
    host::enabled(level)
}

/// Lets what is written with the crate `log` go to the broker.
#[cfg(all(target_family = "wasm", feature = "log"))]
pub(crate) fn take_records() {
    // It fails where the plugin has set a logger of its own, which stays.
    if ::log::set_logger(&Records).is_ok() {
        // The broker's level may change while the plugin runs: it is asked each time.
        ::log::set_max_level(::log::LevelFilter::Trace);
    }
}

/// The crate `log`'s logger.
#[cfg(feature = "log")]
#[cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "its test is all that uses it"))]
struct Records;

#[cfg(feature = "log")]
impl ::log::Log for Records {
    fn enabled(&self, metadata: &::log::Metadata<'_>) -> bool {
        enabled(metadata.level().into())
    }

    fn log(&self, record: &::log::Record<'_>) {
        let level = record.level().into();
        if enabled(level) {
            write(level, record.args());
        }
    }

    fn flush(&self) {}
}

#[cfg(feature = "log")]
impl From<::log::Level> for Level {
    fn from(level: ::log::Level) -> Self {
        match level {
            ::log::Level::Error => Level::Error,
            ::log::Level::Warn => Level::Warn,
            ::log::Level::Info => Level::Info,
            ::log::Level::Debug => Level::Debug,
            ::log::Level::Trace => Level::Trace,
        }
    }
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
pub use host::{stand_in, take_written};

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::{Cell, RefCell};

    use super::Level;

    thread_local! {
        static WRITTEN: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
        static LEAST: Cell<Level> = const { Cell::new(Level::Trace) };
    }

    /// Sets the least grave level that is written on this thread, in unit tests; all are at first.
    pub fn stand_in(least: Level) {
        LEAST.set(least);
    }

    /// Takes what this thread wrote so far, in unit tests.
    pub fn take_written() -> Vec<(Level, String)> {
        WRITTEN.take()
    }

    pub(super) fn write(level: Level, message: &str) {
        if enabled(level) {
            eprintln!("{level:?} - {message}");
            WRITTEN.with_borrow_mut(|written| written.push((level, message.to_owned())));
        }
    }

    pub(super) fn enabled(level: Level) -> bool {
        level <= LEAST.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_in_tests() {
        stand_in(Level::Info);
        info("a");
        debug("not written");
        assert_eq!((enabled(Level::Warn), enabled(Level::Debug)), (true, false));
        assert_eq!(take_written(), [(Level::Info, "a".to_owned())]);
        assert!(take_written().is_empty());
    }

    #[cfg(feature = "log")]
    #[test]
    fn records_of_the_crate_log_have_the_same_levels() {
        use ::log::Log;

        stand_in(Level::Debug);
        let log = |level, text: &str| {
            Records.log(&::log::Record::builder().level(level).args(format_args!("{text}")).build());
        };
        log(::log::Level::Debug, "a");
        log(::log::Level::Trace, "not written");
        log(::log::Level::Error, "b");
        assert_eq!(take_written(), [(Level::Debug, "a".to_owned()), (Level::Error, "b".to_owned())]);
    }
}
