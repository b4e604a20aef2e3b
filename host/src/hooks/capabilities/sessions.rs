use std::sync::Arc;

use crate::hooks::limits::PAGE_MAX;
use crate::hooks::{BrokerServices, SessionInfo, SessionPage, SubscriptionInfo};

/// The capability `sessions`.
pub(crate) struct Sessions {
    broker: Arc<dyn BrokerServices>,
}

impl Sessions {
    pub(crate) fn new(broker: Arc<dyn BrokerServices>) -> Self {
        Self { broker }
    }

    pub(crate) fn count(&self) -> u64 {
        self.broker.session_count()
    }

    pub(crate) fn page(&self, start: Option<u64>, limit: u32) -> SessionPage {
        self.broker.sessions(start, page_len(limit))
    }

    pub(crate) fn find(&self, client_id: &str) -> Option<SessionInfo> {
        self.broker.session(client_id)
    }

    pub(crate) fn subscriptions(&self, client_id: &str, after: Option<&str>, limit: u32) -> Vec<SubscriptionInfo> {
        self.broker.subscriptions(client_id, after, page_len(limit))
    }
}

fn page_len(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_bounded() {
        assert_eq!([0, 1, 999, 1_000, 1_001, u32::MAX].map(page_len), [1, 1, 999, 1_000, 1_000, 1_000]);
    }
}
