use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::combine::Verdict;
use super::deciders::Deciders;
use super::limits::{ASIDE_QUEUE_BYTES_MAX, ASIDE_QUEUE_MAX, ASIDE_WAIT_MAX, CHECK_MANY_MAX};
use super::loaded::Loaded;
use super::priority;
use super::queue::{BoundedQueue, Closed, Popped, Refused};
use super::{Action, TopicFacts};
use crate::types::ClientInfo;

/// The thread that asks plugins about topics where that would hold up a worker.
///
/// It is started by the first question: as a rule there is none.
pub(crate) struct Aside {
    plugins: Vec<Arc<Loaded>>,
    queue: Arc<BoundedQueue<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Job {
    client: Arc<ClientInfo>,
    action: Action,
    topics: Arc<[(Box<str>, TopicFacts)]>,
    /// Of the first topics.
    verdicts: Vec<Verdict>,
    answer: Answer,
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
    Later(oneshot::Sender<Vec<Verdict>>),
    /// To a thread that does nothing else meanwhile.
    Now(mpsc::SyncSender<Vec<Verdict>>),
}

impl Answer {
    fn is_closed(&self) -> bool {
        matches!(self, Self::Later(sender) if sender.is_closed())
    }

    /// Who asked may have given up.
    fn send(self, verdicts: Vec<Verdict>) {
        match self {
            Self::Later(sender) => drop(sender.send(verdicts)),
            Self::Now(sender) => drop(sender.try_send(verdicts)),
        }
    }
}

impl Aside {
    pub(crate) fn new(plugins: &[Arc<Loaded>]) -> Self {
        let queue = Arc::new(BoundedQueue::new(ASIDE_QUEUE_MAX, ASIDE_QUEUE_BYTES_MAX));
        Self { plugins: plugins.to_vec(), queue, thread: Mutex::default() }
    }

    /// What the plugins say about each topic. Where too many requests wait it is a deny, unless there is always room.
    pub(crate) async fn ask(
        &self,
        client: &Arc<ClientInfo>,
        action: Action,
        topics: &Arc<[(Box<str>, TopicFacts)]>,
        room: Room,
    ) -> Result<Vec<Verdict>, Closed> {
        let denied = || vec![Verdict::FAULT; topics.len()];
        if let Err(error) = self.start_once() {
            tracing::error!("no thread to ask plugins on: {error}");
            return Ok(denied());
        }
        let (answer, answered) = oneshot::channel();
        let bytes = topics.iter().map(|(topic, _)| topic.len()).sum();
        let (client, topics) = (Arc::clone(client), Arc::clone(topics));
        let answer = Answer::Later(answer);
        let job = Job { client, action, topics, verdicts: Vec::new(), answer };
        let pushed = match room {
            Room::IfThereIs => self.queue.push(job, bytes),
            Room::Always => self.queue.push_beyond(job),
        };
        match pushed {
            Ok(()) => Ok(answered.await.unwrap_or_else(|_| denied())),
            Err(Refused::Full(_)) => Ok(denied()),
            Err(Refused::Closed(_)) => Err(Closed),
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
        self.queue.push_first(Job { client, action, topics, verdicts: Vec::new(), answer });
        let verdicts = answered.recv_timeout(ASIDE_WAIT_MAX);
        verdicts.ok().and_then(|mut verdicts| verdicts.pop()).unwrap_or(Verdict::FAULT)
    }

    /// Takes no more questions. The thread ends when those that wait have their answer.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// Closes, and waits for the thread.
    pub(crate) fn stop(&self) {
        self.close();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that asks plugins aside had panicked");
        }
    }

    fn start_once(&self) -> io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let (plugins, queue) = (self.plugins.clone(), Arc::clone(&self.queue));
            *thread =
                Some(thread::Builder::new().name("amqtt-aside".into()).spawn(move || answer_all(&plugins, &queue))?);
        }
        Ok(())
    }
}

fn answer_all(plugins: &[Arc<Loaded>], queue: &BoundedQueue<Job>) {
    priority::lower();
    let mut deciders = Deciders::aside(plugins);
    loop {
        match queue.pop(None) {
            // A client that has gone meanwhile needs no answer.
            Popped::Item(job) if job.answer.is_closed() => {}
            Popped::Item(mut job) => {
                // One call for so many topics, before other requests have their turn.
                let rest = job.topics.iter().skip(job.verdicts.len()).take(CHECK_MANY_MAX);
                let asked: Vec<_> = rest.map(|(topic, facts)| (&**topic, *facts)).collect();
                job.verdicts.extend(deciders.check_many(&job.client, job.action, &asked));
                if job.verdicts.len() < job.topics.len() {
                    queue.push_anyway(job);
                } else {
                    job.answer.send(job.verdicts);
                }
            }
            Popped::Nothing => {}
            Popped::Closed => break,
        }
    }
    deciders.stop();
}
