use std::time::{Duration, Instant};

use crate::codec::{
    Connect, DecodeError, Frame, Packet, PacketType, Properties, ProtocolVersion, Publish, connect_version, decode,
    decode_connect, next_frame,
};
use crate::types::{Capabilities, Limits, ReasonCode};

use super::aliases::IncomingAliases;
use super::dialect::{self, BadClientId};

/// How a client that speaks TLS begins: the type of a record, and the first half of its version.
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];

/// Judges the packets of one network connection, and how long it may be silent.
#[derive(Debug)]
pub struct Connection {
    /// None until a CONNECT has come.
    version: Option<ProtocolVersion>,
    last_packet: Instant,
    /// How long it may be silent; none for ever.
    silence_max: Option<Duration>,
    /// When the packet began of which a part is there.
    packet_began: Option<Instant>,
    /// How long a packet may take from its first byte to its last.
    packet_time_max: Duration,
    /// For a client that uses some.
    aliases: Option<Box<IncomingAliases>>,
}

/// How a client does not keep to the protocol. It ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A packet is malformed.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The first packet is not a CONNECT `[MQTT-3.1.0-1]`.
    #[error("first packet is not a CONNECT")]
    NotConnect,
    /// The handshake of TLS comes where a CONNECT should be.
    #[error(
        "it speaks TLS, and this listener does not; hint: connect it without TLS, or set `ssl: on` for the listener"
    )]
    Tls,
    /// A second CONNECT `[MQTT-3.1.0-2]`.
    #[error("second CONNECT on one connection")]
    SecondConnect,
    /// No CONNECT in time.
    #[error("no CONNECT in time")]
    ConnectTimeout,
    /// Nothing in one and a half times the keep-alive `[MQTT-3.1.2-24]`.
    #[error("silent for longer than its keep-alive allows")]
    KeepAliveTimeout,
    /// A packet that began and did not end in time.
    #[error("a packet was not complete in time")]
    PacketTimeout,
    /// A message with more QoS than its client was told there is `[MQTT-3.2.2-11]`.
    #[error("QoS of a message is higher than the maximum")]
    QoSNotSupported,
    /// A message to be retained where its client was told that none is `[MQTT-3.2.2-14]`.
    #[error("a message is to be retained, and none is")]
    RetainNotSupported,
    /// A message of a client with a subscription identifier `[MQTT-3.3.4-6]`.
    #[error("a client's message has a subscription identifier")]
    SubscriptionIdentifier,
    /// A topic alias above what the client was told it may use `[MQTT-3.3.2-9]`.
    #[error("topic alias {0} is above the maximum")]
    TopicAliasAboveMax(u16),
    /// A topic alias that stands for nothing (MQTT 5.0, 3.3.4).
    #[error("topic alias {0} stands for no topic")]
    TopicAliasUnknown(u16),
    /// More messages without an acknowledgement than the client was told it may send `[MQTT-3.3.4-7]`.
    #[error("more messages in flight than the receive maximum")]
    ReceiveMaximum,
    /// More user properties, or properties with more bytes, than a packet may have.
    #[error("too many properties")]
    Properties,
    /// An AUTH packet without an authentication that it could be a part of (MQTT 5.0, 4.12).
    #[error("unexpected AUTH")]
    UnexpectedAuth,
    /// An AUTH that does not name the authentication method of the CONNECT `[MQTT-4.12.0-5]`.
    #[error("not the authentication method of the CONNECT")]
    AuthenticationMethod,
    /// A session that was to end with its connection is to be kept `[MQTT-3.1.2-23]`.
    #[error("the session was to end with its connection")]
    SessionExpiry,
}

