use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::interests::EventSet;
use super::limits::{EVENT_QUEUE_BYTES_MAX, EVENT_QUEUE_MAX};
use super::observers::Observer;
use super::queue::BoundedQueue;
use super::{Event, EventKind};

/// Events on their way to the plugins that asked for them. Putting never waits.
pub(crate) struct EventQueue {
    /// The bits of an [`EventSet`].
    wanted: AtomicU32,
    /// The bits of those whose payloads somebody wants.
    payloads: AtomicU32,
    dropped: AtomicU64,
    pub(crate) queue: BoundedQueue<Item>,
    /// For those that take much time: what is put into the other one goes on to this one, as far as they want it.
    pub(crate) slow: BoundedQueue<Item>,
}

/// What a thread of the observers takes out.
pub(crate) enum Item {
    Event(Arc<Event>),
    /// From here on, others are told: what came before is for those that were loaded then.
    Flip(Vec<Observer>),
    /// From here on, this one is told too.
    Join(Box<Observer>),
}

impl Default for EventQueue {
    fn default() -> Self {
        let [queue, slow] = [(); 2].map(|()| BoundedQueue::new(EVENT_QUEUE_MAX, EVENT_QUEUE_BYTES_MAX));
        Self { wanted: AtomicU32::new(0), payloads: AtomicU32::new(0), dropped: AtomicU64::new(0), queue, slow }
    }
}

impl EventQueue {
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        EventSet::from_bits(self.wanted.load(Ordering::Relaxed)).contains(kind)
    }

    pub(crate) fn wants_payload(&self, kind: EventKind) -> bool {
        EventSet::from_bits(self.payloads.load(Ordering::Relaxed)).contains(kind)
    }

    /// Lets other plugins be told from now on, of what they want, some of it with payloads.
    pub(crate) fn flip(&self, wanted: EventSet, payloads: EventSet, observers: Vec<Observer>) {
        self.wanted.store(wanted.bits(), Ordering::Relaxed);
        self.payloads.store(payloads.bits(), Ordering::Relaxed);
        self.queue.push_anyway(0, Item::Flip(observers));
    }

    /// Puts an event that some plugin wants; where there is no room it is dropped and counted.
    pub(crate) fn put(&self, event: Event) {
        if !self.wants(event.kind) {
            return;
        }
        self.push(&self.queue, Arc::new(event));
    }

    /// Passes an event on to those that take much time.
    pub(crate) fn pass_on(&self, event: &Arc<Event>) {
        self.push(&self.slow, Arc::clone(event));
    }

    fn push(&self, queue: &BoundedQueue<Item>, event: Arc<Event>) {
        let bytes = event.queued_bytes();
        if queue.push(Item::Event(event), bytes).is_err() {
            self.count_dropped();
        }
    }

    /// Counts an event that was not told, or not to everybody who wants it.
    pub(crate) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were dropped.
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
            let events = EventQueue::default();
            let mut wanted = EventSet::default();
            wanted.insert(EventKind::MessageReceived);
            events.flip(wanted, wanted, Vec::new());
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
        let events = EventQueue::default();
        let mut wanted = EventSet::default();
        wanted.insert(EventKind::ClientConnected);
        events.flip(wanted, EventSet::default(), Vec::new());
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
