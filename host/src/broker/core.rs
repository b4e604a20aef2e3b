use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::directory::Directory;
use super::process;
use super::retained::Retained;
use super::session::MessageCounts;
use super::stats::{Shared, WorkerStats};
use super::subscriptions::Subscriptions;
use super::will::Will;
use crate::hooks::{BrokerServices, Overloaded, SessionInfo, SessionPage, SubscriptionInfo};
use crate::queue::Queued;
use crate::types::{Capabilities, ClientInfo, Limits, Message, Overlapping};

/// What connections are held to, and what they share. A reload makes another one with the same shared parts, and hands it
/// to every worker: looking at a limit costs no lock and no counter.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) limits: Limits,
    pub(super) capabilities: Capabilities,
    pub(super) keep_alive_delay: Option<Duration>,
    shared: Arc<SharedCore>,
}

/// What all connections share, for as long as the broker runs.
#[derive(Debug)]
pub(super) struct SharedCore {
    pub(super) directory: Directory,
    pub(super) subscriptions: Subscriptions,
    pub(super) retained: Retained,
    pub(super) stats: Box<[WorkerStats]>,
    pub(super) totals: Shared,
    /// Messages that no connection publishes.
    pub(super) internal: mpsc::Sender<Internal>,
    started: Instant,
}

impl Deref for Core {
    type Target = SharedCore;

    fn deref(&self) -> &SharedCore {
        &self.shared
    }
}

/// What a worker is to publish although no connection of its own asks for it.
#[derive(Debug)]
pub(super) enum Internal {
    /// A message of a plugin, which only its grants bound.
    FromPlugin(Message),
    /// The will of a client, which topic-check decides on.
    Will(Arc<ClientInfo>, Box<Will>),
    /// Messages of shared subscriptions whose receiver will not come back.
    Orphans(Vec<Queued>),
    /// Says when everything before it is done.
    Barrier(tokio::sync::oneshot::Sender<()>),
}

impl Core {
    pub(super) fn new(
        limits: Limits,
        capabilities: Capabilities,
        overlapping: Overlapping,
        keep_alive_delay: Option<Duration>,
        workers: usize,
        internal: mpsc::Sender<Internal>,
    ) -> Self {
        let shared = SharedCore {
            directory: Directory::new(),
            subscriptions: Subscriptions::new(overlapping),
            retained: Retained::default(),
            stats: (0..workers).map(|_| WorkerStats::default()).collect(),
            totals: Shared::default(),
            internal,
            started: Instant::now(),
        };
        Self { limits, capabilities, keep_alive_delay, shared: Arc::new(shared) }
    }

    /// The same broker, held to something else.
    pub(super) fn held_to(
        &self,
        limits: Limits,
        capabilities: Capabilities,
        keep_alive_delay: Option<Duration>,
    ) -> Self {
        Self { limits, capabilities, keep_alive_delay, shared: Arc::clone(&self.shared) }
    }
}

impl BrokerServices for Core {
    fn publish(&self, message: Message) -> Result<(), Overloaded> {
        match self.internal.try_send(Internal::FromPlugin(message)) {
            Err(TrySendError::Full(_)) => Err(Overloaded),
            // The broker ends, and nobody is connected any more.
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let sum = |counter: fn(&WorkerStats) -> u64| self.stats.iter().map(counter).sum::<u64>();
        let connected = self.totals.connected();
        let (mut messages, mut sessions) = (MessageCounts::default(), 0_u64);
        self.directory.for_each(|session| {
            messages += session.message_counts();
            sessions += 1;
        });
        let mut counters = vec![
            ("clients-connected", connected),
            ("clients-disconnected", sessions.saturating_sub(connected)),
            ("clients-maximum", self.totals.connected_max()),
            ("clients-total", sessions.max(connected)),
            ("connections-refused", sum(|stats| stats.connects_refused.value()) + self.totals.refused()),
            ("messages-received", sum(|stats| stats.packets_received.value())),
            ("messages-sent", sum(|stats| stats.packets_sent.value())),
            ("publish-received", sum(|stats| stats.publish_received.value())),
            ("publish-sent", sum(|stats| stats.publish_sent.value())),
            ("publish-dropped", sum(|stats| stats.publish_dropped.value())),
            ("publish-expired", sum(|stats| stats.publish_expired.value())),
            ("publish-too-large", sum(|stats| stats.publish_too_large.value())),
            ("publish-denied", sum(|stats| stats.publish_denied.value())),
            ("bytes-received", sum(|stats| stats.bytes_received.value())),
            ("bytes-sent", sum(|stats| stats.bytes_sent.value())),
            ("connects-accepted", self.totals.accepted()),
            ("messages-inflight", messages.inflight_in + messages.inflight_out),
            ("messages-inflight-in", messages.inflight_in),
            ("messages-inflight-out", messages.inflight_out),
            ("messages-queued", messages.queued),
            ("queue-bytes", self.directory.queued_bytes() as u64),
            ("sessions-expired", self.totals.expired()),
            ("accepts-paused", self.totals.accepts_paused()),
            ("retained-refused", self.retained.refused()),
            ("topics-refused", sum(|stats| stats.topics_refused.value())),
            ("subscriptions-refused", sum(|stats| stats.subscriptions_refused.value())),
            ("subscriptions-revoked", sum(|stats| stats.subscriptions_revoked.value())),
            ("sessions-refused", sum(|stats| stats.sessions_refused.value())),
            ("client-ids-refused", sum(|stats| stats.client_ids_refused.value())),
            ("packets-too-large", sum(|stats| stats.packets_too_large.value())),
            ("handshakes-failed", sum(|stats| stats.handshakes_failed.value())),
            ("connect-timeouts", sum(|stats| stats.connect_timeouts.value())),
            ("packet-timeouts", sum(|stats| stats.packet_timeouts.value())),
            ("properties-refused", sum(|stats| stats.properties_refused.value())),
            ("topic-aliases-refused", sum(|stats| stats.topic_aliases_refused.value())),
            ("receive-max-exceeded", sum(|stats| stats.receive_max_exceeded.value())),
            ("keep-alive-timeouts", sum(|stats| stats.keep_alive_timeouts.value())),
            ("retained-count", self.retained.len() as u64),
            ("retained-bytes", self.retained.bytes() as u64),
            ("subscriptions-count", self.subscriptions.len() as u64),
            ("shared-subscriptions-count", self.subscriptions.shared_len() as u64),
        ];
        counters.extend(process::counters());
        counters
    }

    fn session_count(&self) -> u64 {
        self.directory.len() as u64
    }

    fn sessions(&self, start: Option<u64>, limit: usize) -> SessionPage {
        let (client_ids, next) = self.directory.page(start, limit);
        SessionPage { client_ids, next }
    }

    fn session(&self, client_id: &str) -> Option<SessionInfo> {
        self.directory.find(client_id).map(|session| session.info())
    }

    fn subscriptions(&self, client_id: &str, after: Option<&str>, limit: usize) -> Vec<SubscriptionInfo> {
        self.directory.find(client_id).map(|session| session.subscriptions(after, limit)).unwrap_or_default()
    }
}
