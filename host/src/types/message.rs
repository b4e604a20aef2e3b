use bytes::Bytes;

use super::{QoS, TopicName};

/// An application message. Cheap to clone: topic and payload are shared.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it was published.
    pub topic: TopicName,
    /// What was published. A large one shares the network buffer that it was read into.
    pub payload: Bytes,
    /// The QoS it was published with, after the broker's own maximum.
    pub qos: QoS,
    /// Whether it is to be kept as the retained message of its topic.
    pub retain: bool,
}
