//! What a session keeps of what was allowed, once less is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Displaced, SessionHandle, Shared};
use crate::broker::publish::message_facts;
use crate::broker::received::Received;
use crate::broker::subscriptions::Wanted;
use crate::broker::verdicts::Remembered;
use crate::hooks::TopicFacts;
use crate::queue::Judged;
use crate::routing::SubscriptionTree;
use crate::types::{ClientInfo, Limits, Message, TopicFilter, TopicName};

/// What a session has that is only there because it was allowed once.
#[derive(Debug)]
pub(in crate::broker) struct ToJudge {
    /// Whose it is.
    pub(in crate::broker) client: Arc<ClientInfo>,
    /// What it is subscribed to, and what it was granted.
    pub(in crate::broker) filters: Vec<(TopicFilter, TopicFacts)>,
    /// The messages that are yet to be sent; those that are the same to plugins once.
    pub(in crate::broker) messages: Vec<(TopicName, TopicFacts)>,
}

/// What of a session is not allowed any more.
#[derive(Debug)]
pub(in crate::broker) struct Judgement {
    /// Of the verdicts that it follows from.
    pub(in crate::broker) generation: u64,
    /// Subscriptions that end.
    pub(in crate::broker) filters: Vec<TopicFilter>,
    /// Messages that are not delivered.
    pub(in crate::broker) messages: Messages,
}

/// Of no verdicts.
const NO_GENERATION: u64 = u64::MAX;

/// Messages as plugins are asked about them.
type Messages = HashSet<(TopicName, TopicFacts), ahash::RandomState>;

/// What was said of messages, as plugins are asked about them.
pub(in crate::broker) type Answers = HashMap<(TopicName, TopicFacts), bool, ahash::RandomState>;

fn asked_as(message: &Message) -> (TopicName, TopicFacts) {
    (message.topic.clone(), message_facts(message))
}

impl Judgement {
    /// Nothing is to end so far.
    pub(in crate::broker) fn new(generation: u64) -> Self {
        Self { generation, filters: Vec::new(), messages: HashSet::default() }
    }

    /// Whether everything is still allowed.
    pub(in crate::broker) fn is_clean(&self) -> bool {
        self.filters.is_empty() && self.messages.is_empty()
    }
}

/// Topics that only subscriptions match which have ended. As trees: a session may have as many filters as messages.
struct LostTopics {
    ended: SubscriptionTree<(), ()>,
    kept: SubscriptionTree<(), ()>,
    known: HashMap<TopicName, bool, ahash::RandomState>,
}

impl LostTopics {
    fn new<'a>(ended: &[TopicFilter], kept: impl Iterator<Item = &'a TopicFilter>) -> Self {
        let is_any = !ended.is_empty();
        // Where nothing has ended, nothing is looked up.
        let (ended, kept) = (tree(ended.iter()), tree(kept.filter(|_| is_any)));
        Self { ended, kept, known: HashMap::default() }
    }

    fn has(&mut self, topic: &TopicName) -> bool {
        let Self { ended, kept, known } = self;
        if ended.is_empty() {
            return false;
        }
        *known
            .entry(topic.clone())
            .or_insert_with(|| ended.has_match(topic.as_str()) && !kept.has_match(topic.as_str()))
    }
}

fn tree<'a>(filters: impl Iterator<Item = &'a TopicFilter>) -> SubscriptionTree<(), ()> {
    let mut tree = SubscriptionTree::new();
    for filter in filters {
        match filter.share() {
            Some((_, inner)) => tree.insert(&inner, (), ()),
            None => tree.insert(filter, (), ()),
        };
    }
    tree
}

impl SessionHandle {
    /// Whether everything of the session has been judged by this generation of verdicts.
    pub(in crate::broker) fn is_judged(&self, generation: u64) -> bool {
        self.judged.load(Ordering::Relaxed) == generation
    }

    /// It has something that was not judged by the verdicts that all of it was said to be judged by.
    pub(in crate::broker) fn is_to_be_judged(&self) {
        let mut shared = self.lock();
        shared.to_be_judged = true;
        self.judged.store(NO_GENERATION, Ordering::Relaxed);
    }

