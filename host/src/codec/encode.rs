use std::num::NonZeroU16;

use bytes::{BufMut, BytesMut};

use super::fields::{put_bytes, put_variable, variable_len};
use super::properties::{properties_len, put_properties};
use super::{Ack, PacketId, PacketType, Property, ProtocolVersion};
use crate::types::{QoS, ReasonCode, SubscriptionId};

/// What the broker has to say with an answer or a farewell. Versions before 5.0 hear as much of it as they have words
/// for.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// How it went.
    pub reason: ReasonCode,
    /// What else there is to say.
    pub properties: &'a [Property<'a>],
}

impl From<ReasonCode> for Answer<'_> {
    fn from(reason: ReasonCode) -> Self {
        Self { reason, properties: &[] }
    }
}

/// What a CONNACK says (section 3.2).
#[derive(Debug, Clone, Copy)]
pub struct Connack<'a> {
    /// Whether the session is an earlier one.
    pub session_present: bool,
    /// Whether the connection stands, or why not.
    pub answer: Answer<'a>,
}

/// Appends a CONNACK; nothing where the version has no code for the reason, and the connection is just closed
/// `[MQTT-3.2.2-6]`.
pub fn encode_connack(out: &mut BytesMut, version: ProtocolVersion, connack: Connack<'_>) {
    let Connack { session_present, answer: Answer { reason, properties } } = connack;
    // In MQTT 3.1 the byte is reserved.
    let flags = u8::from(session_present && version != ProtocolVersion::V31);
    if version == ProtocolVersion::V5 {
        out.put_u8(first_byte(PacketType::Connack, 0));
        put_variable(out, 2 + properties_len(properties));
        out.put_slice(&[flags, reason.value()]);
        put_properties(out, properties);
    } else if let Some(code) = return_code(reason) {
        out.put_slice(&[first_byte(PacketType::Connack, 0), 2, flags, code]);
    }
}

/// The code that a CONNACK has for a reason before 5.0 (table 3.1 of MQTT 3.1.1).
fn return_code(reason: ReasonCode) -> Option<u8> {
    use ReasonCode::*;
    Some(match reason {
        Success => 0,
        UnsupportedProtocolVersion => 1,
        ClientIdentifierNotValid => 2,
        ServerUnavailable
        | ServerBusy
        | ServerShuttingDown
        | QuotaExceeded
        | UseAnotherServer
        | ServerMoved
        | ConnectionRateExceeded
        | UnspecifiedError
        | ImplementationSpecificError => 3,
        BadUserNameOrPassword => 4,
        NotAuthorized | Banned => 5,
        _ => return None,
    })
}

/// Appends a PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7).
pub fn encode_ack(out: &mut BytesMut, version: ProtocolVersion, ack: Ack, packet_id: PacketId, answer: Answer<'_>) {
    let first = match ack {
        Ack::Puback => first_byte(PacketType::Puback, 0),
        Ack::Pubrec => first_byte(PacketType::Pubrec, 0),
        Ack::Pubrel => first_byte(PacketType::Pubrel, 0b0010),
        Ack::Pubcomp => first_byte(PacketType::Pubcomp, 0),
    };
    let [high, low] = packet_id.value().to_be_bytes();
    let Answer { reason, properties } = answer;
    if version != ProtocolVersion::V5 || (reason == ReasonCode::Success && properties.is_empty()) {
        out.put_slice(&[first, 2, high, low]);
    } else if properties.is_empty() {
        out.put_slice(&[first, 3, high, low, reason.value()]);
    } else {
        out.put_u8(first);
        put_variable(out, 3 + properties_len(properties));
        out.put_slice(&[high, low, reason.value()]);
        put_properties(out, properties);
    }
}

