mod figures;
mod judgement;
mod retained;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use super::owed::OwedFor;
use super::received::Received;
use super::subscriptions::Wanted;
use super::will::Will;
use crate::protocol::{ClientTerms, Delivered, Delivery, Session, Terms, Undelivered};
use crate::queue::{Outgoing, Queued, Standing};
use crate::routing::Progress;
use crate::types::{
    ClientId, ClientInfo, Few, Identity, Limits, SessionExpiry, TopicFilter, counted_connect_bytes, levels,
};
pub(super) use figures::MessageCounts;
pub(super) use judgement::{Judgement, ToJudge};

/// A session that several threads may reach: its client's connection, publishers, and a connection that takes over.
#[derive(Debug)]
pub(super) struct SessionHandle {
    /// Unlike a client identifier, never used again.
    pub(super) key: u64,
    pub(super) client_id: ClientId,
    /// Whose session it is; nobody else is given it.
    pub(super) identity: Identity,
    /// The connection that it has or had last.
    link_id: AtomicU64,
    /// Whether it has one: asked of each member of a shared subscription for each message.
    is_connected: AtomicBool,
    /// The generation of verdicts by which all subscriptions and waiting messages have been judged.
    judged: AtomicU64,
    shared: Mutex<Shared>,
    /// What waits in all sessions together.
    queued: Arc<QueuedBytes>,
}

