use std::sync::Arc;

use tokio::sync::mpsc::error::TrySendError;

use super::connect::logged;
use super::core::Internal;
use super::deliver::ToSubscribers;
use super::events::{self, Origin};
use super::retained::Stored;
use super::routes::Route;
use super::shared::Share;
use super::stats::WorkerStats;
use super::verdicts::VerdictCache;
use super::will::Will;
use super::worker::Worker;
use crate::codec::{Properties, Property, Publish};
use crate::hooks::{Action, EventKind, Reason, TopicFacts};
use crate::protocol::{Delivery, Payload};
use crate::queue::Queued;
use crate::types::{ClientInfo, Message, QoS, ReasonCode, TopicExcess};

/// The tree of topics that only the broker and its plugins publish to.
const SYS_PREFIX: &str = "$SYS/";

/// Who publishes a message through a connection.
#[derive(Debug)]
pub(super) struct Publisher<'a> {
    pub(super) client: &'a Arc<ClientInfo>,
    pub(super) verdicts: &'a mut VerdictCache,
}

/// Where plugins are asked what is not known of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// Aside, if they are slow: the message waits in the receiver's session.
    Aside,
    /// In place, so that the next one can be tried at once.
    InPlace,
}

/// A message on its way from its publisher.
#[derive(Debug)]
struct Routed<'a> {
    origin: Origin<'a>,
    topic: &'a str,
    payload: Payload<'a>,
    qos: QoS,
    retain: bool,
    /// Of its PUBLISH, with the seconds until it expires, and whether it has an alias.
    properties: (Properties<'a>, Option<u32>, bool),
}

impl Worker {
    /// Routes the message of a PUBLISH, if its publisher may send it. When this returns, everyone who is to have the
    /// message has it or has been counted as not having it, so that it can be acknowledged, with what is returned: an error
    /// is what topic-check says of its refusal.
    pub(super) fn publish(
        &mut self,
        mut publisher: Publisher<'_>,
        publish: &Publish<'_>,
        payload: Payload<'_>,
    ) -> Result<ReasonCode, Arc<Reason>> {
        self.stats().publish_received.add(1);
        let facts = TopicFacts::message(publish.qos, publish.retain, publish.payload.len());
        if let Err(refused) = self.may_publish(&mut publisher, publish.topic, facts) {
            self.stats().publish_denied.add(1);
            tracing::debug!(
                "client {:?} may not publish to {:?}{}",
                publisher.client.client_id,
                logged(publish.topic),
                because(&refused)
            );
            return Err(refused);
        }
        if self.core.capabilities.check_payload_format && is_mislabelled(&publish.properties, publish.payload) {
            self.stats().publish_denied.add(1);
            return Ok(ReasonCode::PayloadFormatInvalid);
        }
        Ok(self.route(Routed {
            origin: Origin::Client(publisher.client),
            topic: publish.topic,
            payload,
            qos: publish.qos,
            retain: publish.retain,
            properties: (publish.properties, publish.expiry_secs, publish.topic_alias.is_some()),
        }))
    }

    /// Publishes the will of a client that has gone, if the client may publish there. Where asking would hold up this worker
    /// it is asked about aside first, as nobody waits for it.
    pub(super) fn publish_will(&mut self, client: &Arc<ClientInfo>, will: Box<Will>) {
        if self.checker.holds_up(client, Action::Publish) {
            match self.core.internal.try_send(Internal::Will(Arc::clone(client), will)) {
                Ok(()) => {}
                // Too many wait, or the broker ends.
                Err(TrySendError::Full(will) | TrySendError::Closed(will)) => {
                    if let Internal::Will(client, will) = will {
                        self.publish_judged_will(&client, *will, &mut VerdictCache::default());
                    }
                }
            }
            return;
        }
        self.publish_judged_will(client, *will, &mut VerdictCache::default());
    }

    /// The same where `verdicts` may have the answer already.
    pub(super) fn publish_judged_will(&mut self, client: &Arc<ClientInfo>, will: Will, verdicts: &mut VerdictCache) {
        let will = will.into_message(self.now);
        let mut publisher = Publisher { client, verdicts };
        if let Err(refused) = self.may_publish(&mut publisher, will.topic.as_str(), message_facts(&will)) {
            self.stats().publish_denied.add(1);
            let topic = logged(will.topic.as_str());
            tracing::debug!("will of {:?} to {topic:?} is not allowed{}", client.client_id, because(&refused));
            return;
        }
        self.publish_kept(Origin::Will(client), will);
    }

    /// Publishes a message of a plugin, which needs nobody's leave.
    pub(super) fn publish_unasked(&mut self, message: Message) {
        self.publish_kept(Origin::Plugin, message);
    }

    fn publish_kept(&mut self, origin: Origin<'_>, message: Message) {
        let (qos, retain) = (message.qos, message.retain);
        let (message, properties) = (Arc::new(message), Default::default());
        let (topic, payload) = (message.topic.as_str(), Payload::Kept(&message));
        self.route(Routed { origin, topic, payload, qos, retain, properties });
    }

