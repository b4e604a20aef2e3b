use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use super::aside::{ASKED_TOGETHER_MAX, RESTARTS_MAX};
use super::connect::logged;
use super::connection::{Client, End};
use super::found_room::{Place, Taken};
use super::publish::{count_dropped, message_facts};
use super::retained::Found;
use super::subscriptions::Wanted;
use super::turn::go_on_after_others;
use super::verdicts::VerdictCache;
use super::worker::Worker;
use crate::hooks::{Action, CacheFor, Verdict};
use crate::queue::{Queued, Standing};
use crate::routing::Progress;
use crate::types::{ClientInfo, TopicFilter};

/// Messages that a plugin is asked about together in place: where there are more, the client asks while it waits for them.
const JUDGED_IN_PLACE_MAX: usize = 64;

/// The retained messages of new or renewed subscriptions that their client is yet to have `[MQTT-3.3.1-6]`
/// `[MQTT-3.8.4-3]`.
///
/// A few bytes of a SUBSCRIBE may ask for all that there are, many times over, and the right to each of them may have to be
/// found out. So they are looked up some at a time, in the turns of the connection, and its next packet waits for them,
/// unless they wait for the client themselves: then it is heard, as it is to acknowledge what it has.
#[derive(Debug, Default)]
pub(super) struct Owed {
    subscriptions: VecDeque<Due>,
    /// What is wanted of those of them instead that were renewed since.
    renewed: HashMap<TopicFilter, Wanted, ahash::RandomState>,
    found: Option<Matched>,
    /// How often those of the first were found anew because permissions have changed meanwhile.
    restarts: u32,
    /// Set if those of the first wait for room.
    waits: Option<Place>,
    /// Whether they wait until the client has taken what it has been sent.
    waits_for_client: bool,
    /// What was said of the publisher of the message before, who mostly is the same.
    asked_before: Option<(Arc<ClientInfo>, VerdictCache)>,
}

/// Bytes that may wait in the session when more messages are looked up, if a fourth of what it may hold is not less.
const QUEUED_BYTES_MAX: usize = 256 << 10;

/// Bytes of messages that are looked up in one go, but for the last of them, within the same limit.
const FOUND_BYTES_MAX: usize = 64 << 10;

/// A subscription that retained messages are owed for.
#[derive(Debug)]
struct Due {
    filter: TopicFilter,
    wanted: Wanted,
    /// The number of the last message that was stored before it: those after it come to it as they are published.
    last: u64,
    /// What its session has been given. Of that, a connection that ends may not have sent what is of QoS 0.
    progress: Progress,
}

/// Filters of subscriptions whose retained messages a client is yet to have, or the rest of them.
pub(super) type OwedFor = Box<[(TopicFilter, Progress)]>;

/// What was found for one subscription.
#[derive(Debug)]
struct Matched {
    due: Due,
    /// From where to go on, if that is not all.
    then: Option<Progress>,
    /// Of the verdicts, before any was asked for.
    generation: u64,
    rest: vec::IntoIter<Found>,
    /// Those that their publishers may still publish.
    publishable: Vec<Found>,
    /// What was said of the publisher of the message before, who mostly is the same.
    asked_before: Option<(Arc<ClientInfo>, VerdictCache)>,
    asking: Option<Asking>,
    _taken: Option<Taken>,
}

/// Messages of one publisher, whose right to them is asked about where it holds up nobody else.
struct Asking {
    found: Vec<Found>,
    verdicts: Pin<Box<dyn Future<Output = Vec<Verdict>>>>,
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.found.fmt(f)
    }
}

impl Owed {
    /// The client is to have what an earlier connection has left as well, each but once.
    pub(super) fn take_over(&mut self, left: Vec<(TopicFilter, Progress, Wanted)>) {
        let owed = self.found.iter().map(|matched| &matched.due).chain(&self.subscriptions);
        let owed: HashSet<_, ahash::RandomState> = owed.map(|due| due.filter.clone()).collect();
        let left = left.into_iter().filter(|(filter, ..)| !owed.contains(filter));
        // What was published meanwhile may not have come.
        let due = |(filter, progress, wanted)| Due { filter, wanted, last: u64::MAX, progress };
        self.subscriptions.extend(left.map(due));
    }

    /// For the next connection: what was begun is begun anew by that.
    pub(super) fn leave(mut self) -> OwedFor {
        self.begin_anew();
        self.subscriptions.into_iter().map(|due| (due.filter, due.progress)).collect()
    }