impl Violation {
    /// What a client of MQTT 5.0 is told (section 4.13).
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Malformed(error) => error.reason_code(),
            Self::KeepAliveTimeout => ReasonCode::KeepAliveTimeout,
            Self::QoSNotSupported => ReasonCode::QoSNotSupported,
            Self::RetainNotSupported => ReasonCode::RetainNotSupported,
            Self::TopicAliasAboveMax(_) => ReasonCode::TopicAliasInvalid,
            Self::ReceiveMaximum => ReasonCode::ReceiveMaximumExceeded,
            Self::Properties => ReasonCode::QuotaExceeded,
            Self::ConnectTimeout | Self::PacketTimeout => ReasonCode::UnspecifiedError,
            Self::NotConnect
            | Self::Tls
            | Self::SecondConnect
            | Self::SubscriptionIdentifier
            | Self::TopicAliasUnknown(_)
            | Self::UnexpectedAuth
            | Self::AuthenticationMethod
            | Self::SessionExpiry => ReasonCode::ProtocolError,
        }
    }
}

/// Why a CONNECT is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Close without a CONNACK.
    Close(Violation),
    /// Say so in a CONNACK, then close `[MQTT-3.2.2-5]`.
    Connack(ProtocolVersion, ReasonCode),
    /// The same, with Client Identifier not valid.
    ClientId(ProtocolVersion, BadClientId),
}

impl Connection {
    /// A connection that was opened at `now` and has to send a CONNECT in time.
    pub fn new(now: Instant, limits: &Limits) -> Self {
        let silence_max = Some(Duration::from_secs(limits.connect_timeout_secs));
        let packet_time_max = Duration::from_secs(limits.packet_timeout_secs);
        Self { version: None, last_packet: now, silence_max, packet_began: None, packet_time_max, aliases: None }
    }

    /// The broker has made it wait for so long, which is not of the time for its CONNECT.
    pub fn has_waited(&mut self, waited: Duration) {
        self.last_packet += waited;
    }

