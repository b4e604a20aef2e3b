use std::num::{NonZeroU16, NonZeroU32};

use bytes::{BufMut, BytesMut};

use super::DecodeError;
use super::fields::{
    put_bytes, put_variable, read_bytes, read_slice, read_string, read_u8, read_u16, read_u32, read_variable,
    variable_len,
};
use crate::types::{QoS, SubscriptionId, TopicName};

/// One property of a packet of MQTT 5.0 (table 2-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Property<'a> {
    /// Whether the payload is text.
    PayloadFormatIndicator(bool),
    MessageExpiryInterval(u32),
    ContentType(&'a str),
    /// A valid topic name.
    ResponseTopic(&'a str),
    CorrelationData(&'a [u8]),
    SubscriptionIdentifier(SubscriptionId),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(&'a str),
    ServerKeepAlive(u16),
    AuthenticationMethod(&'a str),
    AuthenticationData(&'a [u8]),
    RequestProblemInformation(bool),
    WillDelayInterval(u32),
    RequestResponseInformation(bool),
    ResponseInformation(&'a str),
    ServerReference(&'a str),
    ReasonString(&'a str),
    ReceiveMaximum(NonZeroU16),
    TopicAliasMaximum(u16),
    TopicAlias(NonZeroU16),
    /// 0 or 1.
    MaximumQoS(QoS),
    RetainAvailable(bool),
    UserProperty(&'a str, &'a str),
    MaximumPacketSize(NonZeroU32),
    WildcardSubscriptionAvailable(bool),
    SubscriptionIdentifierAvailable(bool),
    SharedSubscriptionAvailable(bool),
}

/// What properties stand in. Two of them are no packets: a will, and all acknowledgements together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Owner {
    Connect = 1 << 0,
    Will = 1 << 1,
    Connack = 1 << 2,
    Publish = 1 << 3,
    Acknowledgement = 1 << 4,
    Subscribe = 1 << 5,
    /// SUBACK and UNSUBACK too.
    Suback = 1 << 6,
    Unsubscribe = 1 << 7,
    Disconnect = 1 << 8,
    Auth = 1 << 9,
}

const USER_PROPERTY: u8 = 0x26;
const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
const TOPIC_ALIAS: u8 = 0x23;

/// Where a property may stand (table 2-4), as bits of [`Owner`]; none if there is no such property.
const fn owners(id: u8) -> Option<u16> {
    use Owner::{Acknowledgement, Auth, Connack, Connect, Disconnect, Publish, Suback, Subscribe, Will};
    Some(match id {
        0x01..=0x03 | 0x08 | 0x09 => Publish as u16 | Will as u16,
        SUBSCRIPTION_IDENTIFIER => Publish as u16 | Subscribe as u16,
        0x11 => Connect as u16 | Connack as u16 | Disconnect as u16,
        0x15 | 0x16 => Connect as u16 | Connack as u16 | Auth as u16,
        0x17 | 0x19 => Connect as u16,
        0x18 => Will as u16,
        0x12 | 0x13 | 0x1a | 0x24 | 0x25 | 0x28..=0x2a => Connack as u16,
        0x1c => Connack as u16 | Disconnect as u16,
        0x1f => Connack as u16 | Acknowledgement as u16 | Suback as u16 | Disconnect as u16 | Auth as u16,
        0x21 | 0x22 | 0x27 => Connect as u16 | Connack as u16,
        TOPIC_ALIAS => Publish as u16,
        USER_PROPERTY => u16::MAX,
        _ => return None,
    })
}

/// Whether receivers of a message get a property as its publisher wrote it `[MQTT-3.3.2-4]` `[MQTT-3.3.2-15]` to
/// `[MQTT-3.3.2-20]`.
const fn is_passed_on(id: u8) -> bool {
    matches!(id, 0x01 | 0x03 | 0x08 | 0x09 | USER_PROPERTY)
}

impl<'a> Property<'a> {
    /// Its identifier on the wire.
    pub const fn id(&self) -> u8 {
        match self {
            Self::PayloadFormatIndicator(_) => 0x01,
            Self::MessageExpiryInterval(_) => MESSAGE_EXPIRY_INTERVAL,
            Self::ContentType(_) => 0x03,
            Self::ResponseTopic(_) => 0x08,
            Self::CorrelationData(_) => 0x09,
            Self::SubscriptionIdentifier(_) => SUBSCRIPTION_IDENTIFIER,
            Self::SessionExpiryInterval(_) => 0x11,
            Self::AssignedClientIdentifier(_) => 0x12,
            Self::ServerKeepAlive(_) => 0x13,
            Self::AuthenticationMethod(_) => 0x15,
            Self::AuthenticationData(_) => 0x16,
            Self::RequestProblemInformation(_) => 0x17,
            Self::WillDelayInterval(_) => 0x18,
            Self::RequestResponseInformation(_) => 0x19,
            Self::ResponseInformation(_) => 0x1a,
            Self::ServerReference(_) => 0x1c,
            Self::ReasonString(_) => 0x1f,
            Self::ReceiveMaximum(_) => 0x21,
            Self::TopicAliasMaximum(_) => 0x22,
            Self::TopicAlias(_) => TOPIC_ALIAS,
            Self::MaximumQoS(_) => 0x24,
            Self::RetainAvailable(_) => 0x25,
            Self::UserProperty(..) => USER_PROPERTY,
            Self::MaximumPacketSize(_) => 0x27,
            Self::WildcardSubscriptionAvailable(_) => 0x28,
            Self::SubscriptionIdentifierAvailable(_) => 0x29,
            Self::SharedSubscriptionAvailable(_) => 0x2a,
        }
    }

    fn read(rest: &mut &'a [u8]) -> Result<Self, DecodeError> {
        // A variable byte integer by the standard; all that exist have one byte.
        let id = read_u8(rest)?;
        let not_zero = |value: u16| NonZeroU16::new(value).ok_or(DecodeError::PropertyValue(id));
        Ok(match id {
            0x01 => Self::PayloadFormatIndicator(read_flag(id, rest)?),
            MESSAGE_EXPIRY_INTERVAL => Self::MessageExpiryInterval(read_u32(rest)?),
            0x03 => Self::ContentType(read_string(rest)?),
            0x08 => {
                let topic = read_string(rest)?;
                TopicName::check(topic).map_err(DecodeError::ResponseTopic)?; // [MQTT-3.3.2-14]
                Self::ResponseTopic(topic)
            }
            0x09 => Self::CorrelationData(read_bytes(rest)?),
            SUBSCRIPTION_IDENTIFIER => {
                let value = SubscriptionId::new(read_variable(rest)?);
                Self::SubscriptionIdentifier(value.ok_or(DecodeError::PropertyValue(id))?)
            }
            0x11 => Self::SessionExpiryInterval(read_u32(rest)?),
            0x12 => Self::AssignedClientIdentifier(read_string(rest)?),
            0x13 => Self::ServerKeepAlive(read_u16(rest)?),
            0x15 => Self::AuthenticationMethod(read_string(rest)?),
            0x16 => Self::AuthenticationData(read_bytes(rest)?),
            0x17 => Self::RequestProblemInformation(read_flag(id, rest)?),
            0x18 => Self::WillDelayInterval(read_u32(rest)?),
            0x19 => Self::RequestResponseInformation(read_flag(id, rest)?),
            0x1a => Self::ResponseInformation(read_string(rest)?),
            0x1c => Self::ServerReference(read_string(rest)?),
            0x1f => Self::ReasonString(read_string(rest)?),
            0x21 => Self::ReceiveMaximum(not_zero(read_u16(rest)?)?),
            0x22 => Self::TopicAliasMaximum(read_u16(rest)?),
            TOPIC_ALIAS => Self::TopicAlias(NonZeroU16::new(read_u16(rest)?).ok_or(DecodeError::TopicAliasZero)?),
            0x24 => match QoS::from_bits(read_u8(rest)?) {
                Some(qos) if qos < QoS::ExactlyOnce => Self::MaximumQoS(qos),
                _ => return Err(DecodeError::PropertyValue(id)),
            },
            0x25 => Self::RetainAvailable(read_flag(id, rest)?),
            USER_PROPERTY => Self::UserProperty(read_string(rest)?, read_string(rest)?),
            0x27 => {
                let value = NonZeroU32::new(read_u32(rest)?);
                Self::MaximumPacketSize(value.ok_or(DecodeError::PropertyValue(id))?)
            }
            0x28 => Self::WildcardSubscriptionAvailable(read_flag(id, rest)?),
            0x29 => Self::SubscriptionIdentifierAvailable(read_flag(id, rest)?),
            0x2a => Self::SharedSubscriptionAvailable(read_flag(id, rest)?),
            _ => return Err(DecodeError::PropertyUnknown(id)),
        })
    }

    /// Appends the property. Strings and binary data are cut at 65,535 bytes by whoever made them.
    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.id());
        match *self {
            Self::PayloadFormatIndicator(flag)
            | Self::RequestProblemInformation(flag)
            | Self::RequestResponseInformation(flag)
            | Self::RetainAvailable(flag)
            | Self::WildcardSubscriptionAvailable(flag)
            | Self::SubscriptionIdentifierAvailable(flag)
            | Self::SharedSubscriptionAvailable(flag) => out.put_u8(flag.into()),
            Self::MaximumQoS(qos) => out.put_u8(qos as u8),
            Self::ServerKeepAlive(value) | Self::TopicAliasMaximum(value) => out.put_u16(value),
            Self::ReceiveMaximum(value) | Self::TopicAlias(value) => out.put_u16(value.get()),
            Self::MessageExpiryInterval(value)
            | Self::SessionExpiryInterval(value)
            | Self::WillDelayInterval(value) => out.put_u32(value),
            Self::MaximumPacketSize(value) => out.put_u32(value.get()),
            Self::SubscriptionIdentifier(id) => put_variable(out, id.value() as usize),
            Self::ContentType(text)
            | Self::ResponseTopic(text)
            | Self::AssignedClientIdentifier(text)
            | Self::AuthenticationMethod(text)
            | Self::ResponseInformation(text)
            | Self::ServerReference(text)
            | Self::ReasonString(text) => put_bytes(out, text.as_bytes()),
            Self::CorrelationData(bytes) | Self::AuthenticationData(bytes) => put_bytes(out, bytes),
            Self::UserProperty(name, value) => {
                put_bytes(out, name.as_bytes());
                put_bytes(out, value.as_bytes());
            }
        }
    }
}

fn read_flag(id: u8, rest: &mut &[u8]) -> Result<bool, DecodeError> {
    match read_u8(rest)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::PropertyValue(id)),
    }
}

/// The properties of a packet, found to be valid where they stand. None in versions before 5.0.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties<'a> {
    encoded: &'a [u8],
    user_properties: u32,
    has_subscription_identifier: bool,
}

impl<'a> Properties<'a> {
    /// Reads the length and all that it counts: each property is one that may stand here, and once unless it may repeat.
    pub(super) fn read(rest: &mut &'a [u8], owner: Owner) -> Result<Self, DecodeError> {
        Self::read_with(rest, owner, |_| {})
    }

    /// The same, and shows each property to `found`.
    pub(super) fn read_with(
        rest: &mut &'a [u8],
        owner: Owner,
        mut found: impl FnMut(Property<'a>),
    ) -> Result<Self, DecodeError> {
        let len = read_variable(rest)? as usize;
        let encoded = read_slice(rest, len)?;
        // Identifiers are less than 64.
        let mut seen = 0_u64;
        let mut user_properties = 0;
        let mut left = encoded;
        while !left.is_empty() {
            let property = Property::read(&mut left)?;
            let id = property.id();
            if owners(id).is_none_or(|owners| owners & owner as u16 == 0) {
                return Err(DecodeError::PropertyMisplaced(id));
            }
            let repeats = id == USER_PROPERTY || (id == SUBSCRIPTION_IDENTIFIER && owner == Owner::Publish);
            if !repeats && seen & 1 << id != 0 {
                return Err(DecodeError::PropertyTwice(id));
            }
            seen |= 1 << id;
            user_properties += u32::from(id == USER_PROPERTY);
            found(property);
        }
        let has_subscription_identifier = seen & 1 << SUBSCRIPTION_IDENTIFIER != 0;
        Ok(Self { encoded, user_properties, has_subscription_identifier })
    }

    /// The properties that were kept of a message, which had been read as above.
    pub fn of_message(properties: &'a crate::types::MessageProperties) -> Self {
        Self { encoded: &properties.passed_on, ..Self::default() }
    }

    /// All of them, in the order of the packet.
    pub fn iter(&self) -> impl Iterator<Item = Property<'a>> + use<'a> {
        let mut rest = self.encoded;
        std::iter::from_fn(move || if rest.is_empty() { None } else { Property::read(&mut rest).ok() })
    }

    /// Names and values of the user properties, in the order of the packet.
    pub fn user_properties(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.iter().filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((name, value)),
            _ => None,
        })
    }

    /// How many user properties there are.
    pub fn user_properties_len(&self) -> usize {
        self.user_properties as usize
    }

    /// Whether a subscription identifier is among them.
    pub fn has_subscription_identifier(&self) -> bool {
        self.has_subscription_identifier
    }

    /// Bytes of all together.
    pub fn bytes(&self) -> usize {
        self.encoded.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// Appends those of a PUBLISH or a will that receivers of the message get unaltered.
    pub fn copy_passed_on(&self, out: &mut Vec<u8>) {
        let mut rest = self.encoded;
        while !rest.is_empty() {
            let before = rest;
            let Ok(property) = Property::read(&mut rest) else { return };
            if is_passed_on(property.id()) {
                out.extend_from_slice(&before[..before.len() - rest.len()]);
            }
        }
    }

    /// The same where it is known that all of them are such.
    pub(crate) fn encoded(&self) -> &'a [u8] {
        self.encoded
    }
}

impl std::fmt::Debug for Properties<'_> {
    /// Leaves authentication data out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.iter().filter(|property| !matches!(property, Property::AuthenticationData(_))))
            .finish()
    }
}

