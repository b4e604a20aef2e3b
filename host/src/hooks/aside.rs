use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::combine::Verdict;
use super::deciders::Deciders;
use super::limits::{
    ASIDE_CORE_WITHIN, ASIDE_HELP, ASIDE_HELP_LOOK, ASIDE_QUEUE_BYTES_MAX, ASIDE_QUEUE_MAX, ASIDE_STUCK,
    ASIDE_WAIT_MAX, CHECK_MANY_MAX,
};
use super::loaded::Loaded;
use super::priority;
use super::queue::{BoundedQueue, Popped, Refused};
use super::suspects::{NotPut, Suspects};
use super::{Action, TopicFacts};
use crate::types::ClientInfo;

/// The thread that asks plugins about topics where that would hold up a worker.
///
/// It gives way to all others. Where these leave it no core, another one takes its place for some time, with a part of a
/// core. It is started by the first question: as a rule there is none.
pub(crate) struct Aside {
    desk: Arc<Desk>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    first: Option<JoinHandle<()>>,
    helper: Option<JoinHandle<()>>,
}

/// What the threads share.
struct Desk {
    plugins: Vec<Arc<Loaded>>,
    queue: BoundedQueue<Job>,
    suspects: Arc<Suspects>,
    /// Counts what is begun and ended: where it stands still, no thread gets on.
    steps: AtomicU64,
    /// Whether the helper is in the place of the first thread.
    has_helper: AtomicBool,
}

struct Job {
    client: Arc<ClientInfo>,
    action: Action,
    topics: Arc<[(Box<str>, TopicFacts)]>,
    /// Of the first topics.
    verdicts: Vec<Verdict>,
    asked: Instant,
    answer: Answer,
}

impl Job {
    /// Whether it has to wait for a turn of its client's address before it is begun.
    fn is_suspect(&self, suspects: &Suspects) -> bool {
        let may_wait = matches!(self.answer, Answer::Later(_, Room::IfThereIs)) && self.verdicts.is_empty();
        may_wait && suspects.failed_since(self.client.address(), self.asked)
    }
}

/// Whether a request is one of those that have to be bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// As clients can make any number of them.
    IfThereIs,
    /// As there is one for each session at most.
    Always,
}

enum Answer {
    /// To a connection.
    Later(oneshot::Sender<Result<Vec<Verdict>, NotPut>>, Room),
    /// To a thread that does nothing else meanwhile.
    Now(mpsc::SyncSender<Vec<Verdict>>),
}

impl Answer {
    fn is_closed(&self) -> bool {
        matches!(self, Self::Later(sender, _) if sender.is_closed())
    }

    /// Who asked may have given up.
    fn send(self, verdicts: Result<Vec<Verdict>, NotPut>) {
        match self {
            Self::Later(sender, _) => drop(sender.send(verdicts)),
            Self::Now(sender) => drop(sender.try_send(verdicts.unwrap_or_default())),
        }
    }
}

impl Aside {
    pub(crate) fn new(plugins: &[Arc<Loaded>], suspects: &Arc<Suspects>) -> Self {
        let desk = Desk {
            plugins: plugins.to_vec(),
            queue: BoundedQueue::new(ASIDE_QUEUE_MAX, ASIDE_QUEUE_BYTES_MAX),
            suspects: Arc::clone(suspects),
            steps: AtomicU64::new(0),
            has_helper: AtomicBool::new(false),
        };
        Self { desk: Arc::new(desk), threads: Mutex::default() }
    }

    /// What the plugins say about each topic. Where too many requests wait it is a deny, unless there is always room.
    pub(crate) async fn ask(
        &self,
        client: &Arc<ClientInfo>,
        action: Action,
        topics: &Arc<[(Box<str>, TopicFacts)]>,
        room: Room,
    ) -> Result<Vec<Verdict>, NotPut> {
        let denied = || vec![Verdict::FAULT; topics.len()];
        if let Err(error) = self.start_once() {
            tracing::error!("no thread to ask plugins on: {error}");
            return Ok(denied());
        }
        let (answer, answered) = oneshot::channel();
        let bytes = topics.iter().map(|(topic, _)| topic.len()).sum();
        let (client, topics) = (Arc::clone(client), Arc::clone(topics));
        let (asked, answer) = (Instant::now(), Answer::Later(answer, room));
        let job = Job { client, action, topics, verdicts: Vec::new(), asked, answer };
        let pushed = match room {
            Room::IfThereIs => self.desk.queue.push(job, bytes),
            Room::Always => self.desk.queue.push_beyond(job),
        };
        match pushed {
            Ok(()) => self.wait(answered).await.unwrap_or_else(|_| Ok(denied())),
            Err(Refused::Full(_)) => Ok(denied()),
            Err(Refused::Closed(_)) => Err(NotPut::Closed),
        }
    }

    /// Waits for an answer, and has another thread help where nothing comes of anything that is asked.
    async fn wait<T>(&self, mut answered: oneshot::Receiver<T>) -> Result<T, oneshot::error::RecvError> {
        loop {
            let steps = self.desk.steps.load(Ordering::Relaxed);
            match timeout(ASIDE_STUCK, &mut answered).await {
                Ok(answer) => return answer,
                Err(_) => self.help_if_stuck_since(steps),
            }
        }
    }