    /// Holds back what waits, and says what there is to be judged anew: for the connection `link_id`, or for none.
    pub(in crate::broker) fn to_judge(&self, link_id: Option<u64>) -> Result<ToJudge, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().map(|link| link.id) != link_id || shared.ended {
            return Err(Displaced);
        }
        shared.to_be_judged = false;
        shared.session.outbound.hold();
        let messages: Messages = shared.session.outbound.unsent().map(|message| asked_as(message)).collect();
        let granted = |wanted: &Wanted| TopicFacts::subscription(wanted.options.qos);
        Ok(ToJudge {
            client: Arc::clone(&shared.client),
            filters: shared.subscriptions.iter().map(|(filter, wanted)| (filter.clone(), granted(wanted))).collect(),
            messages: messages.into_iter().collect(),
        })
    }

    /// Ends the subscriptions and drops the messages that were judged to be not allowed, and sends what was held back, unless
    /// more is to be judged by now.
    /// `unindex` takes a subscription away where publishers look. Says how many messages were dropped.
    pub(in crate::broker) fn judge(
        &self,
        link_id: Option<u64>,
        judgement: &Judgement,
        limits: &Limits,
        now: Instant,
        mut unindex: impl FnMut(&TopicFilter),
    ) -> Result<usize, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().map(|link| link.id) != link_id || shared.ended {
            return Err(Displaced);
        }
        let Shared { session, subscriptions, extent, to_be_judged, .. } = &mut *shared;
        for filter in &judgement.filters {
            if subscriptions.remove(filter).is_some() {
                extent.remove(filter);
            }
            unindex(filter);
        }
        let dropped = if judgement.is_clean() {
            0
        } else {
            let mut lost = LostTopics::new(&judgement.filters, subscriptions.keys());
            session.outbound.retain_unsent(|message| {
                !lost.has(&message.topic)
                    && (judgement.messages.is_empty() || !judgement.messages.contains(&asked_as(message)))
            })
        };
        if !*to_be_judged {
            self.judged.store(judgement.generation, Ordering::Relaxed);
            session.outbound.release(limits, now);
        }
        Ok(dropped)
    }

    /// At most `max` questions about messages that are to be judged before they are sent, for the connection `link_id`;
    /// those that are the same to plugins once.
    pub(in crate::broker) fn unjudged(
        &self,
        link_id: u64,
        max: usize,
    ) -> Result<Vec<(TopicName, TopicFacts)>, Displaced> {
        self.with(link_id, |session| {
            let mut questions = Vec::new();
            for question in session.outbound.unjudged().map(|message| asked_as(message)) {
                if questions.len() >= max {
                    break;
                }
                if !questions.contains(&question) {
                    questions.push(question);
                }
            }
            questions
        })
    }

    /// Drops or sends the messages that were asked about.
    pub(in crate::broker) fn judge_waiting(
        &self,
        link_id: u64,
        answers: &Answers,
        limits: &Limits,
        now: Instant,
    ) -> Result<Judged, Displaced> {
        let may_be_sent = |message: &Message| answers.get(&asked_as(message)).copied();
        let mut shared = self.lock();
        if shared.link.as_ref().is_none_or(|link| link.id != link_id) {
            return Err(Displaced);
        }
        Ok(shared.session.outbound.judge(may_be_sent, limits, now))
    }

    /// What a slow `receive` has said of a topic, if that still holds for `number` and this connection.
    pub(in crate::broker) fn received(&self, topic: &TopicName, number: u64, link_id: u64) -> Option<Remembered> {
        self.lock().received.as_ref()?.verdict(topic, number, link_id)
    }

    /// Remembers what a slow `receive` has said, for the workers of publishers.
    pub(in crate::broker) fn remember_received(
        &self,
        topic: TopicName,
        remembered: Remembered,
        number: u64,
        link_id: u64,
    ) {
        let received = &mut self.lock().received;
        match received {
            Some(received) if received.is_of(number, link_id) => received.insert(topic, remembered),
            _ => *received = Some(Box::new(Received::new(number, link_id, (topic, remembered)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::tests::client;
    use crate::types::visits;

    #[test]
    fn what_comes_during_a_review_is_judged_by_another() {
        let session = SessionHandle::new(1, &client("c"), 1, Arc::default());
        let judge = || session.judge(None, &Judgement::new(2), &Limits::default(), Instant::now(), |_| ());
        assert!(session.to_judge(None).is_ok());
        session.is_to_be_judged();
        assert!(judge().is_ok() && !session.is_judged(2));
        assert!(session.to_judge(None).is_ok() && judge().is_ok());
        assert!(session.is_judged(2));
    }

    #[test]
    fn what_is_lost_is_found_without_trying_each_filter() {
        let filter = |filter: &str| TopicFilter::new(filter).expect("valid filter");
        let topic = |topic: &str| TopicName::new(topic).expect("valid topic");
        let ended = [filter("a/#"), filter("$share/g/shared/+")];
        let kept: Vec<_> = (0..5_000).map(|number| filter(&format!("kept/{number}"))).chain([filter("+/b")]).collect();
        let mut lost = LostTopics::new(&ended, kept.iter());
        for (name, expected) in
            [("a", true), ("a/b", false), ("a/b/c", true), ("shared/x", true), ("kept/7", false), ("other", false)]
        {
            assert_eq!(lost.has(&topic(name)), expected, "topic {name:?}");
        }
        let looked_at = visits::of(|| {
            for number in 0..100 {
                assert!(lost.has(&topic(&format!("a/{number}"))) && lost.has(&topic("a/x")));
            }
        });
        assert!(looked_at <= 101 * 6, "{looked_at}");
        assert!(!LostTopics::new(&[], kept.iter()).has(&topic("a")));
    }
}
