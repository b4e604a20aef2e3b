use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Credentials;
use super::combine::{AuthOutcome, NoAnswer, combine_auth};
use super::exchange::{Exchange, Step, StepVote};
use super::faults::Call;
use super::first_go::FirstGo;
use super::limits::{
    AUTH_DEADLINE, AUTH_INSTANCES_MAX, AUTH_QUEUE_BYTES_MAX, AUTH_QUEUE_MAX, AUTH_QUEUE_WAIT_MAX,
    AUTH_THREADS_USUAL_MAX, FRESH_INSTANCE_PATIENCE,
};
use super::lines::Lines;
use super::loaded::Loaded;
use super::priority;
use super::queue::{Closed, Popped, Refused};
use super::suspects::NotPut;
use super::tally::Tally;
use super::warm::{TooLong, Warm};
use super::wasm::{Fault, Instance};
use crate::types::{ClientInfo, network};

/// The threads that answer auth, each with its own instances: hashing a password must not hold up messages.
pub(crate) struct AuthPool {
    queue: Arc<Lines<Job>>,
    /// None where nobody answers.
    threads: Option<Mutex<Vec<JoinHandle<()>>>>,
    /// The authentication methods that each plugin serves.
    methods: Vec<Box<[Box<str>]>>,
    patience: Duration,
    tally: Arc<Tally>,
}

struct Job {
    client: Arc<ClientInfo>,
    asked: Instant,
    question: Question,
    /// What it counts as in the queue.
    bytes: usize,
    /// Whether it needed more time than its first go had.
    again: bool,
}

enum Question {
    /// Whether these credentials are right.
    Credentials(Credentials, oneshot::Sender<Result<AuthOutcome, NotPut>>),
    /// What a step of an exchange leads to.
    Step(Exchange, Option<Bytes>, oneshot::Sender<Step>),
}

impl Job {
    /// Whether nobody waits for the answer any more.
    fn is_closed(&self) -> bool {
        self.question.is_closed()
    }
}

impl Question {
    /// Whether nobody waits for the answer any more.
    fn is_closed(&self) -> bool {
        match self {
            Self::Credentials(_, answer) => answer.is_closed(),
            Self::Step(_, _, answer) => answer.is_closed(),
        }
    }

    /// Sends it back to whoever asked, who may have gone. A step fails: what it belongs to is used up with it.
    fn send_back(self, why: NotPut) {
        match self {
            Self::Credentials(_, answer) => drop(answer.send(Err(why))),
            Self::Step(_, _, answer) => drop(answer.send(Step::Failed)),
        }
    }
}

/// The line of questions that may take a thread for seconds.
const LONG_LINE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

impl AuthPool {
    /// Starts the threads; without plugins there are none, and every client is denied.
    pub(crate) fn start(plugins: &[Arc<Loaded>], tally: Arc<Tally>) -> io::Result<Self> {
        let queue = Arc::new(Lines::new(AUTH_QUEUE_MAX, AUTH_QUEUE_BYTES_MAX, Job::is_closed));
        let usual = usual_count();
        let shared: Vec<Vec<Arc<Shared>>> = plugins.iter().map(|plugin| Shared::instances(plugin, usual)).collect();
        let first_go = Arc::<FirstGo>::default();
        // As many as the plugin needs that has most instances.
        let count = shared.iter().map(Vec::len).max().unwrap_or(0);
        let threads = spawn_all(&queue, count, |number| {
            let plugins = shared.iter().map(|of_plugin| Arc::clone(&of_plugin[number % of_plugin.len()])).collect();
            let (queue, tally, first_go) = (Arc::clone(&queue), Arc::clone(&tally), Arc::clone(&first_go));
            let answering = Answering { queue, tally, first_go, plugins };
            let builder = thread::Builder::new().name(format!("amqtt-auth-{number}"));
            builder.spawn(move || answering.all())
        })?;
        let threads = (!threads.is_empty()).then(|| Mutex::new(threads));
        let methods = plugins.iter().map(|plugin| plugin.wasm.methods().into()).collect();
        let slow = plugins.iter().filter(|plugin| plugin.wasm.manifest().exports.auth && !plugin.answers_at_once());
        let patience = slow.map(|plugin| plugin.wasm.deadline().unwrap_or(AUTH_DEADLINE)).sum();
        Ok(Self { queue, threads, methods, patience, tally })
    }

    pub(crate) async fn authenticate(
        &self,
        client: Arc<ClientInfo>,
        credentials: Credentials,
    ) -> Result<AuthOutcome, NotPut> {
        if self.threads.is_none() {
            return Ok(AuthOutcome::Denied(None));
        }
        let bytes = credentials.username.as_ref().map_or(0, |name| name.len())
            + credentials.password.as_ref().map_or(0, |password| password.len());
        let (answer, outcome) = oneshot::channel();
        if self.push(client, Question::Credentials(credentials, answer), bytes)? {
            outcome.await.unwrap_or(Ok(AuthOutcome::Failed))
        } else {
            Ok(AuthOutcome::Failed)
        }
    }

