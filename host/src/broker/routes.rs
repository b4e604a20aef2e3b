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

/// Bytes of those topics and of what there is for each subscriber: topics may be long, and subscribers many.
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

    /// How many of the subscribers get each message.
    pub(super) fn singles(&self) -> usize {
        self.shares.first().map_or(self.subscribers.len(), |share| share.members.start)
    }

    /// What it is counted as.
    fn bytes(&self) -> usize {
        const SUBSCRIBER_BYTES: usize = size_of::<Subscriber>() + size_of::<Cell<Option<Received>>>();
        self.topic.as_str().len() + self.subscribers.len() * SUBSCRIBER_BYTES
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
    use super::*;
    use crate::types::Overlapping;

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
