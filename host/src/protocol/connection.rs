use std::time::{Duration, Instant};

use crate::codec::{
    Connect, ConnectReturnCode, DecodeError, Frame, Packet, PacketType, ProtocolVersion, decode, decode_connect,
};
use crate::types::Limits;

use super::dialect;

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
}

/// Why a connection is closed without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A packet is malformed.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The first packet is not a CONNECT `[MQTT-3.1.0-1]`.
    #[error("first packet is not a CONNECT")]
    NotConnect,
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
}

/// Why a CONNECT is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Close without a CONNACK.
    Close(Violation),
    /// Say so in a CONNACK, then close `[MQTT-3.2.2-5]`.
    Connack(ConnectReturnCode),
}

impl Connection {
    /// A connection that was opened at `now` and has to send a CONNECT in time.
    pub fn new(now: Instant, limits: &Limits) -> Self {
        let silence_max = Some(Duration::from_secs(limits.connect_timeout_secs));
        let packet_time_max = Duration::from_secs(limits.packet_timeout_secs);
        Self { version: None, last_packet: now, silence_max, packet_began: None, packet_time_max }
    }

    /// Decodes the first packet.
    pub fn handle_connect<'a>(&mut self, frame: Frame<'a>, limits: &Limits) -> Result<Connect<'a>, Rejection> {
        if frame.header.packet_type != PacketType::Connect {
            return Err(Rejection::Close(Violation::NotConnect));
        }
        let connect = decode_connect(frame).map_err(|error| match error {
            DecodeError::ProtocolLevel(_) => Rejection::Connack(ConnectReturnCode::UnacceptableProtocolVersion),
            error => Rejection::Close(error.into()),
        })?;
        dialect::check_client_id(&connect, limits.client_id_bytes_max).map_err(Rejection::Connack)?;
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

    /// Decodes any later packet.
    pub fn handle_packet<'a>(&self, frame: Frame<'a>) -> Result<Packet<'a>, Violation> {
        match (self.version, frame.header.packet_type) {
            (None, _) => Err(Violation::NotConnect),
            (Some(_), PacketType::Connect) => Err(Violation::SecondConnect),
            (Some(version), _) => Ok(decode(version, frame)?),
        }
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
