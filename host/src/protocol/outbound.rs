use std::collections::VecDeque;
use std::sync::Arc;

use crate::codec::{Ack, PacketId, encode_ack};
use crate::queue::{MessageQueue, Outgoing, Pushed, Queued};
use crate::types::{Limits, Message, QoS};

use super::delivery::{Delivery, encode_queued};

/// Packet identifiers between the oldest message in flight and the newest, acknowledged ones in between included. A
/// client that leaves one message unacknowledged for ever is served until then.
const INFLIGHT_SPAN_MAX: usize = 16_384;

/// Messages on their way to one client: in flight, waiting, and as bytes for the connection.
#[derive(Debug)]
pub struct Outbound {
    line: Line,
    next_id: PacketId,
    /// In the order of sending, which is the order of identifiers; begins with one that is not done.
    inflight: VecDeque<InFlight>,
    /// How many of `inflight` are not done.
    inflight_len: usize,
    queue: MessageQueue,
    outgoing: Outgoing,
    /// Messages in `outgoing`.
    outgoing_len: usize,
}

/// Whether messages can go to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// There is no connection.
    Down,
    /// There is one, and until [`Outbound::release`] everything waits.
    Held {
        /// What was not acknowledged has not been sent again on it yet.
        resend: bool,
    },
    /// There is one.
    Up,
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
    Published { message: Arc<Message>, qos: QoS, retain: bool },
    /// A PUBCOMP.
    Released,
    /// Nothing any more: it stands only between others that are not done.
    Done,
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
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            line: Line::Down,
            next_id: PacketId::MIN,
            inflight: VecDeque::new(),
            inflight_len: 0,
            queue: MessageQueue::default(),
            outgoing: Outgoing::default(),
            outgoing_len: 0,
        }
    }
}

impl Outbound {
    /// Takes a message for the client, under a subscription that was granted `granted`.
    pub fn deliver(&mut self, delivery: &mut Delivery<'_>, granted: QoS, retain: bool, limits: &Limits) -> Delivered {
        let qos = granted.min(delivery.qos()); // [MQTT-3.8.4-6]
        if self.line == Line::Up && self.queue.is_empty() && self.outgoing.len() < limits.outgoing_bytes_max {
            if qos == QoS::AtMostOnce {
                delivery.encode(qos, retain, None, &mut self.outgoing);
                self.outgoing_len += 1;
                return Delivered::Buffered;
            }
            if self.has_room_in_flight(limits) {
                let packet_id = self.take_packet_id();
                delivery.encode(qos, retain, Some(packet_id), &mut self.outgoing);
                self.outgoing_len += 1;
                let message = Arc::clone(delivery.message());
                self.push_inflight(packet_id, State::Published { message, qos, retain });
                return Delivered::Buffered;
            }
        }
        if qos == QoS::AtMostOnce && self.line == Line::Down {
            return Delivered::Away;
        }
        let queued = Queued { message: Arc::clone(delivery.message()), qos, retain };
        match self.queue.push(queued, limits) {
            Pushed::Kept => Delivered::Queued,
            Pushed::KeptInsteadOf(dropped) => Delivered::QueuedInsteadOf(dropped),
            Pushed::Refused => Delivered::Dropped,
        }
    }

    /// Takes retained messages for a new subscription; as many as the store of retained messages holds.
    pub fn deliver_retained(&mut self, messages: impl Iterator<Item = Queued>, limits: &Limits) {
        messages.for_each(|queued| self.queue.push_unbounded(queued));
        self.pump(limits);
    }

    /// The client has a connection: sends again what was not acknowledged `[MQTT-4.4.0-1]`, then what has waited.
    pub fn connect(&mut self, limits: &Limits) {
        self.connect_held();
        self.release(limits);
    }

    /// The client has a connection, on which nothing is to be sent until [`release`](Self::release).
    pub fn connect_held(&mut self) {
        self.line = Line::Held { resend: true };
        (self.outgoing, self.outgoing_len) = (Outgoing::default(), 0);
    }

    /// From now on everything waits, but for what is bytes already.
    pub fn hold(&mut self) {
        if self.line == Line::Up {
            self.line = Line::Held { resend: false };
        }
    }

    /// Sends what has been held, in the order in which it would have been sent.
    pub fn release(&mut self, limits: &Limits) {
        let Line::Held { resend } = self.line else { return };
        self.line = Line::Up;
        if resend {
            self.resend();
        }
        self.pump(limits);
    }

    fn resend(&mut self) {
        for InFlight { packet_id, state } in &self.inflight {
            match state {
                State::Published { message, qos, retain } => {
                    let queued = Queued { message: Arc::clone(message), qos: *qos, retain: *retain };
                    encode_queued(&queued, true, Some(*packet_id), &mut self.outgoing);
                    self.outgoing_len += 1;
                }
                State::Released => encode_ack(self.outgoing.tail(), Ack::Pubrel, *packet_id),
                State::Done => {}
            }
        }
    }

    /// The connection is gone: what it had not been sent is lost at QoS 0 and kept above. Says how many were lost.
    pub fn disconnect(&mut self) -> usize {
        self.line = Line::Down;
        (self.outgoing, self.outgoing_len) = (Outgoing::default(), 0);
        self.queue.drop_qos0()
    }

