use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
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
use super::lines::Lines;
use super::loaded::Loaded;
use super::priority;
use super::queue::{Closed, Popped, Refused};
use super::suspects::{NotPut, Suspects};
use super::{Action, TopicFacts};
use crate::types::{ClientInfo, network};

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
    /// There is one of it at most: with two, one would take what the other has in hand for its own.
    first: Option<Thread>,
    /// Those that have not been waited for.
    handles: Vec<JoinHandle<()>>,
    stopped: bool,
}

/// What the threads share.
struct Desk {
    plugins: Vec<Arc<Loaded>>,
    queue: Lines<Job>,
    suspects: Arc<Suspects>,
    /// What the first thread is asking about.
    in_hand: Mutex<Option<Job>>,
    /// Counts what is begun and ended: where it stands still, no thread gets on.
    steps: AtomicU64,
    /// Whether the helper is in the place of the first thread.
    has_helper: AtomicBool,
}

#[derive(Clone)]
struct Question {
    client: Arc<ClientInfo>,
    action: Action,
    topics: Arc<[(Box<str>, TopicFacts)]>,
}

impl Question {
    /// One call for so many topics from that one on, before other requests have their turn.
    fn ask(&self, from: usize, deciders: &mut Deciders) -> Vec<Verdict> {
        let rest = self.topics.iter().skip(from).take(CHECK_MANY_MAX);
        let asked: Vec<_> = rest.map(|(topic, facts)| (&**topic, *facts)).collect();
        deciders.check_many(&self.client, self.action, &asked)
    }
}

struct Job {
    question: Question,
    /// What it counts as in the queue, each time that it is put there.
    bytes: usize,
    /// Of the first topics.
    verdicts: Vec<Verdict>,
    asked: Instant,
    answer: Answer,
}

impl Job {
    /// Whether nobody waits for the answer any more.
    fn is_closed(&self) -> bool {
        self.answer.is_closed()
    }

    /// Whose line it waits in.
    fn network(&self) -> IpAddr {
        network(self.question.client.address())
    }

    /// Whether it has to wait for a turn of its client's address before it is begun.
    fn is_suspect(&self, suspects: &Suspects) -> bool {
        let may_wait = matches!(self.answer, Answer::Later(_, Room::IfThereIs)) && self.verdicts.is_empty();
        may_wait && suspects.failed_since(self.question.client.address(), self.asked)
    }
}

