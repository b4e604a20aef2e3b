use std::num::{NonZeroU16, NonZeroU32};

use super::Violation;
use crate::codec::{Connect, Property, ProtocolVersion, Publish};
use crate::types::{Capabilities, ClientId, Limits, QoS, ReasonCode, SessionExpiry, TopicName};

/// What stands for the client identifier in the setting `response-information`.
const CLIENT_ID: &str = "{client-id}";

/// Longest client identifier of MQTT 3.1, in characters.
const V31_CLIENT_ID_CHARS_MAX: usize = 23;

/// The largest packet that there can be: what the length field can say, with itself.
const PACKET_BYTES_MAX: u32 = 268_435_460;

/// The version whose CONNACK is sent to a client of a version that nobody knows.
pub(super) const UNKNOWN_VERSION_FORM: ProtocolVersion = ProtocolVersion::V311;

/// What a client takes, as its CONNECT says (MQTT 5.0, 3.1.2.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTerms {
    /// What it speaks.
    pub version: ProtocolVersion,
    /// Messages of QoS 1 and 2 that it takes without having acknowledged them.
    pub receive_max: u16,
    /// Bytes of the largest packet that it takes.
    pub packet_bytes_max: u32,
    /// Topic aliases that it takes.
    pub topic_alias_max: u16,
    /// Whether it wants reasons and user properties with acknowledgements.
    pub problem_information: bool,
}

impl Default for ClientTerms {
    /// Those of MQTT 3.1.1, which has no words for others.
    fn default() -> Self {
        Self {
            version: ProtocolVersion::V311,
            receive_max: u16::MAX,
            packet_bytes_max: PACKET_BYTES_MAX,
            topic_alias_max: 0,
            problem_information: true,
        }
    }
}

impl ClientTerms {
    /// Whether it takes any packet that MQTT can say.
    pub fn takes_any_size(&self) -> bool {
        self.packet_bytes_max == PACKET_BYTES_MAX
    }

    /// Reads them from a CONNECT.
    pub fn new(connect: &Connect<'_>) -> Self {
        let mut terms = Self { version: connect.version, ..Self::default() };
        for property in connect.properties.iter() {
            match property {
                Property::ReceiveMaximum(max) => terms.receive_max = max.get(),
                Property::MaximumPacketSize(max) => terms.packet_bytes_max = max.get().min(PACKET_BYTES_MAX),
                Property::TopicAliasMaximum(max) => terms.topic_alias_max = max,
                Property::RequestProblemInformation(wanted) => terms.problem_information = wanted,
                _ => {}
            }
        }
        terms
    }
}

/// What a CONNECT asks for that the broker's settings decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// How long the session outlives its connection.
    pub session_expiry: SessionExpiry,
    /// Seconds between two packets at most; 0 for no limit.
    pub keep_alive_secs: u16,
    /// Whether each of the two is not what the client asked for.
    differs: (bool, bool),
    /// Whether it asks what its response topics are to begin with.
    asks_for_response_information: bool,
}

impl Granted {
    /// Grants what a CONNECT asks for, within the limits.
    pub fn new(connect: &Connect<'_>, limits: &Limits) -> Self {
        let asked = connect.properties.iter().find_map(|property| match property {
            Property::SessionExpiryInterval(secs) => Some(SessionExpiry::from_secs(secs)),
            _ => None,
        });
        let (session_expiry, keep_alive_secs) = match connect.version {
            // A session of MQTT 5.0 ends with its connection unless something else is asked for (3.1.2.11.2).
            ProtocolVersion::V5 => {
                let expiry = asked.unwrap_or(SessionExpiry::WITH_CONNECTION).min(limits.session_expiry_max());
                (expiry, server_keep_alive(connect.keep_alive_secs, limits.keep_alive_max_secs))
            }
            ProtocolVersion::V31 | ProtocolVersion::V311 if connect.clean_start => {
                (SessionExpiry::WITH_CONNECTION, connect.keep_alive_secs)
            }
            ProtocolVersion::V31 | ProtocolVersion::V311 => (limits.session_expiry(), connect.keep_alive_secs),
        };
        let differs = (asked.is_some_and(|asked| asked != session_expiry), keep_alive_secs != connect.keep_alive_secs);
        let asks_for_response_information =
            connect.properties.iter().any(|property| property == Property::RequestResponseInformation(true));
        Self { session_expiry, keep_alive_secs, differs, asks_for_response_information }
    }

