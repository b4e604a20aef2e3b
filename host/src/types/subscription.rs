use std::num::NonZeroU32;

use super::QoS;

/// How a subscription wants its messages (MQTT 5.0, 3.8.3.1). Earlier versions know the QoS only; the rest is as they
/// have it by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The highest QoS to deliver with.
    pub qos: QoS,
    /// Whether the client's own messages are left out `[MQTT-3.8.3-3]`.
    pub no_local: bool,
    /// Whether messages keep the RETAIN flag they were published with `[MQTT-3.3.1-12]` `[MQTT-3.3.1-13]`.
    pub retain_as_published: bool,
    /// Which retained messages are sent when it is made.
    pub retain_handling: RetainHandling,
}

impl SubscriptionOptions {
    /// What a subscription of MQTT 3.1.1 is.
    pub const fn new(qos: QoS) -> Self {
        Self { qos, no_local: false, retain_as_published: false, retain_handling: RetainHandling::Always }
    }
}

/// When the retained messages of a filter are sent `[MQTT-3.3.1-9]` `[MQTT-3.3.1-10]` `[MQTT-3.3.1-11]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RetainHandling {
    /// With every SUBSCRIBE.
    Always = 0,
    /// With one that makes a subscription that was not there.
    IfNew = 1,
    /// Not at all.
    Never = 2,
}

impl RetainHandling {
    /// What two bits on the wire stand for; none for 3.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Always),
            1 => Some(Self::IfNew),
            2 => Some(Self::Never),
            _ => None,
        }
    }
}

/// The number that a client gave to a subscription, and that comes back with its messages (MQTT 5.0, 3.8.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(NonZeroU32);

impl SubscriptionId {
    /// The largest one: what a variable byte integer holds.
    pub const MAX: u32 = 268_435_455;

    /// The identifier with this value; none for 0 and what does not fit.
    pub const fn new(value: u32) -> Option<Self> {
        match NonZeroU32::new(value) {
            Some(nonzero) if value <= Self::MAX => Some(Self(nonzero)),
            _ => None,
        }
    }

    /// Its value.
    pub const fn value(self) -> u32 {
        self.0.get()
    }
}
