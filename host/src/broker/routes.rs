use std::collections::HashMap;
use std::rc::Rc;

use super::subscriptions::{Subscriber, Subscriptions};
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
        let route = Rc::new(Route { topic: name.clone(), subscribers: subscriptions.subscribers(topic) });
        self.routes.insert(name, Rc::clone(&route));
        Some(route)
    }
}
