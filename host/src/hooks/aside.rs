use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::combine::Verdict;
use super::deciders::Deciders;
use super::limits::{ASIDE_QUEUE_BYTES_MAX, ASIDE_QUEUE_MAX, ASIDE_WAIT_MAX, CHECK_MANY_MAX};
use super::loaded::Loaded;
use super::priority;
use super::queue::{BoundedQueue, Popped, Refused};
use super::suspects::{NotPut, Suspects};
use super::{Action, TopicFacts};
use crate::types::ClientInfo;

/// The thread that asks plugins about topics where that would hold up a worker.
///
/// It is started by the first question: as a rule there is none.
pub(crate) struct Aside {
    plugins: Vec<Arc<Loaded>>,
    queue: Arc<BoundedQueue<Job>>,
    suspects: Arc<Suspects>,
    thread: Mutex<Option<JoinHandle<()>>>,
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
        let queue = Arc::new(BoundedQueue::new(ASIDE_QUEUE_MAX, ASIDE_QUEUE_BYTES_MAX));
        Self { plugins: plugins.to_vec(), queue, suspects: Arc::clone(suspects), thread: Mutex::default() }
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
            Room::IfThereIs => self.queue.push(job, bytes),
            Room::Always => self.queue.push_beyond(job),
        };
        match pushed {
            Ok(()) => answered.await.unwrap_or_else(|_| Ok(denied())),
            Err(Refused::Full(_)) => Ok(denied()),
            Err(Refused::Closed(_)) => Err(NotPut::Closed),
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
        self.queue.push_first(Job { client, action, topics, verdicts: Vec::new(), asked: Instant::now(), answer });
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
            let (plugins, queue, suspects) =
                (self.plugins.clone(), Arc::clone(&self.queue), Arc::clone(&self.suspects));
            *thread = Some(
                thread::Builder::new()
                    .name("amqtt-aside".into())
                    .spawn(move || answer_all(&plugins, &queue, &suspects))?,
            );
        }
        Ok(())
    }
}

fn answer_all(plugins: &[Arc<Loaded>], queue: &BoundedQueue<Job>, suspects: &Suspects) {
    priority::lower();
    let mut deciders = Deciders::aside(plugins);
    loop {
        match queue.pop(None) {
            // A client that has gone meanwhile needs no answer.
            Popped::Item(job) if job.answer.is_closed() => {}
            Popped::Item(job) if job.is_suspect(suspects) => job.answer.send(Err(NotPut::Suspect)),
            Popped::Item(mut job) => {
                // One call for so many topics, before other requests have their turn.
                let rest = job.topics.iter().skip(job.verdicts.len()).take(CHECK_MANY_MAX);
                let asked: Vec<_> = rest.map(|(topic, facts)| (&**topic, *facts)).collect();
                job.verdicts.extend(deciders.check_many(&job.client, job.action, &asked));
                if job.verdicts.len() < job.topics.len() {
                    queue.push_anyway(job);
                } else {
                    job.answer.send(Ok(job.verdicts));
                }
            }
            Popped::Nothing => {}
            Popped::Closed => break,
        }
    }
    deciders.stop();
}
