//! Tells the time. Needs no grant.
//!
//! On targets other than WebAssembly the times are those that `stand_in` set on this thread, 0 at first.

use std::time::Duration;

/// Time since 1970-01-01 00:00:00 UTC by the system's clock, which may jump.
pub fn since_epoch() -> Duration {
    Duration::from_nanos(host::unix_nanoseconds())
}

/// Time since some moment, the same one for all plugins and instances for as long as the broker runs. It may be the
/// moment of the first call. Never goes back.
pub fn monotonic() -> Duration {
    Duration::from_nanos(host::monotonic_nanoseconds())
}

#[cfg(target_family = "wasm")]
use crate::bindings::capabilities::amqtt::plugin::clock as host;

#[cfg(not(target_family = "wasm"))]
pub use host::stand_in;

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        static TIMES: Cell<(Duration, Duration)> = const { Cell::new((Duration::ZERO, Duration::ZERO)) };
    }

    /// Sets both times on this thread, in unit tests.
    pub fn stand_in(since_epoch: Duration, monotonic: Duration) {
        TIMES.set((since_epoch, monotonic));
    }

    pub(super) fn unix_nanoseconds() -> u64 {
        nanoseconds(TIMES.get().0)
    }

    pub(super) fn monotonic_nanoseconds() -> u64 {
        nanoseconds(TIMES.get().1)
    }

    fn nanoseconds(time: Duration) -> u64 {
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    }
}
