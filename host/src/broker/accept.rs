//! Accepting connections: on a worker, so that one which stays there crosses no thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep;

use super::connection;
use super::worker::{Task, Worker};
use crate::net::{Accepted, Gate, Listener};

/// Connections that are accepted before others on the same worker have their turn.
const ACCEPTED_PER_TURN: usize = 4;

/// How long a worker waits that cannot watch a listening socket, before it tries again.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// A listening socket whose connections are for all workers.
#[derive(Debug)]
pub(super) struct Accepting {
    pub(super) socket: std::net::TcpListener,
    pub(super) gate: Arc<Gate>,
    pub(super) turns: Turns,
    /// Accepting ends when the other half is dropped.
    pub(super) stopped: oneshot::Receiver<()>,
    /// Dropped when the socket is closed.
    pub(super) close: oneshot::Sender<()>,
}

/// The workers, who are given connections in turn, whoever accepts them.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    workers: Vec<mpsc::Sender<Task>>,
    next: Arc<AtomicUsize>,
}

impl Turns {
    pub(super) fn new(workers: Vec<mpsc::Sender<Task>>) -> Self {
        Self { workers, next: Arc::default() }
    }

    /// Gives a task to one of the workers. One with a full queue is waited for.
    pub(super) async fn give(&self, worker: usize, task: Task) {
        if let Some(worker) = self.workers.get(worker % self.workers.len().max(1)) {
            // It fails where a worker has ended, and the broker with it.
            drop(worker.send(task).await);
        }
    }

    /// The worker whose turn it is.
    fn next(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % self.workers.len().max(1)
    }
}

/// Accepts connections until it is to stop.
pub(super) async fn accept(worker: Rc<RefCell<Worker>>, accepting: Accepting) {
    let Accepting { socket, gate, turns, stopped, close } = accepting;
    tokio::select! {
        // Nothing is ever sent.
        _ = stopped => {}
        () = accept_all(&worker, socket, gate, turns) => {}
    }
    drop(close);
}

async fn accept_all(worker: &Rc<RefCell<Worker>>, socket: std::net::TcpListener, gate: Arc<Gate>, turns: Turns) {
    let mut listener = watch(&socket, &gate).await;
    // The listener has it too.
    drop(socket);
    loop {
        for _ in 0..ACCEPTED_PER_TURN {
            let accepted = listener.accept(|why| worker.borrow().core.totals.turn_away(why)).await;
            serve(worker, accepted, &turns).await;
        }
        yield_now().await;
    }
}

/// Connections wait in the kernel for as long as this fails.
async fn watch(socket: &std::net::TcpListener, gate: &Arc<Gate>) -> Listener {
    loop {
        match socket.try_clone().and_then(|socket| Listener::new(socket, Arc::clone(gate))) {
            Ok(listener) => return listener,
            Err(error) => tracing::error!("listener `{}` cannot accept yet: {error}", gate.terms().name),
        }
        sleep(WATCH_PAUSE).await;
    }
}

/// Serves a connection here, or has the worker serve it whose turn it is.
async fn serve(worker: &Rc<RefCell<Worker>>, accepted: Accepted, turns: &Turns) {
    let (here, next) = (worker.borrow().index, turns.next());
    if next == here {
        drop(spawn_local(connection::serve(Rc::clone(worker), accepted)));
        return;
    }
    let remote_address = accepted.peer.remote_address;
    match accepted.untie() {
        // A worker with a full queue is waited for: the rest stays in the kernel's.
        Ok(accepted) => turns.give(next, Task::Connection(accepted)).await,
        Err(error) => tracing::warn!("connection from {remote_address} is lost: {error}"),
    }
}
