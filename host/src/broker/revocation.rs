use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use std::vec;

use super::connection::{Client, End};
use super::session::{Displaced, Judgement, SessionHandle, ToJudge};
use super::worker::Worker;
use crate::hooks::{Action, Event, EventKind, TopicFacts};
use crate::types::{ClientInfo, QoS, TopicFilter, TopicName};

/// Questions to plugins that a worker asks for one session before others have their turn.
const CHECKS_PER_STEP: usize = 64;

/// One session on its way to be judged by the verdicts of a new generation: what was allowed once may not be any more.
///
/// Meanwhile what waits for the client is held back, so that nothing goes out that is not allowed.
#[derive(Debug)]
pub(super) struct Review {
    /// The connection that asked for it; none while the client is away.
    link_id: Option<u64>,
    client: Arc<ClientInfo>,
    filters: vec::IntoIter<TopicFilter>,
    topics: vec::IntoIter<TopicName>,
    judgement: Judgement,
}

/// Whether a step was the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Done,
    More,
}

impl Review {
    fn begin(session: &SessionHandle, link_id: Option<u64>, generation: u64) -> Result<Self, Displaced> {
        let ToJudge { client, filters, topics } = session.to_judge(link_id)?;
        let judgement = Judgement::new(generation);
        Ok(Self { link_id, client, filters: filters.into_iter(), topics: topics.into_iter(), judgement })
    }

    /// Asks about a few subscriptions and topics. After the last one, what is not allowed ends.
    fn step(&mut self, worker: &mut Worker, session: &Arc<SessionHandle>) -> Result<Step, Displaced> {
        let (subscribe, receive) = (worker.hooks.decides(Action::Subscribe), worker.hooks.decides(Action::Receive));
        // What is known of a subscription or of several messages at once is its topic: cached verdicts go by that too.
        let unknown = TopicFacts::subscription(QoS::AtMostOnce);
        let mut checks = 0;
        for filter in self.filters.by_ref().filter(|_| subscribe).take(CHECKS_PER_STEP) {
            checks += 1;
            let subscribed = TopicFilter::subscribed(filter.as_str());
            if !worker.checker.check(&self.client, Action::Subscribe, subscribed, unknown).allowed {
                self.judgement.filters.push(filter);
            }
        }
        for topic in self.topics.by_ref().filter(|_| receive).take(CHECKS_PER_STEP - checks) {
            checks += 1;
            if !worker.checker.check(&self.client, Action::Receive, topic.as_str(), unknown).allowed {
                self.judgement.topics.insert(topic);
            }
        }
        if checks == CHECKS_PER_STEP {
            return Ok(Step::More);
        }
        self.end(worker, session)?;
        Ok(Step::Done)
    }

    fn end(&self, worker: &Worker, session: &Arc<SessionHandle>) -> Result<(), Displaced> {
        let core = &worker.core;
        let unindex = |filter: &TopicFilter| core.subscriptions.remove(filter, session);
        let dropped = session.judge(self.link_id, &self.judgement, &core.limits, worker.now, unindex)?;
        if self.judgement.is_clean() {
            return Ok(());
        }
        let filters = &self.judgement.filters;
        worker.stats().subscriptions_revoked.add(filters.len());
        worker.stats().publish_denied.add(dropped);
        let client_id = &self.client.client_id;
        tracing::info!(
            "client {client_id:?}: permissions have changed: {} subscriptions ended, {dropped} messages are not delivered",
            filters.len()
        );
        for filter in filters {
            tracing::debug!("client {client_id:?} may not be subscribed to {filter:?} any more");
            if worker.hooks.wants(EventKind::ClientUnsubscribed) {
                let mut event = Event::of_client(EventKind::ClientUnsubscribed, &self.client);
                event.topic = Some(filter.as_str().into());
                event.reason = Some("permissions have changed".into());
                worker.hooks.emit(event);
            }
        }
        Ok(())
    }
}

impl Worker {
    /// Sees to it that a connected session is judged by the verdicts that hold now, a step at a time. Says whether
    /// there is more to do in another turn.
    pub(super) fn review(&mut self, client: &mut Client) -> Result<bool, End> {
        let generation = self.hooks.verdict_number();
        if client.session.is_judged(generation) {
            return Ok(false);
        }
        let review = match client.review.take() {
            Some(review) if review.judgement.generation == generation => client.review.insert(review),
            _ => client.review.insert(Box::new(Review::begin(&client.session, Some(client.link_id), generation)?)),
        };
        let step = review.step(self, &client.session)?;
        if step == Step::Done {
            client.review = None;
        }
        Ok(step == Step::More)
    }
}

/// Judges all sessions anew whenever verdicts have ceased to hold, for as long as it is polled. Each worker does so with
/// its share of those whose clients are away, and wakes the connections of its share, which judge their own.
pub(super) async fn review_all(worker: Rc<RefCell<Worker>>) {
    let (core, hooks, index) = {
        let worker = worker.borrow();
        (Arc::clone(&worker.core), Arc::clone(&worker.hooks), worker.index)
    };
    let mut generations = hooks.verdict_numbers();
    while generations.changed().await.is_ok() {
        let generation = *generations.borrow_and_update();
        for shard in (index..core.directory.shards()).step_by(core.stats.len()) {
            for session in core.directory.unjudged(shard, generation) {
                if !session.wake() {
                    // A client that comes back meanwhile judges its session itself.
                    let _ = review_absent(&worker, &session, generation).await;
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn review_absent(
    worker: &Rc<RefCell<Worker>>,
    session: &Arc<SessionHandle>,
    generation: u64,
) -> Result<(), Displaced> {
    let mut review = Review::begin(session, None, generation)?;
    loop {
        {
            let worker = &mut *worker.borrow_mut();
            worker.now = Instant::now();
            if review.step(worker, session)? == Step::Done {
                return Ok(());
            }
        }
        tokio::task::yield_now().await;
    }
}
