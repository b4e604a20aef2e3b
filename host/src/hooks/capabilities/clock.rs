//! The capability `clock`.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970 by the system's clock; 0 for a time before that.
pub(crate) fn unix_nanoseconds() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since a plugin asked for the first time.
pub(crate) fn monotonic_nanoseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_go_on() {
        const YEAR_2020_NANOS: u64 = 1_577_836_800_000_000_000;
        assert!(unix_nanoseconds() > YEAR_2020_NANOS);
        let before = monotonic_nanoseconds();
        assert!(monotonic_nanoseconds() >= before);
    }
}
