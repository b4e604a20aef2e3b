use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::shared::Share;
use super::subscriptions::{Subscriber, Subscriptions};
use super::turn::Turn;
use super::verdicts::Remembered;
use crate::types::TopicName;

/// Topics whose subscribers one worker remembers. Past it, it forgets all and starts anew.
const ROUTES_MAX: usize = 16_384;

/// Bytes of those topics and of what there is for each subscriber: topics may be long, subscribers and their subscription
/// identifiers many.
const ROUTES_BYTES_MAX: usize = 16 << 20;

/// The subscribers of topics that were published to before, as long as no subscription changes.
#[derive(Debug, Default)]
pub(super) struct RouteCache {
    generation: u64,
    routes: HashMap<TopicName, Rc<Route>, ahash::RandomState>,
    bytes: usize,
}

/// A topic and who is subscribed to it.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) topic: TopicName,
    /// Those that get each message, then the members of shared subscriptions.
    pub(super) subscribers: Vec<Subscriber>,
    pub(super) shares: Box<[Share]>,
    /// What `receive` said of each subscriber; made when somebody asks.
    received: OnceCell<Box<[Cell<Option<Received>>]>>,
}

/// What topic-check said of one subscriber being delivered the topic.
#[derive(Debug, Clone, Copy)]
struct Received {
    /// Of the plugins, before they were asked.
    generation: u64,
    /// The connection that the client had then, or had had last.
    link_id: u64,
    remembered: Remembered,
}

impl Route {
    pub(super) fn new(topic: TopicName, subscribers: Vec<Subscriber>, shares: Box<[Share]>) -> Self {
        Self { topic, subscribers, shares, received: OnceCell::new() }
    }

    /// The same subscribers for this topic.
    pub(super) fn to(self, topic: &TopicName) -> Self {
        if self.topic == *topic { self } else { Self::new(topic.clone(), self.subscribers, self.shares) }
    }

    /// How many of the subscribers get each message.
    pub(super) fn singles(&self) -> usize {
        self.shares.first().map_or(self.subscribers.len(), |share| share.members.start)
    }

    /// What it is counted as.
    fn bytes(&self) -> usize {
        const SUBSCRIBER_BYTES: usize = size_of::<Subscriber>() + size_of::<Cell<Option<Received>>>();
        let ids: usize = self.subscribers.iter().map(Subscriber::ids_bytes).sum();
        self.topic.as_str().len()
            + self.subscribers.capacity() * SUBSCRIBER_BYTES
            + self.shares.len() * size_of::<Share>()
            + ids
    }

    /// Whether the subscriber of this index may be delivered the topic, if that is known.
    pub(super) fn may_receive(&self, index: usize, generation: u64) -> Option<bool> {
        let received = self.received.get()?[index].get()?;
        let holds = received.generation == generation && received.link_id == self.subscribers[index].session.link_id();
        if holds { received.remembered.allowed() } else { None }
    }

    /// Remembers what was said of the subscriber of this index on the connection `link_id`. `generation` is that of
    /// before it was asked for.
    pub(super) fn remember(&self, index: usize, generation: u64, link_id: u64, remembered: Option<Remembered>) {
        let cells = self.received.get_or_init(|| self.subscribers.iter().map(|_| Cell::new(None)).collect());
        cells[index].set(remembered.map(|remembered| Received { generation, link_id, remembered }));
    }
}

impl RouteCache {
    /// Whether no subscription has changed since a route was asked for last.
    pub(super) fn is_current(&self, subscriptions: &Subscriptions) -> bool {
        self.generation == subscriptions.generation()
    }