    /// Gives messages of shared subscriptions to other members, in their order: those who had them will not come back.
    pub(super) fn pass_on(&mut self, orphans: Vec<Queued>, asks: Asks) {
        // Mostly they are for one subscription, whose members are looked up once, unless some come or go.
        let mut found: Option<(u64, Route, Share)> = None;
        for Queued { message, qos, retain, .. } in orphans {
            let Some(filter) = message.share().filter(|_| !message.is_expired(self.now)) else { continue };
            let subscriptions = &self.core.subscriptions;
            let generation = subscriptions.generation();
            let is_known = |(of, _, share): &(u64, Route, Share)| *of == generation && share.filter == *filter;
            found = match found.filter(is_known) {
                Some((of, route, share)) => Some((of, route.to(&message.topic), share)),
                None => subscriptions.members(filter).map(|(members, share)| {
                    (generation, Route::new(message.topic.clone(), members, Box::default()), share)
                }),
            };
            let Some((_, route, share)) = &found else { continue };
            let Self { core, hooks, checker, scratch, wakes, now, .. } = self;
            let stats = &core.stats[self.index];
            let delivery = Delivery::new(&route.topic, Payload::Kept(&message), qos, *now, scratch);
            let facts = message_facts(&message);
            let (publisher, is_told) = (None, false);
            ToSubscribers {
                core,
                hooks,
                checker,
                stats,
                wakes,
                route,
                delivery,
                retain,
                facts,
                publisher,
                is_told,
                asks,
            }
            .deliver_shared(share);
        }
    }

    /// Whether a client may publish to a topic; if not, what there is to be told of that.
    pub(super) fn may_publish(
        &mut self,
        publisher: &mut Publisher<'_>,
        topic: &str,
        facts: TopicFacts,
    ) -> Result<(), Arc<Reason>> {
        if topic.starts_with(SYS_PREFIX) || topic == "$SYS" {
            return Err(Arc::default());
        }
        if let Some(excess) = self.topic_excess(topic) {
            let (code, text) = (ReasonCode::TopicNameInvalid.value(), excess.to_string());
            return Err(Arc::new(Reason { code: Some(code), text: Some(text.into()), ..Reason::default() }));
        }
        if !self.hooks.decides(Action::Publish) {
            return Ok(());
        }
        let number = self.hooks.verdict_number();
        if let Some(result) = publisher.verdicts.verdict(topic, number) {
            return result;
        }
        if let Some(answered) = publisher.verdicts.answered(Action::Publish, topic) {
            return answered.result();
        }
        let verdict = self.checker.check(publisher.client, Action::Publish, topic, facts);
        publisher.verdicts.remember(topic, &verdict, number);
        verdict.result()
    }

    /// What a topic name or filter has more of than it may; counts those.
    pub(super) fn topic_excess(&self, topic: &str) -> Option<TopicExcess> {
        let excess = self.core.limits.topic_excess(topic);
        self.stats().topics_refused.add(usize::from(excess.is_some()));
        excess
    }

    fn route(&mut self, message: Routed<'_>) -> ReasonCode {
        let Routed { origin, topic, payload, qos, retain, properties } = message;
        let Some(route) = self.routes.route(topic, &self.core.subscriptions, &mut self.turn) else {
            return ReasonCode::TopicNameInvalid;
        };
        self.turn.spend(route.subscribers.len());
        let Self { core, hooks, checker, routes, turn, scratch, wakes, now, .. } = self;
        let stats = &core.stats[self.index];
        let (payload_len, mut newer) = (payload.len(), None);
        let max_qos = core.capabilities.max_qos;
        let mut delivery = Delivery::new(&route.topic, payload, qos.min(max_qos), *now, scratch).with_retain(retain);
        let (properties, expiry_secs, has_alias) = properties;
        if !properties.is_empty() {
            delivery = delivery.with_properties(properties, expiry_secs, has_alias);
        }
        events::message_came(hooks, origin, &mut delivery, retain);
        if retain && core.capabilities.retain {
            // Before the subscribers, and they are looked up after it: whoever subscribes meanwhile finds it here or is one
            // of them.
            let stored = core.retained.store(delivery.message(), origin.client(), &core.limits);
            if let (Stored::Done, Some(client)) = (stored, origin.client()) {
                events::message(hooks, EventKind::RetainedMessage, client, &mut delivery, true, None);
            }
            if !routes.is_current(&core.subscriptions) {
                newer = routes.route(topic, &core.subscriptions, turn);
            }
        }
        let publisher = origin.client().map(|client| &client.client_id);
        let is_told = origin.client().is_some() && hooks.wants(EventKind::MessageBroadcast);
        let facts = TopicFacts::message(qos, retain, payload_len);
        let (route, asks) = (newer.as_deref().unwrap_or(&route), Asks::Aside);
        ToSubscribers { core, hooks, checker, stats, wakes, route, delivery, retain, facts, publisher, is_told, asks }
            .deliver();
        if route.subscribers.is_empty() { ReasonCode::NoMatchingSubscribers } else { ReasonCode::Success }
    }
}

/// The words of a refusal as the end of a line in the log, if there are any.
pub(super) fn because(refused: &Reason) -> String {
    refused.text.as_ref().map_or_else(String::new, |text| format!(": {text}"))
}

/// What plugins may want to know of a message.
pub(super) fn message_facts(message: &Message) -> TopicFacts {
    TopicFacts::message(message.qos, message.retain, message.payload.len())
}

/// Whether a payload is said to be UTF-8 and is not.
pub(super) fn is_mislabelled(properties: &Properties<'_>, payload: &[u8]) -> bool {
    properties.iter().any(|property| property == Property::PayloadFormatIndicator(true))
        && std::str::from_utf8(payload).is_err()
}

/// Counts messages that did not fit, and says so at the first and then at each doubling.
pub(super) fn count_dropped(stats: &WorkerStats, count: usize, topic: &str, client_id: &str) {
    let counter = &stats.publish_dropped;
    if counter.add_and_tell(count) {
        tracing::warn!(
            "the queue of client {client_id:?} is full: a message to {:?} was dropped \
             ({} messages on this worker so far)",
            logged(topic),
            counter.value()
        );
    }
}
