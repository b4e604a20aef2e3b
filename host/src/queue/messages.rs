use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::SHARED_BYTES_MIN;
#[cfg(test)]
use crate::types::visits;
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
        queued_bytes(&self.message)
    }
}

/// What a message is counted as where it waits for a client.
pub fn queued_bytes(message: &Message) -> usize {
    ENTRY_BYTES + message.bytes()
}

/// What a message is counted as that is bounded by its number unless it is large: 0 for a small one.
pub fn large_bytes(message: &Message) -> usize {
    large_entry_bytes(message.bytes())
}

/// The same of a message of so many bytes of topic, payload and properties.
pub fn large_entry_bytes(message_bytes: usize) -> usize {
    let bytes = ENTRY_BYTES + message_bytes;
    if bytes < SHARED_BYTES_MIN { 0 } else { bytes }
}

/// Messages that wait for room in flight, for the socket, or for the client to come back.
///
/// Bounded in messages and bytes. If a message does not fit, those that have expired make room, then those of QoS 0; or
/// else it is dropped itself.
#[derive(Debug, Default)]
pub struct MessageQueue {
    /// None while nothing waits, as mostly.
    waiting: Option<Box<Waiting>>,
}

/// Messages that wait, and what they are counted as.
#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    all: Sum,
    /// The part of `all` that has QoS 0.
    qos0: Sum,
    /// None expires before.
    soonest: Option<Instant>,
    /// How many have come since all were last looked at for those that have expired.
    come: usize,
}

/// A look at all messages that wait costs as much as there are: so many of them for each that has come since the last.
const LOOKED_AT_PER_PUSH: usize = 16;

#[derive(Debug)]
struct Entry {
    queued: Queued,
    /// Whether it counts as a message that waits: all but retained ones for a new subscription do.
    counted: bool,
    standing: Standing,
}

/// Whether it is known that a message may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Judged,
    /// That is yet to be found out, and those after it wait for it.
    Unjudged {
        /// Whether somebody wants to be told if it may.
        is_told: bool,
    },
}

/// What some of the entries are counted as.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    entries: usize,
    counted: usize,
    bytes: usize,
    /// How many may expire.
    expiring: usize,
    unjudged: usize,
}

impl Sum {
    fn of(entry: &Entry) -> Self {
        Self {
            entries: 1,
            counted: entry.counted.into(),
            bytes: entry.queued.bytes(),
            expiring: entry.queued.message.expires().is_some().into(),
            unjudged: (entry.standing != Standing::Judged).into(),
        }
    }

    fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.counted += other.counted;
        self.bytes += other.bytes;
        self.expiring += other.expiring;
        self.unjudged += other.unjudged;
    }

    fn remove(&mut self, other: Self) {
        self.entries -= other.entries;
        self.counted -= other.counted;
        self.bytes -= other.bytes;
        self.expiring -= other.expiring;
        self.unjudged -= other.unjudged;
    }

    /// Whether one more message fits, which counts as `bytes`.
    fn has_room(&self, bytes: usize, limits: &Limits) -> bool {
        self.counted < limits.queue_messages_max && self.bytes + bytes <= limits.queue_bytes_max
    }
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

/// What came of messages that were judged.
#[derive(Debug, Default)]
pub struct Judged {
    /// Those that may not be sent: they were dropped.
    pub denied: Vec<Queued>,
    /// Those that may, of which somebody wants to be told.
    pub to_tell: Vec<Arc<Message>>,
}

impl MessageQueue {
    /// Appends a message at `now`, within the limits.
    pub fn push(&mut self, queued: Queued, standing: Standing, limits: &Limits, now: Instant) -> Pushed {
        self.change(|waiting| waiting.push(queued, standing, limits, now))
    }

    /// Appends a retained message for a new subscription, and says whether there was room: its bytes count, but not the
    /// number of messages, since who asks for a large store is to have it.
    pub fn push_retained(&mut self, queued: Queued, standing: Standing, limits: &Limits) -> bool {
        let has_room = self.bytes() + queued.bytes() <= limits.queue_bytes_max;
        if has_room {
            self.change(|waiting| waiting.append(Entry { queued, counted: false, standing }));
        }
        has_room
    }