/// Whether a request is one of those that have to be bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// As clients can make any number of them.
    IfThereIs,
    /// As there are a few for each session at most.
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
            queue: Lines::new(ASIDE_QUEUE_MAX, ASIDE_QUEUE_BYTES_MAX, Job::is_closed),
            suspects: Arc::clone(suspects),
            in_hand: Mutex::new(None),
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
        let question = Question { client: Arc::clone(client), action, topics: Arc::clone(topics) };
        let answer = Answer::Later(answer, room);
        let job = Job { question, bytes, verdicts: Vec::new(), asked: Instant::now(), answer };
        let pushed = match room {
            Room::IfThereIs => self.desk.queue.push(job.network(), job, bytes),
            Room::Always => self.desk.queue.push_beyond(job.network(), job),
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
    pub(crate) fn ask_now(
        &self,
        client: &Arc<ClientInfo>,
        action: Action,
        topic: &str,
        facts: TopicFacts,
    ) -> Result<Verdict, Closed> {
        if let Err(error) = self.start_once() {
            tracing::error!("no thread to ask plugins on: {error}");
            return Ok(Verdict::FAULT);
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let topics = Arc::from([(Box::from(topic), facts)]);
        let question = Question { client: Arc::clone(client), action, topics };
        let answer = Answer::Now(answer);
        let steps = self.desk.steps.load(Ordering::Relaxed);
        let job = Job { question, bytes: 0, verdicts: Vec::new(), asked: Instant::now(), answer };
        self.desk.queue.push_first(job).map_err(|_| Closed)?;
        let verdicts = answered.recv_timeout(ASIDE_WAIT_MAX);
        if verdicts.is_err() {
            self.help_if_stuck_since(steps);
        }
        Ok(verdicts.ok().and_then(|mut verdicts| verdicts.pop()).unwrap_or(Verdict::FAULT))
    }

    /// Whether the first thread is asking plugins.
    #[cfg(test)]
    pub(crate) fn is_asking(&self) -> bool {
        self.desk.in_hand.lock().is_some()
    }

    /// How many questions nobody has begun to ask.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.desk.queue.len()
    }

    /// Whether another thread is in the place of the first one.
    #[cfg(test)]
    pub(crate) fn is_helped(&self) -> bool {
        self.desk.has_helper.load(Ordering::Relaxed)
    }

    /// Takes no more questions. Those that connections wait for are not put any more, unless they have been, and the threads
    /// end when all have their answer.
    pub(crate) fn close(&self) {
        self.desk.queue.close();
    }

    /// Closes, and waits for the threads. Meanwhile those who wait for answers may have another one help.
    pub(crate) fn stop(&self) {
        self.close();
        self.threads.lock().stopped = true;
        loop {
            let Some(thread) = self.threads.lock().handles.pop() else { break };
            if thread.join().is_err() {
                tracing::error!("a thread that asks plugins aside had panicked");
            }
        }
    }

    fn start_once(&self) -> io::Result<()> {
        let mut threads = self.threads.lock();
        if threads.first.is_none() && !threads.stopped {
            let desk = Arc::clone(&self.desk);
            let first = thread::Builder::new().name("amqtt-aside".into()).spawn(move || desk.work())?;
            threads.first = Some(first.thread().clone());
            threads.handles.push(first);
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
        let Some(first) = threads.first.clone() else { return };
        if self.desk.has_helper.swap(true, Ordering::Relaxed) {
            return;
        }
        let place = Place { desk: Arc::clone(&self.desk), first };
        match thread::Builder::new().name("amqtt-helper".into()).spawn(move || place.desk.help()) {
            Ok(helper) => {
                // Of those before it none is needed any more: they have ended, or are about to.
                threads.handles.retain(|thread| !thread.is_finished());
                threads.handles.push(helper);
            }
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

/// What the first thread is asking about, for another one to take over. Gone when this is dropped, even by a panic.
struct InHand<'a>(&'a Mutex<Option<Job>>);

impl<'a> InHand<'a> {
    fn new(place: &'a Mutex<Option<Job>>, job: Job) -> Self {
        *place.lock() = Some(job);
        Self(place)
    }

    /// None if it was taken over.
    fn take(&self) -> Option<Job> {
        self.0.lock().take()
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.take();
    }
}

/// A look at whether there is a core for threads that give way to others.
struct Look {
    began: Instant,
    took: Arc<OnceLock<Duration>>,
}

impl Look {
    fn begin() -> Self {
        let (began, took) = (Instant::now(), Arc::<OnceLock<_>>::default());
        let takes = Arc::clone(&took);
        let look = move || {
            priority::give_way();
            thread::yield_now();
            takes.get_or_init(|| began.elapsed());
        };
        if let Err(error) = thread::Builder::new().name("amqtt-look".into()).spawn(look) {
            tracing::debug!("no thread to look for a core: {error}");
        }
        Self { began, took }
    }

    /// None as long as it may still be found in time.
    fn finds_a_core(&self) -> Option<bool> {
        let took = self.took.get().copied();
        (took.is_some() || self.began.elapsed() > ASIDE_CORE_WITHIN)
            .then(|| took.is_some_and(|took| took <= ASIDE_CORE_WITHIN))
    }
}

impl Desk {
    /// Answers as long as the queue is open, whenever no other thread wants the core.
    fn work(&self) {
        priority::give_way();
        let mut deciders = Deciders::aside(&self.plugins);
        loop {
            match self.queue.pop(None) {
                Popped::Item(job) if self.has_helper.load(Ordering::Relaxed) => {
                    self.queue.put_back(job);
                    while self.has_helper.load(Ordering::Relaxed) {
                        thread::park();
                    }
                }
                Popped::Item(job) => self.answer_if_not_taken_over(job, &mut deciders),
                Popped::Nothing => {}
                Popped::Closed => break,
            }
        }
        deciders.stop();
    }

    /// Answers in the place of the first thread, until there is a core for that again: what it took before would wait for
    /// as long as there is none. That goes for what it has in hand as well; where it has a core, that just takes long.
    fn help(&self) {
        priority::take_long_turns();
        priority::lower();
        let mut deciders = Deciders::aside(&self.plugins);
        let mut look = Look::begin();
        let helps_until = look.began + ASIDE_HELP;
        loop {
            // The first thread may be told of an item that it does not come to take.
            match self.queue.pop(Some(Instant::now() + ASIDE_HELP_LOOK)) {
                Popped::Item(job) => self.answer(job, &mut deciders),
                Popped::Nothing => {}
                Popped::Closed if self.in_hand.lock().is_some() => thread::sleep(ASIDE_HELP_LOOK),
                Popped::Closed => break,
            }
            match look.finds_a_core() {
                Some(true) if look.began >= helps_until => break,
                Some(false) => {
                    let taken_over = self.in_hand.lock().take();
                    taken_over.into_iter().for_each(|job| self.answer(job, &mut deciders));
                }
                _ => {}
            }
            if look.began.elapsed() >= ASIDE_HELP {
                look = Look::begin();
            }
        }
        deciders.stop();
    }

    fn answer(&self, job: Job, deciders: &mut Deciders) {
        if let Some(job) = self.begin(job) {
            let verdicts = job.question.ask(job.verdicts.len(), deciders);
            self.end(job, verdicts);
        }
    }

    /// The same, but another thread may answer in the meantime.
    fn answer_if_not_taken_over(&self, job: Job, deciders: &mut Deciders) {
        let Some(job) = self.begin(job) else { return };
        let (question, from) = (job.question.clone(), job.verdicts.len());
        let in_hand = InHand::new(&self.in_hand, job);
        let verdicts = question.ask(from, deciders);
        if let Some(job) = in_hand.take() {
            self.end(job, verdicts);
        }
    }

    /// None where plugins need not be asked.
    fn begin(&self, job: Job) -> Option<Job> {
        self.steps.fetch_add(1, Ordering::Relaxed);
        // A client that has gone meanwhile needs no answer.
        if job.is_closed() {
            return None;
        }
        // A reload waits for the end of this: what can be asked again is for the plugins that are loaded now.
        if self.queue.is_closed() && matches!(job.answer, Answer::Later(..)) {
            job.answer.send(Err(NotPut::Closed));
            return None;
        }
        if job.is_suspect(&self.suspects) {
            job.answer.send(Err(NotPut::Suspect));
            return None;
        }
        Some(job)
    }

    fn end(&self, mut job: Job, verdicts: Vec<Verdict>) {
        self.steps.fetch_add(1, Ordering::Relaxed);
        job.verdicts.extend(verdicts);
        if job.verdicts.len() < job.question.topics.len() {
            let bytes = matches!(job.answer, Answer::Later(_, Room::IfThereIs)).then_some(job.bytes);
            self.queue.put_last(job.network(), job, bytes);
        } else {
            job.answer.send(Ok(job.verdicts));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;
    use crate::types::{ClientId, ConnectFacts, Identity, Peer, QoS};

    /// Where nobody answers.
    fn aside() -> Aside {
        let aside = Aside::new(&[], &Arc::default());
        aside.threads.lock().stopped = true;
        aside
    }

    fn client_at(address: [u8; 4]) -> Arc<ClientInfo> {
        let peer = Peer::tcp((address, 49_152).into(), "default".into());
        let (client_id, connect) = (ClientId::new("client"), ConnectFacts::default());
        Arc::new(ClientInfo { client_id, identity: Identity::Anonymous, peer, connect })
    }

    type Asked<'a> = Pin<Box<dyn Future<Output = Result<Vec<Verdict>, NotPut>> + 'a>>;

    /// Asks for a client of an address; none where that is denied at once.
    async fn ask(aside: &Aside, address: [u8; 4], topic_bytes: usize, room: Room) -> Option<Asked<'_>> {
        let facts = TopicFacts::message(QoS::AtMostOnce, false, 0);
        let topics: Arc<[_]> = [("x".repeat(topic_bytes).into(), facts)].into();
        let client = client_at(address);
        let mut asked: Asked<'_> = Box::pin(async move { aside.ask(&client, Action::Publish, &topics, room).await });
        let answer = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx))).await;
        answer.is_pending().then_some(asked)
    }

    async fn check_room(topic_bytes: usize) {
        const ONE: [u8; 4] = [192, 0, 2, 1];
        const OTHER: [u8; 4] = [192, 0, 2, 2];
        let (aside, mut waiting) = (aside(), Vec::new());
        while let Some(asked) = ask(&aside, ONE, topic_bytes, Room::IfThereIs).await {
            waiting.push(asked);
            assert!(waiting.len() < ASIDE_QUEUE_MAX, "nobody is denied");
        }
        let other = ask(&aside, OTHER, topic_bytes, Room::IfThereIs).await;
        assert!(other.is_some(), "{} of one network leave no room for others", waiting.len());
        let broker = ask(&aside, ONE, topic_bytes, Room::Always).await;
        assert!(broker.is_some(), "what the broker has to know is asked always");
        // What nobody waits for any more takes no room, once it is looked at.
        waiting.clear();
        let mut refused = 0;
        while ask(&aside, ONE, topic_bytes, Room::IfThereIs).await.is_none() {
            refused += 1;
            assert!(refused < ASIDE_QUEUE_MAX, "there is no room any more");
        }
    }

    #[tokio::test]
    async fn one_network_cannot_keep_others_from_being_asked_about() {
        check_room(1).await;
        check_room(60_000).await;
    }

    /// How many wait is for each network to bear.
    #[tokio::test]
    async fn networks_take_turns() {
        let (aside, mut waiting) = (aside(), Vec::new());
        for (address, room) in [(1, Room::IfThereIs); 100].into_iter().chain([(2, Room::IfThereIs), (1, Room::Always)])
        {
            waiting.push(ask(&aside, [192, 0, 2, address], 1, room).await.expect("there is room"));
        }
        let answered: Vec<_> = std::iter::from_fn(|| match aside.desk.queue.pop(Some(Instant::now())) {
            Popped::Item(job) => Some((job.network(), matches!(job.answer, Answer::Later(_, Room::Always)))),
            Popped::Nothing | Popped::Closed => None,
        })
        .collect();
        let [one, two] = [1, 2].map(|number| IpAddr::from([192, 0, 2, number]));
        assert_eq!(answered[..4], [(one, false), (two, false), (one, true), (one, false)]);
        assert_eq!(answered.len(), waiting.len());
    }
}
