use std::time::Instant;

use bytes::BytesMut;

use super::{Inbound, Outbound, Violation, dialect};
use crate::codec::{
    Ack, Answer, Disconnect, Packet, PacketId, Publish, Subscribe, Unsubscribe, encode_ack, encode_pingresp,
};
use crate::types::{Limits, QoS, ReasonCode};

/// The state of a session that outlives its connection (section 4.1), but for its subscriptions.
#[derive(Debug, Default)]
pub struct Session {
    /// Messages to the client.
    pub outbound: Outbound,
    /// Messages from the client.
    pub inbound: Inbound,
}

/// What a packet asks of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing more: the session has dealt with it.
    Handled,
    /// Route the message, whatever happens to the connection, then call [`Session::published`].
    Publish(Publish<'a>),
    /// Change subscriptions and answer.
    Subscribe(Subscribe<'a>),
    /// Change subscriptions and answer.
    Unsubscribe(Unsubscribe<'a>),
    /// Close the connection; without sending the will if the client has reached its end well `[MQTT-3.14.4-3]`.
    Disconnect(Disconnect<'a>),
    /// Close the connection, as its client does not keep to the protocol.
    Violation(Violation),
}

impl Session {
    /// Deals with a packet of an accepted connection at `now`; answers are appended to `replies`.
    pub fn handle<'a>(
        &mut self,
        packet: Packet<'a>,
        limits: &Limits,
        now: Instant,
        replies: &mut BytesMut,
    ) -> Event<'a> {
        let version = self.outbound.version();
        match packet {
            Packet::Publish(publish) => return self.handle_publish(publish, limits, replies),
            Packet::Puback(ack) => self.outbound.puback(ack.packet_id, limits, now),
            Packet::Pubrec(ack) => self.outbound.pubrec(ack.packet_id, ack.reason, limits, now, replies),
            Packet::Pubcomp(ack) => self.outbound.pubcomp(ack.packet_id, limits, now),
            Packet::Pubrel(ack) => {
                let was_in_use = self.inbound.release(ack.packet_id);
                let reason = if was_in_use { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
                encode_ack(replies, version, Ack::Pubcomp, ack.packet_id, reason.into());
            }
            Packet::Pingreq => encode_pingresp(replies),
            Packet::Subscribe(subscribe) => return Event::Subscribe(subscribe),
            Packet::Unsubscribe(unsubscribe) => return Event::Unsubscribe(unsubscribe),
            Packet::Disconnect(disconnect) => return Event::Disconnect(disconnect),
            Packet::Auth(_) => return Event::Violation(Violation::UnexpectedAuth),
        }
        Event::Handled
    }

    fn handle_publish<'a>(&mut self, publish: Publish<'a>, limits: &Limits, replies: &mut BytesMut) -> Event<'a> {
        let Some(packet_id) = publish.packet_id else { return Event::Publish(publish) };
        let version = self.outbound.version();
        if publish.qos == QoS::ExactlyOnce && self.inbound.is_duplicate(packet_id) {
            encode_ack(replies, version, Ack::Pubrec, packet_id, ReasonCode::Success.into());
            return Event::Handled;
        }
        if self.inbound.len() >= dialect::receive_max(version, limits).into() {
            return Event::Violation(Violation::ReceiveMaximum);
        }
        // Before it is routed: should another connection take the session over meanwhile, on another thread, the
        // message that is sent again there is this one.
        if publish.qos == QoS::ExactlyOnce {
            self.inbound.remember(packet_id);
        }
        Event::Publish(publish)
    }

    /// The message of a PUBLISH has been accepted by all who had to, or refused: acknowledges it.
    pub fn published<'a>(
        &mut self,
        qos: QoS,
        packet_id: PacketId,
        answer: impl Into<Answer<'a>>,
        replies: &mut BytesMut,
    ) {
        let (version, answer) = (self.outbound.version(), answer.into());
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => encode_ack(replies, version, Ack::Puback, packet_id, answer),
            QoS::ExactlyOnce => {
                encode_ack(replies, version, Ack::Pubrec, packet_id, answer);
                if dialect::ends_with_failed_pubrec(version, answer.reason) {
                    self.inbound.release(packet_id);
                }
            }
        }
    }
}