    /// The client is to have what there is for a subscription, of what was stored up to the message of number `last`.
    pub(super) fn add(&mut self, filter: TopicFilter, wanted: Wanted, last: u64) {
        if !self.renewed.is_empty() {
            self.renewed.remove(&filter);
        }
        // What is under way is begun anew.
        self.found.take_if(|matched| matched.due.filter == filter);
        self.subscriptions.pop_front_if(|due| due.filter == filter && due.progress != Progress::default());
        self.subscriptions.push_back(Due { filter, wanted, last, progress: Progress::default() });
    }

    /// A subscription was renewed by which the client is to have nothing more: what it is owed of that, if anything, it is to
    /// have as it wants it now `[MQTT-3.8.4-3]`.
    pub(super) fn renew(&mut self, filter: TopicFilter, wanted: Wanted) {
        self.renewed.insert(filter, wanted);
    }

    /// The peer does not take what is written: until it does, nothing is held for it that was found.
    pub(super) fn pause(&mut self) {
        self.begin_anew();
    }

    /// Whether the client is to be heard before it has all of them.
    pub(super) fn waits_for_client(&self) -> bool {
        self.waits_for_client
    }

    fn begin_anew(&mut self) {
        if let Some(matched) = self.found.take() {
            self.subscriptions.push_front(matched.due);
        }
    }
}

impl Worker {
    /// Sends what a client is owed, as far as that holds up nobody else.
    pub(super) fn poll_owed(&mut self, client: &mut Client, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let Some(mut owed) = client.owed.take() else { return Poll::Ready(Ok(())) };
        let sent = self.poll_subscriptions(client, &mut owed, cx);
        // At the end of the connection the next one gets what is left.
        if !matches!(sent, Poll::Ready(Ok(()))) {
            client.owed = Some(owed);
        }
        sent
    }

    /// Looks up what the first subscription matches, and no more.
    #[cfg(test)]
    pub(super) fn begin_owed(&mut self, client: &mut Client) {
        let Some(mut owed) = client.owed.take() else { return };
        owed.found = owed.subscriptions.pop_front().and_then(|first| self.look_up(client, first).ok());
        client.owed = Some(owed);
    }

    fn poll_subscriptions(&mut self, client: &Client, owed: &mut Owed, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        // Something is done each time, whatever the turn has been spent on before.
        let mut has_begun = false;
        loop {
            if let Some(mut matched) = owed.found.take() {
                if self.poll_publishable(&mut matched, cx).is_pending() {
                    owed.found = Some(matched);
                    return Poll::Pending;
                }
                if matched.generation == self.hooks.verdict_number() || owed.restarts >= RESTARTS_MAX {
                    let is_subscribed = match self.send_retained(client, &mut matched) {
                        Ok(is_subscribed) => is_subscribed,
                        Err(end) => {
                            owed.found = Some(matched);
                            return Poll::Ready(Err(end));
                        }
                    };
                    (owed.restarts, owed.asked_before) = (0, matched.asked_before);
                    match matched.then {
                        Some(progress) if is_subscribed => {
                            owed.subscriptions.push_front(Due { progress, ..matched.due });
                        }
                        // The same messages again, as they are wanted now.
                        _ if owed.renewed.contains_key(&matched.due.filter) => {
                            owed.subscriptions.push_front(matched.due);
                        }
                        _ => {}
                    }
                } else {
                    // What was said of the right to them holds no more.
                    owed.found = Some(matched);
                    owed.begin_anew();
                    owed.restarts += 1;
                }
            }
            if has_begun && self.is_turn_over() {
                go_on_after_others(cx);
                return Poll::Pending;
            }
            if owed.subscriptions.is_empty() {
                return Poll::Ready(Ok(()));
            }
            owed.waits_for_client = self.has_much_to_take(client, owed)?;
            if owed.waits_for_client {
                return Poll::Pending;
            }
            if let Some(place) = &owed.waits {
                ready!(place.poll_room(cx));
                owed.waits = None;
            }
            let Some(mut first) = owed.subscriptions.pop_front() else { continue };
            if let Some(wanted) = owed.renewed.remove(&first.filter) {
                first.wanted = wanted;
            }
            match self.look_up(client, first) {
                Ok(found) => owed.found = Some(Matched { asked_before: owed.asked_before.take(), ..found }),
                Err(first) => {
                    owed.subscriptions.push_front(first);
                    owed.waits = Some(Place { room: Rc::clone(&self.found_room), link_id: client.link_id });
                }
            }
            has_begun = true;
        }
    }

