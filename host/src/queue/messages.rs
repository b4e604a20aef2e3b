use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::types::{Limits, Message, QoS, SubscriptionId};

/// A message that waits, and how it is to be sent.
#[derive(Debug, Clone)]
pub struct Queued {
    /// What is to be sent, shared with everyone else who waits for it.
    pub message: Arc<Message>,
    /// The lower of the message's and the subscription's QoS `[MQTT-3.8.4-6]`.
    pub qos: QoS,
    /// The RETAIN flag to send it with `[MQTT-3.3.1-8]` `[MQTT-3.3.1-9]`.
    pub retain: bool,
    /// The identifier of the client's subscription, if there is just one.
    pub subscription_id: Option<SubscriptionId>,
}

/// What an entry is counted as beside its topic, payload and properties, so that empty messages count as well.
const ENTRY_BYTES: usize = 64;

impl Queued {
    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.message.bytes()
    }
}

/// Messages that wait for room in flight, for the socket, or for the client to come back.
///
/// Bounded in messages and bytes. If a message does not fit, those that have expired make room, then those of QoS 0; or
/// else it is dropped itself.
#[derive(Debug, Default)]
pub struct MessageQueue {
    entries: VecDeque<Queued>,
    bytes: usize,
    /// How many of the entries have QoS 0.
    qos0: usize,
    /// How many of the bytes are theirs.
    qos0_bytes: usize,
    /// How many of the entries may expire.
    expiring: usize,
}

/// What became of a message that was to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits.
    Kept,
    /// It waits, and this many messages of QoS 0 were dropped for it.
    KeptInsteadOf(usize),
    /// There was no room: it was dropped.
    Refused,
}

impl MessageQueue {
    /// Appends a message at `now`, within the limits.
    pub fn push(&mut self, queued: Queued, limits: &Limits, now: Instant) -> Pushed {
        let mut dropped = 0;
        if self.expiring > 0 && !self.has_room(&queued, limits) {
            self.retain(|message| !message.is_expired(now)); // [MQTT-3.3.2-5]
        }
        if !self.has_room(&queued, limits) {
            // Nothing is dropped for the sake of a message that has no room even so.
            if queued.qos == QoS::AtMostOnce || !self.would_have_room(&queued, limits) {
                return Pushed::Refused;
            }
            dropped = self.drop_qos0();
        }
        self.push_unbounded(queued);
        if dropped == 0 { Pushed::Kept } else { Pushed::KeptInsteadOf(dropped) }
    }

    /// Appends a message that is bounded elsewhere: retained ones, of which the store is the bound.
    pub fn push_unbounded(&mut self, queued: Queued) {
        self.bytes += queued.bytes();
        self.expiring += usize::from(queued.message.expires().is_some());
        if queued.qos == QoS::AtMostOnce {
            self.qos0 += 1;
            self.qos0_bytes += queued.bytes();
        }
        self.entries.push_back(queued);
    }

    /// The message that waits longest.
    pub fn front(&self) -> Option<&Queued> {
        self.entries.front()
    }

    /// Takes out the message that waits longest.
    pub fn pop(&mut self) -> Option<Queued> {
        let queued = self.entries.pop_front()?;
        self.forget(&queued);
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
        Some(queued)
    }

    /// The messages that wait, those that wait longest first.
    pub fn messages(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.entries.iter().map(|queued| &queued.message)
    }

    /// Drops the messages that are not to be kept, and says how many.
    pub fn retain(&mut self, mut keep: impl FnMut(&Message) -> bool) -> usize {
        self.retain_entries(|queued| keep(&queued.message))
    }

    /// Drops every message of QoS 0 and says how many.
    pub fn drop_qos0(&mut self) -> usize {
        if self.qos0 == 0 { 0 } else { self.retain_entries(|queued| queued.qos != QoS::AtMostOnce) }
    }

    fn retain_entries(&mut self, mut keep: impl FnMut(&Queued) -> bool) -> usize {
        let mut entries = std::mem::take(&mut self.entries);
        let before = entries.len();
        entries.retain(|queued| {
            let keeps = keep(queued);
            if !keeps {
                self.forget(queued);
            }
            keeps
        });
        self.entries = entries;
        before - self.entries.len()
    }

    /// Counts a message no longer.
    fn forget(&mut self, queued: &Queued) {
        self.bytes -= queued.bytes();
        self.expiring -= usize::from(queued.message.expires().is_some());
        if queued.qos == QoS::AtMostOnce {
            self.qos0 -= 1;
            self.qos0_bytes -= queued.bytes();
        }
    }

    /// What the messages that wait are counted as.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is room once every message of QoS 0 is dropped.
    fn would_have_room(&self, queued: &Queued, limits: &Limits) -> bool {
        self.entries.len() - self.qos0 < limits.queue_messages_max
            && self.bytes - self.qos0_bytes + queued.bytes() <= limits.queue_bytes_max
    }