    /// Splits a packet off `bytes` before the client is accepted; none while it is not complete. What cannot be a CONNECT, or
    /// not one that is accepted, is refused by its first bytes: nobody is known who could be trusted with more.
    pub fn first_frame<'a>(&self, bytes: &'a [u8], limits: &Limits) -> Result<Option<Frame<'a>>, Violation> {
        let is_connect = |first: &u8| first >> 4 == PacketType::Connect as u8;
        if self.version.is_none() && bytes.starts_with(TLS_HANDSHAKE) {
            return Err(Violation::Tls);
        }
        if self.version.is_none() && !bytes.first().is_none_or(is_connect) {
            return Err(Violation::NotConnect);
        }
        Ok(next_frame(bytes, limits.connect_bytes_max())?)
    }

    /// Decodes the first packet.
    pub fn handle_connect<'a>(
        &mut self,
        frame: Frame<'a>,
        limits: &Limits,
        capabilities: &Capabilities,
    ) -> Result<Connect<'a>, Rejection> {
        if frame.header.packet_type != PacketType::Connect {
            return Err(Rejection::Close(Violation::NotConnect));
        }
        let version = connect_version(frame);
        let connect = decode_connect(frame).map_err(|error| reject(error.into(), version))?;
        let refused = |reason| Rejection::Connack(connect.version, reason);
        let will = connect.will.map(|will| will.properties).unwrap_or_default();
        for properties in [connect.properties, will] {
            check_properties(properties, limits).map_err(|violation| refused(violation.reason_code()))?;
        }
        dialect::check_client_id(&connect, limits.client_id_bytes_max)
            .map_err(|why| Rejection::ClientId(connect.version, why))?;
        dialect::check_connect(&connect, capabilities).map_err(refused)?;
        self.version = Some(connect.version);
        Ok(connect)
    }

    /// The CONNECT has been accepted: from now on the keep-alive counts.
    ///
    /// `delay` is what the broker's settings add to the keep-alive. Never more than half of it `[MQTT-3.1.2-24]`.
    /// Without a keep-alive it is the time that a packet may take.
    pub fn accept(&mut self, now: Instant, keep_alive_secs: u16, delay: Option<Duration>) {
        let keep_alive = Duration::from_secs(keep_alive_secs.into());
        let grace = delay.map_or(keep_alive / 2, |delay| delay.min(keep_alive / 2));
        self.last_packet = now;
        self.silence_max = (keep_alive_secs != 0).then_some(keep_alive + grace);
        if keep_alive_secs == 0 {
            self.packet_time_max = delay.unwrap_or(self.packet_time_max);
        }
    }

    /// Decodes any later packet. A topic alias has been replaced by what it stands for.
    pub fn handle_packet<'a>(
        &'a mut self,
        frame: Frame<'a>,
        limits: &Limits,
        capabilities: &Capabilities,
    ) -> Result<Packet<'a>, Violation> {
        let version = match (self.version, frame.header.packet_type) {
            (None, _) => return Err(Violation::NotConnect),
            (Some(_), PacketType::Connect) => return Err(Violation::SecondConnect),
            (Some(version), _) => version,
        };
        let packet = decode(version, frame)?;
        check_properties(packet.properties(), limits)?;
        match packet {
            Packet::Publish(publish) => {
                dialect::check_publish(version, &publish, capabilities)?;
                self.resolve(publish, limits).map(Packet::Publish)
            }
            packet => Ok(packet),
        }
    }

    /// Puts the topic in place of an alias, or learns what the alias is for `[MQTT-3.3.2-12]`.
    fn resolve<'a>(&'a mut self, mut publish: Publish<'a>, limits: &Limits) -> Result<Publish<'a>, Violation> {
        let Some(alias) = publish.topic_alias else { return Ok(publish) };
        if alias.get() > limits.topic_alias_max {
            return Err(Violation::TopicAliasAboveMax(alias.get()));
        }
        if publish.topic.is_empty() {
            let topic = self.aliases.as_ref().and_then(|aliases| aliases.topic(alias));
            publish.topic = topic.ok_or(Violation::TopicAliasUnknown(alias.get()))?.as_str();
        } else {
            self.aliases.get_or_insert_default().set(alias, publish.topic);
        }
        Ok(publish)
    }

    /// Something was read at `now`, and a part of a packet is left of it or not.
    pub fn partial(&mut self, now: Instant, is_partial: bool) {
        self.packet_began = if is_partial { self.packet_began.or(Some(now)) } else { None };
    }

    /// A packet was complete at `now`.
    pub fn heard(&mut self, now: Instant) {
        self.packet_began = None;
        // Until the CONNECT is complete, bytes do not buy time.
        if self.version.is_some() {
            self.last_packet = now;
        }
    }

    /// The version of the CONNECT.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.version
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, if nothing is heard until then.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.silence_deadline(), self.packet_deadline()].into_iter().flatten().min()
    }

    fn silence_deadline(&self) -> Option<Instant> {
        self.silence_max.map(|silence_max| self.last_packet + silence_max)
    }

    /// Until the CONNECT is complete there is one limit for all.
    fn packet_deadline(&self) -> Option<Instant> {
        self.version?;
        self.packet_began.map(|began| began + self.packet_time_max)
    }

    /// Whether the connection has been silent for too long at `now`.
    pub fn handle_timeout(&self, now: Instant) -> Result<(), Violation> {
        let passed = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        match self.version {
            None if passed(self.silence_deadline()) => Err(Violation::ConnectTimeout),
            Some(_) if passed(self.silence_deadline()) => Err(Violation::KeepAliveTimeout),
            Some(_) if passed(self.packet_deadline()) => Err(Violation::PacketTimeout),
            _ => Ok(()),
        }
    }
}

fn check_properties(properties: Properties<'_>, limits: &Limits) -> Result<(), Violation> {
    let few = properties.user_properties_len() <= limits.user_properties_max;
    if few && properties.bytes() <= limits.properties_bytes_max { Ok(()) } else { Err(Violation::Properties) }
}

/// How a CONNECT is refused that does not keep to the protocol.
fn reject(violation: Violation, version: Option<ProtocolVersion>) -> Rejection {
    let reason = violation.reason_code();
    match (violation, version) {
        // [MQTT-3.1.2-2]: in the form of MQTT 3.1.1, as nobody knows what a later version looks like.
        (Violation::Malformed(DecodeError::ProtocolLevel(_)), _) => {
            Rejection::Connack(dialect::UNKNOWN_VERSION_FORM, reason)
        }
        (_, Some(version)) if dialect::answers_malformed_connect(version) => Rejection::Connack(version, reason),
        (violation, _) => Rejection::Close(violation),
    }
}
