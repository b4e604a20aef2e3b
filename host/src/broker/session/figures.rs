//! What there is to tell of a session.

use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::SessionHandle;
use crate::broker::subscriptions::Wanted;
use crate::hooks::{SessionInfo, SubscriptionInfo};
use crate::protocol::Session;
use crate::types::{SessionExpiry, TopicFilter};

/// How many messages sessions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::broker) struct MessageCounts {
    /// From clients, at QoS 2 and not yet released.
    pub(in crate::broker) inflight_in: u64,
    /// To clients, sent and not yet acknowledged.
    pub(in crate::broker) inflight_out: u64,
    /// To clients, not yet sent.
    pub(in crate::broker) queued: u64,
}

impl AddAssign for MessageCounts {
    fn add_assign(&mut self, other: Self) {
        self.inflight_in += other.inflight_in;
        self.inflight_out += other.inflight_out;
        self.queued += other.queued;
    }
}

impl SessionHandle {
    /// Whether its client has a connection.
    pub(in crate::broker) fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// How many messages it has that its client has not acknowledged; more than any if the client is away.
    pub(in crate::broker) fn load(&self) -> usize {
        let shared = self.lock();
        let outbound = &shared.session.outbound;
        if shared.link.is_some() { outbound.inflight_len() + outbound.queue_len() } else { usize::MAX }
    }

    /// What plugins may know of it.
    pub(in crate::broker) fn info(&self) -> SessionInfo {
        let shared = self.lock();
        let outbound = &shared.session.outbound;
        SessionInfo {
            client: Arc::clone(&shared.client),
            connected: shared.link.is_some(),
            persistent: shared.expiry != SessionExpiry::WITH_CONNECTION,
            subscriptions: shared.subscriptions.len(),
            inflight: outbound.inflight_len(),
            queued: outbound.queue_len(),
        }
    }

    /// At most `limit` subscriptions by filter, from the first after `after` on.
    pub(in crate::broker) fn subscriptions(&self, after: Option<&str>, limit: usize) -> Vec<SubscriptionInfo> {
        let is_after = |filter: &TopicFilter| after.is_none_or(|after| filter.as_str() > after);
        let mut found: Vec<_> = {
            let shared = self.lock();
            shared
                .subscriptions
                .iter()
                .filter(|(it, _)| is_after(it))
                .map(|(it, wanted)| (it.clone(), *wanted))
                .collect()
        };
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        found.truncate(limit);
        let info = |(filter, Wanted { options, id }): (TopicFilter, Wanted)| SubscriptionInfo { filter, options, id };
        found.into_iter().map(info).collect()
    }

    /// Messages in flight and waiting.
    pub(in crate::broker) fn message_counts(&self) -> MessageCounts {
        let shared = self.lock();
        let Session { outbound, inbound } = &shared.session;
        MessageCounts {
            inflight_in: inbound.len() as u64,
            inflight_out: outbound.inflight_len() as u64,
            queued: outbound.queue_len() as u64,
        }
    }
}