    /// What the client is told that its response topics are to begin with, if it asks `[MQTT-3.1.2-28]`. Nothing where
    /// its identifier cannot be a part of a topic name.
    pub fn response_information(&self, capabilities: &Capabilities, client_id: &ClientId) -> Option<String> {
        let form = capabilities.response_information.as_deref().filter(|_| self.asks_for_response_information)?;
        let information = form.replace(CLIENT_ID, client_id.as_str());
        TopicName::check(&information).ok().map(|()| information)
    }
}

/// The keep-alive that the client is held to: no more than the maximum, if there is one.
fn server_keep_alive(asked_secs: u16, max_secs: u16) -> u16 {
    match (asked_secs, max_secs) {
        (asked_secs, 0) => asked_secs,
        (0, max_secs) => max_secs,
        (asked_secs, max_secs) => asked_secs.min(max_secs),
    }
}

/// What a CONNACK that accepts tells beside that (MQTT 5.0, 3.2.2.3). Nothing in versions that have no properties.
///
/// `assigned_client_id` is the client identifier, if the broker chose it.
pub fn connack_properties<'a>(
    version: ProtocolVersion,
    granted: &Granted,
    limits: &Limits,
    capabilities: &Capabilities,
    assigned_client_id: Option<&'a str>,
) -> Vec<Property<'a>> {
    if version != ProtocolVersion::V5 {
        return Vec::new();
    }
    let mut properties = Vec::with_capacity(8);
    let Granted { session_expiry, keep_alive_secs, differs, .. } = granted;
    properties.extend(differs.0.then_some(Property::SessionExpiryInterval(session_expiry.as_secs())));
    properties.extend(NonZeroU16::new(limits.receive_max).map(Property::ReceiveMaximum));
    properties.extend((capabilities.max_qos < QoS::ExactlyOnce).then_some(Property::MaximumQoS(capabilities.max_qos)));
    properties.extend((!capabilities.retain).then_some(Property::RetainAvailable(false)));
    let packet_bytes_max = u32::try_from(limits.packet_bytes_max).ok().and_then(NonZeroU32::new);
    properties.extend(packet_bytes_max.map(Property::MaximumPacketSize));
    properties.extend(assigned_client_id.map(Property::AssignedClientIdentifier));
    properties.extend((limits.topic_alias_max > 0).then_some(Property::TopicAliasMaximum(limits.topic_alias_max)));
    let without = |available: bool, property: Property<'static>| (!available).then_some(property);
    properties.extend(without(capabilities.wildcard_subscriptions, Property::WildcardSubscriptionAvailable(false)));
    properties.extend(without(capabilities.subscription_identifiers, Property::SubscriptionIdentifierAvailable(false)));
    properties.extend(without(capabilities.shared_subscriptions, Property::SharedSubscriptionAvailable(false)));
    properties.extend(differs.1.then_some(Property::ServerKeepAlive(*keep_alive_secs)));
    properties
}

