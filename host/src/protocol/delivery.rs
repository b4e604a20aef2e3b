use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::aliases::OutgoingAliases;
use crate::codec::{PUBLISH_FORMS, PacketId, Properties, ProtocolVersion, PublishHead, PublishProperties};
use crate::queue::{Outgoing, Queued, SHARED_BYTES_MIN, SpareBuffers, large_entry_bytes};
use crate::types::{Message, MessageProperties, QoS, SubscriptionId, TopicFilter, TopicName};

/// One message on its way to all its subscribers.
///
/// It is encoded once for each form, QoS and RETAIN flag that they need, and copied out of the network buffer at most
/// once: when the first of them has to keep it.
#[derive(Debug)]
pub struct Delivery<'a> {
    topic: &'a TopicName,
    payload: Payload<'a>,
    qos: QoS,
    retain: bool,
    now: Instant,
    passed_on: PassedOn<'a>,
    expiry: Option<Expiry>,
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

impl Payload<'_> {
    /// Bytes of it.
    pub fn len(&self) -> usize {
        match self {
            Self::Read { bytes, .. } => bytes.len(),
            Self::Kept(message) => message.payload.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The encoded properties that every receiver of MQTT 5.0 gets.
#[derive(Debug, Clone, Copy)]
enum PassedOn<'a> {
    AsRead(&'a [u8]),
    /// Others stood between them: they were put together in [`Scratch::passed_on`].
    InScratch,
}

impl<'a> PassedOn<'a> {
    fn bytes<'b>(self, scratch: &'b Scratch) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::AsRead(encoded) => encoded,
            Self::InScratch => &scratch.passed_on,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Expiry {
    /// What receivers are told.
    secs: u32,
    at: Instant,
}

/// Memory for the forms of one packet, kept from message to message.
#[derive(Debug, Default)]
pub struct Scratch {
    forms: [Form; FORMS],
    /// Which of them hold the packet at hand, a bit for each.
    filled: u16,
    passed_on: Vec<u8>,
    /// For clients that had nothing to be written.
    pub spare: SpareBuffers,
}

/// Every combination of a PUBLISH's form, QoS and RETAIN flag.
const FORMS: usize = PUBLISH_FORMS * 3 * 2;

/// A packet, whole or without its large payload.
#[derive(Debug, Default)]
struct Form {
    bytes: BytesMut,
    /// Where the packet identifier begins.
    id_at: usize,
    packet_len: usize,
}

/// How one client is to be sent a message.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The highest QoS that its subscriptions were granted.
    pub granted: QoS,
    /// The RETAIN flag.
    pub retain: bool,
    /// The identifiers of all its subscriptions that match and have one.
    pub subscription_ids: &'a [SubscriptionId],
    /// The shared subscription under which it was chosen.
    pub share: Option<&'a TopicFilter>,
}

impl Terms<'_> {
    /// Terms of a subscription without further wishes.
    pub const fn new(granted: QoS) -> Self {
        Self { granted, retain: false, subscription_ids: &[], share: None }
    }
}

/// What a client takes.
#[derive(Debug)]
pub(super) struct Receiver<'a> {
    pub(super) version: ProtocolVersion,
    pub(super) packet_bytes_max: u32,
    pub(super) aliases: Option<&'a mut OutgoingAliases>,
}

/// The packet would be larger than what the client takes `[MQTT-3.1.2-24]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

impl<'a> Delivery<'a> {
    /// Begins the delivery of a message that was published with `qos`, at `now`.
    pub fn new(topic: &'a TopicName, payload: Payload<'a>, qos: QoS, now: Instant, scratch: &'a mut Scratch) -> Self {
        scratch.filled = 0;
        let (mut passed_on, mut expiry, mut kept, mut retain) = (PassedOn::AsRead(&[]), None, None, false);
        if let Payload::Kept(message) = payload {
            retain = message.retain;
            kept = Some(Arc::clone(message));
            if let Some(properties) = &message.properties {
                passed_on = PassedOn::AsRead(&properties.passed_on);
                expiry = properties.expires.map(|at| Expiry { secs: secs_left(at, now), at });
            }
        }
        Self { topic, payload, qos, retain, now, passed_on, expiry, scratch, message: kept }
    }

    /// The same with the RETAIN flag of its PUBLISH.
    pub fn with_retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// The same with the properties of its PUBLISH.
    pub fn with_properties(mut self, properties: Properties<'a>, expiry_secs: Option<u32>, has_alias: bool) -> Self {
        if expiry_secs.is_none() && !has_alias {
            self.passed_on = PassedOn::AsRead(properties.encoded());
        } else {
            self.scratch.passed_on.clear();
            properties.copy_passed_on(&mut self.scratch.passed_on);
            self.passed_on = PassedOn::InScratch;
        }
        self.expiry = expiry_secs.map(|secs| Expiry { secs, at: self.now + Duration::from_secs(secs.into()) });
        self
    }

