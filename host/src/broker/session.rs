use std::collections::{HashMap, HashSet};
use std::ops::{AddAssign, Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use super::subscriptions::Wanted;
use crate::protocol::{ClientTerms, Delivered, Delivery, Session, Terms, Undelivered};
use crate::queue::{Outgoing, Queued};
use crate::types::{ClientId, ClientInfo, Identity, Limits, Message, TopicFilter, TopicName};

/// A session that several threads may reach: its client's connection, publishers, and a connection that takes over.
#[derive(Debug)]
pub(super) struct SessionHandle {
    /// Unlike a client identifier, never used again.
    pub(super) key: u64,
    pub(super) client_id: ClientId,
    /// Whose session it is; nobody else is given it.
    pub(super) identity: Identity,
    /// Whether it ends with its connection.
    pub(super) clean: bool,
    /// The connection that it has or had last.
    link_id: AtomicU64,
    /// The generation of verdicts by which all subscriptions and waiting messages have been judged.
    judged: AtomicU64,
    shared: Mutex<Shared>,
    /// What waits in all sessions together.
    queued: Arc<QueuedBytes>,
}

/// What the messages that wait in all sessions are counted as.
#[derive(Debug, Default)]
pub(super) struct QueuedBytes(AtomicUsize);

impl QueuedBytes {
    pub(super) fn value(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The state of a session while it is locked; what it adds to or takes from all that waits is counted when it is done.
struct Locked<'a> {
    shared: MutexGuard<'a, Shared>,
    queued: &'a QueuedBytes,
    queued_before: usize,
}

impl Deref for Locked<'_> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Shared {
        &mut self.shared
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let after = self.shared.session.outbound.queue_bytes();
        // Most messages never wait: nothing is shared then.
        if after != self.queued_before {
            self.queued.0.fetch_add(after.wrapping_sub(self.queued_before), Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
struct Shared {
    session: Session,
    subscriptions: HashMap<TopicFilter, Wanted, ahash::RandomState>,
    /// Who is or was connected last.
    client: Arc<ClientInfo>,
    link: Option<Link>,
    /// Since when there is no connection.
    away_since: Option<Instant>,
    /// Over: nothing may be added any more.
    ended: bool,
}

/// The connection that a session has at the moment.
#[derive(Debug)]
pub(super) struct Link {
    /// Tells one connection of the session from the next.
    pub(super) id: u64,
    pub(super) client: Arc<ClientInfo>,
    pub(super) terms: ClientTerms,
    pub(super) waker: Waker,
    /// Published when the connection ends without a DISCONNECT.
    pub(super) will: Option<Box<Message>>,
    /// The connection has been woken and has not looked yet.
    pub(super) woken: bool,
    /// The broker wants the connection closed.
    pub(super) close: bool,
}

/// The session belongs to another connection now, or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Displaced;

impl SessionHandle {
    /// A session that has nothing to be judged yet: `generation` is the current one of verdicts.
    pub(super) fn new(
        key: u64,
        client: &Arc<ClientInfo>,
        clean: bool,
        generation: u64,
        queued: Arc<QueuedBytes>,
    ) -> Self {
        Self {
            key,
            client_id: client.client_id.clone(),
            identity: client.identity.clone(),
            clean,
            link_id: AtomicU64::new(0),
            judged: AtomicU64::new(generation),
            shared: Mutex::new(Shared {
                session: Session::default(),
                subscriptions: HashMap::default(),
                client: Arc::clone(client),
                link: None,
                away_since: None,
                ended: false,
            }),
            queued,
        }
    }

    fn lock(&self) -> Locked<'_> {
        let shared = self.shared.lock();
        let queued_before = shared.session.outbound.queue_bytes();
        Locked { shared, queued: &self.queued, queued_before }
    }

    /// Gives the session a connection, and returns the one that it takes it from, which is woken to find out.
    ///
    /// If the session was judged by another `generation` than this one of verdicts, nothing is sent before it has been
    /// judged again.
    pub(super) fn connect(&self, link: Link, generation: u64, limits: &Limits, now: Instant) -> Option<Link> {
        let mut shared = self.lock();
        let terms = link.terms;
        shared.client = Arc::clone(&link.client);
        shared.away_since = None;
        self.link_id.store(link.id, Ordering::Relaxed);
        let old = shared.link.replace(link);
        if let Some(old) = &old {
            shared.session.outbound.disconnect();
            old.waker.wake_by_ref();
        }
        if self.is_judged(generation) {
            shared.session.outbound.connect(terms, limits, now);
        } else {
            shared.session.outbound.connect_held(terms, limits);
        }
        old
    }

    /// The number of the connection that it has or had last.
    pub(super) fn link_id(&self) -> u64 {
        self.link_id.load(Ordering::Relaxed)
    }

    /// Whether everything of the session has been judged by this generation of verdicts.
    pub(super) fn is_judged(&self, generation: u64) -> bool {
        self.judged.load(Ordering::Relaxed) == generation
    }

    /// Does something to the session, if it still belongs to the connection `link_id`.
    pub(super) fn with<R>(&self, link_id: u64, act: impl FnOnce(&mut Session) -> R) -> Result<R, Displaced> {
        let mut shared = self.lock();
        match &shared.link {
            Some(link) if link.id == link_id => Ok(act(&mut shared.session)),
            _ => Err(Displaced),
        }
    }

    /// The connection looks what there is to write, having been woken or having read; takes it if there is room.
    pub(super) fn take_turn(
        &self,
        link_id: u64,
        waker: &Waker,
        limits: &Limits,
        now: Instant,
        has_room: bool,
    ) -> Result<Turn, Displaced> {
        let mut shared = self.lock();
        let Shared { session, link, .. } = &mut *shared;
        let link = link.as_mut().filter(|link| link.id == link_id).ok_or(Displaced)?;
        link.woken = false;
        link.waker.clone_from(waker);
        let (outgoing, messages) =
            if has_room { session.outbound.take_outgoing(limits, now) } else { Default::default() };
        let undelivered = session.outbound.take_undelivered();
        Ok(Turn { outgoing, messages, undelivered, more: session.outbound.has_outgoing(), close: link.close })
    }

    /// Takes a message for the client. If its connection has to be woken for it, its waker is added to `wakes`.
    pub(super) fn deliver(
        &self,
        delivery: &mut Delivery<'_>,
        terms: Terms<'_>,
        limits: &Limits,
        wakes: &mut Vec<Waker>,
    ) -> Delivered {
        let mut shared = self.lock();
        if shared.ended {
            return Delivered::Away;
        }
        let delivered = if self.queued.value() < limits.queue_total_bytes_max {
            shared.session.outbound.deliver(delivery, terms, limits)
        } else {
            let no_room = Limits { queue_bytes_max: 0, ..limits.clone() };
            shared.session.outbound.deliver(delivery, terms, &no_room)
        };
        if delivered == Delivered::Buffered
            && let Some(link) = &mut shared.link
            && !link.woken
        {
            link.woken = true;
            wakes.push(link.waker.clone());
        }
        delivered
    }

    /// Takes retained messages for a subscription of the connection `link_id`, and says how many had no room.
    pub(super) fn deliver_retained(
        &self,
        link_id: u64,
        messages: impl Iterator<Item = Queued>,
        limits: &Limits,
        now: Instant,
    ) -> Result<usize, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().is_none_or(|link| link.id != link_id) {
            return Err(Displaced);
        }
        let outbound = &mut shared.session.outbound;
        let room_in_all = limits.queue_total_bytes_max.saturating_sub(self.queued.value());
        let queue_bytes_max = limits.queue_bytes_max.min(outbound.queue_bytes() + room_in_all);
        Ok(outbound.deliver_retained(messages, &Limits { queue_bytes_max, ..limits.clone() }, now))
    }

    /// Records a subscription while `index` enters it where publishers look.
    pub(super) fn subscribe(
        &self,
        link_id: u64,
        filter: &TopicFilter,
        wanted: Wanted,
        limits: &Limits,
        index: impl FnOnce(),
    ) -> Result<Subscribed, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().is_none_or(|link| link.id != link_id) {
            return Err(Displaced);
        }
        if !shared.subscriptions.contains_key(filter) && shared.subscriptions.len() >= limits.subscriptions_max {
            return Ok(Subscribed::TooMany);
        }
        let old = shared.subscriptions.insert(filter.clone(), wanted);
        if old != Some(wanted) {
            index();
        }
        Ok(if old.is_none() { Subscribed::New } else { Subscribed::Again })
    }

    /// Forgets a subscription, and says whether there was one.
    pub(super) fn unsubscribe(&self, link_id: u64, filter: &TopicFilter) -> Result<bool, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().is_none_or(|link| link.id != link_id) {
            return Err(Displaced);
        }
        Ok(shared.subscriptions.remove(filter).is_some())
    }

    /// The connection `link_id` is over. Returns its link, unless another connection has the session already.
    pub(super) fn disconnect(&self, link_id: u64) -> Option<Link> {
        let mut shared = self.lock();
        shared.link.as_ref().filter(|link| link.id == link_id)?;
        shared.session.outbound.disconnect();
        shared.away_since = Some(Instant::now());
        shared.link.take()
    }

    /// Whether the client has been away since `then` or longer.
    pub(super) fn is_away_since(&self, then: Instant) -> bool {
        self.lock().away_since.is_some_and(|since| since <= then)
    }

    /// Ends the session, and returns its filters and the connection that it had, which is woken to find out.
    pub(super) fn end(&self) -> (Vec<TopicFilter>, Option<Link>) {
        let mut shared = self.lock();
        shared.ended = true;
        shared.session = Session::default();
        let link = shared.link.take();
        if let Some(link) = &link {
            link.waker.wake_by_ref();
        }
        let filters = std::mem::take(&mut shared.subscriptions).into_keys().collect();
        (filters, link)
    }

    /// Takes the will of the connection it has, which then ends without one.
    pub(super) fn take_will(&self) -> Option<(Arc<ClientInfo>, Message)> {
        let mut shared = self.lock();
        let link = shared.link.as_mut()?;
        let will = link.will.take()?;
        Some((Arc::clone(&link.client), *will))
    }

    /// Tells the connection to close.
    pub(super) fn close(&self) {
        if let Some(link) = &mut self.lock().link {
            link.close = true;
            link.waker.wake_by_ref();
        }
    }

    /// The client that is or was connected last.
    pub(super) fn client(&self) -> Arc<ClientInfo> {
        self.last_client().1
    }

    /// The same, and the number of its connection.
    pub(super) fn last_client(&self) -> (u64, Arc<ClientInfo>) {
        let shared = self.lock();
        (self.link_id(), Arc::clone(&shared.client))
    }

    /// Wakes the connection if there is one; says whether there is.
    pub(super) fn wake(&self) -> bool {
        self.lock().link.as_ref().inspect(|link| link.waker.wake_by_ref()).is_some()
    }

    /// Holds back what waits, and says what there is to be judged anew: for the connection `link_id`, or for none.
    pub(super) fn to_judge(&self, link_id: Option<u64>) -> Result<ToJudge, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().map(|link| link.id) != link_id || shared.ended {
            return Err(Displaced);
        }
        shared.session.outbound.hold();
        let mut topics: HashSet<TopicName, ahash::RandomState> = HashSet::default();
        for message in shared.session.outbound.unsent() {
            if !topics.contains(&message.topic) {
                topics.insert(message.topic.clone());
            }
        }
        Ok(ToJudge {
            client: Arc::clone(&shared.client),
            filters: shared.subscriptions.keys().cloned().collect(),
            topics: topics.into_iter().collect(),
        })
    }

    /// Ends the subscriptions and drops the messages that were judged to be not allowed, and sends what was held back.
    /// `unindex` takes a subscription away where publishers look. Says how many messages were dropped.
    pub(super) fn judge(
        &self,
        link_id: Option<u64>,
        judgement: &Judgement,
        limits: &Limits,
        now: Instant,
        mut unindex: impl FnMut(&TopicFilter),
    ) -> Result<usize, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().map(|link| link.id) != link_id || shared.ended {
            return Err(Displaced);
        }
        let Shared { session, subscriptions, .. } = &mut *shared;
        for filter in &judgement.filters {
            subscriptions.remove(filter);
            unindex(filter);
        }
        let dropped = if judgement.is_clean() {
            0
        } else {
            let matches = |filter: &TopicFilter, message: &Message| filter.matches(message.topic.as_str());
            session.outbound.retain_unsent(|message| {
                let lost = judgement.filters.iter().any(|filter| matches(filter, message))
                    && !subscriptions.keys().any(|filter| matches(filter, message));
                !lost && !judgement.topics.contains(&message.topic)
            })
        };
        self.judged.store(judgement.generation, Ordering::Relaxed);
        session.outbound.release(limits, now);
        Ok(dropped)
    }

    /// Messages in flight and waiting.
    pub(super) fn message_counts(&self) -> MessageCounts {
        let shared = self.lock();
        let Session { outbound, inbound } = &shared.session;
        MessageCounts {
            inflight_in: inbound.len() as u64,
            inflight_out: outbound.inflight_len() as u64,
            queued: outbound.queue_len() as u64,
        }
    }
}