    /// The same before all others, while this thread waits for it; not for long.
    pub(crate) fn ask_now(&self, client: &Arc<ClientInfo>, action: Action, topic: &str, facts: TopicFacts) -> Verdict {
        if let Err(error) = self.start_once() {
            tracing::error!("no thread to ask plugins on: {error}");
            return Verdict::FAULT;
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let (client, topics, answer) =
            (Arc::clone(client), Arc::from([(Box::from(topic), facts)]), Answer::Now(answer));
        let steps = self.desk.steps.load(Ordering::Relaxed);
        self.desk.queue.push_first(Job { client, action, topics, verdicts: Vec::new(), asked: Instant::now(), answer });
        let verdicts = answered.recv_timeout(ASIDE_WAIT_MAX);
        if verdicts.is_err() {
            self.help_if_stuck_since(steps);
        }
        verdicts.ok().and_then(|mut verdicts| verdicts.pop()).unwrap_or(Verdict::FAULT)
    }

    /// Whether another thread is in the place of the first one.
    #[cfg(test)]
    pub(crate) fn is_helped(&self) -> bool {
        self.desk.has_helper.load(Ordering::Relaxed)
    }

    /// Takes no more questions. The threads end when those that wait have their answer.
    pub(crate) fn close(&self) {
        self.desk.queue.close();
    }

    /// Closes, and waits for the threads.
    pub(crate) fn stop(&self) {
        self.close();
        let Threads { first, helper } = std::mem::take(&mut *self.threads.lock());
        for thread in helper.into_iter().chain(first) {
            if thread.join().is_err() {
                tracing::error!("a thread that asks plugins aside had panicked");
            }
        }
    }

    fn start_once(&self) -> io::Result<()> {
        let mut threads = self.threads.lock();
        if threads.first.is_none() {
            let desk = Arc::clone(&self.desk);
            threads.first = Some(thread::Builder::new().name("amqtt-aside".into()).spawn(move || desk.work())?);
        }
        Ok(())
    }

    /// Starts the helper, if nothing has been begun or ended since there were so many steps and there is none. The asking
    /// thread does not give way, so neither does one that it starts.
    fn help_if_stuck_since(&self, steps: u64) {
        if self.desk.steps.load(Ordering::Relaxed) != steps {
            return;
        }
        let mut threads = self.threads.lock();
        let Some(first) = threads.first.as_ref().map(|first| first.thread().clone()) else { return };
        if self.desk.has_helper.swap(true, Ordering::Relaxed) {
            return;
        }
        let place = Place { desk: Arc::clone(&self.desk), first };
        match thread::Builder::new().name("amqtt-helper".into()).spawn(move || place.desk.help()) {
            Ok(helper) => threads.helper = Some(helper),
            Err(error) => tracing::error!("no thread to help with what is asked aside: {error}"),
        }
    }
}

/// The place of the first thread, which has it back when this is dropped, even by a panic.
struct Place {
    desk: Arc<Desk>,
    first: Thread,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.desk.has_helper.store(false, Ordering::Relaxed);
        self.first.unpark();
    }
}

/// How long a thread that gives way to others takes to have a core.
fn look_for_a_core() -> mpsc::Receiver<Duration> {
    let (sender, found) = mpsc::sync_channel(1);
    let began = Instant::now();
    let look = move || {
        priority::give_way();
        thread::yield_now();
        // Who asks may have gone.
        let _ = sender.try_send(began.elapsed());
    };
    if let Err(error) = thread::Builder::new().name("amqtt-look".into()).spawn(look) {
        tracing::debug!("no thread to look for a core: {error}");
    }
    found
}

impl Desk {
    /// Answers as long as the queue is open, whenever no other thread wants the core.
    fn work(&self) {
        priority::give_way();
        let mut deciders = Deciders::aside(&self.plugins);
        loop {
            match self.queue.pop(None) {
                Popped::Item(job) if self.has_helper.load(Ordering::Relaxed) => {
                    self.queue.push_first(job);
                    while self.has_helper.load(Ordering::Relaxed) {
                        thread::park();
                    }
                }
                Popped::Item(job) => self.answer(job, &mut deciders),
                Popped::Nothing => {}
                Popped::Closed => break,
            }
        }
        deciders.stop();
    }

    /// Answers in the place of the first thread, until there is a core for that again: what it took before would wait for
    /// as long as there is none.
    fn help(&self) {
        priority::take_long_turns();
        priority::lower();
        let mut deciders = Deciders::aside(&self.plugins);
        let (mut next_look, mut looking) = (Instant::now() + ASIDE_HELP, None);
        loop {
            let now = Instant::now();
            // The first thread may be told of an item that it does not come to take.
            match self.queue.pop(Some(now + ASIDE_HELP_LOOK)) {
                Popped::Item(job) => self.answer(job, &mut deciders),
                Popped::Nothing => {}
                Popped::Closed => break,
            }
            if now >= next_look {
                (next_look, looking) = (now + ASIDE_HELP, Some(look_for_a_core()));
            }
            if looking.as_ref().is_some_and(|found| found.try_recv().is_ok_and(|took| took <= ASIDE_CORE_WITHIN)) {
                break;
            }
        }
        deciders.stop();
    }

    fn answer(&self, mut job: Job, deciders: &mut Deciders) {
        self.steps.fetch_add(1, Ordering::Relaxed);
        // A client that has gone meanwhile needs no answer.
        if job.answer.is_closed() {
            return;
        }
        if job.is_suspect(&self.suspects) {
            return job.answer.send(Err(NotPut::Suspect));
        }
        // One call for so many topics, before other requests have their turn.
        let rest = job.topics.iter().skip(job.verdicts.len()).take(CHECK_MANY_MAX);
        let asked: Vec<_> = rest.map(|(topic, facts)| (&**topic, *facts)).collect();
        job.verdicts.extend(deciders.check_many(&job.client, job.action, &asked));
        self.steps.fetch_add(1, Ordering::Relaxed);
        if job.verdicts.len() < job.topics.len() {
            self.queue.push_anyway(job);
        } else {
            job.answer.send(Ok(job.verdicts));
        }
    }
}
