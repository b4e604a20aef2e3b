use std::sync::Arc;

use crate::hooks::BrokerServices;

/// The capability `broker-info`: version, uptime and counters.
pub(crate) struct BrokerInfo {
    broker: Arc<dyn BrokerServices>,
}

impl BrokerInfo {
    pub(crate) fn new(broker: Arc<dyn BrokerServices>) -> Self {
        Self { broker }
    }

    pub(crate) fn version(&self) -> String {
        self.broker.version().to_owned()
    }

    pub(crate) fn uptime_seconds(&self) -> u64 {
        self.broker.uptime().as_secs()
    }

    pub(crate) fn counters(&self) -> Vec<(&'static str, u64)> {
        self.broker.counters()
    }
}
