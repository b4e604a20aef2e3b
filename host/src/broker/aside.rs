use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::connection::Client;
use super::verdicts::VerdictCache;
use super::worker::Worker;
use crate::codec::{Frame, Packet, Subscribe};
use crate::hooks::{Action, TopicFacts, Verdict};
use crate::protocol::Connection;
use crate::types::{ClientInfo, Limits, TopicFilter};

/// A question to topic-check that one connection waits for, while the others of its worker have their turns.
pub(super) struct Asking {
    action: Action,
    topics: Vec<Box<str>>,
    /// What the verdicts are good for.
    number: u64,
    verdicts: Pin<Box<dyn Future<Output = Vec<Verdict>>>>,
}

impl Asking {
    /// Puts the question, if putting it in place would hold up the worker.
    pub(super) fn begin<'a>(
        worker: &mut Worker,
        client: &Arc<ClientInfo>,
        action: Action,
        topics: impl Iterator<Item = (&'a str, TopicFacts)>,
    ) -> Option<Self> {
        if !worker.checker.holds_up(client, action) {
            return None;
        }
        let number = worker.hooks.verdict_number();
        let asked: Vec<(Box<str>, TopicFacts)> = topics.map(|(topic, facts)| (topic.into(), facts)).collect();
        let topics = asked.iter().map(|(topic, _)| topic.clone()).collect();
        let verdicts = Box::pin(worker.checker.ask(Arc::clone(client), action, asked));
        Some(Self { action, topics, number, verdicts })
    }

    /// The same about the will of a client that has gone.
    pub(super) fn begin_for_broker(
        worker: &mut Worker,
        client: &Arc<ClientInfo>,
        topic: &str,
        facts: TopicFacts,
    ) -> Option<Self> {
        let action = Action::Publish;
        if !worker.checker.holds_up(client, action) {
            return None;
        }
        let number = worker.hooks.verdict_number();
        let asked = vec![(Box::from(topic), facts)];
        let verdicts = Box::pin(worker.checker.ask_for_broker(Arc::clone(client), action, asked));
        Some(Self { action, topics: vec![topic.into()], number, verdicts })
    }

    /// Waits for the answers, and leaves them where the request finds them.
    pub(super) fn poll_answer(&mut self, verdicts: &mut VerdictCache, cx: &mut Context<'_>) -> Poll<()> {
        let answers = ready!(self.verdicts.as_mut().poll(cx));
        let topics = std::mem::take(&mut self.topics).into_iter();
        verdicts.answer(self.action, topics.zip(answers).collect(), self.number);
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
        if client.verdicts.has_answers() || !self.checker.may_hold_up() {
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
