use std::io::{Read, Write};
use std::net::TcpStream;

use super::packets::{PINGREQ, PINGRESP, Q0, Q1, connack, connect, puback, publish, suback, subscribe};
use crate::broker::Broker;
use crate::protocol::{answer_until_close, open};

/// A client that sends what it is told, right or wrong, and knows each packet that it wants to see.
pub(crate) struct Peer(TcpStream);

impl Peer {
    /// A connection on which nothing was said yet.
    pub(crate) fn open(broker: &Broker) -> Self {
        Self(open(broker))
    }

    /// A client with a clean session.
    pub(crate) fn connected(broker: &Broker, client_id: &str) -> Self {
        Self::accepted(broker, connect(client_id), false)
    }

    /// A client whose CONNECT is accepted.
    #[track_caller]
    pub(crate) fn accepted(broker: &Broker, connect: impl AsRef<[u8]>, session_present: bool) -> Self {
        let mut peer = Self::open(broker);
        peer.send(connect).expect(connack(session_present, 0));
        peer
    }

    /// A client with a clean session and one subscription.
    #[track_caller]
    pub(crate) fn subscribed(broker: &Broker, client_id: &str, filter: &str, qos: u8) -> Self {
        let mut peer = Self::connected(broker, client_id);
        peer.subscribe(filter, qos);
        peer
    }

    /// Makes a subscription that is granted.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, filter: &str, qos: u8) -> &mut Self {
        self.send(subscribe(1, &[(filter, qos)])).expect(suback(1, &[qos]))
    }

    /// Publishes at QoS 1 and waits until everyone has the message.
    #[track_caller]
    pub(crate) fn publish(&mut self, flags: u8, topic: &str, payload: &str) -> &mut Self {
        self.send(publish(Q1 | flags, topic, 1, payload)).expect(puback(1))
    }

    #[track_caller]
    pub(crate) fn send(&mut self, packet: impl AsRef<[u8]>) -> &mut Self {
        self.0.write_all(packet.as_ref()).expect("is open");
        self
    }

    /// The next packet is this one.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: impl AsRef<[u8]>) -> &mut Self {
        let packet = self.next();
        assert_eq!(packet, expected.as_ref(), "{packet:02x?} instead of {:02x?}", expected.as_ref());
        self
    }

    /// The next packet is a PUBLISH like this; returns its identifier, at QoS 0 nothing that means anything.
    #[track_caller]
    pub(crate) fn expect_publish(&mut self, flags: u8, topic: &str, payload: &str) -> u16 {
        let packet = self.next();
        // Past the first byte, a length of one byte and the topic: no packet here is longer.
        let at = 4 + topic.len();
        let packet_id = if flags & !1 == Q0 {
            0
        } else {
            packet.get(at..at + 2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]))
        };
        let expected = publish(flags, topic, packet_id, payload);
        assert_eq!(packet, expected, "{packet:02x?} instead of {expected:02x?}");
        assert!(packet_id != 0 || flags & !1 == Q0, "identifier 0");
        packet_id
    }

    /// Nothing was sent that has not been looked at.
    ///
    /// The answer to the first ping may overtake messages, which are then written together with it; the second's not.
    #[track_caller]
    pub(crate) fn expect_quiet(&mut self) -> &mut Self {
        self.send(PINGREQ).expect(PINGRESP).send(PINGREQ).expect(PINGRESP)
    }

    /// The broker closes the connection, and says nothing before.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        let answer = answer_until_close(&mut self.0, b"");
        assert!(answer.is_empty(), "{answer:02x?} instead of the end");
    }

    /// Reads all that the broker sends until it closes the connection.
    pub(crate) fn drain(&mut self) {
        answer_until_close(&mut self.0, b"");
    }

    /// The next packet.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut packet = Vec::new();
        let mut read = |packet: &mut Vec<u8>, len: usize| {
            let start = packet.len();
            packet.resize(start + len, 0);
            self.0.read_exact(&mut packet[start..]).expect("the broker sends a packet");
        };
        read(&mut packet, 2);
        let (mut len, mut shift) = (usize::from(packet[1] & 0x7f), 7);
        while packet[packet.len() - 1] & 0x80 != 0 {
            read(&mut packet, 1);
            len |= usize::from(packet[packet.len() - 1] & 0x7f) << shift;
            shift += 7;
        }
        read(&mut packet, len);
        packet
    }
}
