use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::codec::{Ack, PacketId, ProtocolVersion, encode_ack};
use crate::queue::{Judged, MessageQueue, Outgoing, Pushed, Queued, Standing, large_bytes};
use crate::types::{Limits, Message, QoS, ReasonCode, SubscriptionId};

use super::aliases::OutgoingAliases;
use super::delivery::{Delivery, Receiver, Terms, TooLarge, encode_queued};
use super::dialect::ClientTerms;

/// Packet identifiers between the oldest message in flight and the newest, acknowledged ones in between included. A
/// client that leaves one message unacknowledged for ever is served until then.
const INFLIGHT_SPAN_MAX: usize = 16_384;

/// Messages on their way to one client: in flight, waiting, and as bytes for the connection.
#[derive(Debug)]
pub struct Outbound {
    line: Line,
    /// What the client speaks, or spoke when it was last here.
    version: ProtocolVersion,
    /// The lower of the broker's and the client's maximum of messages in flight `[MQTT-3.3.4-9]`.
    inflight_max: u16,
    packet_bytes_max: u32,
    next_id: PacketId,
    /// How many of `inflight` are not done.
    inflight_len: u16,
    /// What the large messages of `inflight` are counted as: small ones are bounded by their number.
    inflight_bytes: usize,
    /// How many at the end of `inflight` have not been sent on this connection, or the next, done or not.
    unsent: u16,
    /// How many of these are not done.
    unsent_len: u16,
    /// Messages in `outgoing`.
    outgoing_len: u32,
    /// Bytes that the connection took over and the peer does not take: there is so much less room in `outgoing`.
    unwritten: usize,
    /// In the order of sending, which is the order of identifiers; begins with one that is not done.
    inflight: VecDeque<InFlight>,
    queue: MessageQueue,
    outgoing: Outgoing,
    /// For a client that takes some.
    aliases: Option<Box<OutgoingAliases>>,
    undelivered: Undelivered,
}

/// Whether messages can go to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// There is no connection.
    Down,
    /// There is one, and until [`Outbound::release`] everything waits.
    Held,
    /// There is one.
    Up,
}

/// Messages that were to be sent and were not, by the rules of MQTT 5.0.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Undelivered {
    /// They had expired while they waited `[MQTT-3.3.2-5]`.
    pub expired: u16,
    /// They are larger than what the client takes `[MQTT-3.1.2-25]`.
    pub too_large: u16,
}

#[derive(Debug)]
struct InFlight {
    packet_id: PacketId,
    state: State,
}

/// What the broker waits for (figures 4.2 and 4.3).
#[derive(Debug)]
enum State {
    /// A PUBACK at QoS 1, a PUBREC at QoS 2.
    Published { message: Arc<Message>, qos: QoS, retain: bool, subscription_id: Option<SubscriptionId> },
    /// A PUBCOMP.
    Released,
    /// Nothing any more: it stands only between others that are not done.
    Done,
}

impl State {
    /// What its message is counted as, if it is a large one.
    fn large_bytes(&self) -> usize {
        match self {
            Self::Published { message, .. } => large_bytes(message),
            Self::Released | Self::Done => 0,
        }
    }
}

/// What became of a message for one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is in the outgoing buffer.
    Buffered,
    /// It waits.
    Queued,
    /// It waits, and this many others of QoS 0 were dropped for its sake.
    QueuedInsteadOf(usize),
    /// There was no room: it was dropped.
    Dropped,
    /// QoS 0 and the client is away.
    Away,
    /// The client takes no packet of its size: for it, this counts as sent `[MQTT-3.1.2-25]`.
    TooLarge,
}

impl Default for Outbound {
    fn default() -> Self {
        let ClientTerms { version, receive_max, packet_bytes_max, .. } = ClientTerms::default();
        Self {
            line: Line::Down,
            version,
            inflight_max: receive_max,
            packet_bytes_max,
            next_id: PacketId::MIN,
            inflight_len: 0,
            inflight_bytes: 0,
            unsent: 0,
            unsent_len: 0,
            outgoing_len: 0,
            unwritten: 0,
            inflight: VecDeque::new(),
            queue: MessageQueue::default(),
            outgoing: Outgoing::default(),
            aliases: None,
            undelivered: Undelivered::default(),
        }
    }
}

