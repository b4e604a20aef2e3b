use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use ahash::RandomState;
use parking_lot::Mutex;

use super::session::{Ended, LastWill, Left, Link, QueuedBytes, SessionHandle};
use crate::types::{ClientId, ClientInfo, Limits, SESSION_BYTES_ALWAYS, SessionExpiry};

/// Shards of the directory: connects of different clients seldom meet at one lock.
const SHARDS: usize = 64;

/// All sessions, by client identifier.
#[derive(Debug)]
pub(super) struct Directory {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    len: AtomicUsize,
    next_key: AtomicU64,
    queued: Arc<QueuedBytes>,
}

#[derive(Debug, Default)]
struct Shard {
    sessions: HashMap<ClientId, Arc<SessionHandle>, RandomState>,
    /// Sessions whose clients are away, by the time when something is to be done about it and their key.
    due: BTreeMap<(Instant, u64), Arc<SessionHandle>>,
}

/// What a CONNECT asks of the directory.
#[derive(Debug)]
pub(super) struct Open<'a> {
    pub(super) client: &'a Arc<ClientInfo>,
    /// Whether the session is to begin empty.
    pub(super) clean_start: bool,
    /// How long it is to outlive its connection.
    pub(super) expiry: SessionExpiry,
    pub(super) link: Link,
    /// The current one of verdicts.
    pub(super) generation: u64,
}

/// The session that a CONNECT was given, and what had to give way for it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) session: Arc<SessionHandle>,
    /// Whether it is an earlier one `[MQTT-3.2.2-2]`.
    pub(super) present: bool,
    /// A will that is to be published since its connection is over, or its session.
    pub(super) will: Option<LastWill>,
    /// A session that is over.
    pub(super) ended: Option<(Arc<SessionHandle>, Ended)>,
}

/// Why there is no session for a CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoom {
    #[error("there are {0} sessions, which is the maximum")]
    Sessions(usize),
    /// It would leave more with its session than each may have past the maximum of all.
    #[error("its will, user name and user properties take {0} bytes, and all sessions hold as much as they may")]
    Bytes(usize),
}

