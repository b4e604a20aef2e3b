use crate::types::TopicError;

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
    /// Reserved bits of a requested QoS are set `[MQTT-3-8.3-4]`.
    #[error("requested QoS {0:#04x} has reserved bits set")]
    RequestedQoS(u8),
    /// The protocol name is neither `MQTT` nor `MQIsdp` `[MQTT-3.1.2-1]`.
    #[error("protocol name is not MQTT")]
    ProtocolName,
    /// A protocol level that the broker does not speak: answered with return code 1 `[MQTT-3.1.2-2]`.
    #[error("protocol level {0} is not supported")]
    ProtocolLevel(u8),
    /// Connect flags that contradict each other or are reserved `[MQTT-3.1.2-3]` and on.
    #[error("connect flags {0:#010b} are not valid")]
    ConnectFlags(u8),
}
