use super::{
    Connect, DecodeError, Frame, Packet, PacketId, PacketType, ProtocolVersion, Publish, Subscribe, Unsubscribe, Will,
};
use crate::types::{QoS, TopicFilter, TopicName};

/// Decodes a packet of a connection that speaks `version`.
pub fn decode<'a>(version: ProtocolVersion, frame: Frame<'a>) -> Result<Packet<'a>, DecodeError> {
    // First, since it is what most packets are.
    if frame.header.packet_type == PacketType::Publish {
        return decode_publish(frame).map(Packet::Publish);
    }
    check_flags(version, frame)?;
    let body = frame.body;
    Ok(match frame.header.packet_type {
        PacketType::Puback => Packet::Puback(only_packet_id(body)?),
        PacketType::Pubrec => Packet::Pubrec(only_packet_id(body)?),
        PacketType::Pubrel => Packet::Pubrel(only_packet_id(body)?),
        PacketType::Pubcomp => Packet::Pubcomp(only_packet_id(body)?),
        PacketType::Subscribe => Packet::Subscribe(decode_subscribe(body)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(decode_unsubscribe(body)?),
        PacketType::Pingreq => nothing_left(body).map(|()| Packet::Pingreq)?,
        PacketType::Disconnect => nothing_left(body).map(|()| Packet::Disconnect)?,
        PacketType::Connect => Packet::Connect(decode_connect(frame)?),
        other => return Err(DecodeError::PacketType(other as u8)),
    })
}

/// Decodes the first packet of a connection, which says what version the rest is in.
pub fn decode_connect(frame: Frame<'_>) -> Result<Connect<'_>, DecodeError> {
    check_flags(ProtocolVersion::V311, frame)?;
    let rest = &mut { frame.body };
    let name = read_bytes(rest)?;
    let level = read_u8(rest)?;
    let version = match (name, level) {
        (b"MQTT", 4) => ProtocolVersion::V311,
        (b"MQIsdp", 3) => ProtocolVersion::V31,
        (b"MQTT" | b"MQIsdp", level) => return Err(DecodeError::ProtocolLevel(level)),
        _ => return Err(DecodeError::ProtocolName),
    };
    let flags = ConnectFlags::new(read_u8(rest)?)?;
    let keep_alive_secs = read_u16(rest)?;
    let client_id = read_string(rest)?;
    let will = if flags.will { Some(read_will(&flags, rest)?) } else { None };
    // MQTT 3.1: the remaining length takes precedence over these two flags.
    let present = |flag: bool, rest: &[u8]| flag && !(version == ProtocolVersion::V31 && rest.is_empty());
    let username = if present(flags.username, rest) { Some(read_string(rest)?) } else { None };
    let password = if present(flags.password, rest) { Some(read_bytes(rest)?) } else { None };
    nothing_left(rest)?;
    Ok(Connect { version, clean_session: flags.clean_session, keep_alive_secs, client_id, will, username, password })
}

/// The eighth byte of a CONNECT's variable header (3.1.2.3).
struct ConnectFlags {
    clean_session: bool,
    will: bool,
    will_qos: QoS,
    will_retain: bool,
    username: bool,
    password: bool,
}

impl ConnectFlags {
    fn new(bits: u8) -> Result<Self, DecodeError> {
        let will_qos = QoS::from_bits(bits >> 3 & 0b11).ok_or(DecodeError::QoS)?;
        let flags = Self {
            clean_session: bits & 0b0000_0010 != 0,
            will: bits & 0b0000_0100 != 0,
            will_qos,
            will_retain: bits & 0b0010_0000 != 0,
            password: bits & 0b0100_0000 != 0,
            username: bits & 0b1000_0000 != 0,
        };
        let reserved = bits & 1 != 0; // [MQTT-3.1.2-3]
        let will_without_flag = !flags.will && (flags.will_qos != QoS::AtMostOnce || flags.will_retain); // -11 -13 -15
        let password_alone = flags.password && !flags.username; // [MQTT-3.1.2-22]
        if reserved || will_without_flag || password_alone { Err(DecodeError::ConnectFlags(bits)) } else { Ok(flags) }
    }
}

fn read_will<'a>(flags: &ConnectFlags, rest: &mut &'a [u8]) -> Result<Will<'a>, DecodeError> {
    let topic = read_string(rest)?;
    TopicName::check(topic)?;
    Ok(Will { topic, payload: read_bytes(rest)?, qos: flags.will_qos, retain: flags.will_retain })
}

