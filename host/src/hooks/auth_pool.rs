use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Credentials;
use super::combine::{AuthOutcome, combine_auth};
use super::limits::{AUTH_QUEUE_BYTES_MAX, AUTH_QUEUE_MAX, AUTH_THREADS, FRESH_INSTANCE_PATIENCE};
use super::loaded::Loaded;
use super::queue::{BoundedQueue, Popped};
use super::warm::Warm;
use crate::types::ClientInfo;

/// The threads that answer auth, each with its own instances: hashing a password must not hold up messages.
pub(crate) struct AuthPool {
    queue: Arc<BoundedQueue<Job>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    turned_away: AtomicU64,
}

struct Job {
    client: Arc<ClientInfo>,
    credentials: Credentials,
    answer: oneshot::Sender<AuthOutcome>,
}

impl AuthPool {
    /// Starts the threads; without plugins there are none, and every client is denied.
    pub(crate) fn start(plugins: &[Arc<Loaded>]) -> io::Result<Self> {
        let queue = Arc::new(BoundedQueue::new(AUTH_QUEUE_MAX, AUTH_QUEUE_BYTES_MAX));
        let mut threads = Vec::new();
        let wanted = if plugins.is_empty() { 0 } else { AUTH_THREADS };
        for number in 0..wanted {
            let (queue, plugins) = (Arc::clone(&queue), plugins.to_vec());
            let builder = thread::Builder::new().name(format!("amqtt-auth-{number}"));
            threads.push(builder.spawn(move || answer_all(&queue, &plugins))?);
        }
        Ok(Self { queue, threads: Mutex::new(threads), turned_away: AtomicU64::new(0) })
    }

    pub(crate) async fn authenticate(&self, client: Arc<ClientInfo>, credentials: Credentials) -> AuthOutcome {
        if self.threads.lock().is_empty() {
            return AuthOutcome::Denied;
        }
        let bytes = credentials.username.as_ref().map_or(0, |name| name.len())
            + credentials.password.as_ref().map_or(0, |password| password.len());
        let (answer, outcome) = oneshot::channel();
        if self.queue.push(Job { client, credentials, answer }, bytes).is_err() {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            return AuthOutcome::Failed;
        }
        outcome.await.unwrap_or(AuthOutcome::Failed)
    }

    /// How many clients were refused because too many waited.
    pub(crate) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Takes no more clients. The threads end when those that wait have their answer.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// Closes, and waits for the threads.
    pub(crate) fn stop(&self) {
        self.close();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that answers auth had panicked");
            }
        }
    }
}

fn answer_all(queue: &BoundedQueue<Job>, plugins: &[Arc<Loaded>]) {
    let mut plugins: Vec<_> =
        plugins.iter().map(|plugin| Warm::new(Arc::clone(plugin), FRESH_INSTANCE_PATIENCE)).collect();
    loop {
        match queue.pop(None) {
            // A client that has gone meanwhile is not worth a hash.
            Popped::Item(job) if job.answer.is_closed() => {}
            Popped::Item(Job { client, credentials, answer }) => {
                let asked = plugins.iter_mut();
                let votes = asked.map(|warm| warm.call("auth", |plugin| plugin.authenticate(&client, &credentials)));
                // Sending fails where the client has gone.
                let _ = answer.send(combine_auth(votes));
            }
            Popped::Nothing => {}
            Popped::Closed => break,
        }
    }
    plugins.into_iter().for_each(Warm::stop);
}
