use std::collections::HashMap;
use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::Note;
use super::client::Client;
use super::watcher::Watcher;
use crate::codec::{PacketId, ProtocolVersion, decode, next_frame};
use crate::protocol::{ClientTerms, Delivered, Delivery, Event, Payload, Scratch, Session, Terms};
use crate::queue::Outgoing;
use crate::types::random::Random;
use crate::types::{Limits, QoS, ReasonCode, TopicName};

/// Which connections are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cuts {
    /// Any, at any time.
    Random,
    /// The one that carries the byte after this many, and no other.
    After(usize),
}

/// How many kinds of things happen to a peer.
const ACTIONS: usize = 8;

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    random: Random,
    limits: Limits,
    now: Instant,
    peers: Vec<Peer>,
    cuts: Cuts,
    bytes_moved: usize,
    links: usize,
}

/// A client, its session in the broker, and what lies between.
#[derive(Debug)]
struct Peer {
    client: Client,
    session: Session,
    granted: QoS,
    watcher: Watcher,
    /// The client's connection.
    link: Option<Link>,
    /// Earlier connections whose end the broker has not seen.
    old_links: Vec<Link>,
    /// Which connection the broker has given the session to.
    owner: Option<usize>,
    tally: Tally,
}

/// One network connection.
#[derive(Debug, Default)]
struct Link {
    id: usize,
    /// The broker has seen its CONNECT.
    accepted: bool,
    /// From the client, on the way.
    up: BytesMut,
    /// To the client, on the way.
    down: BytesMut,
    /// Arrived at the broker, and not yet a whole packet.
    at_broker: BytesMut,
    /// Arrived at the client, and not yet a whole packet.
    at_client: BytesMut,
    /// A message was routed and is to be acknowledged: another connection may come between, on another thread.
    routed: Option<(QoS, PacketId)>,
}

/// What became of the messages for one client.
#[derive(Debug, Default)]
struct Tally {
    /// Messages that were handed to the session.
    delivered: usize,
    /// Dropped for lack of room, or since the client was away, or when it went.
    dropped: usize,
    away: usize,
    dropped_on_disconnect: usize,
    /// How often the application saw a message, by author and number.
    seen: HashMap<(usize, usize), usize>,
    /// The last message of each author that was new.
    last: HashMap<usize, usize>,
    /// How often the broker routed a message of this client.
    routed: HashMap<usize, usize>,
}

/// Limits under which nothing moves from the queue to the buffer.
fn frozen(limits: &Limits) -> Limits {
    Limits { outgoing_bytes_max: 0, ..limits.clone() }
}

impl World {
    pub(super) fn new(mut random: Random, cuts: Cuts) -> Self {
        let roomy = random.one_in(2);
        let limits = Limits {
            inflight_max: 1 + random.below(4) as u16,
            queue_messages_max: if roomy { 10_000 } else { 1 + random.below(8) },
            queue_bytes_max: if roomy { 10 << 20 } else { 60 + random.below(6_000) },
            outgoing_bytes_max: 1 + random.below(120),
            ..Limits::default()
        };
        let peers = (0..2 + random.below(2)).map(|_| Peer {
            client: Client::default(),
            session: Session::default(),
            granted: random.qos(),
            watcher: Watcher::default(),
            link: None,
            old_links: Vec::new(),
            owner: None,
            tally: Tally::default(),
        });
        let peers = peers.collect();
        Self { random, limits, now: Instant::now(), peers, cuts, bytes_moved: 0, links: 0 }
    }