/// What the messages that wait in all sessions are counted as, and what large CONNECTs have left there.
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
        let after = self.shared.bytes();
        // Most messages never wait: nothing is shared then.
        if after != self.queued_before {
            self.queued.0.fetch_add(after.wrapping_sub(self.queued_before), Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
struct Shared {
    session: Session,
    subscriptions: Few<TopicFilter, Wanted>,
    /// What their filters take.
    extent: Extent,
    /// Who is or was connected last.
    client: Arc<ClientInfo>,
    /// What that and a will are counted as.
    connect_bytes: usize,
    link: Option<Link>,
    /// How long it outlives its connection.
    expiry: SessionExpiry,
    /// What happens while there is no connection.
    away: Option<Box<Away>>,
    /// Over: nothing may be added any more.
    ended: bool,
    /// Something has come that a review which is under way may know nothing of.
    to_be_judged: bool,
    /// What a slow `receive` has said lately.
    received: Option<Box<Received>>,
    /// Subscriptions whose retained messages a connection has left to the next one, which may have renewed them.
    owed: Option<OwedFor>,
}

/// What the filters of a session take, beside their number.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Extent {
    /// Each level is a node of a tree.
    levels: usize,
    bytes: usize,
}

impl Extent {
    fn add(&mut self, filter: &TopicFilter) {
        self.levels += levels(filter.as_str());
        self.bytes += filter.as_str().len();
    }

    fn remove(&mut self, filter: &TopicFilter) {
        self.levels -= levels(filter.as_str());
        self.bytes -= filter.as_str().len();
    }

    fn fits(self, limits: &Limits) -> bool {
        self.levels <= limits.levels_max(limits.subscriptions_max) && self.bytes <= limits.filters_bytes_max()
    }
}

/// What happens while the client of a session is away.
#[derive(Debug)]
struct Away {
    /// When the session ends; none for never.
    ends: Option<Instant>,
    /// The will of the last connection, and when it is published.
    will: Option<(Instant, Box<Will>)>,
}

impl Away {
    /// When something is to be done next.
    fn due(&self) -> Option<Instant> {
        self.will.iter().map(|(at, _)| *at).chain(self.ends).min()
    }
}

/// A will that is to be published, and whose it is.
pub(super) type LastWill = (Arc<ClientInfo>, Box<Will>);

/// A session that is over.
#[derive(Debug)]
pub(super) struct Ended {
    /// What it was subscribed to.
    pub(super) filters: Vec<TopicFilter>,
    /// Messages of shared subscriptions that are for another member now.
    pub(super) orphans: Vec<Queued>,
}

/// What the end of a connection leads to, or the time since.
#[derive(Debug)]
pub(super) struct Left {
    /// When [`SessionHandle::fall_due`] is to be called.
    pub(super) due: Option<Instant>,
    /// A will that is to be published now.
    pub(super) will: Option<LastWill>,
    /// Set if the session is over with it.
    pub(super) ended: Option<Ended>,
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
    pub(super) will: Option<Box<Will>>,
    /// The connection has been woken and has not looked yet.
    pub(super) woken: bool,
    /// The broker wants the connection closed.
    pub(super) close: bool,
}

impl Link {
    /// What of its CONNECT stays with the session.
    pub(super) fn connect_bytes(&self) -> usize {
        connect_bytes(&self.client, self.will.as_deref())
    }
}

/// What is counted of a client and its will, whose name the session has besides.
fn connect_bytes(client: &ClientInfo, will: Option<&Will>) -> usize {
    let identity = client.username().map_or(0, str::len);
    counted_connect_bytes(client.bytes() + identity + will.map_or(0, Will::bytes))
}

/// The session belongs to another connection now, or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Displaced;

impl SessionHandle {
    /// A session that has nothing to be judged yet: `generation` is the current one of verdicts.
    pub(super) fn new(key: u64, client: &Arc<ClientInfo>, generation: u64, queued: Arc<QueuedBytes>) -> Self {
        Self {
            key,
            client_id: client.client_id.clone(),
            identity: client.identity.clone(),
            link_id: AtomicU64::new(0),
            is_connected: AtomicBool::new(false),
            judged: AtomicU64::new(generation),
            shared: Mutex::new(Shared {
                session: Session::default(),
                subscriptions: Few::default(),
                extent: Extent::default(),
                client: Arc::clone(client),
                connect_bytes: 0,
                link: None,
                expiry: SessionExpiry::WITH_CONNECTION,
                away: None,
                ended: false,
                to_be_judged: false,
                received: None,
                owed: None,
            }),
            queued,
        }
    }

    fn lock(&self) -> Locked<'_> {
        let shared = self.shared.lock();
        let queued_before = shared.bytes();
        Locked { shared, queued: &self.queued, queued_before }
    }

    /// Whether a client of this identity may have it back at `now`.
    pub(super) fn may_be_resumed(&self, identity: &Identity, now: Instant) -> bool {
        let shared = self.lock();
        let is_over = match &shared.away {
            Some(away) => away.ends.is_some_and(|ends| ends <= now),
            None => shared.expiry == SessionExpiry::WITH_CONNECTION,
        };
        !is_over && !shared.ended && self.identity == *identity
    }

    /// Gives the session a connection. The one that it takes it from is woken to find out.
    ///
    /// Returns when something would have been due, and the will of the other connection: unless that has a delay, which
    /// this one makes moot `[MQTT-3.1.3-9]`. If the session was judged by another `generation` than this one of verdicts,
    /// nothing is sent before it has been judged again.
    pub(super) fn connect(
        &self,
        link: Link,
        expiry: SessionExpiry,
        generation: u64,
        limits: &Limits,
        now: Instant,
    ) -> (Option<Instant>, Option<LastWill>) {
        let mut shared = self.lock();
        let terms = link.terms;
        shared.client = Arc::clone(&link.client);
        shared.expiry = expiry;
        self.link_id.store(link.id, Ordering::Relaxed);
        self.is_connected.store(true, Ordering::Relaxed);
        let was_due = shared.away.take().and_then(|away| away.due());
        let mut will = None;
        if let Some(old) = shared.link.replace(link) {
            shared.session.outbound.disconnect();
            old.waker.wake();
            will = old.will.filter(|will| will.delay.is_zero()).map(|will| (old.client, will));
        }
        shared.count_connect();
        if self.is_judged(generation) {
            shared.session.outbound.connect(terms, limits, now);
        } else {
            shared.session.outbound.connect_held(terms, limits);
        }
        (was_due, will)
    }

    /// The client says with its farewell how long the session is to wait for it. False if it may not, as the session was
    /// to end with the connection `[MQTT-3.1.2-23]`.
    pub(super) fn set_expiry(&self, link_id: u64, expiry: SessionExpiry) -> Result<bool, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().is_none_or(|link| link.id != link_id) {
            return Err(Displaced);
        }
        let with_connection = SessionExpiry::WITH_CONNECTION;
        if shared.expiry == with_connection && expiry != with_connection {
            return Ok(false);
        }
        shared.expiry = expiry;
        Ok(true)
    }

    /// The number of the connection that it has or had last.
    pub(super) fn link_id(&self) -> u64 {
        self.link_id.load(Ordering::Relaxed)
    }

    /// Does something to the session, if it still belongs to the connection `link_id`.
    pub(super) fn with<R>(&self, link_id: u64, act: impl FnOnce(&mut Session) -> R) -> Result<R, Displaced> {
        let mut shared = self.lock();
        match &shared.link {
            Some(link) if link.id == link_id => Ok(act(&mut shared.session)),
            _ => Err(Displaced),
        }
    }

    /// The connection looks what there is to write, having been woken or having read; takes it if there is room beside
    /// `unwritten` bytes that it has already.
    pub(super) fn take_turn(
        &self,
        link_id: u64,
        waker: &Waker,
        limits: &Limits,
        now: Instant,
        unwritten: usize,
    ) -> Result<Turn, Displaced> {
        let mut shared = self.lock();
        let Shared { session, link, .. } = &mut *shared;
        let link = link.as_mut().filter(|link| link.id == link_id).ok_or(Displaced)?;
        link.woken = false;
        link.waker.clone_from(waker);
        let outbound = &mut session.outbound;
        outbound.set_unwritten(unwritten);
        let has_room = outbound.may_be_taken(limits);
        let (outgoing, messages) = if has_room { outbound.take_outgoing(limits, now) } else { Default::default() };
        // Mostly the peer takes it at once.
        outbound.set_unwritten(0);
        let undelivered = outbound.take_undelivered();
        let (more, unjudged) = (outbound.has_outgoing(limits), outbound.has_unjudged());
        let close = link.close;
        Ok(Turn { outgoing, messages, undelivered, more, unjudged, owed: shared.take_owed(), close })
    }

    /// Takes a message for the client, which may be sent or is to be judged first. If its connection has to be woken for it,
    /// its waker is added to `wakes`.
    pub(super) fn deliver(
        &self,
        delivery: &mut Delivery<'_>,
        terms: Terms<'_>,
        standing: Standing,
        limits: &Limits,
        wakes: &mut Vec<Waker>,
    ) -> Delivered {
        let mut shared = self.lock();
        if shared.ended {
            return Delivered::Away;
        }
        let little_room;
        let limits = if self.queued.value() < limits.queue_total_bytes_max {
            limits
        } else {
            little_room = limits.past_total(shared.connect_bytes);
            &little_room
        };
        let outbound = &mut shared.session.outbound;
        let (delivered, wants_turn) = match standing {
            Standing::Judged => {
                let delivered = outbound.deliver(delivery, terms, limits);
                (delivered, delivered == Delivered::Buffered)
            }
            Standing::Unjudged { is_told } => {
                (outbound.deliver_unjudged(delivery, terms, is_told, limits), outbound.has_unjudged())
            }
        };
        if wants_turn
            && let Some(link) = &mut shared.link
            && !link.woken
        {
            link.woken = true;
            wakes.push(link.waker.clone());
        }
        delivered
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
        if shared.subscriptions.get(filter).is_none() {
            let mut then = shared.extent;
            then.add(filter);
            if shared.subscriptions.len() >= limits.subscriptions_max || !then.fits(limits) {
                return Ok(Subscribed::TooMany);
            }
            shared.extent = then;
        }
        let old = shared.subscriptions.insert(filter.clone(), wanted);
        if old != Some(wanted) {
            index();
        }
        Ok(if old.is_none() { Subscribed::New } else { Subscribed::Again })
    }

    /// Forgets a subscription, and says whether there was one; if so, `unindex` takes it away where publishers look.
    pub(super) fn unsubscribe(
        &self,
        link_id: u64,
        filter: &TopicFilter,
        unindex: impl FnOnce(),
    ) -> Result<bool, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().is_none_or(|link| link.id != link_id) {
            return Err(Displaced);
        }
        let was_there = shared.subscriptions.remove(filter).is_some();
        // Before the lock is given back: a connection that takes over may subscribe to the same filter.
        if was_there {
            shared.extent.remove(filter);
            unindex();
        }
        Ok(was_there)
    }

    /// The connection `link_id` is over, and its will is to be published or not. None if another connection has the
    /// session already.
    pub(super) fn disconnect(&self, link_id: u64, publishes_will: bool, now: Instant) -> Option<Left> {
        let mut shared = self.lock();
        let link = shared.link.take_if(|link| link.id == link_id)?;
        self.is_connected.store(false, Ordering::Relaxed);
        let will = link.will.filter(|_| publishes_will);
        let ends = shared.expiry.end(now);
        if shared.expiry == SessionExpiry::WITH_CONNECTION {
            let ended = Some(shared.end());
            return Some(Left { due: None, will: will.map(|will| (link.client, will)), ended });
        }
        shared.session.outbound.disconnect();
        let (now_due, later) = match will {
            Some(will) if !will.delay.is_zero() => (None, Some((now + will.delay, will))),
            will => (will, None),
        };
        let away = Away { ends, will: later };
        let due = away.due();
        shared.away = Some(Box::new(away));
        shared.count_connect();
        Some(Left { due, will: now_due.map(|will| (link.client, will)), ended: None })
    }

    /// What is due at `now`, while the client is away.
    pub(super) fn fall_due(&self, now: Instant) -> Left {
        let mut shared = self.lock();
        let client = Arc::clone(&shared.client);
        let Some(away) = &mut shared.away else { return Left { due: None, will: None, ended: None } };
        let is_over = away.ends.is_some_and(|ends| ends <= now);
        // Whichever comes first: the end of its delay or of the session (MQTT 5.0, 3.1.3.2.2).
        let will = away.will.take_if(|(at, _)| is_over || *at <= now).map(|(_, will)| (client, will));
        let due = away.due().filter(|_| !is_over);
        let ended = is_over.then(|| shared.end());
        shared.count_connect();
        Left { due, will, ended }
    }

    /// Ends the session, whose connection is woken to find out. Returns when something would have been due, and a will
    /// that has not been published.
    pub(super) fn end(&self) -> (Option<Instant>, Option<LastWill>, Ended) {
        let mut shared = self.lock();
        let was_due = shared.away.as_ref().and_then(|away| away.due());
        let will = shared.take_will();
        if let Some(link) = shared.link.take() {
            self.is_connected.store(false, Ordering::Relaxed);
            link.waker.wake();
        }
        (was_due, will, shared.end())
    }

    /// Takes a will that has not been published.
    pub(super) fn take_will(&self) -> Option<LastWill> {
        self.lock().take_will()
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
}