    /// Where the message was published.
    pub fn topic(&self) -> &TopicName {
        self.topic
    }

    /// The QoS that the message was published with.
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// When it is delivered.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What the message is counted as while it is in flight, if it is a large one.
    pub(super) fn large_bytes(&self) -> usize {
        large_entry_bytes(self.topic.as_str().len() + self.payload_bytes().len() + self.passed_on().len())
    }

    /// The message in memory of its own, for those who keep it.
    pub fn message(&mut self) -> &Arc<Message> {
        let Self { topic, payload, qos, retain, passed_on, expiry, scratch, message, .. } = self;
        message.get_or_insert_with(|| {
            Arc::new(kept(topic, *payload, (*qos, *retain), passed_on.bytes(scratch), *expiry, &[], None))
        })
    }

    /// The message for a client's queue, and the one identifier that is to be sent with it. Several identifiers are a
    /// part of a message of its own.
    pub(super) fn queued(&mut self, terms: Terms<'_>) -> (Arc<Message>, Option<SubscriptionId>) {
        match (terms.subscription_ids, terms.share) {
            ([], None) => (Arc::clone(self.message()), None),
            ([id], None) => (Arc::clone(self.message()), Some(*id)),
            (ids, share) => {
                let message =
                    kept(self.topic, self.payload, (self.qos, self.retain), self.passed_on(), self.expiry, ids, share);
                (Arc::new(message), None)
            }
        }
    }

    /// Appends the message as a PUBLISH, if the receiver takes one of its size. `packet_id` is asked for an identifier
    /// once that is known.
    pub(super) fn encode(
        &mut self,
        receiver: Receiver<'_>,
        qos: QoS,
        terms: Terms<'_>,
        packet_id: impl FnOnce() -> Option<PacketId>,
        out: &mut Outgoing,
    ) -> Result<Option<PacketId>, TooLarge> {
        out.begin(&mut self.scratch.spare);
        let packet_id = if terms.subscription_ids.is_empty() && receiver.aliases.is_none() {
            self.encode_form(&receiver, qos, terms.retain, packet_id, out.tail())?
        } else {
            self.encode_alone(receiver, qos, terms, packet_id, out.tail())?
        };
        if self.is_shared() {
            let payload = self.message().payload.clone();
            out.push_shared(payload);
        }
        Ok(packet_id)
    }

    /// As bytes that others get as well.
    fn encode_form(
        &mut self,
        receiver: &Receiver<'_>,
        qos: QoS,
        retain: bool,
        packet_id: impl FnOnce() -> Option<PacketId>,
        out: &mut BytesMut,
    ) -> Result<Option<PacketId>, TooLarge> {
        let index = (receiver.version.publish_form() * 3 + qos as usize) * 2 + usize::from(retain);
        if self.scratch.filled & 1 << index == 0 {
            self.fill(index, receiver.version, qos, retain);
        }
        let form = &self.scratch.forms[index];
        if form.packet_len > receiver.packet_bytes_max as usize {
            return Err(TooLarge);
        }
        let start = out.len();
        out.extend_from_slice(&form.bytes);
        let packet_id = packet_id();
        if let Some(packet_id) = packet_id {
            let at = start + form.id_at;
            out[at..at + 2].copy_from_slice(&packet_id.value().to_be_bytes());
        }
        Ok(packet_id)
    }

    fn fill(&mut self, index: usize, version: ProtocolVersion, qos: QoS, retain: bool) {
        let mut form = std::mem::take(&mut self.scratch.forms[index]);
        let packet_id = (qos != QoS::AtMostOnce).then_some(PacketId::MIN);
        let head = PublishHead {
            version,
            dup: false,
            qos,
            retain,
            topic: self.topic.as_str(),
            packet_id,
            properties: self.properties(&[]),
        };
        let payload = self.payload_bytes();
        form.bytes.clear();
        form.id_at = head.encode(&mut form.bytes, payload.len());
        form.packet_len = form.bytes.len() + payload.len();
        if !self.is_shared() {
            form.bytes.extend_from_slice(payload);
        }
        self.scratch.forms[index] = form;
        self.scratch.filled |= 1 << index;
    }

