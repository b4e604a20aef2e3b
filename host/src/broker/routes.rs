use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::subscriptions::{Subscriber, Subscriptions};
use super::verdicts::Remembered;
use crate::types::TopicName;

/// Topics whose subscribers one worker remembers. Past it, it forgets all and starts anew.
const ROUTES_MAX: usize = 16_384;

/// The subscribers of topics that were published to before, as long as no subscription changes.
#[derive(Debug, Default)]
pub(super) struct RouteCache {
    generation: u64,
    routes: HashMap<TopicName, Rc<Route>, ahash::RandomState>,
}

/// A topic and who is subscribed to it.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) topic: TopicName,
    pub(super) subscribers: Vec<Subscriber>,
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
    pub(super) fn route(&mut self, topic: &str, subscriptions: &Subscriptions) -> Option<Rc<Route>> {
        // Before the tree is read: a change in between makes the entry stale, not wrong.
        let generation = subscriptions.generation();
        if self.generation != generation {
            self.routes.clear();
            self.generation = generation;
        } else if let Some(route) = self.routes.get(topic) {
            return Some(Rc::clone(route));
        }
        if self.routes.len() >= ROUTES_MAX {
            self.routes.clear();
        }
        let name = TopicName::new(topic).ok()?;
        let subscribers = subscriptions.subscribers(topic);
        let route = Rc::new(Route { topic: name.clone(), subscribers, received: OnceCell::new() });
        self.routes.insert(name, Rc::clone(&route));
        Some(route)
    }
}