/// Whether the client identifier of a CONNECT may be used as it is; an empty one where the broker chooses.
pub fn check_client_id(connect: &Connect<'_>, bytes_max: usize) -> Result<(), BadClientId> {
    let (id, version) = (connect.client_id, connect.version);
    match version {
        ProtocolVersion::V31 if id.is_empty() => return Err(BadClientId::Missing31),
        ProtocolVersion::V31 if id.chars().count() > V31_CLIENT_ID_CHARS_MAX => {
            return Err(BadClientId::TooLong31(id.chars().count()));
        }
        // [MQTT-3.1.3-8]: only a session that ends with the connection can do without a name.
        ProtocolVersion::V311 if id.is_empty() && !connect.clean_start => return Err(BadClientId::Missing),
        // Of MQTT 5.0, it is told the name that it is given.
        _ => {}
    }
    if id.len() <= bytes_max { Ok(()) } else { Err(BadClientId::TooLong { bytes: id.len(), max: bytes_max }) }
}

/// Why a client identifier is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadClientId {
    /// None, where the session outlives the connection.
    #[error("it has no client identifier, and asks for a session that stays")]
    Missing,
    /// None, in MQTT 3.1.
    #[error("it has no client identifier, which MQTT 3.1 wants")]
    Missing31,
    /// Longer than MQTT 3.1 has it.
    #[error("its client identifier has {0} characters, of which MQTT 3.1 allows {V31_CLIENT_ID_CHARS_MAX}")]
    TooLong31(usize),
    /// Longer than the broker's settings allow.
    #[error("its client identifier has {bytes} bytes, and `client-id-bytes-max` is {max}")]
    TooLong {
        /// Bytes that it has.
        bytes: usize,
        /// What the broker's settings allow.
        max: usize,
    },
}

/// Whether a CONNECT asks for nothing that the broker does not have.
pub(super) fn check_connect(connect: &Connect<'_>, capabilities: &Capabilities) -> Result<(), ReasonCode> {
    if connect.version != ProtocolVersion::V5 {
        return Ok(());
    }
    match connect.will {
        Some(will) if will.qos > capabilities.max_qos => Err(ReasonCode::QoSNotSupported), // [MQTT-3.2.2-12]
        Some(will) if will.retain && !capabilities.retain => Err(ReasonCode::RetainNotSupported), // [MQTT-3.2.2-13]
        _ => Ok(()),
    }
}

/// Whether a PUBLISH asks for nothing that its client was told the broker does not have. Clients of earlier versions
/// were not told: for them the broker does what it can.
pub(super) fn check_publish(
    version: ProtocolVersion,
    publish: &Publish<'_>,
    capabilities: &Capabilities,
) -> Result<(), Violation> {
    if version != ProtocolVersion::V5 {
        return Ok(());
    }
    if publish.qos > capabilities.max_qos {
        return Err(Violation::QoSNotSupported); // [MQTT-3.2.2-11]
    }
    if publish.retain && !capabilities.retain {
        return Err(Violation::RetainNotSupported); // [MQTT-3.2.2-14]
    }
    // [MQTT-3.3.4-6]
    if publish.properties.has_subscription_identifier() {
        return Err(Violation::SubscriptionIdentifier);
    }
    Ok(())
}

/// Messages of QoS 1 and 2 that a client may send without an acknowledgement `[MQTT-3.3.4-7]`: all that there are
/// identifiers for, where it cannot be told of less.
pub(super) fn receive_max(version: ProtocolVersion, limits: &Limits) -> u16 {
    match version {
        ProtocolVersion::V31 | ProtocolVersion::V311 => u16::MAX,
        ProtocolVersion::V5 => limits.receive_max,
    }
}

/// Whether a PUBREC of this reason is the end of its message, rather than a promise of a PUBREL `[MQTT-4.3.3-9]`.
pub(super) fn ends_with_failed_pubrec(version: ProtocolVersion, reason: ReasonCode) -> bool {
    version == ProtocolVersion::V5 && reason.is_failure()
}

/// Whether a client can be told in more than a code why it is refused.
pub fn hears_reasons(version: ProtocolVersion) -> bool {
    version == ProtocolVersion::V5
}

/// Whether a malformed CONNECT is answered; before 5.0 it is not `[MQTT-3.1.4-1]`.
pub(super) fn answers_malformed_connect(version: ProtocolVersion) -> bool {
    version == ProtocolVersion::V5
}
