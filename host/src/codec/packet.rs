use std::num::NonZeroU16;

use super::Properties;
use super::decode::{read_filter, read_subscription};
use crate::types::{QoS, ReasonCode, SubscriptionId, SubscriptionOptions};

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
    /// MQTT 5.0: protocol name `MQTT`, level 5.
    V5,
}

/// How many forms a PUBLISH has.
pub const PUBLISH_FORMS: usize = 2;

impl ProtocolVersion {
    /// The protocol level on the wire (3.1.2.2).
    pub fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    /// Which of the forms of a PUBLISH this version has: clients of one form get the same bytes.
    pub const fn publish_form(self) -> usize {
        match self {
            Self::V31 | Self::V311 => 0,
            Self::V5 => 1,
        }
    }
}

/// A packet as clients send them after their CONNECT, borrowed from the buffer it was read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Packet<'a> {
    Publish(Publish<'a>),
    Puback(Acknowledgement<'a>),
    Pubrec(Acknowledgement<'a>),
    Pubrel(Acknowledgement<'a>),
    Pubcomp(Acknowledgement<'a>),
    Subscribe(Subscribe<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Pingreq,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// The properties of the packet; none where it has none.
    pub fn properties(&self) -> Properties<'a> {
        match self {
            Self::Publish(publish) => publish.properties,
            Self::Puback(ack) | Self::Pubrec(ack) | Self::Pubrel(ack) | Self::Pubcomp(ack) => ack.properties,
            Self::Subscribe(subscribe) => subscribe.properties,
            Self::Unsubscribe(unsubscribe) => unsubscribe.properties,
            Self::Disconnect(disconnect) => disconnect.properties,
            Self::Auth(auth) => auth.properties,
            Self::Pingreq => Properties::default(),
        }
    }
}

/// Asks for a connection (section 3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The version that the client speaks.
    pub version: ProtocolVersion,
    /// Whether the session begins empty (3.1.2.4); before 5.0 also whether it ends with the connection.
    pub clean_start: bool,
    /// Seconds between two packets at most; 0 for no limit (3.1.2.10).
    pub keep_alive_secs: u16,
    /// What MQTT 5.0 says beside it (3.1.2.11).
    pub properties: Properties<'a>,
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
    /// Those of the message, and how long to wait with it (MQTT 5.0, 3.1.3.2).
    pub properties: Properties<'a>,
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
    /// A valid topic name; empty where only the alias says what it is.
    pub topic: &'a str,
    /// A number that stands for the topic, or will from now on.
    pub topic_alias: Option<NonZeroU16>,
    /// Seconds after which it is too old to be delivered.
    pub expiry_secs: Option<u32>,
    /// All properties, with those two.
    pub properties: Properties<'a>,
    /// The message itself.
    pub payload: &'a [u8],
}

/// Asks for subscriptions (section 3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribe<'a> {
    pub(super) version: ProtocolVersion,
    /// What the SUBACK will name.
    pub packet_id: PacketId,
    /// What the messages of these subscriptions will carry.
    pub id: Option<SubscriptionId>,
    /// All properties, with that one.
    pub properties: Properties<'a>,
    /// The payload, found to be valid.
    pub(super) filters: &'a [u8],
}

impl<'a> Subscribe<'a> {
    /// The topic filters and what is wanted of them, in the order of the packet.
    ///
    /// Filters are valid UTF-8 strings; whether each is a valid topic filter was checked too.
    pub fn filters(&self) -> impl Iterator<Item = (&'a str, SubscriptionOptions)> + use<'a> {
        let (version, mut rest) = (self.version, self.filters);
        std::iter::from_fn(move || if rest.is_empty() { None } else { read_subscription(version, &mut rest).ok() })
    }
}

/// Takes subscriptions back (section 3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// What the UNSUBACK will name.
    pub packet_id: PacketId,
    /// All properties.
    pub properties: Properties<'a>,
    /// The payload, found to be valid.
    pub(super) filters: &'a [u8],
}

impl<'a> Unsubscribe<'a> {
    /// The topic filters, in the order of the packet.
    pub fn filters(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = self.filters;
        std::iter::from_fn(move || if rest.is_empty() { None } else { read_filter(&mut rest).ok() })
    }
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement<'a> {
    /// Which message it is about.
    pub packet_id: PacketId,
    /// How it went; before 5.0 always well.
    pub reason: ReasonCode,
    /// All properties.
    pub properties: Properties<'a>,
}

impl From<PacketId> for Acknowledgement<'_> {
    /// That all went well.
    fn from(packet_id: PacketId) -> Self {
        Self { packet_id, reason: ReasonCode::Success, properties: Properties::default() }
    }
}

/// Ends the connection (section 3.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Why; before 5.0 always because the client is done.
    pub reason: ReasonCode,
    /// All properties.
    pub properties: Properties<'a>,
}

/// A step of an exchange that proves who the client is (MQTT 5.0, section 3.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Whether it goes on or begins anew.
    pub reason: ReasonCode,
    /// All properties.
    pub properties: Properties<'a>,
}

/// The packets that acknowledge a message or an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Ack {
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
}

impl std::fmt::Debug for Connect<'_> {
    /// Leaves the password out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("clean_start", &self.clean_start)
            .field("keep_alive_secs", &self.keep_alive_secs)
            .field("properties", &self.properties)
            .field("will", &self.will)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
