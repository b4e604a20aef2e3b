use std::collections::{HashSet, VecDeque};

use bytes::BytesMut;

use super::{FILTER, Note};
use crate::codec::{
    Ack, Acknowledgement, Packet, PacketId, ProtocolVersion, Publish, PublishHead, PublishProperties, encode_ack,
};
use crate::protocol::ClientTerms;
use crate::types::random::Random;
use crate::types::{QoS, ReasonCode};

/// Identifiers that a client uses for messages: few, so that they are used again soon.
const IDS: u16 = 6;

/// The one that it uses for everything else.
const OTHER_ID: u8 = 7;

/// A client that keeps to the standard, with a session of its own that outlives connections.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// What it speaks and takes.
    pub(super) terms: ClientTerms,
    /// What was published above QoS 0 and is not done, in the order of sending.
    unacked: VecDeque<Unacked>,
    last_id: u16,
    /// QoS 2 messages that were passed on and not yet released.
    unreleased: HashSet<PacketId>,
    /// Answers that wait to be sent, which is lost with the connection.
    answers: VecDeque<(Ack, PacketId)>,
    /// How many messages it has published.
    pub(super) published: Vec<QoS>,
}

#[derive(Debug)]
struct Unacked {
    id: PacketId,
    note: Note,
    qos: QoS,
    /// A PUBREC has come.
    released: bool,
}

impl Client {
    pub(super) fn new(terms: ClientTerms) -> Self {
        Self { terms, ..Self::default() }
    }

    /// Publishes one more message, if it has an identifier left for it.
    pub(super) fn publish(&mut self, author: usize, random: &mut Random, up: &mut BytesMut) {
        let qos = random.qos();
        let note = Note { author, number: self.published.len(), qos, topic: random.below(2) };
        let id = match qos {
            QoS::AtMostOnce => None,
            _ => match self.free_id() {
                Some(id) => Some(id),
                None => return,
            },
        };
        self.published.push(qos);
        write_publish(self.terms.version, &note, false, id, up);
        self.unacked.extend(id.map(|id| Unacked { id, note, qos, released: false }));
    }

    /// Asks for all messages at some QoS, or for none. The answer is not modelled: it may be lost with the connection, and
    /// what was asked for is what the broker has read.
    pub(super) fn change_subscription(&self, random: &mut Random, up: &mut BytesMut) {
        let qos = (!random.one_in(4)).then(|| random.qos() as u8);
        let first_byte = if qos.is_some() { 0x82 } else { 0xa2 };
        // In MQTT 5.0 there is a length of properties, of which there are none.
        let properties = &[0_u8][..usize::from(self.terms.version == ProtocolVersion::V5)];
        let len = 4 + (properties.len() + FILTER.len()) as u8 + u8::from(qos.is_some());
        up.extend_from_slice(&[first_byte, len, 0, OTHER_ID]);
        up.extend_from_slice(properties);
        up.extend_from_slice(&[0, FILTER.len() as u8]);
        up.extend_from_slice(FILTER.as_bytes());
        up.extend(qos);
    }

    fn free_id(&mut self) -> Option<PacketId> {
        let ids = (1..=IDS).map(|step| (self.last_id + step - 1) % IDS + 1);
        let id = ids.filter_map(PacketId::new).find(|id| self.unacked.iter().all(|unacked| unacked.id != *id))?;
        self.last_id = id.value();
        Some(id)
    }

    /// Begins a new connection: sends again what was not acknowledged `[MQTT-4.4.0-1]`.
    pub(super) fn connect(&mut self, up: &mut BytesMut) {
        self.answers.clear();
        for unacked in &self.unacked {
            if unacked.released {
                encode_ack(up, self.terms.version, Ack::Pubrel, unacked.id, ReasonCode::Success.into());
            } else {
                write_publish(self.terms.version, &unacked.note, true, Some(unacked.id), up);
            }
        }
    }

    /// Deals with a packet; returns the message and its RETAIN flag, if it is one that the application is to see.
    pub(super) fn handle(&mut self, packet: &Packet<'_>) -> Option<(Note, bool)> {
        match *packet {
            Packet::Publish(publish) => return self.receive(&publish),
            Packet::Puback(Acknowledgement { packet_id: id, .. }) => {
                let done = self.take(id);
                assert!(done.is_some_and(|unacked| unacked.qos == QoS::AtLeastOnce), "PUBACK of {id:?}");
            }
            Packet::Pubrec(Acknowledgement { packet_id: id, .. }) => {
                // On one connection the broker answers each PUBLISH once.
                let unacked = self.unacked.iter_mut().find(|unacked| unacked.id == id).expect("PUBREC of a message");
                assert!(unacked.qos == QoS::ExactlyOnce && !unacked.released, "PUBREC of {unacked:?}");
                unacked.released = true;
                self.answers.push_back((Ack::Pubrel, id));
            }
            Packet::Pubcomp(Acknowledgement { packet_id: id, .. }) => {
                let done = self.take(id);
                assert!(done.is_some_and(|unacked| unacked.released), "PUBCOMP of {id:?}");
            }
            Packet::Pubrel(Acknowledgement { packet_id: id, .. }) => {
                self.unreleased.remove(&id);
                self.answers.push_back((Ack::Pubcomp, id));
            }
            ref other => panic!("a client does not get {other:?}"),
        }
        None
    }

    fn take(&mut self, id: PacketId) -> Option<Unacked> {
        let index = self.unacked.iter().position(|unacked| unacked.id == id)?;
        self.unacked.remove(index)
    }

    fn receive(&mut self, publish: &Publish<'_>) -> Option<(Note, bool)> {
        let note = (Note::read(publish), publish.retain);
        match (publish.qos, publish.packet_id) {
            (QoS::ExactlyOnce, Some(id)) => {
                self.answers.push_back((Ack::Pubrec, id));
                self.unreleased.insert(id).then_some(note)
            }
            (_, id) => {
                self.answers.extend(id.map(|id| (Ack::Puback, id)));
                Some(note)
            }
        }
    }

    /// Sends the answer that waits longest.
    pub(super) fn answer(&mut self, up: &mut BytesMut) -> bool {
        let Some((ack, id)) = self.answers.pop_front() else { return false };
        encode_ack(up, self.terms.version, ack, id, ReasonCode::Success.into());
        true
    }

    /// Whether it waits for nothing and nothing waits for it.
    pub(super) fn is_quiet(&self) -> bool {
        self.unacked.is_empty() && self.unreleased.is_empty() && self.answers.is_empty()
    }
}

fn write_publish(version: ProtocolVersion, note: &Note, dup: bool, packet_id: Option<PacketId>, up: &mut BytesMut) {
    let topic = note.topic_name();
    let payload = note.payload();
    let head = PublishHead {
        version,
        dup,
        qos: note.qos,
        retain: note.retains(),
        topic: topic.as_str(),
        packet_id,
        properties: PublishProperties::default(),
    };
    head.encode(up, payload.len());
    up.extend_from_slice(payload.as_bytes());
}
