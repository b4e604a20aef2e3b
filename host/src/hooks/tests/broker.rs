use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::super::{BrokerServices, Overloaded};
use crate::types::Message;

/// A broker that keeps what plugins publish.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) published: Mutex<Vec<Message>>,
    pub(crate) uptime_secs: AtomicU64,
}

impl BrokerServices for Recorder {
    fn publish(&self, message: Message) -> Result<(), Overloaded> {
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
}