    /// As bytes that nobody else gets: with the identifiers of its subscriptions, and under its aliases.
    fn encode_alone(
        &mut self,
        receiver: Receiver<'_>,
        qos: QoS,
        terms: Terms<'_>,
        packet_id: impl FnOnce() -> Option<PacketId>,
        out: &mut BytesMut,
    ) -> Result<Option<PacketId>, TooLarge> {
        let payload = self.payload_bytes();
        let mut head = PublishHead {
            version: receiver.version,
            dup: false,
            qos,
            retain: terms.retain,
            topic: self.topic.as_str(),
            packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MIN),
            properties: self.properties(terms.subscription_ids),
        };
        shorten(&mut head, self.topic, payload.len(), receiver.packet_bytes_max, receiver.aliases)?;
        head.packet_id = packet_id();
        head.encode(out, payload.len());
        if !self.is_shared() {
            out.extend_from_slice(payload);
        }
        Ok(head.packet_id)
    }

    fn properties<'b>(&'b self, subscription_ids: &'b [SubscriptionId]) -> PublishProperties<'b> {
        let expiry_secs = self.expiry.map(|expiry| expiry.secs);
        PublishProperties { passed_on: self.passed_on(), expiry_secs, subscription_ids, topic_alias: None }
    }

    fn passed_on(&self) -> &[u8] {
        self.passed_on.bytes(self.scratch)
    }

    fn is_shared(&self) -> bool {
        self.payload_bytes().len() >= SHARED_BYTES_MIN
    }

    fn payload_bytes(&self) -> &[u8] {
        match self.payload {
            Payload::Read { bytes, .. } => bytes,
            Payload::Kept(message) => &message.payload,
        }
    }
}

/// The message in memory of its own, with what only one client is to get: the identifiers of its subscriptions, and the
/// shared subscription under which it was chosen.
fn kept(
    topic: &TopicName,
    payload: Payload<'_>,
    (qos, retain): (QoS, bool),
    passed_on: &[u8],
    expiry: Option<Expiry>,
    subscription_ids: &[SubscriptionId],
    share: Option<&TopicFilter>,
) -> Message {
    let payload = match payload {
        Payload::Read { bytes, buffer } => keep(bytes, buffer),
        Payload::Kept(message) => message.payload.clone(),
    };
    let mut message = Message::new(topic.clone(), payload, qos, retain);
    let expires = expiry.map(|expiry| expiry.at);
    if !passed_on.is_empty() || expires.is_some() || !subscription_ids.is_empty() || share.is_some() {
        let mut all = BytesMut::from(passed_on);
        subscription_ids.iter().for_each(|id| PublishProperties::append_subscription_id(&mut all, *id));
        message.properties =
            Some(Arc::new(MessageProperties { passed_on: all.freeze(), expires, share: share.cloned() }));
    }
    message
}

/// Appends a message that has waited, as a PUBLISH, if the receiver takes one of its size.
pub(super) fn encode_queued(
    queued: &Queued,
    dup: bool,
    packet_id: Option<PacketId>,
    receiver: Receiver<'_>,
    now: Instant,
    out: &mut Outgoing,
) -> Result<(), TooLarge> {
    let Message { topic, payload, properties, .. } = &*queued.message;
    let mut told = PublishProperties::default();
    if let Some(properties) = properties {
        told.passed_on = &properties.passed_on;
        told.expiry_secs = properties.expires.map(|expires| secs_left(expires, now)); // [MQTT-3.3.2-6]
    }
    told.subscription_ids = queued.subscription_id.as_slice();
    let (version, qos, retain) = (receiver.version, queued.qos, queued.retain);
    let mut head = PublishHead { version, dup, qos, retain, topic: topic.as_str(), packet_id, properties: told };
    shorten(&mut head, topic, payload.len(), receiver.packet_bytes_max, receiver.aliases)?;
    head.encode(out.tail(), payload.len());
    if payload.len() >= SHARED_BYTES_MIN {
        out.push_shared(payload.clone());
    } else {
        out.tail().extend_from_slice(payload);
    }
    Ok(())
}

/// Uses an alias for the topic, if there is one; sees to it that the packet is no larger than it may be.
fn shorten(
    head: &mut PublishHead<'_>,
    topic: &TopicName,
    payload_len: usize,
    packet_bytes_max: u32,
    aliases: Option<&mut OutgoingAliases>,
) -> Result<(), TooLarge> {
    let packet_len = head.packet_len(payload_len);
    let max = packet_bytes_max as usize;
    if packet_len > max {
        return Err(TooLarge);
    }
    // An alias that is new costs three bytes, and may make two lengths longer by one each.
    if let Some(aliases) = aliases.filter(|_| packet_len + 5 <= max)
        && let Some((alias, is_known)) = aliases.alias(topic)
    {
        head.properties.topic_alias = Some(alias);
        if is_known {
            head.topic = "";
        }
    }
    Ok(())
}

/// Whole seconds until `expires`.
fn secs_left(expires: Instant, now: Instant) -> u32 {
    let left = expires.saturating_duration_since(now);
    // Rounded up: what was published just now has all of its time.
    u32::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// Shares the network buffer if the payload is most of it; else copies, so that a small message in a queue does not
/// hold a large buffer.
fn keep(bytes: &[u8], buffer: Option<&Bytes>) -> Bytes {
    match buffer {
        Some(buffer) if bytes.len() >= buffer.len() / 2 => buffer.slice_ref(bytes),
        _ => Bytes::copy_from_slice(bytes),
    }
}