/// Appends a SUBACK with a reason for each filter of the SUBSCRIBE, in its order `[MQTT-3.8.4-5]`.
pub fn encode_suback(
    out: &mut BytesMut,
    version: ProtocolVersion,
    packet_id: PacketId,
    reasons: &[ReasonCode],
    properties: &[Property<'_>],
) {
    let properties = (version == ProtocolVersion::V5).then_some(properties);
    out.put_u8(first_byte(PacketType::Suback, 0));
    put_variable(out, 2 + properties.map_or(0, properties_len) + reasons.len());
    out.put_u16(packet_id.value());
    properties.iter().for_each(|properties| put_properties(out, properties));
    out.extend(reasons.iter().map(|reason| match version {
        ProtocolVersion::V5 => reason.value(),
        ProtocolVersion::V311 if reason.is_failure() => 0x80,
        // MQTT 3.1 has no code for it, and 0x80 would be read as a QoS: it grants QoS 0 and delivers nothing.
        ProtocolVersion::V31 if reason.is_failure() => 0,
        ProtocolVersion::V311 | ProtocolVersion::V31 => reason.value(),
    }));
}

/// Appends an UNSUBACK, with a reason for each filter where the version has them (section 3.11).
pub fn encode_unsuback(
    out: &mut BytesMut,
    version: ProtocolVersion,
    packet_id: PacketId,
    reasons: &[ReasonCode],
    properties: &[Property<'_>],
) {
    let [high, low] = packet_id.value().to_be_bytes();
    if version != ProtocolVersion::V5 {
        out.put_slice(&[first_byte(PacketType::Unsuback, 0), 2, high, low]);
        return;
    }
    out.put_u8(first_byte(PacketType::Unsuback, 0));
    put_variable(out, 2 + properties_len(properties) + reasons.len());
    out.put_slice(&[high, low]);
    put_properties(out, properties);
    out.extend(reasons.iter().map(|reason| reason.value()));
}

/// Appends a PINGRESP (section 3.13).
pub fn encode_pingresp(out: &mut BytesMut) {
    out.put_slice(&[first_byte(PacketType::Pingresp, 0), 0]);
}

/// Appends a DISCONNECT, which a server sends since 5.0 only (section 3.14).
pub fn encode_disconnect(out: &mut BytesMut, version: ProtocolVersion, farewell: Answer<'_>) {
    if version == ProtocolVersion::V5 {
        put_reason(out, PacketType::Disconnect, farewell);
    }
}

/// Appends an AUTH, which there is since 5.0 only (section 3.15).
pub fn encode_auth(out: &mut BytesMut, answer: Answer<'_>) {
    put_reason(out, PacketType::Auth, answer);
}

fn put_reason(out: &mut BytesMut, packet_type: PacketType, Answer { reason, properties }: Answer<'_>) {
    out.put_u8(first_byte(packet_type, 0));
    if properties.is_empty() {
        out.put_slice(&[1, reason.value()]);
    } else {
        put_variable(out, 1 + properties_len(properties));
        out.put_u8(reason.value());
        put_properties(out, properties);
    }
}

/// A PUBLISH but for its payload (section 3.3).
#[derive(Debug, Clone, Copy)]
pub struct PublishHead<'a> {
    /// The version that its receiver speaks.
    pub version: ProtocolVersion,
    /// Whether it is sent again.
    pub dup: bool,
    /// Its delivery guarantee.
    pub qos: QoS,
    /// Whether it comes from the store of retained messages.
    pub retain: bool,
    /// A valid topic name, or nothing where an alias stands for it.
    pub topic: &'a str,
    /// None at QoS 0.
    pub packet_id: Option<PacketId>,
    /// What a receiver of MQTT 5.0 is told beside it.
    pub properties: PublishProperties<'a>,
}

/// The properties of a PUBLISH to a client.
#[derive(Debug, Clone, Copy, Default)]
pub struct PublishProperties<'a> {
    /// Those that its publisher gave it and that are passed on unaltered, encoded.
    pub passed_on: &'a [u8],
    /// The seconds that are left.
    pub expiry_secs: Option<u32>,
    /// Of all the client's subscriptions that match and have one `[MQTT-3.3.4-3]` to `[MQTT-3.3.4-5]`.
    pub subscription_ids: &'a [SubscriptionId],
    /// What stands for the topic on this connection.
    pub topic_alias: Option<NonZeroU16>,
}

impl PublishProperties<'_> {
    /// Appends an identifier to encoded properties that are passed on to one client only.
    pub fn append_subscription_id(passed_on: &mut BytesMut, id: SubscriptionId) {
        Property::SubscriptionIdentifier(id).encode(passed_on);
    }

    fn len(&self) -> usize {
        let ids = self.subscription_ids.iter().map(|id| 1 + variable_len(id.value() as usize));
        let expiry = if self.expiry_secs.is_some() { 5 } else { 0 };
        let alias = if self.topic_alias.is_some() { 3 } else { 0 };
        self.passed_on.len() + expiry + alias + ids.sum::<usize>()
    }

    fn encode(&self, out: &mut BytesMut) {
        put_variable(out, self.len());
        let put = |out: &mut BytesMut, property: Property<'_>| property.encode(out);
        self.expiry_secs.iter().for_each(|secs| put(out, Property::MessageExpiryInterval(*secs)));
        self.topic_alias.iter().for_each(|alias| put(out, Property::TopicAlias(*alias)));
        self.subscription_ids.iter().for_each(|id| put(out, Property::SubscriptionIdentifier(*id)));
        out.put_slice(self.passed_on);
    }
}

impl PublishHead<'_> {
    /// Appends everything that comes before a payload of `payload_len` bytes; returns how many bytes of it come before
    /// the packet identifier, if there is one.
    pub fn encode(&self, out: &mut BytesMut, payload_len: usize) -> usize {
        let flags = u8::from(self.dup) << 3 | (self.qos as u8) << 1 | u8::from(self.retain);
        let head_len = self.variable_header_len();
        let remaining_len = head_len + payload_len;
        out.reserve(5 + head_len);
        out.put_u8(first_byte(PacketType::Publish, flags));
        put_variable(out, remaining_len);
        // A `TopicName` is no longer than 65,535 bytes.
        put_bytes(out, self.topic.as_bytes());
        if let Some(packet_id) = self.packet_id {
            out.put_u16(packet_id.value());
        }
        if self.version == ProtocolVersion::V5 {
            self.properties.encode(out);
        }
        1 + variable_len(remaining_len) + 2 + self.topic.len()
    }

    /// Bytes of the whole packet.
    pub fn packet_len(&self, payload_len: usize) -> usize {
        let remaining_len = self.variable_header_len() + payload_len;
        1 + variable_len(remaining_len) + remaining_len
    }

    fn variable_header_len(&self) -> usize {
        let id_len = if self.packet_id.is_some() { 2 } else { 0 };
        let properties_len = if self.version == ProtocolVersion::V5 {
            let len = self.properties.len();
            variable_len(len) + len
        } else {
            0
        };
        2 + self.topic.len() + id_len + properties_len
    }
}

fn first_byte(packet_type: PacketType, flags: u8) -> u8 {
    (packet_type as u8) << 4 | flags
}