impl Outbound {
    /// Takes a message for the client, under the terms of its subscriptions.
    pub fn deliver(&mut self, delivery: &mut Delivery<'_>, terms: Terms<'_>, limits: &Limits) -> Delivered {
        let qos = terms.granted.min(delivery.qos()); // [MQTT-3.8.4-6]
        if self.line == Line::Up
            && self.queue.is_empty()
            && self.unsent == 0
            && self.has_room_in_outgoing(limits)
            && (qos == QoS::AtMostOnce || self.has_room_in_flight(delivery.large_bytes(), limits))
        {
            return self.send(delivery, qos, terms);
        }
        self.queue(delivery, terms, Standing::Judged, limits)
    }

    /// Takes a message of which it is yet to be found out whether the client may have it: it waits in its place, and what
    /// comes after it waits for it, until it is [judged](Self::judge).
    pub fn deliver_unjudged(
        &mut self,
        delivery: &mut Delivery<'_>,
        terms: Terms<'_>,
        is_told: bool,
        limits: &Limits,
    ) -> Delivered {
        self.queue(delivery, terms, Standing::Unjudged { is_told }, limits)
    }

    fn queue(
        &mut self,
        delivery: &mut Delivery<'_>,
        terms: Terms<'_>,
        standing: Standing,
        limits: &Limits,
    ) -> Delivered {
        let qos = terms.granted.min(delivery.qos()); // [MQTT-3.8.4-6]
        if qos == QoS::AtMostOnce && self.line == Line::Down {
            return Delivered::Away;
        }
        let (message, subscription_id) = delivery.queued(terms);
        let queued = Queued { message, qos, retain: terms.retain, subscription_id };
        match self.queue.push(queued, standing, limits, delivery.now()) {
            Pushed::Kept => Delivered::Queued,
            Pushed::KeptInsteadOf(dropped) => Delivered::QueuedInsteadOf(dropped),
            Pushed::Refused => Delivered::Dropped,
        }
    }

    fn send(&mut self, delivery: &mut Delivery<'_>, qos: QoS, terms: Terms<'_>) -> Delivered {
        let Self { version, packet_bytes_max, next_id, outgoing, aliases, .. } = self;
        let receiver =
            Receiver { version: *version, packet_bytes_max: *packet_bytes_max, aliases: aliases.as_deref_mut() };
        let packet_id = || (qos != QoS::AtMostOnce).then(|| take_packet_id(next_id));
        match delivery.encode(receiver, qos, terms, packet_id, outgoing) {
            Err(TooLarge) => return Delivered::TooLarge,
            Ok(None) => {}
            Ok(Some(packet_id)) => {
                let (message, subscription_id) = delivery.queued(terms);
                let state = State::Published { message, qos, retain: terms.retain, subscription_id };
                self.push_inflight(packet_id, state);
            }
        }
        self.outgoing_len += 1;
        Delivered::Buffered
    }

    /// Takes retained messages for a new subscription, and says how many were dropped for want of room.
    pub fn deliver_retained(
        &mut self,
        messages: impl Iterator<Item = Queued>,
        standing: Standing,
        limits: &Limits,
        now: Instant,
    ) -> usize {
        let mut dropped = 0;
        for queued in messages {
            if standing == Standing::Judged && self.queue.is_empty() && self.may_send(&queued, limits) {
                self.send_queued(queued, now);
            } else {
                dropped += usize::from(!self.queue.push_retained(queued, standing, limits));
            }
        }
        dropped
    }

    /// Whether the message that waits longest is to be judged.
    pub fn has_unjudged(&self) -> bool {
        self.queue.has_unjudged()
    }

    /// The messages that are to be judged, in the order in which they will be sent.
    pub fn unjudged(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.queue.unjudged()
    }

    /// Judges the waiting messages of which `may_be_sent` knows it, and sends what can be sent then.
    pub fn judge(&mut self, may_be_sent: impl Fn(&Message) -> Option<bool>, limits: &Limits, now: Instant) -> Judged {
        let judged = self.queue.judge(may_be_sent);
        self.pump(limits, now);
        judged
    }

    /// The client has a connection: sends again what was not acknowledged `[MQTT-4.4.0-1]`, then what has waited.
    pub fn connect(&mut self, client: ClientTerms, limits: &Limits, now: Instant) {
        self.connect_held(client, limits);
        self.release(limits, now);
    }

    /// The client has a connection, on which nothing is to be sent until [`release`](Self::release).
    pub fn connect_held(&mut self, client: ClientTerms, limits: &Limits) {
        self.line = Line::Held;
        self.version = client.version;
        self.inflight_max = client.receive_max.min(limits.inflight_max);
        self.packet_bytes_max = client.packet_bytes_max;
        self.aliases = OutgoingAliases::new(client.topic_alias_max);
        self.lose_outgoing();
    }

