use std::sync::Arc;

use super::core::Core;
use super::verdicts::VerdictCache;
use super::worker::Worker;
use crate::codec::Publish;
use crate::hooks::{Action, Event, EventKind};
use crate::protocol::{Delivered, Delivery, Payload};
use crate::types::{ClientInfo, Message, QoS, levels};

/// The tree of topics that only the broker and its plugins publish to.
const SYS_PREFIX: &str = "$SYS/";

/// Who publishes a message through a connection.
#[derive(Debug)]
pub(super) struct Publisher<'a> {
    pub(super) client: &'a Arc<ClientInfo>,
    pub(super) verdicts: &'a mut VerdictCache,
}

impl Worker {
    /// Routes the message of a PUBLISH, if its publisher may send it. When this returns, everyone who is to have the
    /// message has it or has been counted as not having it, so that it can be acknowledged.
    pub(super) fn publish(&mut self, publisher: Publisher<'_>, publish: &Publish<'_>, payload: Payload<'_>) {
        self.stats().publish_received.add(1);
        if !self.may_publish(publisher, publish.topic) {
            self.stats().publish_denied.add(1);
            return;
        }
        self.route(publish.topic, payload, publish.qos, publish.retain);
    }

    /// Publishes the will of a client that has gone, if the client may publish there.
    pub(super) fn publish_will(&mut self, client: &Arc<ClientInfo>, will: Message) {
        let publisher = Publisher { client, verdicts: &mut VerdictCache::default() };
        if !self.may_publish(publisher, will.topic.as_str()) {
            self.stats().publish_denied.add(1);
            tracing::debug!("will of {:?} to {:?} is not allowed", client.client_id, will.topic);
            return;
        }
        if self.hooks.wants(EventKind::WillSent) {
            self.hooks.emit(message_event(EventKind::WillSent, client, &will));
        }
        self.publish_unasked(will);
    }

    /// Publishes a message that needs nobody's leave.
    pub(super) fn publish_unasked(&mut self, message: Message) {
        let (qos, retain) = (message.qos, message.retain);
        let message = Arc::new(message);
        self.route(message.topic.as_str(), Payload::Kept(&message), qos, retain);
    }

    pub(super) fn may_publish(&mut self, publisher: Publisher<'_>, topic: &str) -> bool {
        if topic.starts_with(SYS_PREFIX) || topic == "$SYS" || self.is_topic_too_large(topic) {
            return false;
        }
        if !self.hooks.decides(Action::Publish) {
            return true;
        }
        if let Some(allowed) = publisher.verdicts.verdict(topic) {
            return allowed;
        }
        let verdict = self.checker.check(publisher.client, Action::Publish, topic);
        publisher.verdicts.remember(topic, verdict);
        verdict.allowed
    }

    /// Whether a topic name or filter is longer or deeper than it may be; counts those.
    pub(super) fn is_topic_too_large(&self, topic: &str) -> bool {
        let limits = &self.core.limits;
        let too_large = topic.len() > limits.topic_bytes_max || levels(topic) > limits.topic_levels_max;
        self.stats().topics_refused.add(usize::from(too_large));
        too_large
    }

    fn route(&mut self, topic: &str, payload: Payload<'_>, qos: QoS, retain: bool) {
        let Some(route) = self.routes.route(topic, &self.core.subscriptions) else {
            return;
        };
        let core = Arc::clone(&self.core);
        let qos = qos.min(core.max_qos);
        let mut delivery = Delivery::new(&route.topic, payload, qos, &mut self.scratch);
        if retain {
            // Before the subscribers: whoever subscribes meanwhile finds it here or is one of them.
            core.retained.store(delivery.message(), &core.limits);
        }
        let asks_receivers = self.hooks.decides(Action::Receive);
        for subscriber in &route.subscribers {
            if asks_receivers {
                let client = subscriber.session.client();
                if !self.checker.check(&client, Action::Receive, topic).allowed {
                    core.stats[self.index].publish_denied.add(1);
                    continue;
                }
            }
            let delivered = subscriber.session.deliver(&mut delivery, subscriber.qos, &core.limits, &mut self.wakes);
            if let Delivered::Dropped(count) = delivered {
                count_dropped(&core, self.index, count, topic, subscriber.session.client_id.as_str());
            }
        }
    }
}

/// Counts messages that did not fit, and says so at the first and then at each doubling.
fn count_dropped(core: &Core, worker: usize, count: usize, topic: &str, client_id: &str) {
    let counter = &core.stats[worker].publish_dropped;
    let before = counter.value();
    counter.add(count);
    if before == 0 || before.ilog2() != counter.value().ilog2() {
        tracing::warn!(
            "the queue of client {client_id:?} is full: a message to {topic:?} was dropped \
             ({} messages on this worker so far)",
            counter.value()
        );
    }
}

fn message_event(kind: EventKind, client: &Arc<ClientInfo>, message: &Message) -> Event {
    Event {
        kind,
        client: Some(Arc::clone(client)),
        topic: Some(message.topic.as_str().into()),
        qos: Some(message.qos),
        payload: Some(message.payload.clone()),
        reason: None,
    }
}
