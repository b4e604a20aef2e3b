use std::sync::atomic::{AtomicU64, Ordering};

/// What one worker has counted. Only that worker writes, so that no counter is fought over.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct WorkerStats {
    pub(super) bytes_received: Counter,
    pub(super) bytes_sent: Counter,
    pub(super) packets_received: Counter,
    pub(super) packets_sent: Counter,
    pub(super) publish_received: Counter,
    pub(super) publish_sent: Counter,
    /// Messages that a subscriber did not get for want of room.
    pub(super) publish_dropped: Counter,
    /// Messages that topic-check refused.
    pub(super) publish_denied: Counter,
    pub(super) connects_refused: Counter,
}

/// A number that goes up, written by one thread and read by any.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds without a locked instruction: there is one writer.
    pub(super) fn add(&self, count: usize) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count as u64), Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted once for each connection, by any thread.
#[derive(Debug, Default)]
pub(super) struct Shared {
    connected: AtomicU64,
    connected_max: AtomicU64,
    refused: AtomicU64,
}

impl Shared {
    /// A client was accepted.
    pub(super) fn connect(&self) {
        let connected = self.connected.fetch_add(1, Ordering::Relaxed) + 1;
        self.connected_max.fetch_max(connected, Ordering::Relaxed);
    }

    /// The connection of an accepted client is over.
    pub(super) fn disconnect(&self) {
        self.connected.fetch_sub(1, Ordering::Relaxed);
    }

    /// A listener had no room for a connection.
    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connected(&self) -> u64 {
        self.connected.load(Ordering::Relaxed)
    }

    pub(super) fn connected_max(&self) -> u64 {
        self.connected_max.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
