use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::iter::StepBy;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use std::vec;

use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::connect::logged;
use super::connection::{Client, End};
use super::core::Core;
use super::session::{Displaced, Judgement, SessionHandle, ToJudge};
use super::worker::Worker;
use crate::hooks::{Action, Event, EventKind, TopicFacts, Verdict};
use crate::types::{ClientInfo, TopicFilter, TopicName};

/// Questions to plugins that are asked at once.
const CHECKS_AT_ONCE: usize = 8;

/// How often that is done for one session before others have their turn.
const BATCHES_PER_STEP: usize = 8;

/// How often plugins that fail are asked again about one session, each time after twice as long: half a minute in all, in
/// which a plugin that is not called for a while is called again.
const TRIES_MAX: u32 = 6;

/// Time before the first time.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// How often one session is judged from the beginning again because permissions have changed once more meanwhile. Then
/// it is judged to the end first: a plugin whose rules change all the time must not keep what waits for ever.
const RESTARTS_MAX: u32 = 8;

/// One session on its way to be judged by the verdicts of a new generation: what was allowed once may not be any more.
///
/// Meanwhile what waits for the client is held back, so that nothing goes out that is not allowed.
#[derive(Debug)]
pub(super) struct Review {
    /// The connection that asked for it; none while the client is away.
    link_id: Option<u64>,
    client: Arc<ClientInfo>,
    filters: vec::IntoIter<(TopicFilter, TopicFacts)>,
    messages: vec::IntoIter<(TopicName, TopicFacts)>,
    judgement: Judgement,
    /// What is being asked where it holds up nobody else.
    aside: Option<Aside>,
    restarts: u32,
    /// What plugins have not answered: that is to be asked again.
    unanswered: Unanswered,
    /// How often that was done.
    tries: u32,
    /// The time until then.
    pause: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, Default)]
struct Unanswered {
    filters: Vec<(TopicFilter, TopicFacts)>,
    messages: Vec<(TopicName, TopicFacts)>,
}

impl Unanswered {
    fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.messages.is_empty()
    }
}

/// Some questions of one kind.
#[derive(Debug)]
enum Batch {
    Filters(Vec<(TopicFilter, TopicFacts)>),
    Messages(Vec<(TopicName, TopicFacts)>),
}

struct Aside {
    batch: Batch,
    verdicts: Pin<Box<dyn Future<Output = Vec<Verdict>>>>,
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.batch.fmt(f)
    }
}

impl Batch {
    fn action(&self) -> Action {
        match self {
            Self::Filters(_) => Action::Subscribe,
            Self::Messages(_) => Action::Receive,
        }
    }

    /// As plugins are asked.
    fn topics(&self) -> Vec<(&str, TopicFacts)> {
        match self {
            Self::Filters(filters) => {
                filters.iter().map(|(filter, facts)| (TopicFilter::subscribed(filter.as_str()), *facts)).collect()
            }
            Self::Messages(messages) => messages.iter().map(|(topic, facts)| (topic.as_str(), *facts)).collect(),
        }
    }
}

/// Whether a step was the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Done,
    More,
}

impl Review {
    fn begin(session: &SessionHandle, link_id: Option<u64>, generation: u64, restarts: u32) -> Result<Self, Displaced> {
        let ToJudge { client, filters, messages } = session.to_judge(link_id)?;
        Ok(Self {
            link_id,
            client,
            filters: filters.into_iter(),
            messages: messages.into_iter(),
            judgement: Judgement::new(generation),
            aside: None,
            restarts,
            unanswered: Unanswered::default(),
            tries: 0,
            pause: None,
        })
    }

    /// Asks about a few subscriptions and messages. After the last ones, what is not allowed ends. Pending while plugins
    /// that are slow are asked aside.
    fn poll_step(
        &mut self,
        worker: &mut Worker,
        session: &Arc<SessionHandle>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Step, Displaced>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        for _ in 0..BATCHES_PER_STEP {
            if let Some(aside) = &mut self.aside {
                let verdicts = ready!(aside.verdicts.as_mut().poll(cx));
                if let Some(Aside { batch, .. }) = self.aside.take() {
                    self.take(batch, verdicts);
                }
            }
            let Some(batch) = self.next_batch(worker) else {
                if self.unanswered.is_empty() {
                    return Poll::Ready(self.end(worker, session).map(|()| Step::Done));
                }
                return Poll::Ready(Ok(self.ask_again()));
            };
            let action = batch.action();
            if worker.checker.holds_up(&self.client, action) {
                let topics = batch.topics().into_iter().map(|(topic, facts)| (topic.into(), facts)).collect();
                let verdicts = Box::pin(worker.checker.ask_for_broker(Arc::clone(&self.client), action, topics));
                self.aside = Some(Aside { batch, verdicts });
            } else {
                let verdicts = worker.checker.check_many(&self.client, action, &batch.topics());
                self.take(batch, verdicts);
            }
        }
        Poll::Ready(Ok(Step::More))
    }

    fn next_batch(&mut self, worker: &Worker) -> Option<Batch> {
        let (subscribe, receive) = (worker.hooks.decides(Action::Subscribe), worker.hooks.decides(Action::Receive));
        if subscribe && self.filters.len() > 0 {
            return Some(Batch::Filters(self.filters.by_ref().take(CHECKS_AT_ONCE).collect()));
        }
        (receive && self.messages.len() > 0)
            .then(|| Batch::Messages(self.messages.by_ref().take(CHECKS_AT_ONCE).collect()))
    }

