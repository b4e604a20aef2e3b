use std::borrow::Cow;
use std::sync::Arc;

use crate::hooks::BrokerServices;
use crate::hooks::tally::Tally;

/// The capability `broker-info`: version, uptime and counters.
pub(crate) struct BrokerInfo {
    broker: Arc<dyn BrokerServices>,
    tally: Arc<Tally>,
}

impl BrokerInfo {
    pub(crate) fn new(broker: Arc<dyn BrokerServices>, tally: Arc<Tally>) -> Self {
        Self { broker, tally }
    }

    pub(crate) fn version(&self) -> String {
        self.broker.version().to_owned()
    }

    pub(crate) fn uptime_seconds(&self) -> u64 {
        self.broker.uptime().as_secs()
    }

    /// The broker's counters and those of its plugins.
    pub(crate) fn counters(&self) -> Vec<(Cow<'static, str>, u64)> {
        let broker = self.broker.counters().into_iter().map(|(name, value)| (name.into(), value));
        broker.chain(self.tally.counters().into_iter().map(|(name, value)| (name.into(), value))).collect()
    }
}
