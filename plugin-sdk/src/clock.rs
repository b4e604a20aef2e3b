//! Tells the time. Needs no grant.

use std::time::Duration;

/// The time since 1970-01-01 00:00:00 UTC by the system's clock, which may jump.
pub fn since_epoch() -> Duration {
    Duration::from_nanos(host::unix_nanoseconds())
}

/// The time since some moment before the broker started. Never goes back.
pub fn monotonic() -> Duration {
    Duration::from_nanos(host::monotonic_nanoseconds())
}

#[cfg(target_family = "wasm")]
mod host {
    pub(super) use crate::bindings::capabilities::amqtt::plugin::clock::{monotonic_nanoseconds, unix_nanoseconds};
}

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::sync::OnceLock;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    pub(super) fn unix_nanoseconds() -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn monotonic_nanoseconds() -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
