use super::decode::check_flags;
use super::fields::{nothing_left, read_bytes, read_string, read_u8, read_u16};
use super::properties::Owner;
use super::{Connect, DecodeError, Frame, Properties, Property, ProtocolVersion, Will};
use crate::types::{QoS, TopicName};

/// Decodes the first packet of a connection, which says what version the rest is in.
pub fn decode_connect(frame: Frame<'_>) -> Result<Connect<'_>, DecodeError> {
    check_flags(ProtocolVersion::V311, frame)?;
    let rest = &mut { frame.body };
    let version = read_version(rest)?;
    let flags = ConnectFlags::new(version, read_u8(rest)?)?;
    let keep_alive_secs = read_u16(rest)?;
    let properties = read_properties(version, Owner::Connect, rest)?;
    check_authentication(properties)?;
    let client_id = read_string(rest)?;
    let will = if flags.will { Some(read_will(version, &flags, rest)?) } else { None };
    // MQTT 3.1: the remaining length takes precedence over these two flags.
    let present = |flag: bool, rest: &[u8]| flag && !(version == ProtocolVersion::V31 && rest.is_empty());
    let username = if present(flags.username, rest) { Some(read_string(rest)?) } else { None };
    let password = if present(flags.password, rest) { Some(read_bytes(rest)?) } else { None };
    nothing_left(rest)?;
    let clean_start = flags.clean_start;
    Ok(Connect { version, clean_start, keep_alive_secs, properties, client_id, will, username, password })
}

/// The version of a CONNECT that may be wrong in what follows; none if it does not come that far.
pub fn connect_version(frame: Frame<'_>) -> Option<ProtocolVersion> {
    read_version(&mut { frame.body }).ok()
}

fn read_version(rest: &mut &[u8]) -> Result<ProtocolVersion, DecodeError> {
    let name = read_bytes(rest)?;
    match (name, read_u8(rest)?) {
        (b"MQTT", 5) => Ok(ProtocolVersion::V5),
        (b"MQTT", 4) => Ok(ProtocolVersion::V311),
        (b"MQIsdp", 3) => Ok(ProtocolVersion::V31),
        (b"MQTT" | b"MQIsdp", level) => Err(DecodeError::ProtocolLevel(level)),
        _ => Err(DecodeError::ProtocolName),
    }
}

/// The eighth byte of a CONNECT's variable header (3.1.2.3).
struct ConnectFlags {
    clean_start: bool,
    will: bool,
    will_qos: QoS,
    will_retain: bool,
    username: bool,
    password: bool,
}

impl ConnectFlags {
    fn new(version: ProtocolVersion, bits: u8) -> Result<Self, DecodeError> {
        let will_qos = QoS::from_bits(bits >> 3 & 0b11).ok_or(DecodeError::QoS)?;
        let flags = Self {
            clean_start: bits & 0b0000_0010 != 0,
            will: bits & 0b0000_0100 != 0,
            will_qos,
            will_retain: bits & 0b0010_0000 != 0,
            password: bits & 0b0100_0000 != 0,
            username: bits & 0b1000_0000 != 0,
        };
        let reserved = bits & 1 != 0; // [MQTT-3.1.2-3]
        let will_without_flag = !flags.will && (flags.will_qos != QoS::AtMostOnce || flags.will_retain); // -11 -13 -15
        // [MQTT-3.1.2-22] of MQTT 3.1.1, which 5.0 does not have.
        let password_alone = flags.password && !flags.username && version != ProtocolVersion::V5;
        if reserved || will_without_flag || password_alone { Err(DecodeError::ConnectFlags(bits)) } else { Ok(flags) }
    }
}

fn read_will<'a>(version: ProtocolVersion, flags: &ConnectFlags, rest: &mut &'a [u8]) -> Result<Will<'a>, DecodeError> {
    let properties = read_properties(version, Owner::Will, rest)?;
    let topic = read_string(rest)?;
    TopicName::check(topic)?;
    Ok(Will { topic, payload: read_bytes(rest)?, qos: flags.will_qos, retain: flags.will_retain, properties })
}

/// Properties, in the version that has them.
pub(super) fn read_properties<'a>(
    version: ProtocolVersion,
    owner: Owner,
    rest: &mut &'a [u8],
) -> Result<Properties<'a>, DecodeError> {
    if version == ProtocolVersion::V5 { Properties::read(rest, owner) } else { Ok(Properties::default()) }
}

/// Authentication data without a method is a protocol error (3.1.2.11.10).
fn check_authentication(properties: Properties<'_>) -> Result<(), DecodeError> {
    let (mut method, mut data) = (false, false);
    for property in properties.iter() {
        method |= matches!(property, Property::AuthenticationMethod(_));
        data |= matches!(property, Property::AuthenticationData(_));
    }
    if data && !method { Err(DecodeError::AuthenticationDataAlone) } else { Ok(()) }
}
