use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_local};

use super::accept::{Accepting, accept};
use super::aside::Asking;
use super::connection;
use super::core::{Core, Internal};
use super::doorway::Doorway;
use super::found_room::FoundRoom;
use super::publish::Asks;
use super::revocation;
use super::routes::RouteCache;
use super::session::LastWill;
use super::stats::WorkerStats;
use super::turn::Turn;
use super::verdicts::VerdictCache;
use super::will::Will;
use crate::hooks::{Greeter, Hooks, TopicChecker};
use crate::net::Accepted;
use crate::protocol::Scratch;
use crate::types::ClientInfo;

/// Bytes that one read takes from a socket at most.
const READ_BYTES: usize = 64 << 10;

/// Accepted connections that wait for a worker to take them.
const ACCEPTED_MAX: usize = 1_024;

/// A thread with its own connections, and what they share without locks.
///
/// A connection stays with its worker. Only sessions, subscriptions and retained messages are reached from others.
pub(super) struct Worker {
    pub(super) core: Arc<Core>,
    pub(super) hooks: Arc<Hooks>,
    /// Which of the workers this is.
    pub(super) index: usize,
    pub(super) checker: TopicChecker,
    pub(super) greeter: Greeter,
    /// For connections that come or go.
    pub(super) doorway: Doorway,
    pub(super) routes: RouteCache,
    pub(super) scratch: Scratch,
    /// Connections to wake once a batch has been read, so that each writes all of it at once.
    pub(super) wakes: Vec<Waker>,
    /// What sockets are read into; bytes that are left over move to the connection.
    pub(super) read_buffer: Box<[u8]>,
    /// The time, as of the beginning of the turn at hand.
    pub(super) now: Instant,
    /// What the running turn of a connection has done.
    pub(super) turn: Turn,
    /// For retained messages that connections have found.
    pub(super) found_room: Rc<FoundRoom>,
    next_link: u64,
}

/// What a worker is handed.
#[derive(Debug)]
pub(super) enum Task {
    /// Accept connections, for all workers.
    Accept(Box<Accepting>),
    /// Serve a new connection.
    Connection(Accepted<std::net::TcpStream>),
    /// Publish what no connection asks for, until the channel ends.
    Internal(mpsc::Receiver<Internal>),
    /// Go over to plugins that were loaded anew, without waiting for somebody to ask them.
    FollowPlugins,
    /// Hold connections to other limits from now on.
    HoldTo(Arc<Core>),
}

/// A worker that is about to start.
pub(super) struct Spawned {
    pub(super) tasks: mpsc::Sender<Task>,
    pub(super) thread: JoinHandle<()>,
    /// Whether it works, once that is known.
    pub(super) ready: oneshot::Receiver<io::Result<()>>,
}

/// Starts a worker's thread. It ends when the channel does, and drops what connections are left.
pub(super) fn spawn(core: Arc<Core>, hooks: Arc<Hooks>, index: usize) -> io::Result<Spawned> {
    let (tasks, receiver) = mpsc::channel(ACCEPTED_MAX);
    let (say, ready) = oneshot::channel();
    let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        // Nobody listens where the start was given up.
        let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => {
                let _ = say.send(Ok(()));
                runtime
            }
            Err(error) => return drop(say.send(Err(error))),
        };
        let worker = Rc::new(RefCell::new(Worker::new(core, hooks, index)));
        runtime.block_on(serve(&worker, receiver));
    })?;
    Ok(Spawned { tasks, thread, ready })
}

async fn serve(worker: &Rc<RefCell<Worker>>, mut tasks: mpsc::Receiver<Task>) {
    spawn_local(revocation::review_all(Rc::clone(worker)));
    let doorway = worker.borrow().doorway.clone();
    while let Some(task) = tasks.recv().await {
        match task {
            Task::Accept(accepting) => drop(spawn_local(accept(Rc::clone(worker), *accepting))),
            Task::Connection(accepted) => {
                doorway.pass().await;
                connection::tie(worker, accepted);
            }
            Task::Internal(messages) => drop(spawn_local(publish_internal(Rc::clone(worker), messages))),
            Task::FollowPlugins => {
                let worker = &mut *worker.borrow_mut();
                worker.checker.follow();
                worker.greeter.follow();
            }
            Task::HoldTo(core) => worker.borrow_mut().core = core,
        }
    }
}

