#[cfg(test)]
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, hash_map};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::RwLock;

use super::connect::logged;
use crate::queue::queued_bytes;
use crate::routing::{Progress, RetainedTree};
use crate::types::{ClientInfo, Limits, Message, TopicFilter, TopicName, levels};

/// Topic levels that are looked at in one go, while nobody can store a message: some hundred microseconds.
const LOOKS_MAX: usize = 1_024;

/// Expired messages that are dropped in one go, while nobody can look any up.
const DROPPED_MAX: usize = 1_024;

#[cfg(test)]
thread_local! {
    /// What a test has happen before the next message is stored.
    pub(super) static BEFORE_STORE: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

/// The retained message of each topic (3.3.1.3), within limits.
#[derive(Debug, Default)]
pub(super) struct Retained {
    inner: RwLock<Inner>,
    /// Whether it has been said that there is no room.
    full: AtomicBool,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    tree: RetainedTree<Entry>,
    bytes: usize,
    /// How many have been stored.
    stored: u64,
    publishers: Publishers,
    /// When messages expire that do, so that those that have take nobody's room.
    expiring: BTreeSet<(Instant, TopicName)>,
}

impl Inner {
    fn remove(&mut self, topic: &TopicName) -> Option<Entry> {
        let old = self.tree.remove(topic)?;
        self.forget(&old);
        Some(old)
    }

    fn forget(&mut self, Entry { message, publisher, .. }: &Entry) {
        self.bytes -= message.bytes();
        self.publishers.forget(publisher.as_ref());
        if let Some(expires) = message.expires() {
            self.expiring.remove(&(expires, message.topic.clone()));
        }
    }
}

/// Clients that are remembered with what they have published, each counted once: what they say of themselves can be
/// longer than their messages.
#[derive(Debug, Default)]
struct Publishers {
    /// How many messages each has, by where it lies in memory: it stays there as long as one has it.
    messages: HashMap<usize, usize, ahash::RandomState>,
    bytes: usize,
}

impl Publishers {
    fn key(client: &Arc<ClientInfo>) -> usize {
        Arc::as_ptr(client).addr()
    }

    fn bytes_of(client: &ClientInfo) -> usize {
        size_of::<ClientInfo>() + client.bytes()
    }

    fn remember(&mut self, client: Option<&Arc<ClientInfo>>) {
        let Some(client) = client else { return };
        let messages = self.messages.entry(Self::key(client)).or_default();
        *messages += 1;
        if *messages == 1 {
            self.bytes += Self::bytes_of(client);
        }
    }

    fn forget(&mut self, client: Option<&Arc<ClientInfo>>) {
        let Some(client) = client else { return };
        if let hash_map::Entry::Occupied(mut messages) = self.messages.entry(Self::key(client)) {
            *messages.get_mut() -= 1;
            if *messages.get() == 0 {
                messages.remove();
                self.bytes -= Self::bytes_of(client);
            }
        }
    }

    /// What they would take if this one had one more message, in place of one of `old`.
    fn bytes_with(&self, client: Option<&Arc<ClientInfo>>, old: Option<&Arc<ClientInfo>>) -> usize {
        let new = client.filter(|client| !self.messages.contains_key(&Self::key(client)));
        let goes = old.filter(|old| {
            self.messages.get(&Self::key(old)) == Some(&1) && client.is_none_or(|client| !Arc::ptr_eq(client, old))
        });
        self.bytes + new.map_or(0, |client| Self::bytes_of(client)) - goes.map_or(0, |old| Self::bytes_of(old))
    }
}

#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    /// Who published it; none for a plugin.
    publisher: Option<Arc<ClientInfo>>,
    /// How many had been stored with it.
    number: u64,
    /// The generation of verdicts in which its publisher was last found to be allowed to publish it; 0 for none.
    allowed_in: AtomicU64,
}

/// A retained message that a filter matches.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) message: Arc<Message>,
    /// Who published it; none for a plugin.
    pub(super) publisher: Option<Arc<ClientInfo>>,
    /// Whether its publisher is known to be still allowed to publish it.
    pub(super) is_allowed: bool,
}