    /// From now on everything waits, but for what is bytes already.
    pub fn hold(&mut self) {
        if self.line == Line::Up {
            self.line = Line::Held;
        }
    }

    /// Sends what has been held, in the order in which it would have been sent.
    pub fn release(&mut self, limits: &Limits, now: Instant) {
        if self.line == Line::Held {
            self.line = Line::Up;
            self.pump(limits, now);
        }
    }

    /// The connection is gone: what it had not been sent is lost at QoS 0, as what comes later is, and kept above.
    pub fn disconnect(&mut self) {
        self.line = Line::Down;
        self.aliases = None;
        self.lose_outgoing();
        self.queue.drop_qos0();
    }

    /// What is bytes will not be sent, and everything in flight is to be sent again.
    fn lose_outgoing(&mut self) {
        (self.outgoing, self.outgoing_len, self.unwritten) = (Outgoing::default(), 0, 0);
        // No longer than `INFLIGHT_SPAN_MAX`.
        (self.unsent, self.unsent_len) = (self.inflight.len() as u16, self.inflight_len);
    }

    /// A PUBACK came. One that nothing waits for is ignored.
    pub fn puback(&mut self, packet_id: PacketId, limits: &Limits, now: Instant) {
        let done = |state: &State| matches!(state, State::Published { qos: QoS::AtLeastOnce, .. });
        self.finish(packet_id, done, limits, now);
    }

    /// A PUBREC came: the message is with the client and need not be sent again `[MQTT-4.3.3-1]`. With a failure, that is
    /// the end of it.
    ///
    /// Otherwise answered even if nothing waits for it, since a PUBREL is what the client waits for.
    pub fn pubrec(
        &mut self,
        packet_id: PacketId,
        reason: ReasonCode,
        limits: &Limits,
        now: Instant,
        replies: &mut bytes::BytesMut,
    ) {
        let waits = |state: &State| matches!(state, State::Published { qos: QoS::ExactlyOnce, .. });
        if reason.is_failure() {
            return self.finish(packet_id, waits, limits, now);
        }
        let mut answer = ReasonCode::PacketIdentifierNotFound;
        if let Some(index) = self.find(packet_id) {
            if waits(&self.inflight[index].state) {
                self.set_state(index, State::Released);
            }
            if matches!(self.inflight[index].state, State::Released) {
                answer = ReasonCode::Success;
            }
        }
        encode_ack(replies, self.version, Ack::Pubrel, packet_id, answer.into());
    }

    /// A PUBCOMP came. One that nothing waits for is ignored.
    pub fn pubcomp(&mut self, packet_id: PacketId, limits: &Limits, now: Instant) {
        self.finish(packet_id, |state| matches!(state, State::Released), limits, now);
    }

    /// The messages that are yet to be sent: those that wait, and those that were not acknowledged on an earlier connection
    /// and have not been sent on this one.
    pub fn unsent(&self) -> impl Iterator<Item = &Arc<Message>> {
        let again = self.inflight.range(self.unsent_at()..).filter_map(|inflight| match &inflight.state {
            State::Published { message, .. } => Some(message),
            State::Released | State::Done => None,
        });
        again.chain(self.queue.messages())
    }

    /// Drops those of the [`unsent`](Self::unsent) messages that are not to be kept, and says how many.
    pub fn retain_unsent(&mut self, mut keep: impl FnMut(&Message) -> bool) -> usize {
        let mut dropped = self.queue.retain(&mut keep);
        let unsent_at = self.unsent_at();
        for InFlight { state, .. } in self.inflight.range_mut(unsent_at..) {
            if matches!(state, State::Published { message, .. } if !keep(message)) {
                self.inflight_bytes -= state.large_bytes();
                *state = State::Done;
                self.inflight_len -= 1;
                self.unsent_len -= 1;
                dropped += 1;
            }
        }
        self.forget_done();
        dropped
    }

