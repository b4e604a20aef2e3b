use super::connect::read_properties;
use super::fields::{nothing_left, read_bytes, read_packet_id, read_u8, utf8};
use super::properties::Owner;
use super::{
    Acknowledgement, Auth, DecodeError, Disconnect, Frame, Packet, PacketType, Properties, Property, ProtocolVersion,
    Publish, Subscribe, Unsubscribe,
};
use crate::types::{QoS, ReasonCode, RetainHandling, SubscriptionOptions, TopicFilter, TopicName};

/// Decodes a packet of a connection that speaks `version`, but for the CONNECT, which is another function's.
pub fn decode<'a>(version: ProtocolVersion, frame: Frame<'a>) -> Result<Packet<'a>, DecodeError> {
    // First, since it is what most packets are.
    if frame.header.packet_type == PacketType::Publish {
        return decode_publish(version, frame).map(Packet::Publish);
    }
    check_flags(version, frame)?;
    let body = frame.body;
    let packet_type = frame.header.packet_type;
    Ok(match packet_type {
        PacketType::Puback => Packet::Puback(decode_ack(version, packet_type, body)?),
        PacketType::Pubrec => Packet::Pubrec(decode_ack(version, packet_type, body)?),
        PacketType::Pubrel => Packet::Pubrel(decode_ack(version, packet_type, body)?),
        PacketType::Pubcomp => Packet::Pubcomp(decode_ack(version, packet_type, body)?),
        PacketType::Subscribe => Packet::Subscribe(decode_subscribe(version, body)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(decode_unsubscribe(version, body)?),
        PacketType::Pingreq => nothing_left(body).map(|()| Packet::Pingreq)?,
        PacketType::Disconnect => Packet::Disconnect(decode_disconnect(version, body)?),
        PacketType::Auth if version == ProtocolVersion::V5 => Packet::Auth(decode_auth(body)?),
        other => return Err(DecodeError::PacketType(other as u8)),
    })
}

fn decode_publish(version: ProtocolVersion, frame: Frame<'_>) -> Result<Publish<'_>, DecodeError> {
    let flags = frame.header.flags;
    let qos = QoS::from_bits(flags >> 1 & 0b11).ok_or(DecodeError::QoS)?;
    let dup = flags & 0b1000 != 0;
    if dup && qos == QoS::AtMostOnce {
        return Err(DecodeError::DupAtQoS0);
    }
    let mut rest = frame.body;
    let topic = utf8(read_bytes(&mut rest)?)?;
    let packet_id = if qos == QoS::AtMostOnce { None } else { Some(read_packet_id(&mut rest)?) };
    let (mut topic_alias, mut expiry_secs, mut properties) = (None, None, Properties::default());
    if version == ProtocolVersion::V5 {
        properties = Properties::read_with(&mut rest, Owner::Publish, |property| match property {
            Property::TopicAlias(alias) => topic_alias = Some(alias),
            Property::MessageExpiryInterval(secs) => expiry_secs = Some(secs),
            _ => {}
        })?;
    }
    match TopicName::check(topic) {
        // What the alias stands for is known to the connection.
        Err(crate::types::TopicError::Empty) if topic_alias.is_some() => {}
        Err(crate::types::TopicError::Empty) if version == ProtocolVersion::V5 => return Err(DecodeError::NoTopic),
        checked => checked?,
    }
    let (retain, payload) = (flags & 1 != 0, rest);
    Ok(Publish { dup, qos, packet_id, retain, topic, topic_alias, expiry_secs, properties, payload })
}

/// The packets that consist of an identifier, and of a reason and properties since 5.0 where there is something to say.
fn decode_ack(
    version: ProtocolVersion,
    packet_type: PacketType,
    body: &[u8],
) -> Result<Acknowledgement<'_>, DecodeError> {
    let mut rest = body;
    let packet_id = read_packet_id(&mut rest)?;
    let (reason, properties) = read_reason(version, packet_type, Owner::Acknowledgement, rest)?;
    Ok(Acknowledgement { packet_id, reason, properties })
}

/// A reason and properties at the end of a packet, each of which may be left out (3.4.2.1, 3.4.2.2.1 and their like).
fn read_reason(
    version: ProtocolVersion,
    packet_type: PacketType,
    owner: Owner,
    mut rest: &[u8],
) -> Result<(ReasonCode, Properties<'_>), DecodeError> {
    if rest.is_empty() || version != ProtocolVersion::V5 {
        nothing_left(rest)?;
        return Ok((ReasonCode::Success, Properties::default()));
    }
    let value = read_u8(&mut rest)?;
    let reason = ReasonCode::from_value(value)
        .filter(|reason| may_be_sent(packet_type, *reason))
        .ok_or(DecodeError::ReasonCode(value))?;
    if rest.is_empty() {
        return Ok((reason, Properties::default()));
    }
    let properties = Properties::read(&mut rest, owner)?;
    nothing_left(rest)?;
    Ok((reason, properties))
}