    /// Whether a client has to take what waits for it before there is more. Where it asks for ever more meanwhile, it has to
    /// see to that itself.
    fn has_much_to_take(&self, client: &Client, owed: &Owed) -> Result<bool, End> {
        let limits = &self.core.limits;
        if owed.subscriptions.len() + owed.renewed.len() > 2 * limits.subscriptions_max {
            return Ok(false);
        }
        let waiting = client.session.with(client.link_id, |session| session.outbound.queue_bytes())?;
        Ok(waiting > QUEUED_BYTES_MAX.min(limits.queue_bytes_max / 4))
    }

    /// Has the connection go on with what a client is owed once that has taken enough.
    pub(super) fn wake_owed(&self, client: &Client, cx: &Context<'_>) -> Result<(), End> {
        if let Some(owed) = client.owed.as_ref().filter(|owed| owed.waits_for_client)
            && !self.has_much_to_take(client, owed)?
        {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    /// The subscription again if there is no room for what it matches.
    fn look_up(&mut self, client: &Client, due: Due) -> Result<Matched, Due> {
        let (now, generation) = (self.now, self.hooks.verdict_number());
        let (from, bytes_max) = (due.progress.clone(), FOUND_BYTES_MAX.min(self.core.limits.queue_bytes_max / 4));
        let (mut found, then) = self.core.retained.some_matches(&due.filter, (due.last, from), generation, bytes_max);
        self.turn.spend_much();
        let own = |found: &Found| found.publisher.as_ref().is_some_and(|by| by.client_id == client.info.client_id);
        // No Local speaks of the publisher's identifier, and makes no exception for messages that were kept [MQTT-3.8.3-3].
        found.retain(|found| !(found.message.is_expired(now) || due.wanted.options.no_local && own(found)));
        if !self.found_room.has_room_for(found.len()) {
            return Err(due);
        }
        Ok(Matched {
            due,
            then,
            generation,
            publishable: Vec::new(),
            _taken: Taken::new(&self.found_room, found.len()),
            rest: found.into_iter(),
            asked_before: None,
            asking: None,
        })
    }

    /// Finds out which of the messages may still be published by who published them.
    fn poll_publishable(&mut self, matched: &mut Matched, cx: &mut Context<'_>) -> Poll<()> {
        let mut has_asked = false;
        loop {
            if let Some(asking) = &mut matched.asking {
                let verdicts = ready!(asking.verdicts.as_mut().poll(cx));
                let asked = matched.asking.take().map_or(Vec::new(), |asking| asking.found);
                for (found, verdict) in asked.into_iter().zip(verdicts) {
                    self.take_verdict(matched, found, &verdict);
                }
            }
            let Some(found) = matched.rest.next() else { return Poll::Ready(()) };
            if let Some(may) = self.is_known(matched, &found) {
                matched.publishable.extend(may.then_some(found));
                continue;
            }
            let Some(publisher) = found.publisher.clone() else { continue };
            if self.checker.holds_up(&publisher, Action::Publish) {
                matched.asking = Some(self.ask_aside(matched, &publisher, found));
            } else {
                let topic = found.message.topic.as_str();
                let verdict = self.checker.check(&publisher, Action::Publish, topic, message_facts(&found.message));
                self.take_verdict(matched, found, &verdict);
                self.turn.spend(1);
                has_asked = true;
            }
            if has_asked && matched.asking.is_none() && self.is_turn_over() {
                go_on_after_others(cx);
                return Poll::Pending;
            }
        }
    }

    /// Whether a message may still be published, where nobody has to be asked.
    fn is_known(&self, matched: &mut Matched, found: &Found) -> Option<bool> {
        let Some(publisher) = &found.publisher else { return Some(true) };
        if found.is_allowed || !self.hooks.decides(Action::Publish) {
            return Some(true);
        }
        let (client, verdicts) = matched.asked_before.as_mut()?;
        let known =
            Arc::ptr_eq(client, publisher).then(|| verdicts.verdict(found.message.topic.as_str(), matched.generation));
        let may = known?.map(|result| result.is_ok())?;
        if !may {
            tell_of_refused(found);
        }
        Some(may)
    }

    /// Asks about this message and those after it that are of the same publisher.
    fn ask_aside(&self, matched: &mut Matched, publisher: &Arc<ClientInfo>, first: Found) -> Asking {
        let mut found = vec![first];
        while found.len() < ASKED_TOGETHER_MAX
            && let Some(next) = matched.rest.as_slice().first()
            && !next.is_allowed
            && next.publisher.as_ref().is_some_and(|other| Arc::ptr_eq(other, publisher))
        {
            found.extend(matched.rest.next());
        }
        let asked = |found: &Found| (found.message.topic.as_str().into(), message_facts(&found.message));
        let topics = found.iter().map(asked).collect();
        let verdicts = Box::pin(self.checker.ask_for_broker(Arc::clone(publisher), Action::Publish, topics));
        Asking { found, verdicts }
    }

    fn take_verdict(&self, matched: &mut Matched, found: Found, verdict: &Verdict) {
        let Some(publisher) = &found.publisher else { return };
        let verdicts = match &mut matched.asked_before {
            Some((client, verdicts)) if Arc::ptr_eq(client, publisher) => verdicts,
            other => &mut other.insert((Arc::clone(publisher), VerdictCache::default())).1,
        };
        verdicts.remember(found.message.topic.as_str(), verdict, matched.generation);
        if !verdict.allowed {
            return tell_of_refused(&found);
        }
        if verdict.cache == CacheFor::UntilReload && verdict.extended_to.is_empty() {
            self.core.retained.remember_allowed(&found.message, matched.generation);
        }
        matched.publishable.push(found);
    }

    /// Sends what was found, as far as the client may receive it. Says whether it still has the subscription, as far as that
    /// was looked at.
    fn send_retained(&mut self, client: &Client, matched: &mut Matched) -> Result<bool, End> {
        let (Due { filter, wanted, .. }, generation) = (&matched.due, matched.generation);
        let mut found = std::mem::take(&mut matched.publishable);
        let mut standing = Standing::Judged;
        if self.hooks.decides(Action::Receive) {
            if found.len() > JUDGED_IN_PLACE_MAX || self.checker.holds_up(&client.info, Action::Receive) {
                standing = Standing::Unjudged { is_told: false };
            } else {
                let mut allowed = self.may_receive_retained(&client.info, &found, generation).into_iter();
                // There is one for each.
                found.retain(|_| allowed.next() == Some(true));
            }
        }
        if found.is_empty() {
            return Ok(true);
        }
        self.turn.spend(found.len());
        // Who has another message of the topic by now is not to have this one after it. Looked at while the session is locked:
        // what is stored later is delivered later.
        let is_current = |found: &Found| self.core.retained.is_current(&found.message);
        let queued = found.into_iter().filter(is_current).map(|Found { message, .. }| Queued {
            qos: message.qos.min(wanted.options.qos),
            retain: true,
            subscription_id: wanted.id,
            message,
        });
        let (session, link_id) = (&client.session, client.link_id);
        let of = (filter, *wanted);
        let delivered = session.deliver_retained(link_id, of, queued, standing, &self.core.limits, self.now)?;
        if let Some(dropped @ 1..) = delivered {
            count_dropped(self.stats(), dropped, filter.as_str(), session.client_id.as_str());
        }
        Ok(delivered.is_some())
    }

    /// Which of these a client may receive. Most are under a few rules: what a plugin has said of a topic filter it is not
    /// asked again.
    fn may_receive_retained(&mut self, client: &Arc<ClientInfo>, found: &[Found], generation: u64) -> Vec<bool> {
        let (mut verdicts, mut allowed) = (VerdictCache::default(), Vec::with_capacity(found.len()));
        for some in found.chunks(ASKED_TOGETHER_MAX) {
            let topics = some.iter().map(|Found { message, .. }| message.topic.as_str());
            let known: Vec<_> = topics.clone().map(|topic| verdicts.verdict(topic, generation)).collect();
            let unknown = some.iter().zip(&known).filter(|(_, known)| known.is_none());
            let asked: Vec<_> =
                unknown.map(|(found, _)| (found.message.topic.as_str(), message_facts(&found.message))).collect();
            let mut answers = self.checker.check_many(client, Action::Receive, &asked).into_iter();
            allowed.extend(topics.zip(known).map(|(topic, known)| match known {
                Some(known) => known.is_ok(),
                None => answers.next().is_some_and(|verdict| {
                    verdicts.remember(topic, &verdict, generation);
                    verdict.allowed
                }),
            }));
        }
        allowed
    }
}

fn tell_of_refused(found: &Found) {
    let publisher = found.publisher.as_ref().map(|publisher| &publisher.client_id);
    let topic = logged(found.message.topic.as_str());
    tracing::debug!("retained message of {topic:?}: {publisher:?} may not publish it any more");
}