/// Appends the length of some properties, and them.
pub(super) fn put_properties(out: &mut BytesMut, properties: &[Property<'_>]) {
    put_variable(out, encoded_len(properties));
    properties.iter().for_each(|property| property.encode(out));
}

/// Bytes of [`put_properties`].
pub(super) fn properties_len(properties: &[Property<'_>]) -> usize {
    let len = encoded_len(properties);
    variable_len(len) + len
}

fn encoded_len(properties: &[Property<'_>]) -> usize {
    properties.iter().map(Property::encoded_len).sum()
}

impl Property<'_> {
    fn encoded_len(&self) -> usize {
        1 + match self {
            Self::PayloadFormatIndicator(_)
            | Self::RequestProblemInformation(_)
            | Self::RequestResponseInformation(_)
            | Self::RetainAvailable(_)
            | Self::WildcardSubscriptionAvailable(_)
            | Self::SubscriptionIdentifierAvailable(_)
            | Self::SharedSubscriptionAvailable(_)
            | Self::MaximumQoS(_) => 1,
            Self::ServerKeepAlive(_) | Self::TopicAliasMaximum(_) | Self::ReceiveMaximum(_) | Self::TopicAlias(_) => 2,
            Self::MessageExpiryInterval(_)
            | Self::SessionExpiryInterval(_)
            | Self::WillDelayInterval(_)
            | Self::MaximumPacketSize(_) => 4,
            Self::SubscriptionIdentifier(id) => variable_len(id.value() as usize),
            Self::ContentType(text)
            | Self::ResponseTopic(text)
            | Self::AssignedClientIdentifier(text)
            | Self::AuthenticationMethod(text)
            | Self::ResponseInformation(text)
            | Self::ServerReference(text)
            | Self::ReasonString(text) => 2 + text.len(),
            Self::CorrelationData(bytes) | Self::AuthenticationData(bytes) => 2 + bytes.len(),
            Self::UserProperty(name, value) => 4 + name.len() + value.len(),
        }
    }
}
