use std::collections::HashMap;

use super::Note;
use crate::types::QoS;

/// What became of the messages for one client, and of those that it published.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Copies that were handed to the session.
    pub(super) delivered: usize,
    /// Dropped for lack of room, or since the client was away, or when it went.
    pub(super) dropped: usize,
    pub(super) away: usize,
    pub(super) dropped_on_disconnect: usize,
    /// The same copies, one by one.
    copies: HashMap<Key, Copies>,
    /// The last message of each author that was new.
    last: HashMap<usize, usize>,
    /// How often the broker routed a message of this client.
    pub(super) routed: HashMap<usize, usize>,
}

/// A message by author and number, and whether it is a copy of what was retained.
type Key = (usize, usize, bool);

#[derive(Debug, Default)]
struct Copies {
    /// What QoS each was to be delivered at.
    qos: Vec<QoS>,
    /// How often the application saw one.
    seen: usize,
}

impl Tally {
    /// One more copy is for the client, at this QoS.
    pub(super) fn deliver(&mut self, note: &Note, qos: QoS, retain: bool) {
        self.delivered += 1;
        self.copies.entry((note.author, note.number, retain)).or_default().qos.push(qos);
    }

    /// The broker sends a message: it has to be one that was for this client, at a QoS that was due.
    pub(super) fn check_sent(&self, note: &Note, qos: QoS, retain: bool) {
        let copies = self.copies.get(&(note.author, note.number, retain));
        let copies = copies.unwrap_or_else(|| panic!("[MQTT-3.3.1-8] [MQTT-3.3.1-9] {note:?}, RETAIN {retain}"));
        assert!(copies.qos.contains(&qos), "[MQTT-3.8.4-6] {note:?} at {qos:?}, not {:?}", copies.qos);
    }

    /// The application sees a message that its author has had routed so many times.
    pub(super) fn see(&mut self, note: &Note, retain: bool, times_routed: usize) {
        let key = (note.author, note.number, retain);
        let copies = self.copies.get_mut(&key).expect("was for this client");
        copies.seen += 1;
        // What its author sent again comes late where the first was lost: at QoS 0, for lack of room, or for want of a
        // subscription.
        let may_be_lost = self.dropped > 0 || copies.qos.contains(&QoS::AtMostOnce) || copies.qos.len() < times_routed;
        if copies.seen == 1 && !retain && !(times_routed > 1 && may_be_lost) {
            let last = self.last.insert(note.author, note.number);
            assert!(last.is_none_or(|last| last < note.number), "[MQTT-4.6.0-6] {note:?} after {last:?}");
        }
    }

    /// After all has come to rest: `sent` copies left the broker for good.
    pub(super) fn check(&self, sent: usize) {
        let left = self.delivered - self.dropped - self.away - self.dropped_on_disconnect;
        assert_eq!(left, sent, "every message is accounted for: {self:?}");
        let mut missing = 0;
        for (key, Copies { qos, seen }) in &self.copies {
            let at_most = if qos.contains(&QoS::AtLeastOnce) { usize::MAX } else { qos.len() };
            assert!(*seen <= at_most, "{key:?} came {seen} times for {qos:?}");
            // More than one of QoS 1 cannot be told apart from one that came again.
            let acknowledged = qos.iter().filter(|qos| **qos != QoS::AtMostOnce).count();
            missing += acknowledged.saturating_sub(*seen);
        }
        assert!(missing <= self.dropped, "{missing} are missing and {} were dropped", self.dropped);
    }
}
