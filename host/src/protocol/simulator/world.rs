use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use super::peer::{Link, Peer};
use super::{FILTER, Note};
use crate::codec::{Publish, Subscribe, decode, next_frame};
use crate::protocol::{Delivered, Delivery, Event, Payload, Scratch, Terms};
use crate::queue::{Queued, Standing};
use crate::routing::{RetainedTree, SubscriptionTree};
use crate::types::random::Random;
use crate::types::{Limits, Message, QoS, ReasonCode, TopicFilter};

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
    /// By index of the peer, with the granted QoS.
    subscriptions: SubscriptionTree<usize, QoS>,
    retained: RetainedTree<(Note, Arc<Message>)>,
    cuts: Cuts,
    bytes_moved: usize,
    links: usize,
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
        let peers: Vec<Peer> = (0..2 + random.below(2)).map(|_| Peer::new(&mut random)).collect();
        let mut subscriptions = SubscriptionTree::new();
        for index in 0..peers.len() {
            subscriptions.insert(&filter(), index, random.qos());
        }
        let (now, retained) = (Instant::now(), RetainedTree::new());
        Self { random, limits, now, peers, subscriptions, retained, cuts, bytes_moved: 0, links: 0 }
    }

    /// Lets `steps` things happen.
    pub(super) fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let index = self.random.below(self.peers.len());
            match self.random.below(12) {
                0 | 1 => self.client_asks(index),
                2 if self.random.one_in(3) && self.cuts == Cuts::Random => self.cut(index),
                _ => {
                    let action = self.random.below(ACTIONS);
                    self.step(index, action);
                }
            }
            self.peers[index].check_limits(&self.limits);
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
                    self.peers[index].check_limits(&self.limits);
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

    /// After [`settle`](Self::settle): nothing is left, and everyone got what was promised.
    pub(super) fn check(&self) {
        for (author, peer) in self.peers.iter().enumerate() {
            for (number, qos) in peer.client.published.iter().enumerate() {
                let routed = peer.tally.routed.get(&number).copied().unwrap_or(0);
                assert!(keeps(*qos, routed), "{number} of {author} was routed {routed} times at {qos:?}");
            }
            peer.check_rest(&self.limits);
        }
    }

    /// The client publishes, or changes its subscription.
    fn client_asks(&mut self, index: usize) {
        let Peer { client, link: Some(link), .. } = &mut self.peers[index] else { return };
        if self.random.one_in(6) {
            client.change_subscription(&mut self.random, &mut link.up);
        } else {
            client.publish(index, &mut self.random, &mut link.up);
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
            1 => self.peers[index].accept(&self.limits, self.now),
            2 => self.move_bytes(index, true),
            6 => self.move_bytes(index, false),
            3 => self.broker_reads(index),
            4 => self.peers[index].write(&self.limits, self.now),
            5 => self.client_reads(index),
            _ => self.old_link_moves(index),
        }
    }

    fn open(&mut self, index: usize) -> bool {
        let peer = &mut self.peers[index];
        if let Some(link) = &mut peer.link {
            return peer.client.answer(&mut link.up);
        }
        self.links += 1;
        let mut link = Link { id: self.links, ..Link::default() };
        peer.client.connect(&mut link.up);
        peer.link = Some(link);
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
        let peer = &mut self.peers[index];
        if peer.old_links.is_empty() {
            return false;
        }
        let mut link = peer.old_links.remove(0);
        // Once displaced, nothing of it reaches the session: but for what was under way already.
        if peer.owner != Some(link.id) {
            return true;
        }
        if self.random.one_in(3) {
            peer.disconnect(&self.limits, self.now);
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
        let version = self.peers[index].client.terms.version;
        let packet = decode(version, frame).expect("clients keep to the standard");
        let mut replies = BytesMut::new();
        let Peer { session, watcher, .. } = &mut self.peers[index];
        let event = session.handle(packet, &self.limits, self.now, &mut replies);
        watcher.handled(&packet, &replies);
        link.down.extend_from_slice(&replies);
        match event {
            Event::Handled => {}
            Event::Publish(publish) => {
                self.route(index, &publish);
                link.routed = publish.packet_id.map(|packet_id| (publish.qos, packet_id));
            }
            Event::Subscribe(subscribe) => self.subscribe(index, &subscribe),
            Event::Unsubscribe(_) => drop(self.subscriptions.remove(&filter(), &index)),
            Event::Disconnect(_) | Event::Violation(_) => panic!("no client asks for it"),
        }
        link.at_broker.extend_from_slice(&bytes[frame.header.packet_len()..]);
        true
    }

    /// As `route` in `broker/publish.rs`.
    fn route(&mut self, author: usize, publish: &Publish<'_>) {
        let note = Note::read(publish);
        assert_eq!((note.author, note.qos, note.retains()), (author, publish.qos, publish.retain));
        *self.peers[author].tally.routed.entry(note.number).or_default() += 1;
        let topic = note.topic_name();
        let mut scratch = Scratch::default();
        let payload = Payload::Read { bytes: publish.payload, buffer: None };
        let mut delivery = Delivery::new(&topic, payload, note.qos, self.now, &mut scratch);
        if publish.retain {
            self.retained.insert(&topic, (note.clone(), Arc::clone(delivery.message())));
        }
        let Self { subscriptions, peers, limits, .. } = self;
        subscriptions.matches(topic.as_str(), |index, granted| {
            let Peer { session, tally, .. } = &mut peers[*index];
            tally.deliver(&note, note.qos.min(*granted), false);
            match session.outbound.deliver(&mut delivery, Terms::new(*granted), limits) {
                Delivered::Buffered | Delivered::Queued => {}
                Delivered::QueuedInsteadOf(count) => tally.dropped += count,
                Delivered::Dropped => tally.dropped += 1,
                Delivered::Away => tally.away += 1,
                Delivered::TooLarge => panic!("every client takes packets of any size"),
            }
        });
    }

    /// As `subscribe_one` in `broker/subscribe.rs`.
    fn subscribe(&mut self, index: usize, subscribe: &Subscribe<'_>) {
        let Self { subscriptions, retained, peers, limits, now, .. } = self;
        let Peer { session, tally, .. } = &mut peers[index];
        for (_, options) in subscribe.filters() {
            let granted = options.qos;
            subscriptions.insert(&filter(), index, granted);
            let mut messages = Vec::new();
            retained.matches(&filter(), |(note, message)| {
                let qos = message.qos.min(granted);
                tally.deliver(note, qos, true);
                messages.push(Queued { message: Arc::clone(message), qos, retain: true, subscription_id: None });
            });
            tally.dropped += session.outbound.deliver_retained(messages.into_iter(), Standing::Judged, limits, *now);
        }
    }

    fn client_reads(&mut self, index: usize) -> bool {
        let Peer { client, link: Some(link), .. } = &mut self.peers[index] else { return false };
        let bytes = link.at_client.split();
        let Some(frame) = next_frame(&bytes, usize::MAX).expect("well formed") else {
            link.at_client = bytes;
            return false;
        };
        let packet = decode(client.terms.version, frame).expect("well formed");
        let seen = client.handle(&packet);
        link.at_client.extend_from_slice(&bytes[frame.header.packet_len()..]);
        if let Some((note, retain)) = seen {
            let times_routed = self.peers[note.author].tally.routed.get(&note.number).copied().unwrap_or(0);
            self.peers[index].tally.see(&note, retain, times_routed);
        }
        true
    }
}

fn filter() -> TopicFilter {
    TopicFilter::new(FILTER).expect("valid filter")
}

/// Whether `count` times is what a QoS promises.
fn keeps(qos: QoS, count: usize) -> bool {
    match qos {
        QoS::AtMostOnce => count <= 1,
        QoS::AtLeastOnce => count >= 1,
        QoS::ExactlyOnce => count == 1,
    }
}