fn decode_publish(frame: Frame<'_>) -> Result<Publish<'_>, DecodeError> {
    let flags = frame.header.flags;
    let qos = QoS::from_bits(flags >> 1 & 0b11).ok_or(DecodeError::QoS)?;
    let dup = flags & 0b1000 != 0;
    if dup && qos == QoS::AtMostOnce {
        return Err(DecodeError::DupAtQoS0);
    }
    let mut rest = frame.body;
    let topic = utf8(read_bytes(&mut rest)?)?;
    TopicName::check(topic)?;
    let packet_id = if qos == QoS::AtMostOnce { None } else { Some(read_packet_id(&mut rest)?) };
    Ok(Publish { dup, qos, packet_id, retain: flags & 1 != 0, topic, payload: rest })
}

fn decode_subscribe(body: &[u8]) -> Result<Subscribe<'_>, DecodeError> {
    let mut rest = body;
    let packet_id = read_packet_id(&mut rest)?;
    let filters = rest;
    if rest.is_empty() {
        return Err(DecodeError::NoFilter);
    }
    while !rest.is_empty() {
        let (filter, _) = read_subscription(&mut rest)?;
        TopicFilter::check(filter)?;
    }
    Ok(Subscribe { packet_id, filters })
}

fn decode_unsubscribe(body: &[u8]) -> Result<Unsubscribe<'_>, DecodeError> {
    let mut rest = body;
    let packet_id = read_packet_id(&mut rest)?;
    let filters = rest;
    if rest.is_empty() {
        return Err(DecodeError::NoFilter);
    }
    while !rest.is_empty() {
        TopicFilter::check(read_filter(&mut rest)?)?;
    }
    Ok(Unsubscribe { packet_id, filters })
}

pub(super) fn read_subscription<'a>(rest: &mut &'a [u8]) -> Result<(&'a str, QoS), DecodeError> {
    let filter = read_filter(rest)?;
    let bits = read_u8(rest)?;
    let qos = QoS::from_bits(bits).ok_or(DecodeError::RequestedQoS(bits))?;
    Ok((filter, qos))
}

pub(super) fn read_filter<'a>(rest: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    utf8(read_bytes(rest)?)
}

/// `[MQTT-2.2.2-2]`: every flag that is not PUBLISH's is reserved.
fn check_flags(version: ProtocolVersion, frame: Frame<'_>) -> Result<(), DecodeError> {
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

fn only_packet_id(body: &[u8]) -> Result<PacketId, DecodeError> {
    let mut rest = body;
    let packet_id = read_packet_id(&mut rest)?;
    nothing_left(rest)?;
    Ok(packet_id)
}

fn nothing_left(rest: &[u8]) -> Result<(), DecodeError> {
    if rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes(rest.len())) }
}

fn read_packet_id(rest: &mut &[u8]) -> Result<PacketId, DecodeError> {
    PacketId::new(read_u16(rest)?).ok_or(DecodeError::PacketIdZero)
}

fn read_u8(rest: &mut &[u8]) -> Result<u8, DecodeError> {
    let (&value, tail) = rest.split_first().ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(value)
}

fn read_u16(rest: &mut &[u8]) -> Result<u16, DecodeError> {
    let (value, tail) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(u16::from_be_bytes(*value))
}

/// Two bytes of length and what they count.
fn read_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let len = usize::from(read_u16(rest)?);
    let (value, tail) = rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(value)
}

fn read_string<'a>(rest: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    let text = utf8(read_bytes(rest)?)?;
    if text.bytes().any(|byte| byte == 0) { Err(DecodeError::Nul) } else { Ok(text) }
}

/// Rust's UTF-8 excludes the surrogates, as `[MQTT-1.5.3-1]` asks for.
fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8)
}