    /// The message that waits longest, unless it waits to be judged.
    pub fn front(&self) -> Option<&Queued> {
        let front = self.waiting.as_ref()?.entries.front()?;
        (front.standing == Standing::Judged).then_some(&front.queued)
    }

    /// Takes out the message that waits longest.
    pub fn pop(&mut self) -> Option<Queued> {
        self.waiting.as_ref()?;
        self.change(Waiting::pop)
    }

    /// The messages that wait, those that wait longest first.
    pub fn messages(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.waiting.iter().flat_map(|waiting| &waiting.entries).map(|entry| &entry.queued.message)
    }

    /// Whether the message that waits longest is to be judged: about those behind others it is soon enough to ask when these
    /// are gone.
    pub fn has_unjudged(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.has_unjudged())
    }

    /// The messages that are to be judged, those that wait longest first.
    pub fn unjudged(&self) -> impl Iterator<Item = &Arc<Message>> {
        let entries = self.waiting.iter().flat_map(|waiting| &waiting.entries);
        #[cfg(test)]
        let entries = entries.inspect(|_| visits::count());
        entries.filter(|entry| entry.standing != Standing::Judged).map(|entry| &entry.queued.message)
    }

    /// Judges those at the front, up to the first that `may_be_sent` knows nothing of: drops them or takes them to be
    /// allowed.
    pub fn judge(&mut self, may_be_sent: impl Fn(&Message) -> Option<bool>) -> Judged {
        if self.has_unjudged() { self.change(|waiting| waiting.judge(may_be_sent)) } else { Judged::default() }
    }

    /// Drops the messages that are not to be kept, and says how many.
    pub fn retain(&mut self, mut keep: impl FnMut(&Message) -> bool) -> usize {
        if self.is_empty() { 0 } else { self.change(|waiting| waiting.retain(|queued| keep(&queued.message))) }
    }

    /// Drops every message of QoS 0 and says how many.
    pub fn drop_qos0(&mut self) -> usize {
        if self.is_empty() { 0 } else { self.change(Waiting::drop_qos0) }
    }

    /// What the messages that wait are counted as.
    pub fn bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.all.bytes)
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.entries.len())
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Gives the memory back if nothing waits after the change.
    fn change<R>(&mut self, change: impl FnOnce(&mut Waiting) -> R) -> R {
        let waiting = self.waiting.get_or_insert_default();
        let result = change(waiting);
        if waiting.entries.is_empty() {
            self.waiting = None;
        }
        result
    }
}

impl Waiting {
    fn has_unjudged(&self) -> bool {
        self.all.unjudged > 0 && self.entries.front().is_some_and(|entry| entry.standing != Standing::Judged)
    }

    fn push(&mut self, queued: Queued, standing: Standing, limits: &Limits, now: Instant) -> Pushed {
        let (mut dropped, bytes) = (0, queued.bytes());
        self.come += 1;
        if self.all.expiring > 0 && !self.all.has_room(bytes, limits) {
            self.drop_expired(bytes, limits, now);
        }
        if !self.all.has_room(bytes, limits) {
            let mut without_qos0 = self.all;
            without_qos0.remove(self.qos0);
            // Nothing is dropped for the sake of a message that has no room even so.
            if queued.qos == QoS::AtMostOnce || !without_qos0.has_room(bytes, limits) {
                return Pushed::Refused;
            }
            dropped = self.drop_qos0();
        }
        self.append(Entry { queued, counted: true, standing });
        if dropped == 0 { Pushed::Kept } else { Pushed::KeptInsteadOf(dropped) }
    }

    fn append(&mut self, entry: Entry) {
        let sum = Sum::of(&entry);
        self.all.add(sum);
        if entry.queued.qos == QoS::AtMostOnce {
            self.qos0.add(sum);
        }
        let expires = entry.queued.message.expires();
        self.soonest = self.soonest.into_iter().chain(expires).min();
        self.entries.push_back(entry);
    }