    /// Takes the messages that are for a shared subscription and that its client has not acknowledged, as it will not come
    /// back. Those of QoS 2 that were begun are nobody else's `[MQTT-4.8.2-5]`.
    pub fn take_shared(&mut self) -> Vec<Queued> {
        let is_shared = |message: &Message| message.share().is_some();
        let inflight = std::mem::take(&mut self.inflight).into_iter().filter_map(|inflight| match inflight.state {
            State::Published { message, qos: qos @ QoS::AtLeastOnce, retain, subscription_id } => {
                Some(Queued { message, qos, retain, subscription_id })
            }
            _ => None,
        });
        let waiting = std::iter::from_fn(|| self.queue.pop()).filter(|queued| queued.qos != QoS::AtMostOnce);
        let taken = inflight.chain(waiting).filter(|queued| is_shared(&queued.message)).collect();
        *self = Self::default();
        taken
    }

    /// Where in `inflight` those begin that have not been sent on this connection.
    fn unsent_at(&self) -> usize {
        self.inflight.len() - usize::from(self.unsent)
    }

    /// Takes the bytes to be written, what has waited for room among them, and says how many messages they hold.
    pub fn take_outgoing(&mut self, limits: &Limits, now: Instant) -> (Outgoing, usize) {
        self.pump(limits, now);
        (std::mem::take(&mut self.outgoing), std::mem::take(&mut self.outgoing_len) as usize)
    }

    /// Whether the bytes to be written find room beside those that the peer does not take: together they are no more than
    /// may wait for a connection, but for a packet.
    pub fn may_be_taken(&self, limits: &Limits) -> bool {
        self.unwritten == 0 || self.unwritten + self.outgoing.len() <= limits.outgoing_bytes_max
    }

    /// The peer does not take so many bytes that the connection took over, or 0 where that is yet to be seen.
    pub fn set_unwritten(&mut self, unwritten: usize) {
        self.unwritten = unwritten;
    }

    /// What could not be sent since this was last asked.
    pub fn take_undelivered(&mut self) -> Undelivered {
        std::mem::take(&mut self.undelivered)
    }

    /// What the client speaks, or spoke when it was last here.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Whether there are bytes to be written, or messages that could be.
    pub fn has_outgoing(&self, limits: &Limits) -> bool {
        !self.outgoing.is_empty() || self.may_pump(limits)
    }

    /// Messages that are sent and not acknowledged.
    pub fn inflight_len(&self) -> usize {
        self.inflight_len.into()
    }

    /// What the messages that wait are counted as, and the large ones in flight.
    pub fn queue_bytes(&self) -> usize {
        self.queue.bytes() + self.inflight_bytes
    }

    /// Messages that wait.
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// Sends what there is room for: again what was in flight before, then from the queue.
    fn pump(&mut self, limits: &Limits, now: Instant) {
        while self.line == Line::Up && self.has_room_in_outgoing(limits) {
            if self.unsent > 0 {
                if !self.send_again(now) {
                    return;
                }
                continue;
            }
            let Some(front) = self.queue.front() else { return };
            if front.message.is_expired(now) {
                self.queue.pop();
                self.undelivered.expired = self.undelivered.expired.saturating_add(1);
                continue;
            }
            if !self.may_send(front, limits) {
                return;
            }
            let Some(queued) = self.queue.pop() else { return };
            self.send_queued(queued, now);
        }
    }

    /// Whether [`pump`](Self::pump) would send something.
    fn may_pump(&self, limits: &Limits) -> bool {
        if self.unsent == 0 {
            return self.queue.front().is_some_and(|front| self.may_send(front, limits));
        }
        let is_published = matches!(self.inflight[self.unsent_at()].state, State::Published { .. });
        self.line == Line::Up
            && self.has_room_in_outgoing(limits)
            && !(is_published && self.inflight_len - self.unsent_len >= self.inflight_max)
    }

    fn has_room_in_outgoing(&self, limits: &Limits) -> bool {
        self.outgoing.len() + self.unwritten < limits.outgoing_bytes_max
    }

    /// Whether there is room for a message in the buffer, and in flight where it needs that.
    fn may_send(&self, queued: &Queued, limits: &Limits) -> bool {
        self.line == Line::Up
            && self.unsent == 0
            && self.has_room_in_outgoing(limits)
            && (queued.qos == QoS::AtMostOnce || self.has_room_in_flight(large_bytes(&queued.message), limits))
    }