    /// How long an answer may take to come: what its plugins may take for it, all together, and the wait for its turn.
    pub(crate) fn patience(&self) -> Duration {
        self.patience + AUTH_QUEUE_WAIT_MAX
    }

    /// The first plugin that serves an authentication method, by its place.
    pub(crate) fn serving(&self, method: &str) -> Option<usize> {
        self.methods.iter().position(|methods| methods.iter().any(|served| **served == *method))
    }

    pub(crate) async fn step(
        &self,
        client: Arc<ClientInfo>,
        exchange: Exchange,
        data: Option<Bytes>,
    ) -> Result<Step, Closed> {
        let bytes = exchange.bytes() + data.as_ref().map_or(0, Bytes::len);
        let (answer, step) = oneshot::channel();
        let accepted = self.push(client, Question::Step(exchange, data, answer), bytes)?;
        Ok(if accepted { step.await.unwrap_or(Step::Failed) } else { Step::Failed })
    }

    /// Whether there was room for the question.
    fn push(&self, client: Arc<ClientInfo>, question: Question, bytes: usize) -> Result<bool, Closed> {
        let line = self.line(client.address());
        match self.queue.push(line, Job { client, asked: Instant::now(), question, bytes, again: false }, bytes) {
            Ok(()) => Ok(true),
            Err(Refused::Closed(_)) => Err(Closed),
            Err(Refused::Full(_)) => {
                self.tally.auth_turned_away.fetch_add(1, Ordering::Relaxed);
                Ok(false)
            }
        }
    }

    /// The line that a question waits in: that of its network. Those who have made plugins fail have one together, as each of
    /// their questions may take a thread for seconds: others wait for one of them at a time, however many they are.
    fn line(&self, address: IpAddr) -> IpAddr {
        if self.tally.suspects.contains(address) { LONG_LINE } else { network(address) }
    }

    /// How many instances of a plugin the threads have.
    pub(crate) fn instances(plugin: &Loaded) -> usize {
        Shared::count(plugin, usual_count())
    }

    /// How many questions nobody has begun to ask.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Takes no more clients. Those that wait are asked about no more, and the threads end when all have their answer.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// Closes, and waits for the threads.
    pub(crate) fn stop(&self) {
        self.close();
        for thread in self.threads.iter().flat_map(|threads| std::mem::take(&mut *threads.lock())) {
            if thread.join().is_err() {
                tracing::error!("a thread that answers auth had panicked");
            }
        }
    }
}

/// Starts so many threads that take from the queue. Where one of them does not start, the queue is closed, so that those
/// that have started end.
fn spawn_all(
    queue: &Lines<Job>,
    count: usize,
    spawn: impl FnMut(usize) -> io::Result<JoinHandle<()>>,
) -> io::Result<Vec<JoinHandle<()>>> {
    (0..count).map(spawn).collect::<io::Result<_>>().inspect_err(|_| queue.close())
}

/// How many instances a plugin has where the configuration does not say. One core at least is left to what moves messages.
fn usual_count() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (cores - 1).clamp(1, AUTH_THREADS_USUAL_MAX)
}

/// An instance of a plugin, made by the first thread that needs it: where there are fewer of them than threads, threads
/// share them.
struct Shared {
    plugin: Arc<Loaded>,
    warm: Mutex<Option<Warm>>,
}

impl Shared {
    fn count(plugin: &Loaded, usual: usize) -> usize {
        plugin.wasm.instances().unwrap_or(usual).clamp(1, AUTH_INSTANCES_MAX)
    }

    fn instances(plugin: &Arc<Loaded>, usual: usize) -> Vec<Arc<Self>> {
        let count = Self::count(plugin, usual);
        (0..count).map(|_| Arc::new(Self { plugin: Arc::clone(plugin), warm: Mutex::default() })).collect()
    }

    fn with<R>(&self, act: impl FnOnce(&mut Warm) -> R) -> R {
        let new = || Warm::new(Arc::clone(&self.plugin), FRESH_INSTANCE_PATIENCE);
        act(self.warm.lock().get_or_insert_with(new))
    }
}

/// What a thread of the pool goes by.
struct Answering {
    queue: Arc<Lines<Job>>,
    tally: Arc<Tally>,
    first_go: Arc<FirstGo>,
    plugins: Vec<Arc<Shared>>,
}

