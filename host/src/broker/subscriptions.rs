use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::session::SessionHandle;
use crate::routing::SubscriptionTree;
use crate::types::{QoS, TopicFilter};

/// All subscriptions of the broker.
#[derive(Debug)]
pub(super) struct Subscriptions {
    tree: RwLock<SubscriptionTree<u64, Subscriber>>,
    /// Goes up with every change, so that workers know when what they remember of it is stale.
    generation: AtomicU64,
}

/// A session, and the QoS that one of its subscriptions was granted.
#[derive(Debug, Clone)]
pub(super) struct Subscriber {
    pub(super) session: Arc<SessionHandle>,
    pub(super) qos: QoS,
}

impl Subscriptions {
    pub(super) fn new() -> Self {
        Self { tree: RwLock::default(), generation: AtomicU64::new(1) }
    }

    /// Adds a subscription or replaces the session's one of the same filter `[MQTT-3.8.4-3]`.
    pub(super) fn insert(&self, filter: &TopicFilter, session: &Arc<SessionHandle>, qos: QoS) {
        let subscriber = Subscriber { session: Arc::clone(session), qos };
        self.tree.write().insert(filter, session.key, subscriber);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Takes one subscription away.
    pub(super) fn remove(&self, filter: &TopicFilter, session: &SessionHandle) {
        self.tree.write().remove(filter, &session.key);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Takes all subscriptions of a session away, which are these.
    pub(super) fn remove_all(&self, filters: &[TopicFilter], session: &SessionHandle) {
        // One lock for each, so that publishers are not kept out for long.
        for filter in filters {
            self.remove(filter, session);
        }
    }

    /// Whose subscriptions match a topic: each session once, with the highest QoS that it was granted
    /// `[MQTT-3.3.5-1]`, those of one QoS together.
    pub(super) fn subscribers(&self, topic: &str) -> Vec<Subscriber> {
        let mut found: Vec<Subscriber> = Vec::new();
        self.tree.read().matches(topic, |_, subscriber| found.push(subscriber.clone()));
        if found.len() > 1 {
            found.sort_unstable_by_key(|subscriber| (subscriber.session.key, std::cmp::Reverse(subscriber.qos)));
            found.dedup_by_key(|subscriber| subscriber.session.key);
            found.sort_by_key(|subscriber| subscriber.qos);
        }
        found
    }

    /// Changes when a match may have changed.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tree.read().len()
    }
}
