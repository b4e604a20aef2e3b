//! Messages whose receivers' right to them has to be found out first, where finding it out in place would hold up others.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ahash::RandomState;

use super::connection::{Client, End};
use super::events;
use super::publish::Asks;
use super::session::Displaced;
use super::verdicts::Remembered;
use super::worker::Worker;
use crate::hooks::{Action, EventKind, TopicFacts, Verdict};
use crate::protocol::{Delivery, Payload};
use crate::types::{Message, TopicName};

/// Questions about messages for one client that are asked at once.
const QUESTIONS_AT_ONCE: usize = 8;

/// Topics of which a session remembers what a slow `receive` has said. Past it, it forgets all and starts anew.
const RECEIVED_MAX: usize = 256;

/// What a slow `receive` has said of one client being delivered topics.
#[derive(Debug)]
pub(super) struct Received {
    /// Of the verdicts, before they were asked for.
    number: u64,
    /// The connection that the client had.
    link_id: u64,
    by_topic: HashMap<TopicName, Remembered, RandomState>,
}

impl Received {
    pub(super) fn new(number: u64, link_id: u64, first: (TopicName, Remembered)) -> Self {
        Self { number, link_id, by_topic: HashMap::from_iter([first]) }
    }

    pub(super) fn is_of(&self, number: u64, link_id: u64) -> bool {
        self.number == number && self.link_id == link_id
    }

    pub(super) fn verdict(&self, topic: &TopicName, number: u64, link_id: u64) -> Option<Remembered> {
        if self.is_of(number, link_id) { self.by_topic.get(topic).copied() } else { None }
    }

    pub(super) fn insert(&mut self, topic: TopicName, remembered: Remembered) {
        if self.by_topic.len() >= RECEIVED_MAX {
            self.by_topic.clear();
        }
        self.by_topic.insert(topic, remembered);
    }
}

/// A question about messages that wait for one client, which only that client waits for.
pub(super) struct Receiving {
    asked: Vec<(TopicName, TopicFacts)>,
    /// What the verdicts are good for.
    number: u64,
    verdicts: Pin<Box<dyn Future<Output = Vec<Verdict>>>>,
}

impl fmt::Debug for Receiving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.asked.fmt(f)
    }
}

impl Receiving {
    fn begin(worker: &mut Worker, client: &Client) -> Result<Self, Displaced> {
        let asked = client.session.unjudged(client.link_id, QUESTIONS_AT_ONCE)?;
        let number = worker.hooks.verdict_number();
        let verdicts: Pin<Box<dyn Future<Output = _>>> = if worker.checker.holds_up(&client.info, Action::Receive) {
            let topics = asked.iter().map(|(topic, facts)| (topic.as_str().into(), *facts)).collect();
            Box::pin(worker.checker.ask_for_broker(Arc::clone(&client.info), Action::Receive, topics))
        } else {
            // It is quick again, or nobody decides that any more.
            let topics: Vec<_> = asked.iter().map(|(topic, facts)| (topic.as_str(), *facts)).collect();
            let verdicts = worker.checker.check_many(&client.info, Action::Receive, &topics);
            Box::pin(std::future::ready(verdicts))
        };
        Ok(Self { asked, number, verdicts })
    }
}

impl Worker {
    /// Sees to it that messages are judged that wait for it, a few at a time. Says whether there is more to do in another
    /// turn.
    pub(super) fn judge_waiting(
        &mut self,
        client: &mut Client,
        has_unjudged: bool,
        cx: &mut Context<'_>,
    ) -> Result<bool, End> {
        if client.receiving.is_none() && has_unjudged {
            client.receiving = Some(Box::new(Receiving::begin(self, client)?));
        }
        let Some(receiving) = &mut client.receiving else { return Ok(false) };
        let Poll::Ready(verdicts) = receiving.verdicts.as_mut().poll(cx) else { return Ok(false) };
        let (asked, number) = (std::mem::take(&mut receiving.asked), receiving.number);
        client.receiving = None;
        for ((topic, _), verdict) in asked.iter().zip(&verdicts) {
            if let Some(remembered) = Remembered::new(verdict) {
                client.session.remember_received(topic.clone(), remembered, number, client.link_id);
            }
        }
        let answers = asked.into_iter().zip(verdicts.iter().map(|verdict| verdict.allowed)).collect();
        let judged = client.session.judge_waiting(client.link_id, &answers, &self.core.limits, self.now)?;
        self.stats().publish_denied.add(judged.denied.len());
        judged.to_tell.iter().for_each(|message| self.tell_of_delivery(client, message));
        let orphans = judged.denied.into_iter().filter(|queued| queued.message.share().is_some()).collect();
        self.pass_on(orphans, Asks::InPlace);
        Ok(true)
    }

    fn tell_of_delivery(&mut self, client: &Client, message: &Arc<Message>) {
        let Self { hooks, scratch, now, .. } = self;
        let mut delivery = Delivery::new(&message.topic, Payload::Kept(message), message.qos, *now, scratch);
        events::message(hooks, EventKind::MessageBroadcast, &client.info, &mut delivery, false, None);
    }
}