impl Answering {
    fn all(self) {
        priority::take_long_turns();
        priority::lower();
        self.plugins.iter().for_each(|plugin| plugin.with(|_| ()));
        while let Popped::Item(job) = self.queue.pop(None) {
            match job {
                // A client that has gone meanwhile is not worth a hash.
                job if job.is_closed() => {}
                // A reload waits for the end of this: it is for the plugins that are loaded now.
                job if self.queue.is_closed() => job.question.send_back(NotPut::Closed),
                job if self.tally.suspects.failed_since(job.client.address(), job.asked) => {
                    job.question.send_back(NotPut::Suspect);
                }
                job => self.answer(job),
            }
        }
        // The last thread that has an instance ends it.
        for warm in self.plugins.into_iter().filter_map(Arc::into_inner).filter_map(|shared| shared.warm.into_inner()) {
            warm.stop();
        }
    }

    /// Sending fails where the client has gone.
    fn answer(&self, job: Job) {
        let Job { client, asked, question, bytes, again } = job;
        let is_long = again || self.tally.suspects.contains(client.address());
        let within = if is_long { None } else { self.first_go.limit(Instant::now()) };
        let question = match question {
            Question::Credentials(credentials, answer) => match self.vote(&client, &credentials, within) {
                Ok(outcome) => return drop(answer.send(Ok(outcome))),
                Err(TooLong) => Question::Credentials(credentials, answer),
            },
            Question::Step(exchange, data, answer) => match self.step(&client, &exchange, data.as_deref(), within) {
                Ok(vote) => return drop(answer.send(vote.map_or(Step::Failed, |vote| vote.follow(exchange)))),
                Err(TooLong) => Question::Step(exchange, data, answer),
            },
        };
        self.tally.auth_asked_again.fetch_add(1, Ordering::Relaxed);
        self.queue.put_last(LONG_LINE, Job { client, asked, question, bytes, again: true }, Some(bytes));
    }

    fn vote(
        &self,
        client: &Arc<ClientInfo>,
        credentials: &Credentials,
        within: Option<Duration>,
    ) -> Result<AuthOutcome, TooLong> {
        let mut too_long = Ok(());
        let asked = self.plugins.iter().filter(|shared| shared.plugin.wasm.manifest().exports.auth);
        let outcome = combine_auth(asked.map(|shared| {
            let ask = |instance: &mut Instance| instance.authenticate(client, credentials, AUTH_DEADLINE);
            self.ask(shared, Call::Auth, client, within, ask).unwrap_or_else(|error| {
                too_long = Err(error);
                Err(NoAnswer)
            })
        }));
        too_long.map(|()| outcome)
    }

    fn step(
        &self,
        client: &Arc<ClientInfo>,
        exchange: &Exchange,
        data: Option<&[u8]>,
        within: Option<Duration>,
    ) -> Result<Result<StepVote, NoAnswer>, TooLong> {
        let Some(shared) = self.plugins.get(exchange.plugin) else { return Ok(Err(NoAnswer)) };
        self.ask(shared, Call::EnhancedAuth, client, within, |instance| instance.step(client, exchange, data))
    }

