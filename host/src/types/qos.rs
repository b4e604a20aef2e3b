/// How strongly a message is delivered (MQTT 3.1.1, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// Sent once, never acknowledged.
    AtMostOnce = 0,
    /// Sent until a PUBACK comes.
    AtLeastOnce = 1,
    /// Sent with a handshake of four packets, delivered once.
    ExactlyOnce = 2,
}

impl QoS {
    /// The QoS that two bits on the wire stand for; none for 3, which is malformed `[MQTT-3.3.1-4]`.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}