    /// A PUBACK came. One that nothing waits for is ignored.
    pub fn puback(&mut self, packet_id: PacketId, limits: &Limits) {
        let done = |state: &State| matches!(state, State::Published { qos: QoS::AtLeastOnce, .. });
        self.finish(packet_id, done, limits);
    }

    /// A PUBREC came: the message is with the client and need not be sent again `[MQTT-4.3.3-1]`.
    ///
    /// Answered even if nothing waits for it, since a PUBREL is what the client waits for.
    pub fn pubrec(&mut self, packet_id: PacketId, replies: &mut bytes::BytesMut) {
        if let Some(index) = self.find(packet_id)
            && matches!(self.inflight[index].state, State::Published { qos: QoS::ExactlyOnce, .. })
        {
            self.inflight[index].state = State::Released;
        }
        encode_ack(replies, Ack::Pubrel, packet_id);
    }

    /// A PUBCOMP came. One that nothing waits for is ignored.
    pub fn pubcomp(&mut self, packet_id: PacketId, limits: &Limits) {
        self.finish(packet_id, |state| matches!(state, State::Released), limits);
    }

    /// The messages that are yet to be sent: those that wait and, before [`release`](Self::release) on a new
    /// connection, those that were not acknowledged on the one before.
    pub fn unsent(&self) -> impl Iterator<Item = &Arc<Message>> {
        let again = self.inflight.iter().filter(|_| self.is_to_resend()).filter_map(|inflight| match &inflight.state {
            State::Published { message, .. } => Some(message),
            State::Released | State::Done => None,
        });
        again.chain(self.queue.messages())
    }

    /// Drops those of the [`unsent`](Self::unsent) messages that are not to be kept, and says how many.
    pub fn retain_unsent(&mut self, mut keep: impl FnMut(&Message) -> bool) -> usize {
        let mut dropped = self.queue.retain(&mut keep);
        if self.is_to_resend() {
            for InFlight { state, .. } in &mut self.inflight {
                if matches!(state, State::Published { message, .. } if !keep(message)) {
                    *state = State::Done;
                    self.inflight_len -= 1;
                    dropped += 1;
                }
            }
            self.trim_inflight();
        }
        dropped
    }

    fn is_to_resend(&self) -> bool {
        matches!(self.line, Line::Down | Line::Held { resend: true })
    }

    /// Takes the bytes to be written and says how many messages they hold; moves on what has waited for room.
    pub fn take_outgoing(&mut self, limits: &Limits) -> (Outgoing, usize) {
        let taken = (std::mem::take(&mut self.outgoing), std::mem::take(&mut self.outgoing_len));
        self.pump(limits);
        taken
    }

    /// Whether there are bytes to be written.
    pub fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Messages that are sent and not acknowledged.
    pub fn inflight_len(&self) -> usize {
        self.inflight_len
    }

    /// What the messages that wait are counted as.
    pub fn queue_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Messages that wait.
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// Sends from the queue what there is room for.
    fn pump(&mut self, limits: &Limits) {
        while self.line == Line::Up && self.outgoing.len() < limits.outgoing_bytes_max {
            let Some(front) = self.queue.front() else { return };
            if front.qos != QoS::AtMostOnce && !self.has_room_in_flight(limits) {
                return;
            }
            let Some(queued) = self.queue.pop() else { return };
            self.outgoing_len += 1;
            if queued.qos == QoS::AtMostOnce {
                encode_queued(&queued, false, None, &mut self.outgoing);
                continue;
            }
            let packet_id = self.take_packet_id();
            encode_queued(&queued, false, Some(packet_id), &mut self.outgoing);
            let Queued { message, qos, retain } = queued;
            self.push_inflight(packet_id, State::Published { message, qos, retain });
        }
    }

    fn has_room_in_flight(&self, limits: &Limits) -> bool {
        self.inflight_len < usize::from(limits.inflight_max) && self.inflight.len() < INFLIGHT_SPAN_MAX
    }

    /// An identifier that no message in flight has: they are consecutive and fewer than there are `[MQTT-2.3.1-4]`.
    fn take_packet_id(&mut self) -> PacketId {
        let packet_id = self.next_id;
        self.next_id = packet_id.next();
        packet_id
    }

    fn push_inflight(&mut self, packet_id: PacketId, state: State) {
        self.inflight.push_back(InFlight { packet_id, state });
        self.inflight_len += 1;
    }

    fn finish(&mut self, packet_id: PacketId, may_finish: impl Fn(&State) -> bool, limits: &Limits) {
        let Some(index) = self.find(packet_id) else { return };
        if !may_finish(&self.inflight[index].state) {
            return;
        }
        self.inflight[index].state = State::Done;
        self.inflight_len -= 1;
        self.trim_inflight();
        self.pump(limits);
    }

    /// What is done at the front is over.
    fn trim_inflight(&mut self) {
        while matches!(self.inflight.front(), Some(InFlight { state: State::Done, .. })) {
            self.inflight.pop_front();
        }
        if self.inflight.is_empty() {
            self.inflight = VecDeque::new();
        }
    }

    /// Identifiers in flight are consecutive, 0 left out, so that the place of one follows from the first.
    fn find(&self, packet_id: PacketId) -> Option<usize> {
        let first = self.inflight.front()?.packet_id;
        let index = usize::from(packet_id.distance_from(first));
        (index < self.inflight.len()).then_some(index)
    }
}