    fn ask<R>(
        &self,
        shared: &Shared,
        call: Call,
        client: &ClientInfo,
        within: Option<Duration>,
        act: impl FnOnce(&mut Instance) -> Result<R, Fault>,
    ) -> Result<Result<R, NoAnswer>, TooLong> {
        let deadline = shared.plugin.wasm.deadline().unwrap_or(AUTH_DEADLINE);
        shared.with(|warm| {
            let answer = match within.filter(|within| *within < deadline) {
                Some(within) => warm.call_within(within, call, client, act)?,
                None => warm.call(call, Some(client), act),
            };
            if answer.is_ok() {
                self.first_go.answered(warm.last_ran());
            } else if warm.timed_out() {
                self.first_go.ran_out(Instant::now());
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::hooks::common::Common;
    use crate::hooks::load::Roster;
    use crate::hooks::stand_in::StandIn;
    use crate::hooks::{HookSpec, PluginLimits, PluginSpec};
    use crate::types::{ClientId, ConnectFacts, Identity, Peer};

    #[test]
    fn there_are_as_many_instances_as_the_configuration_says_and_threads_for_all_of_them() {
        let common = Common::start(Arc::<StandIn>::default()).expect("an engine");
        let load = |set: Option<usize>| {
            let limits = PluginLimits { instances: set, ..PluginLimits::default() };
            let plugin = PluginSpec { limits, ..PluginSpec::new("auth_anonymous", serde_json::Map::new()) };
            let spec = HookSpec { plugins: vec![plugin], ..HookSpec::default() };
            Roster::load(&spec, &common, &[]).expect("a plugin").auth
        };
        let check = |set: Option<usize>, expected: usize| {
            assert_eq!(Shared::instances(&load(set)[0], 4).len(), expected, "{set:?}");
        };
        check(None, 4);
        check(Some(2), 2);
        check(Some(12), 12);
        check(Some(AUTH_INSTANCES_MAX + 1), AUTH_INSTANCES_MAX);

        let threads = |auth: &[Arc<Loaded>]| {
            let pool = AuthPool::start(auth, Arc::clone(&common.tally)).expect("threads");
            let count = pool.threads.as_ref().map_or(0, |threads| threads.lock().len());
            pool.stop();
            count
        };
        assert_eq!([None, Some(1), Some(12)].map(|set| threads(&load(set))), [usual_count(), 1, 12]);
        let several = [Some(2), Some(3)].map(|set| load(set).remove(0));
        assert_eq!((threads(&several), threads(&[])), (3, 0), "threads share what there is less of");
    }

    /// Where nobody answers.
    fn pool(common: &Common) -> AuthPool {
        let queue = Arc::new(Lines::new(AUTH_QUEUE_MAX, AUTH_QUEUE_BYTES_MAX, Job::is_closed));
        let (tally, patience) = (Arc::clone(&common.tally), Duration::ZERO);
        AuthPool { queue, threads: None, methods: Vec::new(), patience, tally }
    }

    /// Whether a question of an address finds room, and what waits for the answer.
    fn ask(pool: &AuthPool, address: [u8; 4]) -> (bool, oneshot::Receiver<Result<AuthOutcome, NotPut>>) {
        let peer = Peer::tcp((address, 49_152).into(), "default".into());
        let (client_id, connect) = (ClientId::new("client"), ConnectFacts::default());
        let client = ClientInfo { client_id, identity: Identity::Anonymous, peer, connect };
        let (answer, outcome) = oneshot::channel();
        let pushed = pool.push(client.into(), Question::Credentials(Credentials::default(), answer), 0);
        (pushed == Ok(true), outcome)
    }

    fn next(pool: &AuthPool) -> IpAddr {
        match pool.queue.pop(None) {
            Popped::Item(job) => job.client.address(),
            Popped::Nothing | Popped::Closed => unreachable!("somebody waits"),
        }
    }

    /// Whoever asks much waits in a line of its own, and there is always room for others.
    #[test]
    fn one_address_cannot_keep_others_from_asking() {
        let common = Common::start(Arc::<StandIn>::default()).expect("an engine");
        let pool = pool(&common);
        let mut waiting = Vec::new();
        let mut ask = |address: [u8; 4]| {
            let (pushed, outcome) = ask(&pool, address);
            waiting.push(outcome);
            pushed
        };
        let taken = (0..AUTH_QUEUE_MAX).filter(|_| ask([192, 0, 2, 1])).count();
        assert_eq!(taken, AUTH_QUEUE_MAX / 2);
        assert!(ask([192, 0, 2, 2]));
        assert_eq!([next(&pool), next(&pool)], [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])]);
        // Those that have gone take no room.
        drop(waiting);
        assert!(self::ask(&pool, [192, 0, 2, 1]).0);
    }

    /// A question that makes a plugin run out of time takes a thread for seconds.
    #[test]
    fn who_has_made_plugins_fail_waits_in_one_line_with_the_others_who_have() {
        let common = Common::start(Arc::<StandIn>::default()).expect("an engine");
        let pool = pool(&common);
        let bad = [1, 2, 3].map(|number| [192, 0, 2, number]);
        for address in bad {
            common.tally.suspects.blame(address.into(), AUTH_DEADLINE, Instant::now());
        }
        let good = [198, 51, 100, 1];
        let _waiting = [bad[0], bad[1], bad[2], good, good].map(|address| ask(&pool, address));
        let asked: Vec<_> = (0..5).map(|_| next(&pool)).collect();
        assert_eq!(asked, [bad[0], good, bad[1], good, bad[2]].map(IpAddr::from));
    }

    #[test]
    fn where_a_thread_does_not_start_the_others_end() {
        let queue = Arc::new(Lines::new(1, 1, Job::is_closed));
        let (told, ended) = mpsc::channel();
        let spawned = spawn_all(&queue, 3, |number| {
            if number == 2 {
                return Err(io::Error::other("too many"));
            }
            let (queue, told) = (Arc::clone(&queue), told.clone());
            Ok(thread::spawn(move || {
                let _ = told.send(matches!(queue.pop(None), Popped::Closed));
            }))
        });
        assert_eq!(spawned.err().map(|error| error.to_string()).as_deref(), Some("too many"));
        let patience = Duration::from_secs(10);
        assert_eq!([ended.recv_timeout(patience), ended.recv_timeout(patience)], [Ok(true), Ok(true)]);
    }
}
