use super::{QoS, ShareStrategy};

/// What the broker does for its clients, where that is a matter of settings. Clients of MQTT 5.0 are told in the CONNACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The highest QoS that is granted, delivered and, from clients of MQTT 5.0, taken.
    pub max_qos: QoS,
    /// Whether messages are retained.
    pub retain: bool,
    /// Whether filters may have wildcards.
    pub wildcard_subscriptions: bool,
    /// Whether subscriptions may have identifiers.
    pub subscription_identifiers: bool,
    /// Whether subscriptions may be shared.
    pub shared_subscriptions: bool,
    /// Who gets a message of one.
    pub share_strategy: ShareStrategy,
    /// Whether a payload that claims to be UTF-8 is looked at.
    pub check_payload_format: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            max_qos: QoS::ExactlyOnce,
            retain: true,
            wildcard_subscriptions: true,
            subscription_identifiers: true,
            shared_subscriptions: true,
            share_strategy: ShareStrategy::RoundRobin,
            check_payload_format: false,
        }
    }
}