    /// Lets `steps` things happen.
    pub(super) fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let index = self.random.below(self.peers.len());
            match self.random.below(12) {
                0 | 1 => self.publish(index),
                2 if self.random.one_in(3) && self.cuts == Cuts::Random => self.cut(index),
                _ => {
                    let action = self.random.below(ACTIONS);
                    self.step(index, action);
                }
            }
            self.check_limits(index);
        }
    }

    /// Lets everything come to rest, without further cuts.
    pub(super) fn settle(&mut self) {
        if self.cuts == Cuts::Random {
            self.cuts = Cuts::After(usize::MAX);
        }
        for _ in 0..100_000 {
            let mut moved = false;
            for index in 0..self.peers.len() {
                for action in 0..ACTIONS {
                    moved |= self.step(index, action);
                    self.check_limits(index);
                }
            }
            if !moved {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    pub(super) fn was_cut(&self) -> bool {
        matches!(self.cuts, Cuts::After(bytes) if self.bytes_moved > bytes)
    }

    fn publish(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        if let Some(link) = &mut peer.link {
            peer.client.publish(index, &mut self.random, &mut link.up);
        }
    }

    /// The client's connection is gone; the broker may hear of it later than of the next one.
    fn cut(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        peer.old_links.extend(peer.link.take());
    }

    /// Lets one of the [`ACTIONS`] happen to a peer; whether it was possible.
    fn step(&mut self, index: usize, action: usize) -> bool {
        match action {
            0 => self.open(index),
            1 => self.accept(index),
            2 => self.move_bytes(index, true),
            6 => self.move_bytes(index, false),
            3 => self.broker_reads(index),
            4 => self.broker_writes(index),
            5 => self.client_reads(index),
            _ => self.old_link_moves(index),
        }
    }

    fn open(&mut self, index: usize) -> bool {
        let peer = &mut self.peers[index];
        if peer.link.is_some() {
            return peer.link.as_mut().is_some_and(|link| peer.client.answer(&mut link.up));
        }
        self.links += 1;
        let mut link = Link { id: self.links, ..Link::default() };
        peer.client.connect(&mut link.up);
        peer.link = Some(link);
        true
    }

    /// As `broker/session.rs` does: whoever has the session loses it.
    fn accept(&mut self, index: usize) -> bool {
        let Peer { link: Some(link), session, watcher, owner, tally, granted, .. } = &mut self.peers[index] else {
            return false;
        };
        if link.accepted {
            return false;
        }
        if owner.is_some() {
            disconnect(session, watcher, tally, *granted, &self.limits);
        }
        link.accepted = true;
        *owner = Some(link.id);
        watcher.connect(session.outbound.inflight_len());
        session.outbound.connect(ClientTerms::default(), &self.limits, self.now);
        true
    }

    fn move_bytes(&mut self, index: usize, upwards: bool) -> bool {
        let Some(link) = &mut self.peers[index].link else { return false };
        let (from, to) =
            if upwards { (&mut link.up, &mut link.at_broker) } else { (&mut link.down, &mut link.at_client) };
        let mut count = from.len().min(1 + self.random.below(40) * self.random.below(300));
        if let Cuts::After(bytes) = self.cuts {
            count = count.min(bytes.saturating_sub(self.bytes_moved).max(1));
            if self.bytes_moved == bytes && count > 0 {
                self.bytes_moved += 1;
                self.cut(index);
                return true;
            }
        }
        to.extend_from_slice(&from.split_to(count));
        self.bytes_moved += count;
        count > 0
    }

    /// The broker hears of an earlier connection: some more of its bytes, or its end.
    fn old_link_moves(&mut self, index: usize) -> bool {
        if self.peers[index].old_links.is_empty() {
            return false;
        }
        let mut link = self.peers[index].old_links.remove(0);
        let is_owner = self.peers[index].owner == Some(link.id);
        // Once displaced, nothing of it reaches the session: but for what was under way already.
        if !is_owner {
            return true;
        }
        if self.random.one_in(3) {
            let Peer { session, watcher, tally, granted, owner, .. } = &mut self.peers[index];
            disconnect(session, watcher, tally, *granted, &self.limits);
            *owner = None;
            return true;
        }
        let count = link.up.len().min(self.random.below(60));
        link.at_broker.extend_from_slice(&link.up.split_to(count));
        self.broker_reads_from(index, &mut link);
        self.peers[index].old_links.insert(0, link);
        true
    }

    fn broker_reads(&mut self, index: usize) -> bool {
        let Some(mut link) = self.peers[index].link.take() else { return false };
        let moved = self.peers[index].owner == Some(link.id) && self.broker_reads_from(index, &mut link);
        self.peers[index].link = Some(link);
        moved
    }

    /// One packet, as `handle_frame` in `broker/connection.rs`.
    fn broker_reads_from(&mut self, index: usize, link: &mut Link) -> bool {
        if let Some((qos, packet_id)) = link.routed.take() {
            self.peers[index].session.published(qos, packet_id, ReasonCode::Success, &mut link.down);
            return true;
        }
        let bytes = link.at_broker.split();
        let Some(frame) = next_frame(&bytes, usize::MAX).expect("clients keep to the standard") else {
            link.at_broker = bytes;
            return false;
        };
        let packet = decode(ProtocolVersion::V311, frame).expect("clients keep to the standard");
        let mut replies = BytesMut::new();
        let Peer { session, watcher, .. } = &mut self.peers[index];
        let event = session.handle(packet, &self.limits, self.now, &mut replies);
        watcher.handled(&packet, &replies);
        link.down.extend_from_slice(&replies);
        match event {
            Event::Handled => {}
            Event::Publish(publish) => {
                let note = Note::read(&publish);
                assert_eq!((note.author, note.qos), (index, publish.qos));
                self.route(&note, publish.payload);
                link.routed = publish.packet_id.map(|packet_id| (publish.qos, packet_id));
            }
            other => panic!("no client asks for {other:?}"),
        }
        link.at_broker.extend_from_slice(&bytes[frame.header.packet_len()..]);
        true
    }

    fn route(&mut self, note: &Note, payload: &[u8]) {
        *self.peers[note.author].tally.routed.entry(note.number).or_default() += 1;
        let topic: TopicName = note.topic_name();
        let mut scratch = Scratch::default();
        let payload = Payload::Read { bytes: payload, buffer: None };
        let mut delivery = Delivery::new(&topic, payload, note.qos, self.now, &mut scratch);
        for Peer { session, tally, granted, .. } in &mut self.peers {
            tally.delivered += 1;
            match session.outbound.deliver(&mut delivery, Terms::new(*granted), &self.limits) {
                Delivered::Buffered | Delivered::Queued => {}
                Delivered::QueuedInsteadOf(count) => tally.dropped += count,
                Delivered::Dropped => tally.dropped += 1,
                Delivered::Away => tally.away += 1,
                Delivered::TooLarge => panic!("every client takes packets of any size"),
            }
        }
    }

    fn broker_writes(&mut self, index: usize) -> bool {
        let Peer { link: Some(link), session, watcher, owner, granted, .. } = &mut self.peers[index] else {
            return false;
        };
        if *owner != Some(link.id) || !session.outbound.has_outgoing() {
            return false;
        }
        let (outgoing, _) = session.outbound.take_outgoing(&self.limits, self.now);
        let bytes = all(outgoing);
        watcher.sends(*granted, &bytes);
        link.down.extend_from_slice(&bytes);
        true
    }

    fn client_reads(&mut self, index: usize) -> bool {
        let Peer { client, link: Some(link), tally, granted, .. } = &mut self.peers[index] else { return false };
        let bytes = link.at_client.split();
        let Some(frame) = next_frame(&bytes, usize::MAX).expect("well formed") else {
            link.at_client = bytes;
            return false;
        };
        let packet = decode(ProtocolVersion::V311, frame).expect("well formed");
        let seen = client.handle(&packet);
        link.at_client.extend_from_slice(&bytes[frame.header.packet_len()..]);
        // A message that was lost, at QoS 0 or for lack of room, and that its publisher has sent again, comes late.
        let may_be_lost = *granted == QoS::AtMostOnce || tally.dropped > 0;
        if let Some(note) = seen {
            let routed_again = self.peers[note.author].tally.routed.get(&note.number).is_some_and(|times| *times > 1);
            self.peers[index].tally.see(&note, may_be_lost && routed_again);
        }
        true
    }

    fn check_limits(&self, index: usize) {
        let Peer { session, watcher, .. } = &self.peers[index];
        assert!(session.outbound.inflight_len() <= usize::from(self.limits.inflight_max), "in flight");
        assert!(watcher.in_use_len() <= usize::from(self.limits.inflight_max), "in flight");
        assert!(session.outbound.queue_len() <= self.limits.queue_messages_max, "waiting");
    }

    /// After [`settle`](Self::settle): nothing is left, and everyone got what was promised.
    pub(super) fn check(&self) {
        for Peer { client, session, link, watcher, .. } in &self.peers {
            assert!(client.is_quiet(), "{client:?}");
            assert_eq!((session.outbound.inflight_len(), session.outbound.queue_len()), (0, 0));
            assert!(session.inbound.is_empty() && !session.outbound.has_outgoing() && watcher.in_use_len() == 0);
            let link = link.as_ref().expect("is connected at the end");
            assert!(
                link.up.is_empty() && link.down.is_empty() && link.at_broker.is_empty() && link.at_client.is_empty()
            );
        }
        for author in 0..self.peers.len() {
            for (number, qos) in self.peers[author].client.published.iter().enumerate() {
                let routed = self.peers[author].tally.routed.get(&number).copied().unwrap_or(0);
                assert!(keeps(*qos, routed), "{number} of {author} was routed {routed} times at {qos:?}");
            }
        }
        self.peers.iter().for_each(|peer| self.check_arrivals(peer));
    }

    fn check_arrivals(&self, Peer { tally, granted, watcher, .. }: &Peer) {
        let left = tally.delivered - tally.dropped - tally.away - tally.dropped_on_disconnect;
        assert_eq!(left, watcher.completed + watcher.qos0_sent, "every message is accounted for: {tally:?}");
        let mut missing = 0;
        for (author, peer) in self.peers.iter().enumerate() {
            for (number, published) in peer.client.published.iter().enumerate() {
                let seen = tally.seen.get(&(author, number)).copied().unwrap_or(0);
                let qos = *granted.min(published);
                // What the publisher sent at QoS 1 may come twice, at whatever QoS it is passed on.
                let at_most = if *published == QoS::AtLeastOnce || qos == QoS::AtLeastOnce { usize::MAX } else { 1 };
                assert!(seen <= at_most, "{number} of {author} came {seen} times at {qos:?}");
                missing += usize::from(qos != QoS::AtMostOnce && seen == 0);
            }
        }
        assert!(missing <= tally.dropped, "{missing} are missing and {} were dropped", tally.dropped);
    }
}

impl Tally {
    fn see(&mut self, note: &Note, may_come_late: bool) {
        let seen = self.seen.entry((note.author, note.number)).or_default();
        *seen += 1;
        if *seen == 1 && !may_come_late {
            let last = self.last.insert(note.author, note.number);
            assert!(last.is_none_or(|last| last < note.number), "[MQTT-4.6.0-6] {note:?} after {last:?}");
        }
    }
}

/// Whether `count` times is what a QoS promises.
fn keeps(qos: QoS, count: usize) -> bool {
    match qos {
        QoS::AtMostOnce => count <= 1,
        QoS::AtLeastOnce => count >= 1,
        QoS::ExactlyOnce => count == 1,
    }
}

/// The broker takes the session's connection away. What lies in the buffer is lost, and read along all the same.
fn disconnect(session: &mut Session, watcher: &mut Watcher, tally: &mut Tally, granted: QoS, limits: &Limits) {
    let (outgoing, _) = session.outbound.take_outgoing(&frozen(limits), Instant::now());
    watcher.sends(granted, &all(outgoing));
    tally.dropped_on_disconnect += session.outbound.disconnect();
}

fn all(mut outgoing: Outgoing) -> bytes::Bytes {
    outgoing.copy_to_bytes(outgoing.remaining())
}
