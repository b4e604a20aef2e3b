use std::sync::Arc;

use bytes::BytesMut;

use super::aside::filters_to_ask;
use super::connect::logged;
use super::connection::{Client, End};
use super::explanation;
use super::publish::because;
use super::session::Subscribed;
use super::subscriptions::Wanted;
use super::worker::Worker;
use crate::codec::{Property, Subscribe, Unsubscribe, encode_suback, encode_unsuback};
use crate::hooks::{Action, Event, EventKind, Reason, TopicFacts};
use crate::types::{QoS, ReasonCode, RetainHandling, TopicFilter};

impl Worker {
    /// Makes the subscriptions of a SUBSCRIBE and answers it `[MQTT-3.8.4-1]`.
    pub(super) fn subscribe(
        &mut self,
        client: &mut Client,
        subscribe: &Subscribe<'_>,
        replies: &mut BytesMut,
    ) -> Result<(), End> {
        self.ask_about_filters(client, subscribe);
        let (mut reasons, mut refused) = (Vec::new(), None);
        for (index, (filter, options)) in subscribe.filters().enumerate() {
            // The same filter may stand there a million times.
            reasons.push(if index < self.core.limits.subscriptions_max {
                self.subscribe_one(client, filter, Wanted { options, id: subscribe.id }, &mut refused)?
            } else {
                self.refuse_subscription(client, filter)
            });
        }
        if !client.verdicts.answers_hold_for(self.hooks.verdict_number()) {
            // They were given by rules that the session may have been judged by anew since.
            client.session.is_to_be_judged();
            client.session.wake();
        }
        let said = refused.as_deref().map_or(Vec::new(), |why| explanation::of_acknowledgement(why, client.terms));
        let encode = |out: &mut BytesMut, said: &[Property<'_>]| {
            encode_suback(out, client.terms.version, subscribe.packet_id, &reasons, said);
        };
        encode(replies, explanation::fitting(&said, client.terms, encode));
        Ok(())
    }

    /// Asks about several filters at once; about a single one it is asked when it is its turn.
    fn ask_about_filters(&mut self, client: &mut Client, subscribe: &Subscribe<'_>) {
        if !self.hooks.decides(Action::Subscribe) || client.verdicts.has_answers() {
            return;
        }
        let asked = filters_to_ask(subscribe, &self.core.limits);
        if asked.len() > 1 {
            let number = self.hooks.verdict_number();
            let verdicts = self.checker.check_many(&client.info, Action::Subscribe, &asked);
            let filters = asked.iter().map(|(filter, _)| Box::from(*filter));
            client.verdicts.answer(Action::Subscribe, filters.zip(verdicts).collect(), number);
        }
    }

    /// Takes subscriptions back and answers `[MQTT-3.10.4-4]`, also if there were none `[MQTT-3.10.4-5]`.
    ///
    /// Filters that are more than a session may have are not looked for, and the answer is that they are not done (MQTT 5.0,
    /// 3.11.3: Unspecified error): they may stand there a million times, and each time is a lookup.
    pub(super) fn unsubscribe(
        &mut self,
        client: &Client,
        unsubscribe: &Unsubscribe<'_>,
        replies: &mut BytesMut,
    ) -> Result<(), End> {
        let (mut reasons, filters_max) = (Vec::new(), self.core.limits.subscriptions_max);
        let mut filters = unsubscribe.filters();
        for filter in filters.by_ref().take(filters_max).filter_map(|filter| TopicFilter::new(filter).ok()) {
            let unindex = || self.core.subscriptions.remove(&filter, &client.session);
            reasons.push(if client.session.unsubscribe(client.link_id, &filter, unindex)? {
                self.emit_subscription(EventKind::ClientUnsubscribed, client, &filter, None);
                ReasonCode::Success
            } else {
                ReasonCode::NoSubscriptionExisted
            });
        }
        let looked_for = reasons.len();
        reasons.extend(filters.map(|_| ReasonCode::UnspecifiedError));
        if reasons.len() > looked_for {
            let more = reasons.len() - looked_for;
            tracing::debug!("client {:?}: {more} filters of an UNSUBSCRIBE left out", client.info.client_id);
        }
        encode_unsuback(replies, client.terms.version, unsubscribe.packet_id, &reasons, &[]);
        Ok(())
    }

