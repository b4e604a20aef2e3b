//! The broker itself: threads, connections, sessions, and the way of a message between them.

mod accept;
mod aside;
mod connect;
mod connection;
mod core;
mod deliver;
mod directory;
mod doorway;
mod events;
mod exchange;
mod expiry;
mod explanation;
mod found_room;
mod listeners;
mod owed;
mod process;
mod publish;
mod reader;
mod received;
mod reload;
mod retained;
mod revocation;
mod routes;
mod session;
mod shared;
mod stats;
mod subscribe;
mod subscriptions;
mod turn;
mod verdicts;
mod watch;
mod will;
mod worker;
mod writer;

#[cfg(test)]
mod tests;

pub use self::watch::PluginWatch;

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::core::{Core, Internal};
use self::listeners::Listeners;
pub use self::listeners::{ListenerError, ListenerFault};
pub use self::process::resident_bytes;
pub use self::reload::ReloadError;
use self::worker::Task;
use crate::config::Config;
use crate::hooks::{Event, EventKind, Hooks, LoadError};

/// Messages of plugins and wills that wait for a worker.
const INTERNAL_MAX: usize = 1_024;

/// How long a shutdown waits for each of: listeners to be closed, wills to be published, connections to be closed.
const SHUTDOWN_STEP: Duration = Duration::from_secs(3);

/// How long it waits for workers and plugins to end: longer than a call of `auth` may take without a setting.
const SHUTDOWN_PLUGINS: Duration = Duration::from_secs(8);

/// A running broker. It ends with [`shutdown`](Self::shutdown), or abruptly when dropped.
pub struct Broker {
    core: Arc<Core>,
    /// What a reload compares with.
    config: Config,
    hooks: Arc<Hooks>,
    listeners: Listeners,
    /// What ends sessions that nobody comes back for.
    tasks: JoinSet<()>,
    /// Says to workers that there is nothing more to come, by being dropped.
    workers: Vec<mpsc::Sender<Task>>,
    threads: Vec<JoinHandle<()>>,
}

/// Why the broker did not start. Nothing is listening.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A plugin cannot be loaded.
    #[error(transparent)]
    Plugin(#[from] LoadError),
    /// A listener cannot be had.
    #[error(transparent)]
    Listener(#[from] ListenerError),
    /// The system gives no thread or no event queue.
    #[error(
        "worker {number} of {workers} cannot start: {source}\n\
         hint: each takes a thread and three open files, `ulimit -u` and `ulimit -n` say how many there may be"
    )]
    Worker {
        /// Which of the workers it is, counted from 1.
        number: usize,
        /// How many there are to be: one for each core.
        workers: usize,
        /// What the system says.
        source: io::Error,
    },
}

impl Broker {
    /// Loads plugins, opens every listener and starts to serve, in this order. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// When a plugin or a listener of the configuration does not work. The broker never starts with less.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (internal, internal_receiver) = mpsc::channel(INTERNAL_MAX);
        let (limits, capabilities, delay) = reload::policy(&config);
        let core = Arc::new(Core::new(limits, capabilities, config.overlapping, delay, workers, internal));
        // Compiling may take long; meanwhile whoever waits for this can give up.
        let (spec, services) = (config.hooks.clone(), Arc::clone(&core));
        let loading = tokio::task::spawn_blocking(move || Hooks::load(&spec, services));
        let hooks = loading.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        hooks.emit(Event::new(EventKind::BrokerPreStart));
        let prepared = listeners::prepare(&config.listeners, Vec::new(), &core.limits).await?;

        let (mut senders, mut threads) = (Vec::new(), Vec::new());
        for index in 0..workers {
            let failed = |source| StartError::Worker { number: index + 1, workers, source };
            let spawned = worker::spawn(Arc::clone(&core), Arc::clone(&hooks), index).map_err(failed)?;
            // It goes without an answer only by a panic, which is in the log.
            spawned.ready.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed)?;
            senders.push(spawned.tasks);
            threads.push(spawned.thread);
        }
        // Just spawned: it has room.
        drop(senders[0].try_send(Task::Internal(internal_receiver)));
        let mut listeners = Listeners::new(senders.clone());
        listeners.apply(prepared).await;
        let mut broker = Self { core, config, hooks, listeners, tasks: JoinSet::new(), workers: senders, threads };
        broker.tasks.spawn(expiry::end_expired(Arc::clone(&broker.core), Arc::clone(&broker.hooks)));
        broker.hooks.start();
        broker.hooks.emit(Event::new(EventKind::BrokerPostStart));
        Ok(broker)
    }

    /// Where the broker listens: the names of listeners and their addresses, with the ports that the system chose.
    pub fn addresses(&self) -> &[(Arc<str>, std::net::SocketAddr)] {
        self.listeners.addresses()
    }

    /// Ends the broker in order: no new connections, wills are published, what waits to be written is written as far
    /// as clients take it, plugins are stopped. Takes some seconds at most: a plugin that is in a call for longer is left
    /// alone, and with it the thread that has made the call.
    pub async fn shutdown(mut self) {
        tracing::info!("shutting down");
        self.hooks.emit(Event::new(EventKind::BrokerPreShutdown));
        if timeout(SHUTDOWN_STEP, self.listeners.shutdown()).await.is_err() {
            tracing::warn!("not every listener was closed in {} s", SHUTDOWN_STEP.as_secs());
        }
        self.tasks.shutdown().await;
        if timeout(SHUTDOWN_STEP, self.publish_wills()).await.is_err() {
            tracing::warn!("not every will was published in {} s", SHUTDOWN_STEP.as_secs());
        }
        self.core.directory.for_each(|session| session.close());
        if timeout(SHUTDOWN_STEP, self.connections_closed()).await.is_err() {
            tracing::warn!("{} connections were cut", self.core.totals.connected());
        }
        self.hooks.emit(Event::new(EventKind::BrokerPostShutdown));
        self.workers.clear();
        let (threads, hooks) = (std::mem::take(&mut self.threads), Arc::clone(&self.hooks));
        let (done, ended) = oneshot::channel();
        let stop = move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a worker has panicked");
                }
            }
            hooks.stop();
            let _ = done.send(());
        };
        // No task of tokio, which would wait for it.
        if let Err(error) = thread::Builder::new().name("amqtt-stop".into()).spawn(stop) {
            return tracing::error!("no thread to stop plugins on: {error}");
        }
        match timeout(SHUTDOWN_PLUGINS, ended).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => tracing::error!("plugins were not stopped: the thread that does it has panicked"),
            Err(_) => {
                let waited = SHUTDOWN_PLUGINS.as_secs();
                tracing::warn!("not all plugins ended within {waited} s: one is in a call, or is being loaded");
            }
        }
    }

    /// Publishes all wills while their receivers are still there.
    async fn publish_wills(&self) {
        let mut wills = Vec::new();
        self.core.directory.for_each(|session| wills.extend(session.take_will()));
        for (client, will) in wills {
            drop(self.core.internal.send(Internal::Will(client, will)).await);
        }
        let (done, published) = oneshot::channel();
        drop(self.core.internal.send(Internal::Barrier(done)).await);
        drop(published.await);
    }

    async fn connections_closed(&self) {
        while self.core.totals.connected() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
