use std::time::{Duration, Instant};

/// How long a session outlives its connection (MQTT 5.0, 3.1.2.11.2). The longer is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionExpiry(u32);

impl SessionExpiry {
    /// It ends with its connection.
    pub const WITH_CONNECTION: Self = Self(0);
    /// It does not end by itself.
    pub const NEVER: Self = Self(u32::MAX);

    /// What a number of seconds on the wire stands for.
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs)
    }

    /// The number of seconds that stands for it on the wire.
    pub const fn as_secs(self) -> u32 {
        self.0
    }

    /// When a session ends whose connection ended at `since`; none for never.
    pub fn end(self, since: Instant) -> Option<Instant> {
        (self != Self::NEVER).then(|| since + Duration::from_secs(self.0.into()))
    }
}