    fn has_room(&self, queued: &Queued, limits: &Limits) -> bool {
        self.entries.len() < limits.queue_messages_max && self.bytes + queued.bytes() <= limits.queue_bytes_max
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::types::{MessageProperties, TopicName};

    fn queued(qos: QoS, payload: &'static str) -> Queued {
        let topic = TopicName::new("t").expect("valid topic");
        let message = Message::new(topic, Bytes::from_static(payload.as_bytes()), qos, false);
        Queued { message: Arc::new(message), qos, retain: false, subscription_id: None }
    }

    /// A message of QoS 1 that expires at this time.
    fn expiring(payload: &'static str, expires: Instant) -> Queued {
        let mut queued = queued(QoS::AtLeastOnce, payload);
        let properties = MessageProperties { passed_on: Bytes::new(), expires: Some(expires) };
        Arc::make_mut(&mut queued.message).properties = Some(Arc::new(properties));
        queued
    }

    fn payloads(queue: &mut MessageQueue) -> Vec<Bytes> {
        std::iter::from_fn(|| queue.pop()).map(|queued| queued.message.payload.clone()).collect()
    }

    #[test]
    fn a_full_queue_drops_qos_0_first_then_the_newest() {
        let limits = Limits { queue_messages_max: 3, ..Limits::default() };
        let (mut queue, now) = (MessageQueue::default(), Instant::now());
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "1"), &limits, now), Pushed::Kept);
        assert_eq!(queue.push(queued(QoS::AtMostOnce, "2"), &limits, now), Pushed::Kept);
        assert_eq!(queue.push(queued(QoS::ExactlyOnce, "3"), &limits, now), Pushed::Kept);
        assert_eq!(queue.push(queued(QoS::AtMostOnce, "4"), &limits, now), Pushed::Refused);
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "5"), &limits, now), Pushed::KeptInsteadOf(1));
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "6"), &limits, now), Pushed::Refused);
        assert_eq!(payloads(&mut queue), ["1", "3", "5"]);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn what_is_not_to_be_kept_is_not_counted_any_more() {
        let limits = Limits::default();
        let mut queue = MessageQueue::default();
        for (qos, payload) in [(QoS::AtMostOnce, "1"), (QoS::AtLeastOnce, "2"), (QoS::AtMostOnce, "3")] {
            queue.push(queued(qos, payload), &limits, Instant::now());
        }
        assert_eq!(queue.retain(|message| message.payload != "1"), 1);
        assert_eq!((queue.qos0, queue.qos0_bytes, queue.bytes), (1, 2 + ENTRY_BYTES, 2 * (2 + ENTRY_BYTES)));
        assert_eq!(payloads(&mut queue), ["2", "3"]);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let limits = Limits { queue_bytes_max: 8 + 2 * ENTRY_BYTES, ..Limits::default() };
        let (mut queue, now) = (MessageQueue::default(), Instant::now());
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "123456"), &limits, now), Pushed::Kept);
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "1"), &limits, now), Pushed::Refused);
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, ""), &limits, now), Pushed::Kept);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn qos_0_is_not_dropped_in_vain() {
        let limits = Limits { queue_bytes_max: 8 + 2 * ENTRY_BYTES, ..Limits::default() };
        let (mut queue, now) = (MessageQueue::default(), Instant::now());
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "123"), &limits, now), Pushed::Kept);
        assert_eq!(queue.push(queued(QoS::AtMostOnce, "45"), &limits, now), Pushed::Kept);
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "6789"), &limits, now), Pushed::Refused);
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "678"), &limits, now), Pushed::KeptInsteadOf(1));
        assert_eq!(payloads(&mut queue), ["123", "678"]);
        assert_eq!((queue.bytes, queue.qos0_bytes), (0, 0));
    }
    /// `[MQTT-3.3.2-5]` of MQTT 5.0: what has expired takes nobody's room.
    #[test]
    fn expired_messages_make_room() {
        let limits = Limits { queue_messages_max: 3, ..Limits::default() };
        let (mut queue, now) = (MessageQueue::default(), Instant::now());
        let soon = now + Duration::from_secs(1);
        assert_eq!(queue.push(expiring("1", soon), &limits, now), Pushed::Kept);
        assert_eq!(queue.push(expiring("2", soon + Duration::from_secs(1)), &limits, now), Pushed::Kept);
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "3"), &limits, now), Pushed::Kept);
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "4"), &limits, now), Pushed::Refused);
        assert_eq!(queue.push(queued(QoS::AtLeastOnce, "5"), &limits, soon), Pushed::Kept);
        assert_eq!(payloads(&mut queue), ["2", "3", "5"]);
        assert_eq!((queue.bytes, queue.expiring), (0, 0));
    }
}
