use std::collections::HashMap;

use super::Note;
use super::tally::Tally;
use crate::codec::{Packet, PacketId, ProtocolVersion, Publish, decode, next_frame};
use crate::types::QoS;

/// Reads along what the broker sends to one client, and holds it to the standard.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    /// Messages above QoS 0 that were sent and not yet acknowledged, as the broker has to see it.
    in_use: HashMap<PacketId, Sent>,
    /// How many of them have been acknowledged to the end.
    pub(super) completed: usize,
    /// How many messages of QoS 0 were sent, whether they arrived or not.
    pub(super) qos0_sent: usize,
    /// How many packets the connection still has to begin with: those that are sent again.
    again: usize,
    /// Identifiers that were sent on this connection.
    on_connection: Vec<PacketId>,
}

#[derive(Debug)]
struct Sent {
    note: Note,
    qos: QoS,
    retain: bool,
    /// Its PUBREL was sent.
    released: bool,
    /// The client has sent the PUBREC.
    received: bool,
}

impl Watcher {
    /// The broker begins a connection, with so many messages in flight.
    pub(super) fn connect(&mut self, inflight_len: usize) {
        assert_eq!(self.in_use.len(), inflight_len, "messages in flight are those that were not acknowledged");
        self.again = inflight_len;
        self.on_connection.clear();
    }

    /// The broker sends these whole packets out of the session's buffer.
    pub(super) fn sends(&mut self, version: ProtocolVersion, tally: &Tally, mut bytes: &[u8]) {
        while let Some(frame) = next_frame(bytes, usize::MAX).expect("well formed") {
            match decode(version, frame).expect("well formed") {
                Packet::Publish(publish) => {
                    let note = Note::read(&publish);
                    tally.check_sent(&note, publish.qos, publish.retain);
                    match publish.packet_id {
                        None => self.qos0_sent += 1,
                        Some(id) => self.sends_message(id, note, &publish),
                    }
                }
                Packet::Pubrel(ack) => {
                    self.sends_again(ack.packet_id);
                    self.releases(ack.packet_id);
                }
                other => panic!("not out of the session's buffer: {other:?}"),
            }
            bytes = &bytes[frame.header.packet_len()..];
        }
        assert!(bytes.is_empty(), "a part of a packet was left");
    }

    fn sends_message(&mut self, id: PacketId, note: Note, publish: &Publish<'_>) {
        let (qos, retain) = (publish.qos, publish.retain);
        assert!(!self.on_connection.contains(&id) || !self.in_use.contains_key(&id), "{id:?} twice on a connection");
        self.on_connection.push(id);
        if publish.dup {
            self.sends_again(id);
            let sent = self.in_use.get(&id).expect("DUP is for what was sent before");
            assert!(!sent.received, "[MQTT-4.3.3-1] not sent again after its PUBREC: {sent:?}");
            let before = (&sent.note, sent.qos, sent.retain);
            assert_eq!(before, (&note, qos, retain), "[MQTT-2.3.1-4] {id:?} is used by another message");
        } else {
            assert_eq!(self.again, 0, "what was sent before comes first [MQTT-4.6.0-1]");
            let old = self.in_use.insert(id, Sent { note, qos, retain, released: false, received: false });
            assert!(old.is_none(), "[MQTT-2.3.1-4] {id:?} is in use by {old:?}");
        }
    }

    fn sends_again(&mut self, id: PacketId) {
        assert!(self.again > 0, "{id:?} is sent again without a new connection [MQTT-4.4.0-1]");
        self.again -= 1;
    }

    fn releases(&mut self, id: PacketId) {
        let sent = self.in_use.get_mut(&id).expect("[MQTT-4.3.3-1] PUBREL of a message in flight");
        assert!(sent.received, "PUBREL before the PUBREC");
        sent.released = true;
    }

    /// The broker handles what the client sent, and answers.
    pub(super) fn handled(&mut self, packet: &Packet<'_>, answer: &[u8]) {
        match *packet {
            Packet::Puback(ack) => {
                let sent = self.in_use.remove(&ack.packet_id).expect("the client acknowledges what it got");
                assert_eq!(sent.qos, QoS::AtLeastOnce);
                self.completed += 1;
            }
            Packet::Pubrec(ack) => {
                let id = ack.packet_id;
                self.in_use.get_mut(&id).expect("the client acknowledges what it got").received = true;
                let [high, low] = id.value().to_be_bytes();
                assert_eq!(answer, [0x62, 2, high, low], "[MQTT-4.3.3-1] a PUBREC is answered by a PUBREL");
                self.releases(id);
            }
            Packet::Pubcomp(ack) => {
                let sent = self.in_use.remove(&ack.packet_id).expect("the client acknowledges what it got");
                assert!(sent.released, "PUBCOMP before the PUBREL");
                self.completed += 1;
            }
            _ => {}
        }
    }

    /// Messages that are in use.
    pub(super) fn in_use_len(&self) -> usize {
        self.in_use.len()
    }
}