    /// What was allowed does not end because a plugin fails: it is held back, and the plugin asked again later. A client
    /// that is away can be judged when it comes back. After many tries no answer is a refusal.
    fn ask_again(&mut self) -> Step {
        let Unanswered { filters, messages } = std::mem::take(&mut self.unanswered);
        if self.link_id.is_none() {
            return Step::Done;
        }
        if self.tries >= TRIES_MAX {
            tracing::warn!(
                "client {:?}: plugins do not say whether it may keep {} subscriptions and {} messages, which end",
                self.client.client_id,
                filters.len(),
                messages.len()
            );
            self.judgement.filters.extend(filters.into_iter().map(|(filter, _)| filter));
            self.judgement.messages.extend(messages);
            return Step::More;
        }
        self.pause = Some(Box::pin(sleep(PAUSE_MIN * 2_u32.saturating_pow(self.tries))));
        self.tries += 1;
        (self.filters, self.messages) = (filters.into_iter(), messages.into_iter());
        Step::More
    }

    /// Takes note of what is not allowed any more.
    fn take(&mut self, batch: Batch, verdicts: Vec<Verdict>) {
        let Self { judgement, unanswered, .. } = self;
        let refused = |verdict: &Verdict| !verdict.allowed;
        match batch {
            Batch::Filters(filters) => {
                for (asked, verdict) in filters.into_iter().zip(verdicts).filter(|(_, verdict)| refused(verdict)) {
                    if verdict.answered { judgement.filters.push(asked.0) } else { unanswered.filters.push(asked) }
                }
            }
            Batch::Messages(messages) => {
                for (asked, verdict) in messages.into_iter().zip(verdicts).filter(|(_, verdict)| refused(verdict)) {
                    if verdict.answered {
                        let _ = judgement.messages.insert(asked);
                    } else {
                        unanswered.messages.push(asked)
                    }
                }
            }
        }
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
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        tracing::info!(
            "client {client_id:?}: permissions have changed: {} ended, {} not delivered",
            count(filters.len(), "subscription"),
            count(dropped, "message"),
        );
        for filter in filters {
            let logged = logged(filter.as_str());
            tracing::debug!("client {client_id:?} may not be subscribed to {logged:?} any more");
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
    pub(super) fn review(&mut self, client: &mut Client, cx: &mut Context<'_>) -> Result<bool, End> {
        let generation = self.hooks.verdict_number();
        if client.session.is_judged(generation) {
            return Ok(false);
        }
        let (session, link_id) = (&client.session, Some(client.link_id));
        let review = match client.review.take() {
            Some(review) if review.judgement.generation == generation || review.restarts >= RESTARTS_MAX => {
                client.review.insert(review)
            }
            old => {
                let restarts = old.map_or(0, |old| old.restarts + 1);
                client.review.insert(Box::new(Review::begin(session, link_id, generation, restarts)?))
            }
        };
        let Poll::Ready(step) = review.poll_step(self, &client.session, cx) else { return Ok(false) };
        if step? == Step::Done {
            client.review = None;
            // Permissions may have changed again before the end of this.
            return Ok(!client.session.is_judged(self.hooks.verdict_number()));
        }
        Ok(true)
    }
}

/// Judges all sessions anew whenever verdicts have ceased to hold, for as long as it is polled. Each worker does so with
/// its share of those whose clients are away, and wakes the connections of its share, which judge their own.
pub(super) async fn review_all(worker: Rc<RefCell<Worker>>) {
    // Side by side: what comes for a connected session goes out until that is woken, and those that are away may take long.
    tokio::join!(wake_connected(&worker), review_those_away(&worker));
}

async fn wake_connected(worker: &Rc<RefCell<Worker>>) {
    let (core, mut generations, shards) = share(worker);
    while generations.changed().await.is_ok() {
        let generation = *generations.borrow_and_update();
        for shard in shards.clone() {
            for session in core.directory.unjudged(shard, generation) {
                session.wake();
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn review_those_away(worker: &Rc<RefCell<Worker>>) {
    let (core, mut generations, shards) = share(worker);
    while generations.changed().await.is_ok() {
        let generation = *generations.borrow_and_update();
        for shard in shards.clone() {
            for session in core.directory.unjudged(shard, generation) {
                if !session.is_connected() {
                    // A client that comes back meanwhile judges its session itself.
                    let _ = review_absent(worker, &session, generation).await;
                    tokio::task::yield_now().await;
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

/// What a worker looks through whenever the number of verdicts changes: every so many of the shards.
fn share(worker: &Rc<RefCell<Worker>>) -> (Arc<Core>, watch::Receiver<u64>, StepBy<Range<usize>>) {
    let worker = worker.borrow();
    let core = Arc::clone(&worker.core);
    let shards = (worker.index..core.directory.shards()).step_by(core.stats.len());
    (core, worker.hooks.verdict_numbers(), shards)
}

async fn review_absent(
    worker: &Rc<RefCell<Worker>>,
    session: &Arc<SessionHandle>,
    generation: u64,
) -> Result<(), Displaced> {
    let mut review = Review::begin(session, None, generation, 0)?;
    loop {
        let step = poll_fn(|cx| {
            let worker = &mut *worker.borrow_mut();
            worker.now = Instant::now();
            review.poll_step(worker, session, cx)
        });
        if step.await? == Step::Done {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}
