use crate::types::{ReasonCode, TopicError};

/// How the bytes of a peer break the protocol. Each ends the connection `[MQTT-4.8.0-1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A packet type that does not exist, or that only a server sends.
    #[error("packet type {0} is not one that a client sends")]
    PacketType(u8),
    /// Flags of the fixed header that are not as reserved `[MQTT-2.2.2-2]`.
    #[error("flags {flags:#06b} of packet type {packet_type} are reserved")]
    Flags {
        /// The type, the upper half of the first byte.
        packet_type: u8,
        /// The lower half of the first byte.
        flags: u8,
    },
    /// A remaining length that goes on after four bytes (section 2.2.3).
    #[error("remaining length is longer than four bytes")]
    RemainingLength,
    /// A packet larger than the broker reads.
    #[error("packet of {bytes} bytes is larger than the maximum of {max}")]
    PacketTooLarge {
        /// Size of the whole packet.
        bytes: usize,
        /// What the broker's settings allow.
        max: usize,
    },
    /// The packet ends before its fields do.
    #[error("packet ends inside a field")]
    Truncated,
    /// The packet goes on after its last field.
    #[error("packet has {0} bytes after its last field")]
    TrailingBytes(usize),
    /// A string that is not well-formed UTF-8 `[MQTT-1.5.3-1]`.
    #[error("string is not valid UTF-8")]
    Utf8,
    /// A string with U+0000 in it `[MQTT-1.5.3-2]`.
    #[error("string contains U+0000")]
    Nul,
    /// A topic name or filter that is not valid.
    #[error("{0}")]
    Topic(#[from] TopicError),
    /// QoS 3 `[MQTT-3.3.1-4]` `[MQTT-3-8.3-4]` `[MQTT-3.1.2-14]`.
    #[error("QoS 3 does not exist")]
    QoS,
    /// DUP set on a message of QoS 0 `[MQTT-3.3.1-2]`.
    #[error("DUP is set on a message of QoS 0")]
    DupAtQoS0,
    /// A packet identifier of 0 `[MQTT-2.3.1-1]`.
    #[error("packet identifier is 0")]
    PacketIdZero,
    /// A SUBSCRIBE or UNSUBSCRIBE without a topic filter `[MQTT-3.8.3-3]` `[MQTT-3.10.3-2]`.
    #[error("no topic filter")]
    NoFilter,
    /// Reserved bits of a subscription's options are set, or QoS 3 `[MQTT-3-8.3-4]`; of MQTT 5.0: `[MQTT-3.8.3-5]`.
    #[error("requested QoS {0:#04x} has reserved bits set")]
    RequestedQoS(u8),
    /// Retain Handling 3 (MQTT 5.0, 3.8.3.1).
    #[error("retain handling 3 does not exist")]
    RetainHandling,
    /// No Local for a shared subscription `[MQTT-3.8.3-4]` of MQTT 5.0.
    #[error("a shared subscription cannot leave the client's own messages out")]
    NoLocalOfShared,
    /// The protocol name is neither `MQTT` nor `MQIsdp` `[MQTT-3.1.2-1]`.
    #[error("protocol name is not MQTT")]
    ProtocolName,
    /// A protocol level that the broker does not speak: answered with return code 1 `[MQTT-3.1.2-2]`.
    #[error("protocol level {0} is not supported")]
    ProtocolLevel(u8),
    /// Connect flags that contradict each other or are reserved `[MQTT-3.1.2-3]` and on.
    #[error("connect flags {0:#010b} are not valid")]
    ConnectFlags(u8),
    /// A number in seven bits a byte that goes on after four bytes `[MQTT-1.5.5-1]`.
    #[error("variable byte integer is longer than four bytes")]
    VariableInteger,
    /// A property that does not exist (MQTT 5.0, 2.2.2.2).
    #[error("property {0:#04x} does not exist")]
    PropertyUnknown(u8),
    /// A property that does not belong in this packet (MQTT 5.0, 2.2.2.2).
    #[error("property {0:#04x} does not belong in this packet")]
    PropertyMisplaced(u8),
    /// A property twice that may be there once.
    #[error("property {0:#04x} is there twice")]
    PropertyTwice(u8),
    /// A value that the property may not have.
    #[error("property {0:#04x} has a value that it may not have")]
    PropertyValue(u8),
    /// A topic alias of 0 `[MQTT-3.3.2-8]`.
    #[error("topic alias is 0")]
    TopicAliasZero,
    /// No topic and no alias (MQTT 5.0, 3.3.2.1).
    #[error("neither topic nor topic alias")]
    NoTopic,
    /// A response topic that is no topic name `[MQTT-3.3.2-14]`.
    #[error("response topic: {0}")]
    ResponseTopic(TopicError),
    /// Authentication data without an authentication method (MQTT 5.0, 3.1.2.11.10).
    #[error("authentication data without a method")]
    AuthenticationDataAlone,
    /// A reason code that does not exist or that no client sends in this packet `[MQTT-3.4.2-1]` and its like.
    #[error("reason code {0:#04x} is not one of this packet")]
    ReasonCode(u8),
}

impl DecodeError {
    /// What a client of MQTT 5.0 is told (section 4.13).
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            Self::PacketTooLarge { .. } => ReasonCode::PacketTooLarge,
            Self::ProtocolLevel(_) => ReasonCode::UnsupportedProtocolVersion,
            Self::TopicAliasZero => ReasonCode::TopicAliasInvalid,
            Self::Topic(TopicError::HashMisplaced | TopicError::PlusMisplaced) => ReasonCode::TopicFilterInvalid,
            Self::Topic(TopicError::WildcardInName) => ReasonCode::TopicNameInvalid,
            Self::NoFilter
            | Self::RetainHandling
            | Self::NoLocalOfShared
            | Self::PropertyTwice(_)
            | Self::PropertyValue(_)
            | Self::NoTopic
            | Self::ResponseTopic(_)
            | Self::AuthenticationDataAlone
            | Self::ReasonCode(_)
            | Self::PacketIdZero => ReasonCode::ProtocolError,
            Self::PacketType(_)
            | Self::Flags { .. }
            | Self::RemainingLength
            | Self::Truncated
            | Self::TrailingBytes(_)
            | Self::Utf8
            | Self::Nul
            | Self::Topic(_)
            | Self::QoS
            | Self::DupAtQoS0
            | Self::RequestedQoS(_)
            | Self::ProtocolName
            | Self::ConnectFlags(_)
            | Self::VariableInteger
            | Self::PropertyUnknown(_)
            | Self::PropertyMisplaced(_) => ReasonCode::MalformedPacket,
        }
    }
}
