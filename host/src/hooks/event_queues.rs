use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::RwLock;

use super::interests::EventSet;
use super::limits::{EVENT_QUEUE_BYTES_MAX, EVENT_QUEUE_MAX, STOP_DRAIN};
use super::queue::{BoundedQueue, Popped};
use super::{Event, EventKind};

/// Events on their way to the plugins that asked for them, each of which has a queue. Putting never waits.
#[derive(Default)]
pub(crate) struct EventQueues {
    /// The bits of an [`EventSet`]: what any of them wants.
    wanted: AtomicU32,
    /// The bits of those whose payloads somebody wants.
    payloads: AtomicU32,
    dropped: AtomicU64,
    ticking: AtomicBool,
    queues: RwLock<Vec<Arc<EventQueue>>>,
}

/// The events of one plugin.
pub(crate) struct EventQueue {
    wanted: EventSet,
    payloads: bool,
    events: BoundedQueue<Arc<Event>>,
    /// Set when no more come: how long to go on with those that wait.
    drain_until: OnceLock<Instant>,
}

impl EventQueue {
    pub(crate) fn new(wanted: EventSet, payloads: bool) -> Self {
        let events = BoundedQueue::new(EVENT_QUEUE_MAX, EVENT_QUEUE_BYTES_MAX);
        Self { wanted, payloads, events, drain_until: OnceLock::new() }
    }

    /// Waits for the oldest event, until `deadline` if there is one.
    pub(crate) fn pop(&self, deadline: Option<Instant>) -> Popped<Arc<Event>> {
        self.events.pop(deadline)
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// How long to go on with the events that wait, if no more come.
    pub(crate) fn drain_until(&self) -> Option<Instant> {
        self.drain_until.get().copied()
    }

    fn close(&self) {
        self.drain_until.get_or_init(|| Instant::now() + STOP_DRAIN);
        self.events.close();
    }
}

impl EventQueues {
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        EventSet::from_bits(self.wanted.load(Ordering::Relaxed)).contains(kind)
    }

    pub(crate) fn wants_payload(&self, kind: EventKind) -> bool {
        EventSet::from_bits(self.payloads.load(Ordering::Relaxed)).contains(kind)
    }

    /// Has events go to other queues from now on, and closes those of before.
    pub(crate) fn flip(&self, to: Vec<Arc<EventQueue>>) {
        let union = |queues: &mut dyn Iterator<Item = &Arc<EventQueue>>| {
            queues.fold(EventSet::default(), |set, queue| set.union(queue.wanted)).bits()
        };
        let mut queues = self.queues.write();
        self.wanted.store(union(&mut to.iter()), Ordering::Relaxed);
        self.payloads.store(union(&mut to.iter().filter(|queue| queue.payloads)), Ordering::Relaxed);
        std::mem::replace(&mut *queues, to).iter().for_each(|queue| queue.close());
    }

    /// Takes no more events.
    pub(crate) fn close(&self) {
        self.queues.read().iter().for_each(|queue| queue.close());
    }

    /// Has all who wait look at the clock.
    pub(crate) fn begin_ticks(&self) {
        self.ticking.store(true, Ordering::Release);
        self.queues.read().iter().for_each(|queue| queue.events.wake());
    }

    pub(crate) fn are_ticking(&self) -> bool {
        self.ticking.load(Ordering::Acquire)
    }

    /// Puts an event that some plugin wants; where there is no room it is dropped and counted.
    pub(crate) fn put(&self, event: Event) {
        if !self.wants(event.kind) {
            return;
        }
        let (bytes, event) = (event.queued_bytes(), Arc::new(event));
        for queue in self.queues.read().iter().filter(|queue| queue.wanted.contains(event.kind)) {
            if queue.events.push(Arc::clone(&event), bytes).is_err() {
                self.count_dropped(1);
            }
        }
    }

