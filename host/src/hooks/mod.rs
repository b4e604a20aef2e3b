//! What plugins are asked and told.
//!
//! [`Hooks`] is the whole of it for the broker. A question goes `topic_checker` (in place) or `auth_pool` (on threads of
//! its own) → `warm`, one instance per thread and plugin → `wasm`; the votes are combined in `combine`. What happened
//! goes through `event_queue` to the thread of `observers`.

mod auth_pool;
mod back_off;
mod capabilities;
mod combine;
mod event;
mod event_queue;
mod faults;
mod interests;
mod limits;
mod load;
mod loaded;
mod observers;
mod queue;
mod search;
mod services;
mod spec;
mod topic_checker;
mod verdict_number;
mod warm;
mod wasm;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;

use self::auth_pool::AuthPool;
use self::event_queue::EventQueue;
use self::interests::ActionSet;
use self::load::Roster;
use self::loaded::Loaded;
use self::observers::Observers;
use self::verdict_number::VerdictNumber;
use crate::types::ClientInfo;

pub use combine::{AuthOutcome, CacheFor, Verdict};
pub use event::{Event, EventKind};
pub use load::LoadError;
pub use loaded::Origin;
pub use search::NotFound;
pub use services::{BrokerServices, Credentials, Overloaded};
pub use spec::{Grants, HookSpec, PluginSpec, TopicCheckSpec};
pub use topic_checker::TopicChecker;
pub use wasm::Unusable;

/// What a client wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a message to a topic name.
    Publish,
    /// Have the messages of a topic filter delivered.
    Subscribe,
    /// Be delivered one message of a topic name.
    Receive,
}

/// The plugins of a running broker.
///
/// Dropping it lets its threads end; [`Hooks::stop`] waits for them.
pub struct Hooks {
    plugins: Vec<Arc<Loaded>>,
    deciding: Vec<Arc<Loaded>>,
    decided: ActionSet,
    verdict_number: VerdictNumber,
    auth: AuthPool,
    events: Arc<EventQueue>,
    observers: Observers,
}

impl Hooks {
    /// Loads every plugin of the spec and starts the first instance of each. Errors are for people.
    ///
    /// Compiles third-party plugins, so it may take seconds: call it before there is anything else to do. What was
    /// loaded from where is logged, and that nobody can connect where no plugin answers auth.
    pub fn load(spec: HookSpec, broker: Arc<dyn BrokerServices>) -> Result<Arc<Self>, LoadError> {
        let Roster { all, auth, topic_check, events } = Roster::load(&spec, &broker)?;
        let decided =
            topic_check.iter().fold(ActionSet::default(), |set, plugin| set.union(plugin.wasm.interests().actions));
        let auth = AuthPool::start(&auth).map_err(LoadError::Engine)?;
        let observers = Observers::start(&all, Arc::clone(&events)).map_err(LoadError::Engine)?;
        Ok(Arc::new(Self {
            plugins: all,
            deciding: topic_check,
            decided,
            verdict_number: VerdictNumber::new(),
            auth,
            events,
            observers,
        }))
    }

    /// Whether any plugin decides this action; where none does, it is allowed.
    pub fn decides(&self, action: Action) -> bool {
        self.decided.contains(action)
    }

    /// A number that is another one when cached verdicts no longer hold. Take it before you ask for a verdict.
    pub fn verdict_number(&self) -> u64 {
        self.verdict_number.current()
    }

    /// Tells of each new [`verdict_number`](Self::verdict_number), those in between left out.
    pub fn verdict_numbers(&self) -> watch::Receiver<u64> {
        self.verdict_number.changes()
    }

    /// From now on, nothing that plugins have said of topics before holds any more.
    pub fn forget_verdicts(&self) {
        self.verdict_number.advance();
    }

    /// Whether any plugin asked for events of this kind: look before you make one.
    pub fn wants(&self, kind: EventKind) -> bool {
        self.events.wants(kind)
    }

    /// Tells of an event, in order, soon. Never waits: where too many wait already, the event is dropped and counted.
    pub fn emit(&self, event: Event) {
        self.events.put(event);
    }

    /// Makes what decides topics on one thread, with instances of its own.
    pub fn topic_checker(self: &Arc<Self>) -> TopicChecker {
        TopicChecker::new(&self.deciding)
    }

    /// Asks who may connect, on threads that do nothing else.
    pub async fn authenticate(&self, client: Arc<ClientInfo>, credentials: Credentials) -> AuthOutcome {
        self.auth.authenticate(client, credentials).await
    }

    /// Begins the ticks: each plugin that asked for them has its first one now.
    pub fn start(&self) {
        self.observers.begin_ticks();
    }

    /// Ends in good order: answers who waits, tells the events that wait within a bounded time, lets plugins stop.
    ///
    /// Waits for the threads of the plugins. Drop the [`TopicChecker`]s yourself.
    pub fn stop(&self) {
        self.auth.stop();
        self.observers.stop();
        for plugin in &self.plugins {
            if let Some(Err(fault)) = plugin.wasm.take_first().map(wasm::Instance::stop) {
                plugin.faults.report("stop", &fault);
            }
        }
    }

    /// How many calls of each plugin failed.
    pub fn faults(&self) -> impl Iterator<Item = (&str, u64)> {
        self.plugins.iter().map(|plugin| (&*plugin.name, plugin.faults.count()))
    }

    /// How many events were dropped because too many waited.
    pub fn events_dropped(&self) -> u64 {
        self.events.dropped()
    }

    /// How many clients were refused because too many waited for an answer of auth.
    pub fn auth_turned_away(&self) -> u64 {
        self.auth.turned_away()
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.auth.close();
        self.observers.close();
    }
}