async fn publish_internal(worker: Rc<RefCell<Worker>>, mut messages: mpsc::Receiver<Internal>) {
    // Wills that wait for what slow plugins say of them.
    let mut wills = JoinSet::new();
    while let Some(message) = messages.recv().await {
        while wills.try_join_next().is_some() {}
        let message = match message {
            Internal::Will(client, will) => match ask_about_will(&worker, client, will) {
                Ok(asking) => {
                    wills.spawn_local(asking);
                    continue;
                }
                Err((client, will)) => Internal::Will(client, will),
            },
            Internal::Barrier(done) => {
                while wills.join_next().await.is_some() {}
                Internal::Barrier(done)
            }
            message => message,
        };
        let mut worker = worker.borrow_mut();
        worker.now = Instant::now();
        // A message that finds a fault of the broker must not be the last one.
        let published = catch_unwind(AssertUnwindSafe(|| match message {
            Internal::FromPlugin(message) => worker.publish_unasked(message),
            Internal::Orphans(orphans) => worker.pass_on(orphans, Asks::Aside),
            Internal::Will(client, will) => worker.publish_judged_will(&client, *will, &mut VerdictCache::default()),
            // Whoever waited for it may have given up.
            Internal::Barrier(done) => drop(done.send(())),
        }));
        if published.is_err() {
            tracing::error!("a message was lost by a fault of the broker, see above: please report it");
        }
        worker.wake_all();
    }
}

/// Asks about a will aside, if asking in place would hold up the worker, and publishes it when the answer is there.
fn ask_about_will(
    worker: &Rc<RefCell<Worker>>,
    client: Arc<ClientInfo>,
    will: Box<Will>,
) -> Result<impl Future<Output = ()> + use<>, LastWill> {
    let (topic, facts) = (will.topic().as_str(), will.facts());
    let Some(mut asking) = Asking::begin_for_broker(&mut worker.borrow_mut(), &client, topic, facts) else {
        return Err((client, will));
    };
    let worker = Rc::clone(worker);
    Ok(async move {
        let mut verdicts = VerdictCache::default();
        poll_fn(|cx| asking.poll_answer(&mut worker.borrow_mut(), &mut verdicts, cx)).await;
        let mut worker = worker.borrow_mut();
        worker.now = Instant::now();
        worker.publish_judged_will(&client, *will, &mut verdicts);
        worker.wake_all();
    })
}

fn read_buffer() -> Box<[u8]> {
    vec![0; READ_BYTES].into_boxed_slice()
}

impl Worker {
    pub(super) fn new(core: Arc<Core>, hooks: Arc<Hooks>, index: usize) -> Self {
        let (checker, greeter) = (hooks.topic_checker(), hooks.greeter());
        Self {
            core,
            hooks,
            index,
            checker,
            greeter,
            doorway: Doorway::default(),
            routes: RouteCache::default(),
            scratch: Scratch::default(),
            wakes: Vec::new(),
            read_buffer: read_buffer(),
            now: Instant::now(),
            turn: Turn::default(),
            found_room: Rc::default(),
            next_link: index as u64,
        }
    }

    pub(super) fn stats(&self) -> &WorkerStats {
        &self.core.stats[self.index]
    }

    /// Puts back what a turn had borrowed that did not come to its end.
    pub(super) fn recover(&mut self) {
        if self.read_buffer.is_empty() {
            self.read_buffer = read_buffer();
        }
    }

    /// A number that no other link of any session has.
    pub(super) fn take_link_id(&mut self) -> u64 {
        self.next_link += self.core.stats.len() as u64;
        self.next_link
    }

    /// Whether the running turn of a connection is over.
    pub(super) fn is_turn_over(&mut self) -> bool {
        self.turn.is_over(self.now, self.wakes.len())
    }

    /// Wakes the connections that have been given something to write.
    pub(super) fn wake_all(&mut self) {
        self.wakes.drain(..).for_each(Waker::wake);
    }
}
