/// How often a client is sent a message that several of its subscriptions ask for: either is allowed `[MQTT-3.3.5-1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlapping {
    /// Once, at the highest QoS that one of them was granted.
    Once,
    /// Once for each of them, at its QoS.
    Each,
}
