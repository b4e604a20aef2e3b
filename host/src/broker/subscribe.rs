use std::sync::Arc;

use bytes::BytesMut;

use super::connection::{Client, End};
use super::retained::Found;
use super::session::Subscribed;
use super::worker::Worker;
use crate::codec::{ProtocolVersion, SubackCode, Subscribe, Unsubscribe, encode_suback, encode_unsuback};
use crate::hooks::{Action, CacheFor, Event, EventKind};
use crate::protocol::refused_subscription;
use crate::queue::Queued;
use crate::types::{QoS, TopicFilter};

/// How filters of shared subscriptions begin.
const SHARE_PREFIX: &str = "$share/";

impl Worker {
    /// Makes the subscriptions of a SUBSCRIBE and answers it `[MQTT-3.8.4-1]`.
    pub(super) fn subscribe(
        &mut self,
        client: &Client,
        version: Option<ProtocolVersion>,
        subscribe: &Subscribe<'_>,
        replies: &mut BytesMut,
    ) -> Result<(), End> {
        let mut codes = Vec::new();
        for (filter, requested) in subscribe.filters() {
            let granted = self.subscribe_one(client, filter, requested)?;
            let refused = || version.map_or(SubackCode::Failure, refused_subscription);
            codes.push(granted.map_or_else(refused, SubackCode::Granted));
        }
        encode_suback(replies, subscribe.packet_id, &codes);
        Ok(())
    }

    /// Takes subscriptions back and answers `[MQTT-3.10.4-4]`, also if there were none `[MQTT-3.10.4-5]`.
    pub(super) fn unsubscribe(
        &mut self,
        client: &Client,
        unsubscribe: &Unsubscribe<'_>,
        replies: &mut BytesMut,
    ) -> Result<(), End> {
        for filter in unsubscribe.filters().filter_map(|filter| TopicFilter::new(filter).ok()) {
            if client.session.unsubscribe(client.link_id, &filter)? {
                self.core.subscriptions.remove(&filter, &client.session);
                self.emit_subscription(EventKind::ClientUnsubscribed, client, &filter, None);
            }
        }
        encode_unsuback(replies, unsubscribe.packet_id);
        Ok(())
    }

    /// Makes one subscription and says what QoS it was granted; none if it was refused.
    fn subscribe_one(&mut self, client: &Client, filter: &str, requested: QoS) -> Result<Option<QoS>, End> {
        let core = Arc::clone(&self.core);
        let Ok(filter) = TopicFilter::new(filter) else {
            return Ok(None);
        };
        if self.is_topic_too_large(filter.as_str()) || filter.as_str().starts_with(SHARE_PREFIX) {
            return Ok(None);
        }
        if self.hooks.decides(Action::Subscribe)
            && !self.checker.check(&client.info, Action::Subscribe, filter.as_str()).allowed
        {
            tracing::debug!("client {:?} may not subscribe to {filter:?}", client.info.client_id);
            return Ok(None);
        }
        let granted = requested.min(core.max_qos);
        let index = || core.subscriptions.insert(&filter, &client.session, granted);
        if client.session.subscribe(client.link_id, &filter, granted, &core.limits, index)? == Subscribed::TooMany {
            self.stats().subscriptions_refused.add(1);
            tracing::warn!(
                "client {:?} has {} subscriptions, which is the maximum: refused {filter:?}",
                client.info.client_id,
                core.limits.subscriptions_max
            );
            return Ok(None);
        }
        self.send_retained(client, &filter, granted)?;
        self.emit_subscription(EventKind::ClientSubscribed, client, &filter, Some(granted));
        Ok(Some(granted))
    }

    /// Sends the retained messages of a new or renewed subscription `[MQTT-3.3.1-6]` `[MQTT-3.8.4-3]`.
    fn send_retained(&mut self, client: &Client, filter: &TopicFilter, granted: QoS) -> Result<(), End> {
        let generation = self.hooks.verdict_number();
        let mut found = self.core.retained.matches(filter, generation);
        if found.is_empty() {
            return Ok(());
        }
        found.retain(|found| self.may_be_sent(client, found, generation));
        let queued = found.into_iter().map(|Found { message, .. }| Queued {
            qos: message.qos.min(granted),
            retain: true,
            message,
        });
        let limits = &self.core.limits;
        client.session.with(client.link_id, |session| session.outbound.deliver_retained(queued, limits))?;
        Ok(())
    }

    /// Whether a retained message may still be published by who published it, and be received by the client.
    fn may_be_sent(&mut self, client: &Client, found: &Found, generation: u64) -> bool {
        let Found { message, publisher } = found;
        let topic = message.topic.as_str();
        if let Some(publisher) = publisher
            && self.hooks.decides(Action::Publish)
        {
            let verdict = self.checker.check(publisher, Action::Publish, topic);
            if !verdict.allowed {
                tracing::debug!("retained message of {topic:?}: {:?} may not publish it any more", publisher.client_id);
                return false;
            }
            if verdict.cache == CacheFor::UntilReload {
                self.core.retained.remember_allowed(message, generation);
            }
        }
        !self.hooks.decides(Action::Receive) || self.checker.check(&client.info, Action::Receive, topic).allowed
    }

    fn emit_subscription(&self, kind: EventKind, client: &Client, filter: &TopicFilter, qos: Option<QoS>) {
        if self.hooks.wants(kind) {
            let mut event = Event::of_client(kind, &client.info);
            event.topic = Some(filter.as_str().into());
            event.qos = qos;
            self.hooks.emit(event);
        }
    }
}