    /// Drops what has expired `[MQTT-3.3.2-5]`: what waits longest until there is room, as it mostly goes first; then all,
    /// if that does not cost more than the messages that have come.
    fn drop_expired(&mut self, bytes: usize, limits: &Limits, now: Instant) {
        while !self.all.has_room(bytes, limits)
            && self.entries.front().is_some_and(|entry| entry.queued.message.is_expired(now))
        {
            self.pop();
        }
        if self.all.has_room(bytes, limits)
            || self.soonest.is_none_or(|soonest| soonest > now)
            || self.come.saturating_mul(LOOKED_AT_PER_PUSH) < self.entries.len()
        {
            return;
        }
        let mut soonest: Option<Instant> = None;
        self.retain(|queued| {
            let expires = queued.message.expires().filter(|_| !queued.message.is_expired(now));
            soonest = soonest.into_iter().chain(expires).min();
            !queued.message.is_expired(now)
        });
        (self.soonest, self.come) = (soonest, 0);
    }

    fn pop(&mut self) -> Option<Queued> {
        let entry = self.entries.pop_front()?;
        self.forget(&entry);
        Some(entry.queued)
    }

    /// From the back, and no further than to the first of them: all have come since this was last done, so that it costs
    /// each message once, however often it is done.
    fn drop_qos0(&mut self) -> usize {
        let is_qos0 = |entry: &Entry| entry.queued.qos == QoS::AtMostOnce;
        let (dropped, mut left, mut first) = (self.qos0.entries, self.qos0.entries, self.entries.len());
        while left > 0 && first > 0 {
            #[cfg(test)]
            visits::count();
            first -= 1;
            left -= usize::from(is_qos0(&self.entries[first]));
        }
        for entry in self.entries.split_off(first) {
            if is_qos0(&entry) {
                self.forget(&entry);
            } else {
                self.entries.push_back(entry);
            }
        }
        dropped
    }

    fn retain(&mut self, mut keep: impl FnMut(&Queued) -> bool) -> usize {
        let mut entries = std::mem::take(&mut self.entries);
        let before = entries.len();
        entries.retain(|entry| {
            #[cfg(test)]
            visits::count();
            let keeps = keep(&entry.queued);
            if !keeps {
                self.forget(entry);
            }
            keeps
        });
        self.entries = entries;
        before - self.entries.len()
    }

    /// Up to the first of which nothing is known: what was asked about are the first ones, and a long queue is not gone
    /// through for each few of them.
    fn judge(&mut self, may_be_sent: impl Fn(&Message) -> Option<bool>) -> Judged {
        let (mut judged, mut settled) = (Judged::default(), 0);
        for entry in &mut self.entries {
            #[cfg(test)]
            visits::count();
            if let Standing::Unjudged { is_told } = entry.standing {
                match may_be_sent(&entry.queued.message) {
                    None => break,
                    Some(true) => {
                        if is_told {
                            judged.to_tell.push(Arc::clone(&entry.queued.message));
                        }
                        entry.standing = Standing::Judged;
                        self.all.unjudged -= 1;
                        self.qos0.unjudged -= usize::from(entry.queued.qos == QoS::AtMostOnce);
                    }
                    // It is taken out below.
                    Some(false) => {}
                }
            }
            settled += 1;
        }
        let front: Vec<Entry> = self.entries.drain(..settled).collect();
        for entry in front.into_iter().rev() {
            if entry.standing == Standing::Judged {
                self.entries.push_front(entry);
            } else {
                self.forget(&entry);
                judged.denied.push(entry.queued);
            }
        }
        judged.denied.reverse();
        judged
    }

    /// Counts a message no longer.
    fn forget(&mut self, entry: &Entry) {
        let sum = Sum::of(entry);
        self.all.remove(sum);
        if entry.queued.qos == QoS::AtMostOnce {
            self.qos0.remove(sum);
        }
    }
}

#[cfg(test)]
mod tests;
