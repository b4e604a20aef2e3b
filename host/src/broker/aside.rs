use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::connection::Client;
use super::turn::go_on_after_others;
use super::verdicts::VerdictCache;
use super::worker::Worker;
use crate::codec::{Frame, Packet, PacketType, Subscribe};
use crate::hooks::{Action, TopicFacts, Verdict};
use crate::protocol::Connection;
use crate::types::{ClientInfo, Limits, TopicFilter};

/// Questions to plugins that are put together.
pub(super) const ASKED_TOGETHER_MAX: usize = 8;

/// Topics of a request that are asked about aside together: what waits of one client stays small, and one whose questions
/// have to wait for their turns does not wait for each few of them.
pub(super) const ASKED_ASIDE_MAX: usize = 64;

/// How often a question is put again because what plugins had said of it does not hold any more. A plugin whose rules
/// change all the time must not keep a client waiting for ever.
pub(super) const RESTARTS_MAX: u32 = 8;

/// A question to topic-check that one connection waits for, while the others of its worker have their turns.
pub(super) struct Asking {
    client: Arc<ClientInfo>,
    action: Action,
    topics: Vec<(Box<str>, TopicFacts)>,
    /// Of the first topics.
    verdicts: Vec<Verdict>,
    /// What those are good for.
    number: u64,
    /// Whether it is the broker that has to know: then it is put whatever clients ask.
    for_broker: bool,
    /// What is asked where it holds up nobody else: some of what is left.
    aside: Option<Pin<Box<dyn Future<Output = Vec<Verdict>>>>>,
    restarts: u32,
}

impl Asking {
    /// Puts the question, if putting it in place at once would hold up the worker.
    pub(super) fn begin<'a>(
        worker: &mut Worker,
        client: &Arc<ClientInfo>,
        action: Action,
        topics: impl ExactSizeIterator<Item = (&'a str, TopicFacts)>,
    ) -> Option<Self> {
        if topics.len() <= ASKED_TOGETHER_MAX && !worker.checker.holds_up(client, action) {
            return None;
        }
        let topics = topics.map(|(topic, facts)| (topic.into(), facts)).collect();
        Some(Self::new(worker, client, action, topics))
    }

    /// The same about the will of a client that has gone.
    pub(super) fn begin_for_broker(
        worker: &mut Worker,
        client: &Arc<ClientInfo>,
        topic: &str,
        facts: TopicFacts,
    ) -> Option<Self> {
        let asking = Self::begin(worker, client, Action::Publish, std::iter::once((topic, facts)));
        asking.map(|asking| Self { for_broker: true, ..asking })
    }

    fn new(worker: &Worker, client: &Arc<ClientInfo>, action: Action, topics: Vec<(Box<str>, TopicFacts)>) -> Self {
        let (number, client) = (worker.hooks.verdict_number(), Arc::clone(client));
        Self { client, action, topics, verdicts: Vec::new(), number, for_broker: false, aside: None, restarts: 0 }
    }

    /// Waits for the answers, and leaves them where the request finds them. Asks itself as long as that holds up nobody.
    pub(super) fn poll_answer(
        &mut self,
        worker: &mut Worker,
        verdicts: &mut VerdictCache,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        // Something is asked each time, whatever the turn has been spent on before.
        let mut has_asked = false;
        loop {
            if let Some(aside) = &mut self.aside {
                self.verdicts.extend(ready!(aside.as_mut().poll(cx)));
                self.aside = None;
            }
            let rest = self.topics.get(self.verdicts.len()..).unwrap_or_default();
            if rest.is_empty() {
                let number = worker.hooks.verdict_number();
                if number == self.number || self.restarts >= RESTARTS_MAX {
                    break;
                }
                // Permissions have changed meanwhile: what was said by those of before holds no more.
                (self.number, self.restarts) = (number, self.restarts + 1);
                self.verdicts.clear();
            } else if worker.checker.holds_up(&self.client, self.action) {
                let (client, asked) = (Arc::clone(&self.client), rest.iter().take(ASKED_ASIDE_MAX).cloned().collect());
                self.aside = Some(if self.for_broker {
                    Box::pin(worker.checker.ask_for_broker(client, self.action, asked))
                } else {
                    Box::pin(worker.checker.ask(client, self.action, asked))
                });
            } else if has_asked && worker.is_turn_over() {
                go_on_after_others(cx);
                return Poll::Pending;
            } else {
                let some: Vec<_> =
                    rest.iter().take(ASKED_TOGETHER_MAX).map(|(topic, facts)| (&**topic, *facts)).collect();
                self.verdicts.extend(worker.checker.check_many(&self.client, self.action, &some));
                worker.turn.spend_much();
                has_asked = true;
            }
        }
        let topics = std::mem::take(&mut self.topics).into_iter().map(|(topic, _)| topic);
        verdicts.answer(self.action, topics.zip(std::mem::take(&mut self.verdicts)).collect(), self.number);
        Poll::Ready(())
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("action", &self.action).field("topics", &self.topics).finish_non_exhaustive()
    }
}

/// The filters of a SUBSCRIBE that plugins are asked about: those that are refused anyway are not.
pub(super) fn filters_to_ask<'a>(subscribe: &Subscribe<'a>, limits: &Limits) -> Vec<(&'a str, TopicFacts)> {
    let filters = subscribe.filters().take(limits.subscriptions_max);
    filters
        .filter(|(filter, _)| !limits.is_topic_too_large(filter))
        .map(|(filter, options)| (TopicFilter::subscribed(filter), TopicFacts::subscription(options.qos)))
        .collect()
}

impl Worker {
    /// Puts the questions that a packet raises, if putting them in place would hold up this worker. Then the packet is
    /// to be looked at again when they are answered.
    pub(super) fn ask_first(
        &mut self,
        protocol: &mut Connection,
        client: &mut Client,
        frame: Frame<'_>,
    ) -> Option<Asking> {
        // Of how many topics a SUBSCRIBE is only shows when it is read.
        let may_be_many = frame.header.packet_type == PacketType::Subscribe && self.hooks.decides(Action::Subscribe);
        if client.verdicts.has_answers() || !(may_be_many || self.checker.may_hold_up()) {
            return None;
        }
        // Whatever is wrong with the packet is dealt with where it is handled.
        match protocol.handle_packet(frame, &client.told.limits, &client.told.capabilities).ok()? {
            Packet::Publish(publish) => {
                let known = client.verdicts.verdict(publish.topic, self.hooks.verdict_number()).is_some();
                let topic = (!known).then_some(publish.topic)?;
                let facts = TopicFacts::message(publish.qos, publish.retain, publish.payload.len());
                Asking::begin(self, &client.info, Action::Publish, std::iter::once((topic, facts)))
            }
            Packet::Subscribe(subscribe) => {
                let filters = filters_to_ask(&subscribe, &self.core.limits);
                Asking::begin(self, &client.info, Action::Subscribe, filters.into_iter())
            }
            _ => None,
        }
    }
}
