use crate::codec::{Connect, ConnectReturnCode, ProtocolVersion};

/// Longest client identifier of MQTT 3.1, in characters.
const V31_CLIENT_ID_CHARS_MAX: usize = 23;

/// Whether the client identifier of a CONNECT may be used as it is; an empty one where the broker chooses.
pub fn check_client_id(connect: &Connect<'_>, bytes_max: usize) -> Result<(), ConnectReturnCode> {
    let valid = match connect.version {
        ProtocolVersion::V31 => (1..=V31_CLIENT_ID_CHARS_MAX).contains(&connect.client_id.chars().count()),
        // [MQTT-3.1.3-8]: only a session that ends with the connection can do without a name.
        ProtocolVersion::V311 => !connect.client_id.is_empty() || connect.clean_session,
    };
    if valid && connect.client_id.len() <= bytes_max { Ok(()) } else { Err(ConnectReturnCode::IdentifierRejected) }
}

/// What a SUBACK says of a filter that is refused.
///
/// MQTT 3.1 has no code for it, and 0x80 would be read as one of the QoS values: it grants QoS 0 and delivers nothing.
pub fn refused_subscription(version: ProtocolVersion) -> crate::codec::SubackCode {
    use crate::codec::SubackCode;
    match version {
        ProtocolVersion::V31 => SubackCode::Granted(crate::types::QoS::AtMostOnce),
        ProtocolVersion::V311 => SubackCode::Failure,
    }
}

/// Whether a CONNACK may tell that a session was kept: in MQTT 3.1 that byte is reserved.
pub fn tells_session_present(version: ProtocolVersion) -> bool {
    version == ProtocolVersion::V311
}
