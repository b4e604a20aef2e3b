use std::time::Duration;

use parking_lot::Mutex;

use super::limits::TRIED_MESSAGES_MAX;
use super::{BrokerServices, Overloaded};
use crate::types::Message;

/// In place of a broker, where plugins are tried: nobody is connected, and what is published is kept.
#[derive(Default)]
pub(crate) struct StandIn {
    published: Mutex<Vec<Message>>,
}

impl StandIn {
    /// Takes what was published so far.
    pub(crate) fn take_published(&self) -> Vec<Message> {
        std::mem::take(&mut self.published.lock())
    }
}

impl BrokerServices for StandIn {
    fn publish(&self, message: Message) -> Result<(), Overloaded> {
        let mut published = self.published.lock();
        if published.len() >= TRIED_MESSAGES_MAX {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::types::{QoS, TopicName};

    #[test]
    fn so_many_messages_are_kept_until_they_are_taken() {
        let broker = StandIn::default();
        let topic = TopicName::new("a").expect("valid");
        let publish = || broker.publish(Message::new(topic.clone(), Bytes::new(), QoS::AtMostOnce, false));
        assert!((0..TRIED_MESSAGES_MAX).all(|_| publish().is_ok()));
        assert_eq!(publish(), Err(Overloaded));
        assert_eq!(broker.take_published().len(), TRIED_MESSAGES_MAX);
        assert_eq!(publish(), Ok(()));
    }
}
