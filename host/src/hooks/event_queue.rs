use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::interests::EventSet;
use super::limits::{EVENT_QUEUE_BYTES_MAX, EVENT_QUEUE_MAX};
use super::queue::BoundedQueue;
use super::{Event, EventKind};

/// Events on their way to the plugins that asked for them. Putting never waits.
pub(crate) struct EventQueue {
    wanted: EventSet,
    dropped: AtomicU64,
    pub(crate) queue: BoundedQueue<Arc<Event>>,
}

impl EventQueue {
    pub(crate) fn new(wanted: EventSet) -> Self {
        let queue = BoundedQueue::new(EVENT_QUEUE_MAX, EVENT_QUEUE_BYTES_MAX);
        Self { wanted, dropped: AtomicU64::new(0), queue }
    }

    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        self.wanted.contains(kind)
    }

    /// Puts an event that some plugin wants; where there is no room it is dropped and counted.
    pub(crate) fn put(&self, event: Event) {
        if !self.wants(event.kind) {
            return;
        }
        let bytes = event.payload.as_ref().map_or(0, |payload| payload.len())
            + event.topic.as_ref().map_or(0, |topic| topic.len())
            + event.reason.as_ref().map_or(0, |reason| reason.len());
        if self.queue.push(Arc::new(event), bytes).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
