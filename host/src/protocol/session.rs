use bytes::BytesMut;

use super::{Inbound, Outbound};
use crate::codec::{Ack, Packet, PacketId, Publish, Subscribe, Unsubscribe, encode_ack, encode_pingresp};
use crate::types::{Limits, QoS};

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
    /// Close the connection without sending the will `[MQTT-3.14.4-3]`.
    Disconnect,
}

impl Session {
    /// Deals with a packet of an accepted connection; answers are appended to `replies`.
    pub fn handle<'a>(&mut self, packet: Packet<'a>, limits: &Limits, replies: &mut BytesMut) -> Event<'a> {
        match packet {
            Packet::Publish(publish) => match publish.packet_id {
                Some(packet_id) if publish.qos == QoS::ExactlyOnce && self.inbound.is_duplicate(packet_id) => {
                    encode_ack(replies, Ack::Pubrec, packet_id);
                    return Event::Handled;
                }
                packet_id => {
                    // Before it is routed: should another connection take the session over meanwhile, on another
                    // thread, the message that is sent again there is this one.
                    if let Some(packet_id) = packet_id.filter(|_| publish.qos == QoS::ExactlyOnce) {
                        self.inbound.remember(packet_id);
                    }
                    return Event::Publish(publish);
                }
            },
            Packet::Puback(packet_id) => self.outbound.puback(packet_id, limits),
            Packet::Pubrec(packet_id) => self.outbound.pubrec(packet_id, replies),
            Packet::Pubcomp(packet_id) => self.outbound.pubcomp(packet_id, limits),
            Packet::Pubrel(packet_id) => {
                self.inbound.release(packet_id);
                encode_ack(replies, Ack::Pubcomp, packet_id);
            }
            Packet::Pingreq => encode_pingresp(replies),
            Packet::Subscribe(subscribe) => return Event::Subscribe(subscribe),
            Packet::Unsubscribe(unsubscribe) => return Event::Unsubscribe(unsubscribe),
            // A second CONNECT does not come this far: `Connection` refuses it.
            Packet::Disconnect | Packet::Connect(_) => return Event::Disconnect,
        }
        Event::Handled
    }

    /// The message of a PUBLISH has been accepted by all who had to: acknowledges it.
    pub fn published(&self, qos: QoS, packet_id: PacketId, replies: &mut BytesMut) {
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => encode_ack(replies, Ack::Puback, packet_id),
            QoS::ExactlyOnce => encode_ack(replies, Ack::Pubrec, packet_id),
        }
    }
}
