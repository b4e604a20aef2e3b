use std::sync::atomic::{AtomicU64, Ordering};

use crate::codec::DecodeError;
use crate::net::TurnedAway;
use crate::protocol::Violation;

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
    /// Messages that a subscriber did not get since they expired while they waited.
    pub(super) publish_expired: Counter,
    /// Messages that a subscriber did not get since it takes no packet of their size.
    pub(super) publish_too_large: Counter,
    /// Messages that topic-check refused.
    pub(super) publish_denied: Counter,
    pub(super) connects_refused: Counter,
    /// Connections closed for a TLS or WebSocket handshake that came to nothing.
    pub(super) handshakes_failed: Counter,
    /// Messages and filters whose topics are too long or too deep.
    pub(super) topics_refused: Counter,
    /// Subscriptions past what a session may have.
    pub(super) subscriptions_refused: Counter,
    /// Subscriptions that ended because they are not allowed any more.
    pub(super) subscriptions_revoked: Counter,
    /// Sessions past what the broker may have.
    pub(super) sessions_refused: Counter,
    /// Client identifiers that are too long or otherwise not allowed.
    pub(super) client_ids_refused: Counter,
    /// Connections closed for a packet that is too large.
    pub(super) packets_too_large: Counter,
    /// Connections closed for want of a CONNECT in time.
    pub(super) connect_timeouts: Counter,
    /// Connections closed for a packet that did not end in time.
    pub(super) packet_timeouts: Counter,
    /// Connections closed for silence.
    pub(super) keep_alive_timeouts: Counter,
    /// Connections closed for a packet with too many properties.
    pub(super) properties_refused: Counter,
    /// Connections closed for a topic alias above what the client was told it may use.
    pub(super) topic_aliases_refused: Counter,
    /// Connections closed for more messages in flight than the client was told it may send.
    pub(super) receive_max_exceeded: Counter,
}

impl WorkerStats {
    /// Counts why a connection is closed, where that is a limit.
    pub(super) fn count_violation(&self, violation: &Violation) {
        match violation {
            Violation::Malformed(DecodeError::PacketTooLarge { .. }) => self.packets_too_large.add(1),
            Violation::ConnectTimeout => self.connect_timeouts.add(1),
            Violation::PacketTimeout => self.packet_timeouts.add(1),
            Violation::KeepAliveTimeout => self.keep_alive_timeouts.add(1),
            Violation::Properties => self.properties_refused.add(1),
            Violation::TopicAliasAboveMax(_) => self.topic_aliases_refused.add(1),
            Violation::ReceiveMaximum => self.receive_max_exceeded.add(1),
            _ => {}
        }
    }
}

/// A number that goes up, written by one thread and read by any.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds without a locked instruction: there is one writer.
    pub(super) fn add(&self, count: usize) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count as u64), Ordering::Relaxed);
    }

    /// Adds, and says whether that is worth telling: the first, and then each doubling.
    pub(super) fn add_and_tell(&self, count: usize) -> bool {
        let before = self.value();
        self.add(count);
        before == 0 || before.ilog2() != self.value().ilog2()
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
    accepted: AtomicU64,
    refused: AtomicU64,
    accepts_paused: AtomicU64,
    expired: AtomicU64,
}

impl Shared {
    /// A client was accepted.
    pub(super) fn connect(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let connected = self.connected.fetch_add(1, Ordering::Relaxed) + 1;
        self.connected_max.fetch_max(connected, Ordering::Relaxed);
    }

    /// The connection of an accepted client is over.
    pub(super) fn disconnect(&self) {
        self.connected.fetch_sub(1, Ordering::Relaxed);
    }

    /// A listener did not accept a connection, or not yet.
    pub(super) fn turn_away(&self, turned_away: TurnedAway) {
        let counter = match turned_away {
            TurnedAway::Full => &self.refused,
            TurnedAway::Paused => &self.accepts_paused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A session has ended because nobody came back for it.
    pub(super) fn expire(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn accepts_paused(&self) -> u64 {
        self.accepts_paused.load(Ordering::Relaxed)
    }

    pub(super) fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    pub(super) fn connected(&self) -> u64 {
        self.connected.load(Ordering::Relaxed)
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn connected_max(&self) -> u64 {
        self.connected_max.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
