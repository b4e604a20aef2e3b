use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::publish::message_facts;
use crate::codec::{self, Property};
use crate::hooks::TopicFacts;
use crate::types::{Message, MessageProperties, TopicName};

/// What is published when a client is gone without a farewell (3.1.2.5), in memory of its own.
#[derive(Debug)]
pub(super) struct Will {
    message: Message,
    /// Seconds after which the message expires, from when it is published.
    expiry_secs: Option<u32>,
    /// How long the client has to come back before it is published (MQTT 5.0, 3.1.3.2.2).
    pub(super) delay: Duration,
}

impl Will {
    /// Copies the will of a CONNECT.
    pub(super) fn new(will: &codec::Will<'_>) -> Option<Self> {
        let topic = TopicName::new(will.topic).ok()?; // The codec has found it to be valid.
        let mut passed_on = Vec::new();
        will.properties.copy_passed_on(&mut passed_on);
        let mut message = Message::new(topic, Bytes::copy_from_slice(will.payload), will.qos, will.retain);
        if !passed_on.is_empty() {
            message.properties =
                Some(Arc::new(MessageProperties { passed_on: passed_on.into(), expires: None, share: None }));
        }
        let (mut expiry_secs, mut delay_secs) = (None, 0);
        for property in will.properties.iter() {
            match property {
                Property::MessageExpiryInterval(secs) => expiry_secs = Some(secs),
                Property::WillDelayInterval(secs) => delay_secs = secs,
                _ => {}
            }
        }
        Some(Self { message, expiry_secs, delay: Duration::from_secs(delay_secs.into()) })
    }

    /// Where it will be published.
    pub(super) fn topic(&self) -> &TopicName {
        &self.message.topic
    }

    /// What it is counted as.
    pub(super) fn bytes(&self) -> usize {
        self.message.bytes()
    }

    /// What plugins may want to know of it.
    pub(super) fn facts(&self) -> TopicFacts {
        message_facts(&self.message)
    }

    /// The message to publish at `now`.
    pub(super) fn into_message(self, now: Instant) -> Message {
        let mut message = self.message;
        if let Some(secs) = self.expiry_secs {
            let passed_on = message.properties.map(|properties| properties.passed_on.clone()).unwrap_or_default();
            let expires = Some(now + Duration::from_secs(secs.into()));
            message.properties = Some(Arc::new(MessageProperties { passed_on, expires, share: None }));
        }
        message
    }
}