    /// Sends the first that was not sent on this connection, unless the client has as many as it takes.
    fn send_again(&mut self, now: Instant) -> bool {
        let index = self.unsent_at();
        let InFlight { packet_id, state } = &mut self.inflight[index];
        match state {
            State::Published { .. } if self.inflight_len - self.unsent_len >= self.inflight_max => return false,
            State::Published { message, qos, retain, subscription_id } => {
                let (message, subscription_id) = (Arc::clone(message), *subscription_id);
                let queued = Queued { message, qos: *qos, retain: *retain, subscription_id };
                let receiver =
                    Receiver { version: self.version, packet_bytes_max: self.packet_bytes_max, aliases: None };
                self.unsent_len -= 1;
                if encode_queued(&queued, true, Some(*packet_id), receiver, now, &mut self.outgoing) == Err(TooLarge) {
                    // As if it had been acknowledged [MQTT-3.1.2-25]: the client takes less than the last time.
                    self.inflight_bytes -= state.large_bytes();
                    *state = State::Done;
                    self.inflight_len -= 1;
                    self.undelivered.too_large = self.undelivered.too_large.saturating_add(1);
                } else {
                    self.outgoing_len += 1;
                }
            }
            State::Released => {
                encode_ack(self.outgoing.tail(), self.version, Ack::Pubrel, *packet_id, ReasonCode::Success.into());
                self.unsent_len -= 1;
            }
            State::Done => {}
        }
        self.unsent -= 1;
        self.forget_done();
        true
    }

    fn send_queued(&mut self, queued: Queued, now: Instant) {
        let Self { version, packet_bytes_max, outgoing, aliases, .. } = self;
        let receiver =
            Receiver { version: *version, packet_bytes_max: *packet_bytes_max, aliases: aliases.as_deref_mut() };
        let packet_id = (queued.qos != QoS::AtMostOnce).then_some(self.next_id);
        if encode_queued(&queued, false, packet_id, receiver, now, outgoing) == Err(TooLarge) {
            self.undelivered.too_large = self.undelivered.too_large.saturating_add(1);
            return;
        }
        self.outgoing_len += 1;
        if packet_id.is_some() {
            let packet_id = take_packet_id(&mut self.next_id);
            let Queued { message, qos, retain, subscription_id } = queued;
            self.push_inflight(packet_id, State::Published { message, qos, retain, subscription_id });
        }
    }

    /// Whether one more message may be in flight, which counts as `bytes`. One is always, however large.
    fn has_room_in_flight(&self, bytes: usize, limits: &Limits) -> bool {
        self.unsent == 0
            && self.inflight_len < self.inflight_max
            && self.inflight.len() < INFLIGHT_SPAN_MAX
            && (bytes == 0 || self.inflight_bytes == 0 || self.inflight_bytes + bytes <= limits.queue_bytes_max)
    }

    /// Makes this the identifier of the next message, while none is in flight.
    #[cfg(test)]
    pub(super) fn continue_with(&mut self, packet_id: PacketId) {
        assert!(self.inflight.is_empty());
        self.next_id = packet_id;
    }

    fn push_inflight(&mut self, packet_id: PacketId, state: State) {
        self.inflight_bytes += state.large_bytes();
        self.inflight.push_back(InFlight { packet_id, state });
        self.inflight_len += 1;
    }

    fn set_state(&mut self, index: usize, state: State) {
        let old = std::mem::replace(&mut self.inflight[index].state, state);
        self.inflight_bytes -= old.large_bytes();
    }

    fn finish(&mut self, packet_id: PacketId, may_finish: impl Fn(&State) -> bool, limits: &Limits, now: Instant) {
        let Some(index) = self.find(packet_id) else { return };
        if !may_finish(&self.inflight[index].state) {
            return;
        }
        self.set_state(index, State::Done);
        self.inflight_len -= 1;
        if index >= self.unsent_at() {
            self.unsent_len -= 1;
        }
        self.forget_done();
        self.pump(limits, now);
    }

    /// Begins `inflight` with one that is not done.
    fn forget_done(&mut self) {
        while matches!(self.inflight.front(), Some(InFlight { state: State::Done, .. })) {
            self.inflight.pop_front();
        }
        if self.inflight.is_empty() {
            self.inflight = VecDeque::new();
        }
        self.unsent = self.unsent.min(self.inflight.len() as u16);
    }

    /// Identifiers in flight are consecutive, 0 left out, so that the place of one follows from the first.
    fn find(&self, packet_id: PacketId) -> Option<usize> {
        let first = self.inflight.front()?.packet_id;
        let index = usize::from(packet_id.distance_from(first));
        (index < self.inflight.len()).then_some(index)
    }
}

/// An identifier that no message in flight has: they are consecutive and fewer than there are `[MQTT-2.3.1-4]`.
fn take_packet_id(next: &mut PacketId) -> PacketId {
    let packet_id = *next;
    *next = packet_id.next();
    packet_id
}
