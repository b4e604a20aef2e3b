use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::codec::{PacketId, PublishHead};
use crate::queue::{Outgoing, Queued, SHARED_BYTES_MIN};
use crate::types::{Message, QoS, TopicName};

/// One message on its way to all its subscribers.
///
/// It is encoded once for each QoS and RETAIN flag that they need, and copied out of the network buffer at most once:
/// when the first of them has to keep it.
#[derive(Debug)]
pub struct Delivery<'a> {
    topic: &'a TopicName,
    payload: Payload<'a>,
    qos: QoS,
    scratch: &'a mut Scratch,
    message: Option<Arc<Message>>,
}

/// The payload of a message, and the memory it lies in.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// A part of a network buffer.
    Read {
        /// The payload.
        bytes: &'a [u8],
        /// The buffer that it is a part of, where that may be shared.
        buffer: Option<&'a Bytes>,
    },
    /// A message that is kept already.
    Kept(&'a Arc<Message>),
}

/// Memory for one packet, kept from message to message.
#[derive(Debug, Default)]
pub struct Scratch {
    packet: BytesMut,
    /// What `packet` holds: a packet with these flags, whole or without its large payload; none if it is stale.
    holds: Option<(QoS, bool)>,
    head_len: usize,
}

impl<'a> Delivery<'a> {
    /// Begins the delivery of a message that was published with `qos`.
    pub fn new(topic: &'a TopicName, payload: Payload<'a>, qos: QoS, scratch: &'a mut Scratch) -> Self {
        scratch.holds = None;
        let message = match payload {
            Payload::Kept(message) => Some(Arc::clone(message)),
            Payload::Read { .. } => None,
        };
        Self { topic, payload, qos, scratch, message }
    }

    /// Where the message was published.
    pub fn topic(&self) -> &TopicName {
        self.topic
    }

    /// The QoS that the message was published with.
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// The message in memory of its own, for those who keep it.
    pub fn message(&mut self) -> &Arc<Message> {
        let (topic, qos) = (self.topic, self.qos);
        self.message.get_or_insert_with(|| {
            let payload = match self.payload {
                Payload::Read { bytes, buffer } => keep(bytes, buffer),
                Payload::Kept(message) => message.payload.clone(),
            };
            Arc::new(Message { topic: topic.clone(), payload, qos, retain: false })
        })
    }

    /// Appends the message as a PUBLISH.
    pub(super) fn encode(&mut self, qos: QoS, retain: bool, packet_id: Option<PacketId>, out: &mut Outgoing) {
        let payload_len = self.payload_bytes().len();
        let shared = payload_len >= SHARED_BYTES_MIN;
        if self.scratch.holds != Some((qos, retain)) {
            let head = PublishHead { dup: false, qos, retain, topic: self.topic.as_str(), packet_id };
            self.scratch.packet.clear();
            head.encode(&mut self.scratch.packet, payload_len);
            self.scratch.head_len = self.scratch.packet.len();
            if !shared {
                let bytes = match self.payload {
                    Payload::Read { bytes, .. } => bytes,
                    Payload::Kept(message) => &message.payload,
                };
                self.scratch.packet.extend_from_slice(bytes);
            }
            self.scratch.holds = Some((qos, retain));
        }
        let start = out.tail().len();
        out.tail().extend_from_slice(&self.scratch.packet);
        if let Some(packet_id) = packet_id {
            let end = start + self.scratch.head_len;
            out.tail()[end - 2..end].copy_from_slice(&packet_id.value().to_be_bytes());
        }
        if shared {
            let payload = self.message().payload.clone();
            out.push_shared(payload);
        }
    }

    fn payload_bytes(&self) -> &[u8] {
        match self.payload {
            Payload::Read { bytes, .. } => bytes,
            Payload::Kept(message) => &message.payload,
        }
    }
}

/// Appends a message that has waited, as a PUBLISH.
pub(super) fn encode_queued(queued: &Queued, dup: bool, packet_id: Option<PacketId>, out: &mut Outgoing) {
    let Message { topic, payload, .. } = &*queued.message;
    let head = PublishHead { dup, qos: queued.qos, retain: queued.retain, topic: topic.as_str(), packet_id };
    head.encode(out.tail(), payload.len());
    if payload.len() >= SHARED_BYTES_MIN {
        out.push_shared(payload.clone());
    } else {
        out.tail().extend_from_slice(payload);
    }
}

/// Shares the network buffer if the payload is most of it; else copies, so that a small message in a queue does not
/// hold a large buffer.
fn keep(bytes: &[u8], buffer: Option<&Bytes>) -> Bytes {
    match buffer {
        Some(buffer) if bytes.len() >= buffer.len() / 2 => buffer.slice_ref(bytes),
        _ => Bytes::copy_from_slice(bytes),
    }
}
