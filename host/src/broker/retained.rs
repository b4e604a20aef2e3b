use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::routing::RetainedTree;
use crate::types::{Limits, Message, TopicFilter};

/// The retained message of each topic (3.3.1.3), within limits.
#[derive(Debug, Default)]
pub(super) struct Retained {
    inner: RwLock<Inner>,
    /// Whether it has been said that there is no room.
    full: AtomicBool,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    tree: RetainedTree<Arc<Message>>,
    bytes: usize,
}

impl Retained {
    /// Keeps a message as its topic's, in place of the one before `[MQTT-3.3.1-5]`; an empty one only deletes
    /// `[MQTT-3.3.1-10]` `[MQTT-3.3.1-11]`.
    ///
    /// One that there is no room for is not kept, and the first of them is logged.
    pub(super) fn store(&self, message: &Arc<Message>, limits: &Limits) {
        let topic = &message.topic;
        let mut inner = self.inner.write();
        if message.payload.is_empty() {
            if let Some(old) = inner.tree.remove(topic) {
                inner.bytes -= bytes(&old);
                self.full.store(false, Ordering::Relaxed);
            }
            return;
        }
        let old_bytes = inner.tree.value(topic).map(|old| bytes(old));
        let new_bytes = inner.bytes - old_bytes.unwrap_or(0) + bytes(message);
        let new_len = inner.tree.len() + usize::from(old_bytes.is_none());
        if new_len > limits.retained_messages_max || new_bytes > limits.retained_bytes_max {
            drop(inner);
            self.refused.fetch_add(1, Ordering::Relaxed);
            if !self.full.swap(true, Ordering::Relaxed) {
                let (messages, bytes) = (limits.retained_messages_max, limits.retained_bytes_max);
                tracing::warn!(
                    "no room for the retained message of {:?}: the maximum is {messages} messages and {bytes} bytes; \
                     no more are kept until some are deleted",
                    topic.as_str()
                );
            }
            return;
        }
        inner.bytes = new_bytes;
        inner.tree.insert(topic, Arc::clone(message));
    }

    /// The retained messages whose topics `filter` matches.
    pub(super) fn matches(&self, filter: &TopicFilter) -> Vec<Arc<Message>> {
        let mut found = Vec::new();
        self.inner.read().tree.matches(filter, |message| found.push(Arc::clone(message)));
        found
    }

    /// How many messages there was no room for.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.inner.read().tree.len()
    }
}

fn bytes(message: &Message) -> usize {
    message.topic.as_str().len() + message.payload.len()
}
