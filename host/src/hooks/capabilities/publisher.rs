use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::hooks::BrokerServices;
use crate::hooks::excess::{Cause, Limit, PluginExcess};
use crate::hooks::limits::{PUBLISH_BURST, PUBLISH_LEVELS_MAX, PUBLISH_PAYLOAD_BYTES_MAX, PUBLISH_PER_SECOND};
use crate::types::TokenBucket;
use crate::types::{Message, QoS, TopicError, TopicFilter, TopicName, levels};

/// The capability `publisher`: messages in the plugin's name, to topics that are granted to it.
///
/// Topic-check is not asked whether it may: the grant is what bounds that.
pub(crate) struct Publisher {
    granted: Vec<TopicFilter>,
    broker: Arc<dyn BrokerServices>,
    rate: Mutex<TokenBucket>,
    excess: Arc<PluginExcess>,
}

/// Why a message was not published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PublishError {
    NotGranted,
    InvalidTopic(TopicError),
    TopicTooDeep,
    TooLarge,
    Limited,
}

impl Publisher {
    pub(crate) fn new(granted: Vec<TopicFilter>, broker: Arc<dyn BrokerServices>, excess: Arc<PluginExcess>) -> Self {
        Self { granted, broker, rate: Mutex::new(TokenBucket::new(PUBLISH_BURST, PUBLISH_PER_SECOND)), excess }
    }

    /// Publishes a message of a plugin that is in this hook. Those that are too many are counted and told of with the hook.
    pub(crate) fn publish(
        &self,
        topic: &str,
        payload: Vec<u8>,
        qos: QoS,
        retain: bool,
        hook: &'static str,
    ) -> Result<(), PublishError> {
        let topic = TopicName::new(topic).map_err(PublishError::InvalidTopic)?;
        if !self.granted.iter().any(|filter| filter.matches(topic.as_str())) {
            return Err(PublishError::NotGranted);
        }
        if levels(topic.as_str()) > PUBLISH_LEVELS_MAX {
            return Err(PublishError::TopicTooDeep);
        }
        if payload.len() > PUBLISH_PAYLOAD_BYTES_MAX {
            return Err(PublishError::TooLarge);
        }
        let limited = |limit| {
            self.excess.publish(Cause { hook: Some(hook), limit });
            PublishError::Limited
        };
        if !self.rate.lock().take(Instant::now()) {
            return Err(limited(Limit::Rate { burst: PUBLISH_BURST, per_second: PUBLISH_PER_SECOND }));
        }
        let message = Message::new(topic, payload.into(), qos, retain);
        self.broker.publish(message).map_err(|_| limited(Limit::Room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::tests::Recorder;

    fn publisher(filters: &[&str]) -> (Publisher, Arc<Recorder>) {
        let broker = Arc::new(Recorder::default());
        let granted = filters.iter().map(|filter| TopicFilter::new(filter).expect("valid")).collect();
        (Publisher::new(granted, broker.clone(), Arc::new(PluginExcess::new("p".into()))), broker)
    }

    #[test]
    fn only_granted_topics_are_published_to() {
        let (publisher, broker) = publisher(&["$SYS/#", "a/+"]);
        let publish = |topic| publisher.publish(topic, b"x".to_vec(), QoS::AtMostOnce, true, "auth");
        assert_eq!(publish("$SYS/broker/version"), Ok(()));
        assert_eq!(publish("a/b"), Ok(()));
        assert_eq!(publish("a/b/c"), Err(PublishError::NotGranted));
        assert_eq!(publish("$SYSTEM/x"), Err(PublishError::NotGranted));
        assert_eq!(publish("a/+"), Err(PublishError::InvalidTopic(TopicError::WildcardInName)));
        assert_eq!(publish(""), Err(PublishError::InvalidTopic(TopicError::Empty)));
        assert_eq!(broker.published.lock().len(), 2);
    }

    /// The trees of topics recurse.
    #[test]
    fn levels_are_bounded() {
        let (publisher, _) = publisher(&["#"]);
        let publish =
            |levels: usize| publisher.publish(&"/".repeat(levels - 1), Vec::new(), QoS::AtMostOnce, true, "auth");
        assert_eq!(publish(PUBLISH_LEVELS_MAX), Ok(()));
        assert_eq!(publish(PUBLISH_LEVELS_MAX + 1), Err(PublishError::TopicTooDeep));
    }

    #[test]
    fn size_and_rate_are_bounded() {
        let (publisher, broker) = publisher(&["#"]);
        let publish = |bytes| publisher.publish("a", vec![0; bytes], QoS::AtMostOnce, false, "auth");
        assert_eq!(publish(PUBLISH_PAYLOAD_BYTES_MAX + 1), Err(PublishError::TooLarge));
        assert_eq!(publish(PUBLISH_PAYLOAD_BYTES_MAX), Ok(()));
        let refused = (0..3 * PUBLISH_BURST).filter(|_| publish(0) == Err(PublishError::Limited)).count();
        assert!(refused > 0, "{} published", broker.published.lock().len());
    }
}