    /// Makes one subscription, and says what QoS it was granted or why it was refused. There is one place for words in a
    /// SUBACK: `refused` gets those of the first refusal that has some.
    fn subscribe_one(
        &mut self,
        client: &mut Client,
        filter: &str,
        mut wanted: Wanted,
        refused: &mut Option<Arc<Reason>>,
    ) -> Result<ReasonCode, End> {
        let core = Arc::clone(&self.core);
        let Ok(filter) = TopicFilter::new(filter) else {
            return Ok(ReasonCode::TopicFilterInvalid);
        };
        if let Some(unavailable) = self.unavailable(client, &filter, wanted) {
            return Ok(unavailable);
        }
        if let Err(why) = self.may_subscribe(client, TopicFilter::subscribed(filter.as_str()), wanted.options.qos) {
            let logged = logged(filter.as_str());
            tracing::debug!("client {:?} may not subscribe to {logged:?}{}", client.info.client_id, because(&why));
            let code = ReasonCode::of_suback(why.code);
            if refused.is_none() && why.bytes() > 0 {
                *refused = Some(why);
            }
            return Ok(code);
        }
        wanted.options.qos = wanted.options.qos.min(core.capabilities.max_qos);
        let index = || core.subscriptions.insert(&filter, &client.session, wanted);
        let is_new = match client.session.subscribe(client.link_id, &filter, wanted, &core.limits, index)? {
            Subscribed::New => true,
            Subscribed::Again => false,
            Subscribed::TooMany => return Ok(self.refuse_subscription(client, filter.as_str())),
        };
        let sends_retained = match wanted.options.retain_handling {
            // They are about who does the work that comes (MQTT 5.0, 4.8.2).
            _ if TopicFilter::is_shared(filter.as_str()) => false,
            RetainHandling::Always => true,
            RetainHandling::IfNew => is_new,
            RetainHandling::Never => false,
        };
        self.emit_subscription(EventKind::ClientSubscribed, client, &filter, Some(wanted.options.qos));
        if sends_retained {
            client.owed.get_or_insert_default().add(filter, wanted, core.retained.last());
        } else if let Some(owed) = client.owed.as_mut().filter(|_| !is_new) {
            owed.renew(filter, wanted);
        }
        Ok(ReasonCode::granted(wanted.options.qos))
    }

    /// Why the broker does not have such a subscription, whoever asks for it.
    fn unavailable(&self, client: &Client, filter: &TopicFilter, wanted: Wanted) -> Option<ReasonCode> {
        let capabilities = &self.core.capabilities;
        if let Some(excess) = self.topic_excess(filter.as_str()) {
            let logged = logged(filter.as_str());
            tracing::debug!("client {:?} may not subscribe to {logged:?}: {excess}", client.info.client_id);
            return Some(ReasonCode::QuotaExceeded);
        }
        if TopicFilter::is_shared(filter.as_str()) {
            if !capabilities.shared_subscriptions {
                return Some(ReasonCode::SharedSubscriptionsNotSupported);
            }
            if filter.share().is_none() {
                return Some(ReasonCode::TopicFilterInvalid); // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
            }
        }
        if !capabilities.wildcard_subscriptions && filter.has_wildcard() {
            return Some(ReasonCode::WildcardSubscriptionsNotSupported);
        }
        (!capabilities.subscription_identifiers && wanted.id.is_some())
            .then_some(ReasonCode::SubscriptionIdentifiersNotSupported)
    }

    /// Counts a subscription that is one too many, and says so at the first and then at each doubling.
    fn refuse_subscription(&self, client: &Client, filter: &str) -> ReasonCode {
        if self.stats().subscriptions_refused.add_and_tell(1) {
            tracing::warn!(
                "client {:?} has as many subscriptions as it may, {} with {} levels and {} bytes in all: refused {:?}",
                client.info.client_id,
                self.core.limits.subscriptions_max,
                self.core.limits.levels_max(self.core.limits.subscriptions_max),
                self.core.limits.filters_bytes_max(),
                logged(filter)
            );
        }
        ReasonCode::QuotaExceeded
    }

    fn may_subscribe(&mut self, client: &Client, filter: &str, qos: QoS) -> Result<(), Arc<Reason>> {
        if !self.hooks.decides(Action::Subscribe) {
            return Ok(());
        }
        if let Some(answered) = client.verdicts.answered(Action::Subscribe, filter) {
            return answered.result();
        }
        self.checker.check(&client.info, Action::Subscribe, filter, TopicFacts::subscription(qos)).result()
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