/// Whether a client may send a reason in a packet of this type (tables 3-4 to 3-10, 3-11).
fn may_be_sent(packet_type: PacketType, reason: ReasonCode) -> bool {
    use ReasonCode::*;
    match packet_type {
        PacketType::Puback | PacketType::Pubrec => matches!(
            reason,
            Success
                | NoMatchingSubscribers
                | UnspecifiedError
                | ImplementationSpecificError
                | NotAuthorized
                | TopicNameInvalid
                | PacketIdentifierInUse
                | QuotaExceeded
                | PayloadFormatInvalid
        ),
        PacketType::Pubrel | PacketType::Pubcomp => matches!(reason, Success | PacketIdentifierNotFound),
        PacketType::Disconnect => matches!(
            reason,
            Success
                | DisconnectWithWill
                | UnspecifiedError
                | MalformedPacket
                | ProtocolError
                | ImplementationSpecificError
                | TopicNameInvalid
                | ReceiveMaximumExceeded
                | TopicAliasInvalid
                | PacketTooLarge
                | MessageRateTooHigh
                | QuotaExceeded
                | AdministrativeAction
                | PayloadFormatInvalid
        ),
        PacketType::Auth => matches!(reason, ContinueAuthentication | ReAuthenticate),
        _ => false,
    }
}

fn decode_subscribe(version: ProtocolVersion, body: &[u8]) -> Result<Subscribe<'_>, DecodeError> {
    let mut rest = body;
    let packet_id = read_packet_id(&mut rest)?;
    let properties = read_properties(version, Owner::Subscribe, &mut rest)?;
    let id = properties.iter().find_map(|property| match property {
        Property::SubscriptionIdentifier(id) => Some(id),
        _ => None,
    });
    let filters = rest;
    if rest.is_empty() {
        return Err(DecodeError::NoFilter);
    }
    while !rest.is_empty() {
        let (filter, options) = read_subscription(version, &mut rest)?;
        TopicFilter::check(filter)?;
        if options.no_local && TopicFilter::is_shared(filter) {
            return Err(DecodeError::NoLocalOfShared);
        }
    }
    Ok(Subscribe { version, packet_id, id, properties, filters })
}

fn decode_unsubscribe(version: ProtocolVersion, body: &[u8]) -> Result<Unsubscribe<'_>, DecodeError> {
    let mut rest = body;
    let packet_id = read_packet_id(&mut rest)?;
    let properties = read_properties(version, Owner::Unsubscribe, &mut rest)?;
    let filters = rest;
    if rest.is_empty() {
        return Err(DecodeError::NoFilter);
    }
    while !rest.is_empty() {
        TopicFilter::check(read_filter(&mut rest)?)?;
    }
    Ok(Unsubscribe { packet_id, properties, filters })
}

pub(super) fn read_subscription<'a>(
    version: ProtocolVersion,
    rest: &mut &'a [u8],
) -> Result<(&'a str, SubscriptionOptions), DecodeError> {
    let filter = read_filter(rest)?;
    let bits = read_u8(rest)?;
    // Before 5.0 all but the QoS is reserved.
    let reserved = if version == ProtocolVersion::V5 { 0b1100_0000 } else { 0b1111_1100 };
    let qos = QoS::from_bits(bits & 0b11).filter(|_| bits & reserved == 0).ok_or(DecodeError::RequestedQoS(bits))?;
    let retain_handling = RetainHandling::from_bits(bits >> 4 & 0b11).ok_or(DecodeError::RetainHandling)?;
    let (no_local, retain_as_published) = (bits & 0b100 != 0, bits & 0b1000 != 0);
    Ok((filter, SubscriptionOptions { qos, no_local, retain_as_published, retain_handling }))
}

pub(super) fn read_filter<'a>(rest: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    utf8(read_bytes(rest)?)
}

fn decode_disconnect(version: ProtocolVersion, body: &[u8]) -> Result<Disconnect<'_>, DecodeError> {
    let (reason, properties) = read_reason(version, PacketType::Disconnect, Owner::Disconnect, body)?;
    Ok(Disconnect { reason, properties })
}

fn decode_auth(body: &[u8]) -> Result<Auth<'_>, DecodeError> {
    let (reason, properties) = read_reason(ProtocolVersion::V5, PacketType::Auth, Owner::Auth, body)?;
    Ok(Auth { reason, properties })
}

/// `[MQTT-2.2.2-2]`: every flag that is not PUBLISH's is reserved.
pub(super) fn check_flags(version: ProtocolVersion, frame: Frame<'_>) -> Result<(), DecodeError> {
    let flags = frame.header.flags;
    let expected = match frame.header.packet_type {
        PacketType::Pubrel | PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
        _ => 0,
    };
    // MQTT 3.1 marks these three with DUP when they are sent again.
    let dup_allowed = version == ProtocolVersion::V31 && expected != 0;
    if flags == expected || (dup_allowed && flags == expected | 0b1000) {
        return Ok(());
    }
    Err(DecodeError::Flags { packet_type: frame.header.packet_type as u8, flags })
}
