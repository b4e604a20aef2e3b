use std::time::Duration;

use parking_lot::Mutex;

use super::{BrokerServices, Overloaded};
use crate::types::Message;

/// In place of a broker, where plugins are tried: nobody is connected, and what is published is kept.
#[derive(Default)]
pub(crate) struct StandIn {
    published: Mutex<Vec<Message>>,
}

/// Messages that are kept; others are turned away, as a broker does that has no room.
const KEPT_MAX: usize = 10_000;

impl StandIn {
    /// Takes what was published so far.
    pub(crate) fn take_published(&self) -> Vec<Message> {
        std::mem::take(&mut self.published.lock())
    }
}

impl BrokerServices for StandIn {
    fn publish(&self, message: Message) -> Result<(), Overloaded> {
        let mut published = self.published.lock();
        if published.len() >= KEPT_MAX {
            return Err(Overloaded);
        }
        published.push(message);
        Ok(())
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}
