use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::super::{BrokerServices, Overloaded, SessionInfo, SessionPage, SubscriptionInfo};
use crate::types::Message;

/// A broker that keeps what plugins publish.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) published: Mutex<Vec<Message>>,
    /// How often a plugin has begun to publish.
    pub(crate) publishing: AtomicU64,
    pub(crate) uptime_secs: AtomicU64,
    /// Sessions and their subscriptions, those sorted by filter.
    pub(crate) sessions: Vec<(SessionInfo, Vec<SubscriptionInfo>)>,
}

impl BrokerServices for Recorder {
    fn publish(&self, message: Message) -> Result<(), Overloaded> {
        self.publishing.fetch_add(1, Ordering::Relaxed);
        self.published.lock().push(message);
        Ok(())
    }

    fn version(&self) -> &str {
        "0.1.0"
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.uptime_secs.load(Ordering::Relaxed))
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![("clients-connected", 3)]
    }

    fn session_count(&self) -> u64 {
        self.sessions.len() as u64
    }

    fn sessions(&self, start: Option<u64>, limit: usize) -> SessionPage {
        let start = usize::try_from(start.unwrap_or(0)).expect("small");
        let page = self.sessions.iter().skip(start).take(limit);
        let client_ids = page.map(|(session, _)| session.client.client_id.clone()).collect();
        let next = start + limit;
        SessionPage { client_ids, next: (next < self.sessions.len()).then_some(next as u64) }
    }

    fn session(&self, client_id: &str) -> Option<SessionInfo> {
        Some(self.find(client_id)?.0.clone())
    }

    fn subscriptions(&self, client_id: &str, after: Option<&str>, limit: usize) -> Vec<SubscriptionInfo> {
        let Some((_, subscriptions)) = self.find(client_id) else { return Vec::new() };
        let comes = |it: &&SubscriptionInfo| after.is_none_or(|after| it.filter.as_str() > after);
        subscriptions.iter().filter(comes).take(limit).cloned().collect()
    }
}

impl Recorder {
    fn find(&self, client_id: &str) -> Option<&(SessionInfo, Vec<SubscriptionInfo>)> {
        self.sessions.iter().find(|(session, _)| session.client.client_id.as_str() == client_id)
    }
}
