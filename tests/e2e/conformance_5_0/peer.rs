use super::packets::*;
use crate::broker::Broker;
use crate::conformance::peer::Peer as Raw;

/// A client of MQTT 5.0 that sends what it is told and knows each packet that it wants to see.
pub(super) struct Peer(Raw);

impl Peer {
    /// A connection on which nothing was said yet.
    pub(super) fn open(broker: &Broker) -> Self {
        Self(Raw::open(broker))
    }

    /// A client whose session ends with its connection.
    #[track_caller]
    pub(super) fn connected(broker: &Broker, client_id: &str) -> Self {
        Self::accepted(broker, &Connect::clean(client_id), false)
    }

    /// A client whose CONNECT is accepted.
    #[track_caller]
    pub(super) fn accepted(broker: &Broker, connect: &Connect, session_present: bool) -> Self {
        Self::told(broker, connect, session_present).0
    }

    /// The same, and the properties of the CONNACK.
    #[track_caller]
    pub(super) fn told(broker: &Broker, connect: &Connect, session_present: bool) -> (Self, Vec<u8>) {
        let mut peer = Self::open(broker);
        peer.send(connect.bytes());
        let connack = peer.0.next();
        assert_eq!(connack[..4], [0x20, connack.len() as u8 - 2, u8::from(session_present), 0], "{connack:02x?}");
        assert_eq!(usize::from(connack[4]), connack.len() - 5);
        (peer, connack[5..].to_vec())
    }

    /// The CONNECT is refused with this reason, and the connection closed `[MQTT-3.2.2-7]`.
    #[track_caller]
    pub(super) fn refused(broker: &Broker, connect: impl AsRef<[u8]>, reason: u8) {
        let mut peer = Self::open(broker);
        peer.send(connect).expect([0x20, 3, 0, reason, 0]).expect_closed();
    }

    /// Makes a subscription that is granted.
    #[track_caller]
    pub(super) fn subscribe(&mut self, filter: &str, options: u8) -> &mut Self {
        self.send(subscribe(1, &[], &[(filter, options)])).expect(suback(1, &[options & 0b11]))
    }

    /// The same with an identifier.
    #[track_caller]
    pub(super) fn subscribe_as(&mut self, id: u8, filter: &str, options: u8) -> &mut Self {
        self.send(subscribe(1, &[subscription_id(id)], &[(filter, options)])).expect(suback(1, &[options & 0b11]))
    }

    /// Publishes at QoS 1 and waits until everyone has the message, of whom there is one at least.
    #[track_caller]
    pub(super) fn publish(&mut self, flags: u8, topic: &str, properties: &[Vec<u8>], payload: &str) -> &mut Self {
        self.send(publish(Q1 | flags, topic, 1, properties, payload)).expect(puback(1))
    }

    /// The same where it does not matter who has it.
    #[track_caller]
    pub(super) fn publish_to_any(
        &mut self,
        flags: u8,
        topic: &str,
        properties: &[Vec<u8>],
        payload: &str,
    ) -> &mut Self {
        self.send(publish(Q1 | flags, topic, 1, properties, payload));
        let answer = self.0.next();
        assert!(answer == puback(1) || answer == with_reason(&puback(1), 0x10), "{answer:02x?}");
        self
    }

    #[track_caller]
    pub(super) fn send(&mut self, packet: impl AsRef<[u8]>) -> &mut Self {
        self.0.send(packet);
        self
    }

    /// The next packet is this one.
    #[track_caller]
    pub(super) fn expect(&mut self, expected: impl AsRef<[u8]>) -> &mut Self {
        self.0.expect(expected);
        self
    }

    /// The next packet is a PUBLISH like this; returns its identifier, at QoS 0 nothing that means anything.
    #[track_caller]
    pub(super) fn expect_publish(&mut self, flags: u8, topic: &str, properties: &[Vec<u8>], payload: &str) -> u16 {
        let packet = self.0.next();
        // Past the first byte, a length of one byte and the topic: no packet here is longer.
        let at = 4 + topic.len();
        let id = packet.get(at..at + 2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
        let packet_id = if flags & (Q1 | Q2) == 0 { 0 } else { id };
        let expected = publish(flags, topic, packet_id, properties, payload);
        assert_eq!(packet, expected, "{packet:02x?} instead of {expected:02x?}");
        packet_id
    }

    /// The next packet, whatever it is.
    #[track_caller]
    pub(super) fn receive(&mut self) -> Vec<u8> {
        self.0.next()
    }

    /// Nothing was sent that has not been looked at.
    #[track_caller]
    pub(super) fn expect_quiet(&mut self) -> &mut Self {
        self.0.expect_quiet();
        self
    }

    /// The broker says why it goes, and closes the connection.
    #[track_caller]
    pub(super) fn expect_disconnect(&mut self, reason: u8) {
        self.expect(disconnect(reason, &[])).expect_closed();
    }

    /// The broker closes the connection; what it sent before is of no interest.
    pub(super) fn expect_closed_after_messages(&mut self) {
        self.0.drain();
    }

    /// How many messages have come.
    #[track_caller]
    pub(super) fn count_messages(&mut self) -> usize {
        self.send([0xc0, 0, 0xc0, 0]);
        let (mut answers, mut messages) = (0, 0);
        while answers < 2 {
            match self.receive()[0] >> 4 {
                0xd => answers += 1,
                _ => messages += 1,
            }
        }
        messages
    }

    /// The broker closes the connection, and says nothing before.
    #[track_caller]
    pub(super) fn expect_closed(&mut self) {
        self.0.expect_closed();
    }
}
