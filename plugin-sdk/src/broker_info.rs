//! Tells about the broker itself. The broker's configuration grants it.
//!
//! On targets other than WebAssembly the figures are those that `stand_in` set on this thread.

/// One figure about the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Its name in lower case with dashes, for example `clients-connected`. Names may be added.
    pub name: String,
    /// The figure.
    pub value: u64,
}

/// The version of the broker, for example `0.1.0`.
pub fn version() -> String {
    host::version()
}

/// Seconds since the broker started.
pub fn uptime_seconds() -> u64 {
    host::uptime_seconds()
}

/// All counters at this moment.
pub fn counters() -> Vec<Counter> {
    host::counters()
}

#[cfg(target_family = "wasm")]
mod host {
    use super::Counter;
    use crate::bindings::capabilities::amqtt::plugin::broker_info as wit;

    pub(super) use wit::{uptime_seconds, version};

    pub(super) fn counters() -> Vec<Counter> {
        wit::counters().into_iter().map(|wit::Counter { name, value }| Counter { name, value }).collect()
    }
}

#[cfg(not(target_family = "wasm"))]
pub use host::stand_in;

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::RefCell;

    use super::Counter;

    thread_local! {
        static BROKER: RefCell<(String, u64, Vec<Counter>)> = RefCell::default();
    }

    /// Sets what this module answers on this thread, in unit tests.
    pub fn stand_in(version: &str, uptime_seconds: u64, counters: &[(&str, u64)]) {
        let counters = counters.iter().map(|&(name, value)| Counter { name: name.to_owned(), value }).collect();
        BROKER.set((version.to_owned(), uptime_seconds, counters));
    }

    pub(super) fn version() -> String {
        BROKER.with_borrow(|broker| broker.0.clone())
    }

    pub(super) fn uptime_seconds() -> u64 {
        BROKER.with_borrow(|broker| broker.1)
    }

    pub(super) fn counters() -> Vec<Counter> {
        BROKER.with_borrow(|broker| broker.2.clone())
    }
}