    /// Counts events that a plugin was not told of that wants them.
    pub(crate) fn count_dropped(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How many were dropped: one that two plugins want and neither is told of counts twice.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{
        CertificateFacts, ClientId, ClientInfo, ConnectFacts, Identity, Peer, TlsFacts, UserProperties, UserProperty,
    };

    /// One plugin is told of a kind.
    fn told_of(kind: EventKind) -> EventQueues {
        let (events, mut wanted) = (EventQueues::default(), EventSet::default());
        wanted.insert(kind);
        events.flip(vec![Arc::new(EventQueue::new(wanted, true))]);
        events
    }

    fn of_client(event: &mut Event, fill: impl FnOnce(&mut ClientInfo)) {
        let mut client = ClientInfo {
            client_id: ClientId::new("c"),
            identity: Identity::Anonymous,
            peer: Peer::tcp(([127, 0, 0, 1], 1).into(), "default".into()),
            connect: ConnectFacts::default(),
        };
        fill(&mut client);
        event.client = Some(Arc::new(client));
    }

    fn certificate() -> CertificateFacts {
        CertificateFacts { subject: "CN=c".into(), common_name: None, serial: "01".into(), sha256: [0; 32] }
    }

    fn tls(certificate: CertificateFacts) -> Option<Arc<TlsFacts>> {
        Some(Arc::new(TlsFacts { version: "1.3", certificate: Some(certificate) }))
    }

    fn property(name: &str, value: &str) -> UserProperty {
        UserProperty { name: name.into(), value: value.into() }
    }

    /// Whatever a peer can make long counts.
    #[test]
    fn an_event_is_bounded_by_the_bytes_of_all_that_it_holds() {
        let check = |fill: fn(&mut Event, String)| {
            let events = told_of(EventKind::MessageReceived);
            for _ in 0..3 {
                let mut event = Event::new(EventKind::MessageReceived);
                // There is something beside the text.
                fill(&mut event, "x".repeat(EVENT_QUEUE_BYTES_MAX / 2 - 100));
                events.put(event);
            }
            assert_eq!(events.dropped(), 1);
        };
        check(|event, text| event.payload = Some(text.into()));
        check(|event, text| event.topic = Some(text.into()));
        check(|event, text| event.reason = Some(text.into()));
        check(|event, text| event.user_properties = [property(&text, "")].into());
        check(|event, text| event.user_properties = [property("", &text)].into());
        check(|event, text| of_client(event, |client| client.client_id = ClientId::new(&text)));
        check(|event, text| of_client(event, |client| client.identity = Identity::User(text.into())));
        check(|event, text| {
            of_client(event, |client| client.connect.user_properties = [property(&text, "")].into_iter().collect());
        });
        check(|event, text| {
            let subject = text.into();
            of_client(event, |client| client.peer.tls = tls(CertificateFacts { subject, ..certificate() }));
        });
        check(|event, text| {
            let common_name = Some(text.into());
            of_client(event, |client| client.peer.tls = tls(CertificateFacts { common_name, ..certificate() }));
        });
    }

    /// Clients that come and go at once, each with as much in its CONNECT as it may have.
    #[test]
    fn events_of_clients_that_have_gone_are_bounded_by_what_is_known_of_them() {
        const CONNECT_BYTES: usize = 64 << 10;
        let events = told_of(EventKind::ClientConnected);
        // Of empty ones each takes some room.
        let properties = || -> UserProperties {
            let empty = (0..128).map(|_| property("", ""));
            empty.chain([property(&"x".repeat(CONNECT_BYTES), "")]).collect()
        };
        let most = EVENT_QUEUE_BYTES_MAX / CONNECT_BYTES;
        for _ in 0..most + 10 {
            let mut event = Event::new(EventKind::ClientConnected);
            of_client(&mut event, |client| client.connect.user_properties = properties());
            events.put(event);
        }
        assert!(events.dropped() > 10, "{}", events.dropped());
    }
}