impl Retained {
    /// Keeps a message as its topic's, in place of the one before `[MQTT-3.3.1-5]`; an empty one only deletes
    /// `[MQTT-3.3.1-10]` `[MQTT-3.3.1-11]`.
    ///
    /// One that there is no room for is not kept, and the first of them is logged.
    pub(super) fn store(&self, message: &Arc<Message>, publisher: Option<&Arc<ClientInfo>>, limits: &Limits) -> Stored {
        #[cfg(test)]
        if let Some(happen) = BEFORE_STORE.take() {
            happen();
        }
        let topic = &message.topic;
        let mut inner = self.inner.write();
        if message.payload.is_empty() {
            if inner.remove(topic).is_some() {
                self.full.store(false, Ordering::Relaxed);
            }
            return Stored::Done;
        }
        let old_bytes = inner.tree.value(topic).map(|old| old.message.bytes());
        let new_bytes = inner.bytes - old_bytes.unwrap_or(0) + message.bytes();
        let new_len = inner.tree.len() + usize::from(old_bytes.is_none());
        let old_publisher = inner.tree.value(topic).and_then(|old| old.publisher.as_ref());
        let of_publishers = inner.publishers.bytes_with(publisher, old_publisher);
        // As if no other began as this one does.
        let new_levels = inner.tree.levels() + old_bytes.map_or(levels(topic.as_str()), |_| 0);
        if new_len > limits.retained_messages_max
            || new_bytes + of_publishers > limits.retained_bytes_max
            || new_levels > limits.levels_max(limits.retained_messages_max)
        {
            drop(inner);
            self.refused.fetch_add(1, Ordering::Relaxed);
            if !self.full.swap(true, Ordering::Relaxed) {
                let (messages, bytes) = (limits.retained_messages_max, limits.retained_bytes_max);
                tracing::warn!(
                    "no room for the retained message of {:?}: the maximum is {messages} messages, {bytes} bytes and \
                     {} levels of topics; no more are kept until some are deleted",
                    logged(topic.as_str()),
                    limits.levels_max(messages)
                );
            }
            return Stored::Refused;
        }
        let (kept, by) = (Arc::clone(message), publisher.cloned());
        inner.stored += 1;
        let entry = Entry { message: kept, publisher: by, number: inner.stored, allowed_in: AtomicU64::new(0) };
        inner.publishers.remember(publisher);
        if let Some(old) = inner.tree.insert(topic, entry) {
            inner.forget(&old);
        }
        inner.bytes += message.bytes();
        inner.expiring.extend(message.expires().map(|expires| (expires, topic.clone())));
        Stored::Done
    }

    /// Drops some of what has expired at `now` `[MQTT-3.3.2-5]`. Says whether there may be more.
    pub(super) fn drop_some_expired(&self, now: Instant) -> bool {
        // Mostly there is none, and publishers are not kept out for that.
        if self.inner.read().expiring.first().is_none_or(|(expires, _)| *expires > now) {
            return false;
        }
        let mut inner = self.inner.write();
        for _ in 0..DROPPED_MAX {
            let Some((_, topic)) = inner.expiring.first().filter(|(expires, _)| *expires <= now).cloned() else {
                break;
            };
            inner.remove(&topic);
        }
        self.full.store(false, Ordering::Relaxed);
        true
    }

    /// The number of the last message that was stored. Whoever has subscribed before asking gets those after it as they are
    /// published.
    pub(super) fn last(&self) -> u64 {
        self.inner.read().stored
    }

    /// Some of the retained messages whose topics `filter` matches and that were stored up to the one of number `last`, in
    /// this generation of verdicts, and from where to go on for the rest, if this is not all. Where they are not small, they
    /// are so many that they have up to `bytes_max` without the last of them.
    pub(super) fn some_matches(
        &self,
        filter: &TopicFilter,
        (last, from): (u64, Progress),
        generation: u64,
        bytes_max: usize,
    ) -> (Vec<Found>, Option<Progress>) {
        let mut found = Vec::new();
        let rest = self.inner.read().tree.matches_on(filter, from, LOOKS_MAX, |entry| {
            if entry.number > last {
                return 0;
            }
            let is_allowed = entry.allowed_in.load(Ordering::Relaxed) == generation;
            let (message, publisher) = (Arc::clone(&entry.message), entry.publisher.clone());
            found.push(Found { message, publisher, is_allowed });
            queued_bytes(&entry.message).saturating_mul(LOOKS_MAX) / bytes_max.max(1)
        });
        (found, rest)
    }

    /// Remembers that the publisher of a message was found to be allowed to publish it, as long as the generation lasts.
    pub(super) fn remember_allowed(&self, message: &Arc<Message>, generation: u64) {
        if let Some(entry) = self.inner.read().tree.value(&message.topic)
            && Arc::ptr_eq(&entry.message, message)
        {
            entry.allowed_in.store(generation, Ordering::Relaxed);
        }
    }

    /// Whether this is still the retained message of its topic.
    pub(super) fn is_current(&self, message: &Arc<Message>) -> bool {
        self.inner.read().tree.value(&message.topic).is_some_and(|entry| Arc::ptr_eq(&entry.message, message))
    }

    /// How many messages there was no room for.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Bytes of topic and payload of all of them.
    pub(super) fn bytes(&self) -> usize {
        self.inner.read().bytes
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.inner.read().tree.len()
    }
}

