use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{QoS, TopicFilter, TopicName};

/// An application message. Cheap to clone: topic, payload and properties are shared.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it was published.
    pub topic: TopicName,
    /// What was published. A large one shares the network buffer that it was read into.
    pub payload: Bytes,
    /// The QoS it was published with, after the broker's own maximum.
    pub qos: QoS,
    /// Whether it was to be kept as the retained message of its topic.
    pub retain: bool,
    /// What MQTT 5.0 says beside it; none where nothing was said.
    pub properties: Option<Arc<MessageProperties>>,
}

impl Message {
    /// A message without properties.
    pub fn new(topic: TopicName, payload: Bytes, qos: QoS, retain: bool) -> Self {
        Self { topic, payload, qos, retain, properties: None }
    }

    /// When it is too old to be delivered; none for never.
    pub fn expires(&self) -> Option<Instant> {
        self.properties.as_ref()?.expires
    }

    /// Whether it is too old to be delivered at `now` `[MQTT-3.3.2-5]`.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires().is_some_and(|expires| expires <= now)
    }

    /// The shared subscription that it is for, if it is for one.
    pub fn share(&self) -> Option<&TopicFilter> {
        self.properties.as_ref()?.share.as_ref()
    }

    /// What it is counted as where messages are kept: topic, payload and properties.
    pub fn bytes(&self) -> usize {
        let properties = self.properties.as_ref().map_or(0, |properties| properties.passed_on.len());
        self.topic.as_str().len() + self.payload.len() + properties
    }
}

/// The properties of a message that outlive its PUBLISH (MQTT 5.0, 3.3.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageProperties {
    /// Those that receivers get unaltered, in their order: payload format, content type, response topic, correlation
    /// data, user properties `[MQTT-3.3.2-4]` `[MQTT-3.3.2-15]` to `[MQTT-3.3.2-20]`. Encoded, as the codec has found
    /// them to be valid.
    pub passed_on: Bytes,
    /// When the message is too old to be delivered; none for never.
    pub expires: Option<Instant>,
    /// The shared subscription that this copy of the message is for, of which its receiver is one member.
    pub share: Option<TopicFilter>,
}
