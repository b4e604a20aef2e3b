use std::num::NonZeroU16;

use super::decode::{read_filter, read_subscription};
use crate::types::QoS;

/// Names a message, a SUBSCRIBE or an UNSUBSCRIBE until it is acknowledged; never 0 `[MQTT-2.3.1-1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PacketId(pub NonZeroU16);

impl PacketId {
    /// The lowest identifier.
    pub const MIN: Self = Self(NonZeroU16::MIN);

    /// The identifier with this value; none for 0.
    pub const fn new(value: u16) -> Option<Self> {
        match NonZeroU16::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Its value on the wire.
    pub const fn value(self) -> u16 {
        self.0.get()
    }

    /// The identifier after this one; 1 after 65,535.
    pub const fn next(self) -> Self {
        match self.0.checked_add(1) {
            Some(next) => Self(next),
            None => Self::MIN,
        }
    }

    /// How many times [`next`](Self::next) leads from `other` to this one.
    pub const fn distance_from(self, other: Self) -> u16 {
        let (to, from) = (self.value(), other.value());
        // There are 65,535 identifiers: past the end, the 0 that is left out counts as a step.
        if to >= from { to - from } else { u16::MAX - from + to }
    }
}

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProtocolVersion {
    /// MQTT 3.1: protocol name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1: protocol name `MQTT`, level 4.
    V311,
}

/// A packet as clients send them, borrowed from the buffer it was read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Publish(Publish<'a>),
    Puback(PacketId),
    Pubrec(PacketId),
    Pubrel(PacketId),
    Pubcomp(PacketId),
    Subscribe(Subscribe<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Pingreq,
    Disconnect,
}

/// Asks for a connection (section 3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The version that the client speaks.
    pub version: ProtocolVersion,
    /// Whether the session begins empty and ends with the connection (3.1.2.4).
    pub clean_session: bool,
    /// Seconds between two packets at most; 0 for no limit (3.1.2.10).
    pub keep_alive_secs: u16,
    /// The client identifier, empty if the broker is to choose one.
    pub client_id: &'a str,
    /// What to publish when the connection ends without a DISCONNECT.
    pub will: Option<Will<'a>>,
    /// Who the client says it is.
    pub username: Option<&'a str>,
    /// What it proves that with.
    pub password: Option<&'a [u8]>,
}

/// The will message of a CONNECT (3.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Will<'a> {
    /// A valid topic name.
    pub topic: &'a str,
    /// What to publish.
    pub payload: &'a [u8],
    /// The QoS to publish it with.
    pub qos: QoS,
    /// Whether to publish it as a retained message.
    pub retain: bool,
}

/// Carries an application message (section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Whether it may be a repetition.
    pub dup: bool,
    /// Delivery guarantee and, above QoS 0, the identifier.
    pub qos: QoS,
    /// None at QoS 0 `[MQTT-2.3.1-5]`.
    pub packet_id: Option<PacketId>,
    /// Whether the broker is to keep it.
    pub retain: bool,
    /// A valid topic name.
    pub topic: &'a str,
    /// The message itself.
    pub payload: &'a [u8],
}

/// Asks for subscriptions (section 3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// What the SUBACK will name.
    pub packet_id: PacketId,
    /// The payload, found to be valid.
    pub(super) filters: &'a [u8],
}

impl<'a> Subscribe<'a> {
    /// The topic filters and their requested QoS, in the order of the packet.
    ///
    /// Filters are valid UTF-8 strings; whether each is a valid topic filter was checked too.
    pub fn filters(&self) -> impl Iterator<Item = (&'a str, QoS)> {
        let mut rest = self.filters;
        std::iter::from_fn(move || if rest.is_empty() { None } else { read_subscription(&mut rest).ok() })
    }
}

/// Takes subscriptions back (section 3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// What the UNSUBACK will name.
    pub packet_id: PacketId,
    /// The payload, found to be valid.
    pub(super) filters: &'a [u8],
}

impl<'a> Unsubscribe<'a> {
    /// The topic filters, in the order of the packet.
    pub fn filters(&self) -> impl Iterator<Item = &'a str> {
        let mut rest = self.filters;
        std::iter::from_fn(move || if rest.is_empty() { None } else { read_filter(&mut rest).ok() })
    }
}

/// The packets that consist of a packet identifier only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Ack {
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
}

/// What a CONNACK says (table 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ConnectReturnCode {
    /// The connection stands.
    Accepted = 0,
    /// The protocol level is not supported.
    UnacceptableProtocolVersion = 1,
    /// The client identifier is not allowed.
    IdentifierRejected = 2,
    /// The broker cannot serve now.
    ServerUnavailable = 3,
    /// The user name or password is wrong.
    BadUserNameOrPassword = 4,
    /// The client may not connect.
    NotAuthorized = 5,
}

/// What a SUBACK says of one filter (3.9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubackCode {
    /// The subscription stands, with this maximum QoS.
    Granted(QoS),
    /// It was refused.
    Failure,
}

impl std::fmt::Debug for Connect<'_> {
    /// Leaves the password out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("clean_session", &self.clean_session)
            .field("keep_alive_secs", &self.keep_alive_secs)
            .field("will", &self.will)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