impl Directory {
    pub(super) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self {
            shards,
            hasher: RandomState::new(),
            len: AtomicUsize::new(0),
            next_key: AtomicU64::new(1),
            queued: Arc::default(),
        }
    }

    /// Finds or makes the session for a CONNECT that has passed auth, and gives it the connection.
    ///
    /// A session is resumed if the client wants that, it is not over, and it belongs to the same identity; another one of
    /// this client identifier ends here `[MQTT-3.1.2-4]` `[MQTT-3.1.2-6]`.
    pub(super) fn open(&self, open: Open<'_>, limits: &Limits, now: Instant) -> Result<Opened, NoRoom> {
        let Open { client, clean_start, expiry, link, generation } = open;
        let connect_bytes = link.connect_bytes();
        if connect_bytes > SESSION_BYTES_ALWAYS && self.queued.value() >= limits.queue_total_bytes_max {
            return Err(NoRoom::Bytes(connect_bytes));
        }
        let mut shard = self.shard(&client.client_id).lock();
        let Shard { sessions, due } = &mut *shard;
        match sessions.entry(client.client_id.clone()) {
            Entry::Occupied(entry) if !clean_start && entry.get().may_be_resumed(&client.identity, now) => {
                let session = Arc::clone(entry.get());
                let (was_due, will) = session.connect(link, expiry, generation, limits, now);
                was_due.map(|time| due.remove(&(time, session.key)));
                Ok(Opened { session, present: true, will, ended: None })
            }
            Entry::Occupied(mut entry) => {
                let session = self.session(client, expiry, link, generation, limits, now);
                let old = entry.insert(Arc::clone(&session));
                let (was_due, will, ended) = old.end();
                was_due.map(|time| due.remove(&(time, old.key)));
                Ok(Opened { session, present: false, will, ended: Some((old, ended)) })
            }
            Entry::Vacant(entry) => {
                if self.len.fetch_add(1, Ordering::Relaxed) >= limits.sessions_max {
                    self.len.fetch_sub(1, Ordering::Relaxed);
                    return Err(NoRoom::Sessions(limits.sessions_max));
                }
                let session = self.session(client, expiry, link, generation, limits, now);
                entry.insert(Arc::clone(&session));
                Ok(Opened { session, present: false, will: None, ended: None })
            }
        }
    }

    /// The connection `link_id` of a session is over, and its will is to be published or not. The session ends, or waits.
    ///
    /// None if another connection has the session already: that one has seen to the will.
    pub(super) fn left(
        &self,
        session: &Arc<SessionHandle>,
        link_id: u64,
        publishes_will: bool,
        now: Instant,
    ) -> Option<(Option<LastWill>, Option<Ended>)> {
        let mut shard = self.shard(&session.client_id).lock();
        let Left { due, will, ended } = session.disconnect(link_id, publishes_will, now)?;
        due.map(|time| shard.due.insert((time, session.key), Arc::clone(session)));
        if ended.is_some() {
            self.forget(&mut shard, session);
        }
        Some((will, ended))
    }

    /// What the messages that wait in all sessions are counted as, and what large CONNECTs have left there.
    pub(super) fn queued_bytes(&self) -> usize {
        self.queued.value()
    }

    /// How many parts [`due`](Self::due) and [`unjudged`](Self::unjudged) are to be called for, one after the other.
    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// What has fallen due at `now` in one part: wills to be published, sessions that have expired.
    ///
    /// Whoever connects meanwhile waits for this part and then finds no session.
    pub(super) fn due(&self, shard: usize, now: Instant) -> Vec<(Arc<SessionHandle>, Option<LastWill>, Option<Ended>)> {
        let mut found = Vec::new();
        let mut shard = self.shards[shard].lock();
        while let Some(first) = shard.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let session = first.remove();
            let Left { due, will, ended } = session.fall_due(now);
            due.map(|time| shard.due.insert((time, session.key), Arc::clone(&session)));
            if ended.is_some() {
                self.forget(&mut shard, &session);
            }
            found.push((session, will, ended));
        }
        found
    }

    /// How many sessions there are.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// The session of a client identifier.
    pub(super) fn find(&self, client_id: &str) -> Option<Arc<SessionHandle>> {
        self.shards[self.hasher.hash_one(client_id) as usize % SHARDS].lock().sessions.get(client_id).cloned()
    }

    /// At most `limit` sessions, which is not 0, and where to go on. What stays while pages are read is in one of them.
    ///
    /// A place is a shard and the key of the last session of it that was given: keys are never used again.
    pub(super) fn page(&self, start: Option<u64>, limit: usize) -> (Vec<ClientId>, Option<u64>) {
        const PLACES: u64 = SHARDS as u64;
        let start = start.unwrap_or(0);
        let (first_shard, mut after) = ((start % PLACES) as usize, start / PLACES);
        let mut found = Vec::new();
        for shard in first_shard..SHARDS {
            let shard_now = self.shards[shard].lock();
            let mut rest: Vec<_> = shard_now.sessions.values().filter(|it| it.key > after).collect();
            rest.sort_unstable_by_key(|session| session.key);
            let room = limit - found.len();
            found.extend(rest.iter().take(room).map(|session| session.client_id.clone()));
            if rest.len() > room {
                let last = room.checked_sub(1).map_or(after, |last| rest[last].key);
                return (found, Some(last * PLACES + shard as u64));
            }
            after = 0;
        }
        (found, None)
    }

    /// Calls `visit` with every session, while connects of the same shard wait.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<SessionHandle>)) {
        for shard in &self.shards {
            shard.lock().sessions.values().for_each(&mut visit);
        }
    }

    /// The sessions of one part that have not been judged by this generation of verdicts.
    pub(super) fn unjudged(&self, shard: usize, generation: u64) -> Vec<Arc<SessionHandle>> {
        self.shards[shard].lock().sessions.values().filter(|session| !session.is_judged(generation)).cloned().collect()
    }

    /// Forgets a session, unless another one has taken its place.
    fn forget(&self, shard: &mut Shard, session: &Arc<SessionHandle>) {
        if shard.sessions.get(&session.client_id).is_some_and(|current| Arc::ptr_eq(current, session)) {
            shard.sessions.remove(&session.client_id);
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn session(
        &self,
        client: &Arc<ClientInfo>,
        expiry: SessionExpiry,
        link: Link,
        generation: u64,
        limits: &Limits,
        now: Instant,
    ) -> Arc<SessionHandle> {
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(SessionHandle::new(key, client, generation, Arc::clone(&self.queued)));
        session.connect(link, expiry, generation, limits, now);
        session
    }

    fn shard(&self, client_id: &ClientId) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(client_id) as usize % SHARDS]
    }
}