impl Shared {
    fn end(&mut self) -> Ended {
        self.ended = true;
        let orphans = self.session.outbound.take_shared();
        self.session = Session::default();
        self.owed = None;
        self.away = None;
        self.extent = Extent::default();
        self.count_connect();
        Ended { filters: std::mem::take(&mut self.subscriptions).keys().cloned().collect(), orphans }
    }

    /// Of its connection, or of the last one it had.
    fn take_will(&mut self) -> Option<LastWill> {
        let will = match &mut self.link {
            Some(link) => link.will.take(),
            None => self.away.as_mut()?.will.take().map(|(_, will)| will),
        };
        self.count_connect();
        Some((Arc::clone(&self.client), will?))
    }

    /// What is counted of it beside those of all other sessions.
    fn bytes(&self) -> usize {
        self.session.outbound.queue_bytes() + self.connect_bytes
    }

    /// Counts anew what the last CONNECT has left.
    fn count_connect(&mut self) {
        let will = match (&self.link, &self.away) {
            (Some(link), _) => link.will.as_deref(),
            (None, Some(away)) => away.will.as_ref().map(|(_, will)| &**will),
            (None, None) => None,
        };
        self.connect_bytes = if self.ended { 0 } else { connect_bytes(&self.client, will) };
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
    /// Whether what waits longest is to be judged.
    pub(super) unjudged: bool,
    /// What an earlier connection has left.
    pub(super) owed: Option<Vec<(TopicFilter, Progress, Wanted)>>,
    pub(super) close: bool,
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