/// What became of a message that was to be retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// It is kept, or has deleted the one before.
    Done,
    /// There is no room.
    Refused,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::types::{ClientId, ConnectFacts, Identity, MessageProperties, Peer, QoS, UserProperties, UserProperty};

    fn message(topic: &str, expires: Option<Instant>) -> Arc<Message> {
        let topic = TopicName::new(topic).expect("valid topic");
        let mut message = Message::new(topic, Bytes::from_static(b"x"), QoS::AtMostOnce, true);
        let properties = MessageProperties { passed_on: Bytes::new(), expires, share: None };
        message.properties = expires.map(|_| Arc::new(properties));
        Arc::new(message)
    }

    fn drop_expired(retained: &Retained, now: Instant) {
        while retained.drop_some_expired(now) {}
    }

    #[test]
    fn expired_messages_make_room() {
        let limits = Limits { retained_messages_max: 3, ..Limits::default() };
        let (retained, now) = (Retained::default(), Instant::now());
        let in_secs = |secs| Some(now + Duration::from_secs(secs));
        for (topic, expires) in
            [("a", in_secs(1)), ("b", in_secs(2)), ("c", None), ("a", in_secs(3)), ("b", in_secs(1))]
        {
            assert_eq!(retained.store(&message(topic, expires), None, &limits), Stored::Done);
        }
        assert_eq!(retained.store(&message("d", None), None, &limits), Stored::Refused);
        drop_expired(&retained, now);
        assert_eq!(retained.len(), 3);
        drop_expired(&retained, now + Duration::from_secs(2));
        assert_eq!(retained.len(), 2, "a has been replaced by one that lasts longer");
        assert_eq!(retained.store(&message("d", None), None, &limits), Stored::Done);
        drop_expired(&retained, now + Duration::from_secs(9));
        let inner = retained.inner.read();
        assert_eq!((inner.tree.len(), inner.bytes, inner.expiring.len()), (2, 4, 0));
    }

    /// Meanwhile nobody can store any.
    #[test]
    fn very_many_that_expire_at_once_are_dropped_in_parts() {
        let (retained, now) = (Retained::default(), Instant::now());
        let store = |number| retained.store(&message(&format!("t/{number}"), Some(now)), None, &Limits::default());
        assert!((0..2 * DROPPED_MAX + 1).all(|number| store(number) == Stored::Done));
        let left = std::iter::from_fn(|| retained.drop_some_expired(now).then(|| retained.len()));
        assert_eq!(left.collect::<Vec<_>>(), [DROPPED_MAX + 1, 1, 0]);
    }

    /// A message of a byte keeps a CONNECT of many from being forgotten.
    #[test]
    fn what_is_known_of_publishers_is_counted_once_for_each() {
        let limits = Limits { retained_bytes_max: 50_000, ..Limits::default() };
        let retained = Retained::default();
        let publisher = || {
            let property = UserProperty { name: "k".into(), value: "v".repeat(20_000).into() };
            let user_properties: UserProperties = [property].into_iter().collect();
            Arc::new(ClientInfo {
                client_id: ClientId::new("c"),
                identity: Identity::Anonymous,
                peer: Peer::tcp(([127, 0, 0, 1], 1).into(), "default".into()),
                connect: ConnectFacts { user_properties, ..ConnectFacts::default() },
            })
        };
        let (one, two, three) = (publisher(), publisher(), publisher());
        let store = |topic: &str, by| retained.store(&message(topic, None), Some(by), &limits);
        assert_eq!([store("a", &one), store("b", &one), store("c", &two)], [Stored::Done; 3]);
        assert_eq!(store("d", &three), Stored::Refused);
        // The last message of one makes room for another.
        assert_eq!([store("a", &two), store("d", &three)], [Stored::Done, Stored::Refused]);
        retained.inner.write().remove(&TopicName::new("b").expect("valid"));
        assert_eq!(store("d", &three), Stored::Done);
        let mut inner = retained.inner.write();
        for topic in ["a", "c", "d"] {
            inner.remove(&TopicName::new(topic).expect("valid"));
        }
        assert!(inner.publishers.bytes == 0 && inner.publishers.messages.is_empty());
    }

    /// A publisher is another one after each connection: what was known of the one before goes with its last message.
    #[test]
    fn a_publisher_that_comes_back_takes_no_more_room() {
        let publisher = || {
            Arc::new(ClientInfo {
                client_id: ClientId::new("publisher"),
                identity: Identity::Anonymous,
                peer: Peer::tcp(([192, 0, 2, 1], 49_152).into(), "default".into()),
                connect: ConnectFacts::default(),
            })
        };
        let (first, second) = (publisher(), publisher());
        let message = message("a", None);
        let retained_bytes_max = message.bytes() + Publishers::bytes_of(&first);
        let limits = Limits { retained_bytes_max, ..Limits::default() };
        let retained = Retained::default();
        for publisher in [&first, &first, &second, &second] {
            assert_eq!(retained.store(&message, Some(publisher), &limits), Stored::Done);
        }
        assert_eq!(retained.inner.read().publishers.bytes, Publishers::bytes_of(&second));
    }

    /// Each level takes more room than its text, which is all that bytes are counted of.
    #[test]
    fn levels_of_topics_are_bounded() {
        let limits = Limits { retained_messages_max: 2, topic_levels_max: 40, ..Limits::default() };
        let retained = Retained::default();
        let deep = "/".repeat(39);
        let store = |topic: &str| retained.store(&message(topic, None), None, &limits);
        assert_eq!([store(&deep), store(&deep)], [Stored::Done; 2]);
        assert_eq!(store("a"), Stored::Refused);
        retained.inner.write().remove(&TopicName::new(&deep).expect("valid"));
        assert_eq!([store("a"), store("b")], [Stored::Done; 2]);
    }
}
