use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use ahash::RandomState;
use parking_lot::Mutex;

use super::session::{Link, QueuedBytes, SessionHandle};
use crate::types::{ClientId, ClientInfo, Limits, TopicFilter};

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

type Shard = HashMap<ClientId, Arc<SessionHandle>, RandomState>;

/// The session that a CONNECT was given, and what had to give way for it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) session: Arc<SessionHandle>,
    /// Whether it is an earlier one `[MQTT-3.2.2-2]`.
    pub(super) present: bool,
    /// The connection that the client identifier had until now.
    pub(super) displaced: Option<Link>,
    /// A session that is over: what it was subscribed to.
    pub(super) ended: Option<(Arc<SessionHandle>, Vec<TopicFilter>)>,
}

/// There are as many sessions as there may be.
#[derive(Debug)]
pub(super) struct TooManySessions;

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
    /// A session is resumed if both sides want it kept and it belongs to the same identity; another one of this client
    /// identifier ends here `[MQTT-3.1.2-4]` `[MQTT-3.1.2-6]`. `generation` is the current one of verdicts.
    pub(super) fn open(
        &self,
        client: &Arc<ClientInfo>,
        clean: bool,
        link: Link,
        generation: u64,
        limits: &Limits,
        now: Instant,
    ) -> Result<Opened, TooManySessions> {
        let mut shard = self.shard(&client.client_id).lock();
        match shard.entry(client.client_id.clone()) {
            Entry::Occupied(entry) if !clean && !entry.get().clean && entry.get().identity == client.identity => {
                let session = Arc::clone(entry.get());
                let displaced = session.connect(link, generation, limits, now);
                Ok(Opened { session, present: true, displaced, ended: None })
            }
            Entry::Occupied(mut entry) => {
                let session = self.session(client, clean, link, generation, limits, now);
                let old = entry.insert(Arc::clone(&session));
                let (filters, displaced) = old.end();
                Ok(Opened { session, present: false, displaced, ended: Some((old, filters)) })
            }
            Entry::Vacant(entry) => {
                if self.len.fetch_add(1, Ordering::Relaxed) >= limits.sessions_max {
                    self.len.fetch_sub(1, Ordering::Relaxed);
                    return Err(TooManySessions);
                }
                let session = self.session(client, clean, link, generation, limits, now);
                entry.insert(Arc::clone(&session));
                Ok(Opened { session, present: false, displaced: None, ended: None })
            }
        }
    }

    /// Forgets a session, unless another one has taken its place.
    pub(super) fn remove(&self, session: &Arc<SessionHandle>) {
        let mut shard = self.shard(&session.client_id).lock();
        if shard.get(&session.client_id).is_some_and(|current| Arc::ptr_eq(current, session)) {
            shard.remove(&session.client_id);
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What the messages that wait in all sessions are counted as.
    pub(super) fn queued_bytes(&self) -> usize {
        self.queued.value()
    }

    /// How many parts [`expired`](Self::expired) and [`unjudged`](Self::unjudged) are to be called for, one after the
    /// other.
    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Takes out the sessions of one part whose clients have been away since `then` or longer.
    ///
    /// Whoever connects meanwhile waits for this part and then finds no session.
    pub(super) fn expired(&self, shard: usize, then: Instant) -> Vec<Arc<SessionHandle>> {
        let mut expired = Vec::new();
        let mut sessions = self.shards[shard].lock();
        sessions.retain(|_, session| {
            let keep = !session.is_away_since(then);
            if !keep {
                expired.push(Arc::clone(session));
            }
            keep
        });
        self.len.fetch_sub(expired.len(), Ordering::Relaxed);
        expired
    }

    /// Calls `visit` with every session, while connects of the same shard wait.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<SessionHandle>)) {
        for shard in &self.shards {
            shard.lock().values().for_each(&mut visit);
        }
    }

    /// The sessions of one part that have not been judged by this generation of verdicts.
    pub(super) fn unjudged(&self, shard: usize, generation: u64) -> Vec<Arc<SessionHandle>> {
        self.shards[shard].lock().values().filter(|session| !session.is_judged(generation)).cloned().collect()
    }

    fn session(
        &self,
        client: &Arc<ClientInfo>,
        clean: bool,
        link: Link,
        generation: u64,
        limits: &Limits,
        now: Instant,
    ) -> Arc<SessionHandle> {
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(SessionHandle::new(key, client, clean, generation, Arc::clone(&self.queued)));
        session.connect(link, generation, limits, now);
        session
    }

    fn shard(&self, client_id: &ClientId) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(client_id) as usize % SHARDS]
    }
}