/// How many messages sessions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct MessageCounts {
    /// From clients, at QoS 2 and not yet released.
    pub(super) inflight_in: u64,
    /// To clients, sent and not yet acknowledged.
    pub(super) inflight_out: u64,
    /// To clients, not yet sent.
    pub(super) queued: u64,
}

impl AddAssign for MessageCounts {
    fn add_assign(&mut self, other: Self) {
        self.inflight_in += other.inflight_in;
        self.inflight_out += other.inflight_out;
        self.queued += other.queued;
    }
}

/// What a session has for its connection.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) outgoing: Outgoing,
    /// How many messages are in `outgoing`.
    pub(super) messages: usize,
    /// What there was for the client and cannot be sent.
    pub(super) undelivered: Undelivered,
    /// Whether there is more to take once this is written.
    pub(super) more: bool,
    pub(super) close: bool,
}

/// What a session has that is only there because it was allowed once.
#[derive(Debug)]
pub(super) struct ToJudge {
    /// Whose it is.
    pub(super) client: Arc<ClientInfo>,
    /// What it is subscribed to.
    pub(super) filters: Vec<TopicFilter>,
    /// The topics of the messages that are yet to be sent, each once.
    pub(super) topics: Vec<TopicName>,
}

/// What of a session is not allowed any more.
#[derive(Debug)]
pub(super) struct Judgement {
    /// Of the verdicts that it follows from.
    pub(super) generation: u64,
    /// Subscriptions that end.
    pub(super) filters: Vec<TopicFilter>,
    /// Topics whose messages are not delivered.
    pub(super) topics: HashSet<TopicName, ahash::RandomState>,
}

impl Judgement {
    /// Nothing is to end so far.
    pub(super) fn new(generation: u64) -> Self {
        Self { generation, filters: Vec::new(), topics: HashSet::default() }
    }

    /// Whether everything is still allowed.
    pub(super) fn is_clean(&self) -> bool {
        self.filters.is_empty() && self.topics.is_empty()
    }
}

/// What became of a request for a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subscribed {
    /// There is one more.
    New,
    /// It replaces one of the same filter.
    Again,
    /// The session has as many as it may.
    TooMany,
}