    /// The route of a valid topic name.
    pub(super) fn route(&mut self, topic: &str, subscriptions: &Subscriptions, turn: &mut Turn) -> Option<Rc<Route>> {
        // Before the tree is read: a change in between makes the entry stale, not wrong.
        let generation = subscriptions.generation();
        if self.generation != generation {
            self.forget();
            self.generation = generation;
        } else if let Some(route) = self.routes.get(topic) {
            return Some(Rc::clone(route));
        }
        let name = TopicName::new(topic).ok()?;
        turn.spend_much();
        let (subscribers, shares) = subscriptions.subscribers(topic);
        let route = Rc::new(Route::new(name.clone(), subscribers, shares));
        self.remember(name, &route);
        Some(route)
    }

    /// A route that is larger than all of them may be is looked up each time.
    fn remember(&mut self, name: TopicName, route: &Rc<Route>) {
        let bytes = route.bytes();
        if bytes > ROUTES_BYTES_MAX {
            return;
        }
        if self.routes.len() >= ROUTES_MAX || self.bytes + bytes > ROUTES_BYTES_MAX {
            self.forget();
        }
        self.bytes += bytes;
        self.routes.insert(name, Rc::clone(route));
    }

    fn forget(&mut self) {
        self.routes.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;

    use super::*;
    use crate::broker::session::SessionHandle;
    use crate::broker::subscriptions::Wanted;
    use crate::types::{
        ClientId, ClientInfo, ConnectFacts, Identity, Overlapping, Peer, QoS, SubscriptionId, SubscriptionOptions,
        TopicFilter,
    };

    /// What a route to one session is counted as that has these subscriptions.
    fn bytes_of(subscriptions: Range<u32>, filter: impl Fn(u32) -> String) -> usize {
        let peer = Peer::tcp(([127, 0, 0, 1], 1).into(), "default".into());
        let (client_id, connect) = (ClientId::new("c"), ConnectFacts::default());
        let client = Arc::new(ClientInfo { client_id, identity: Identity::Anonymous, peer, connect });
        let session = Arc::new(SessionHandle::new(1, &client, 0, Arc::default()));
        let all = Subscriptions::new(Overlapping::Once);
        for number in subscriptions {
            let filter = TopicFilter::new(&filter(number)).expect("valid filter");
            let options = SubscriptionOptions::new(QoS::AtMostOnce);
            all.insert(&filter, &session, Wanted { options, id: SubscriptionId::new(number) });
        }
        let mut cache = RouteCache::default();
        assert!(cache.route("a/a/a/a/a/a/a/a/a/a", &all, &mut Turn::default()).is_some());
        cache.bytes
    }

    /// A session may have an identifier for each of many subscriptions, and be in many groups.
    #[test]
    fn identifiers_and_groups_are_counted() {
        let overlapping = |number: u32| {
            let levels = (0..10).map(|level| ["a", "+"][number as usize >> level & 1]);
            levels.collect::<Vec<_>>().join("/")
        };
        let (one, all) = (bytes_of(1..2, overlapping), bytes_of(1..1_001, overlapping));
        assert!(all >= one + 999 * size_of::<SubscriptionId>(), "{one}, {all}");
        assert!(
            all <= one + 2_000 * size_of::<SubscriptionId>(),
            "{one}, {all}: there is no room kept for more subscribers"
        );
        let group = |number: u32| format!("$share/{number}/#");
        let each = size_of::<Subscriber>() + size_of::<Share>() + size_of::<SubscriptionId>();
        assert!(bytes_of(1..101, group) >= bytes_of(1..2, group) + 99 * each);
    }

    #[test]
    fn what_is_remembered_is_bounded_in_bytes() {
        let subscriptions = Subscriptions::new(Overlapping::Once);
        let mut cache = RouteCache::default();
        for number in 0..600 {
            let route = cache.route(&format!("{number:065000}"), &subscriptions, &mut Turn::default());
            assert!(route.is_some());
            let bytes: usize = cache.routes.values().map(|route| route.bytes()).sum();
            assert!(bytes == cache.bytes && bytes <= ROUTES_BYTES_MAX, "{bytes} counted as {}", cache.bytes);
        }
        assert!(cache.routes.len() > 50, "most are remembered");
    }
}
