//! What plugins are asked and told.
//!
//! [`Hooks`] is the whole of it for the broker. A question goes `topic_checker` (in place) or `auth_pool` (on threads of
//! its own, or in place by a `greeter` where that takes no time) → `warm`, one instance per thread and plugin → `wasm`; the
//! votes are combined in `combine`. What happened goes through `event_queues` to the `observers`, each with a `teller` on a thread of its own. Faults lead to
//! `faults`, which says them, to `suspects`, who are asked more slowly, and to a `circuit`, which keeps a plugin from being
//! called in vain; what a plugin does past its rates leads to `excess`. What would hold up a worker is asked `aside`. All plugins of one loading are a `generation`; a reload
//! puts another in its place.

mod aside;
mod auth_pool;
mod back_off;
mod capabilities;
mod check;
mod circuit;
mod combine;
mod common;
mod deciders;
mod event;
mod event_queues;
mod excess;
mod exchange;
mod faults;
mod first_go;
mod generation;
mod greeter;
mod inspection;
mod interests;
mod limits;
mod lines;
mod load;
mod loaded;
mod observers;
mod pace;
mod priority;
mod queue;
mod search;
mod services;
mod spec;
mod stand_in;
mod suspects;
mod tally;
mod teller;
mod topic_checker;
mod trial;
mod verdict_number;
mod warm;
mod wasm;

#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use self::common::Common;
use self::generation::Generation;
use self::interests::ActionSet;
use self::limits::OUTDATED_MAX;
use self::loaded::Loaded;
use self::observers::Observers;
use self::suspects::NotPut;
use crate::file_stamp::FileStamp;
use crate::types::ClientInfo;

pub use capabilities::escape;
pub(crate) use capabilities::{cut, is_command};
pub use check::{Mishap, check};
pub use combine::{AuthOutcome, CacheFor, Decision, Reason, Verdict};
pub use event::{Event, EventKind, PacketFacts};
pub use exchange::{Exchange, Proof, Step};
pub use greeter::Greeter;
pub use inspection::{
    Inspection, listed as grants_listed, together as grants_together, together_as_granted as grants_as_granted,
};
pub(crate) use limits::AUTH_INSTANCES_MAX;
pub use load::LoadError;
pub use loaded::Origin;
pub use search::NotFound;
pub use services::{BrokerServices, Credentials, Overloaded, SessionInfo, SessionPage, SubscriptionInfo};
pub use spec::{Grants, HookSpec, PluginLimits, PluginSpec, TopicCheckSpec};
pub use topic_checker::{TopicChecker, TopicFacts};
pub use trial::{Advance, Ballot, Idle, Trial, Unanswered};
pub use wasm::{PackError, Unusable, compile_apart, declare_world, pack};

/// Looks at a plugin's file without running it, whatever is in it.
///
/// # Errors
/// When the file cannot be read.
pub fn inspect_file(path: &Path) -> io::Result<Inspection> {
    wasm::inspect_file(path)
}

/// Looks at the bytes of a plugin without running it, whatever they are.
pub fn inspect_bytes(bytes: &[u8]) -> Inspection {
    wasm::inspect(bytes)
}

/// Looks at a plugin that is part of the binary; none where there is none of that name.
pub fn inspect_built_in(name: &str) -> Option<Inspection> {
    wasm::inspect_embedded(name)
}

/// The names of the plugins that are part of the binary, sorted.
pub fn built_in_names() -> Vec<&'static str> {
    wasm::embedded().iter().map(|plugin| plugin.name).collect()
}

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

impl Action {
    /// Its name in the plugin interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Receive => "receive",
        }
    }
}

/// The plugins of a running broker.
///
/// Dropping it lets its threads end; [`Hooks::stop`] waits for them.
pub struct Hooks {
    common: Common,
    current: RwLock<Arc<Generation>>,
    /// The number of the current generation, for who only wants to know whether it is another one.
    number: AtomicU64,
    /// The bits of the [`ActionSet`] that the current generation decides.
    decided: AtomicU8,
    observers: Observers,
    /// How many [`TopicChecker`]s there are: a new generation has an instance ready for each.
    checkers: AtomicUsize,
    /// Held while plugins are loaded, so that one reload comes after the other; whether the end has come.
    stopped: Mutex<bool>,
}

impl Hooks {
    /// Loads every plugin of the spec and starts the first instance of each.
    ///
    /// Compiles third-party plugins, so it may take seconds: call it before there is anything else to do. What was
    /// loaded from where is logged, and that nobody can connect where no plugin answers auth.
    ///
    /// # Errors
    /// When a plugin is not found, cannot be used, or does not start; when a list of the spec names one that is not loaded
    /// or that has nothing to decide; when the system gives no threads or memory. The text is for people.
    pub fn load(spec: &HookSpec, broker: Arc<dyn BrokerServices>) -> Result<Arc<Self>, LoadError> {
        let began = Instant::now();
        let common = Common::start(broker).map_err(LoadError::Engine)?;
        let (generation, observing) = Generation::load(spec, &common, 1, 0, &[])?;
        let observers = Observers::new(Arc::clone(&common.tally.events));
        tracing::debug!("plugins were loaded in {:.1?}: {}", began.elapsed(), generation.plugins.len());
        let hooks = Self {
            common,
            number: AtomicU64::new(generation.number),
            decided: AtomicU8::new(generation.decided.bits()),
            current: RwLock::new(Arc::new(generation)),
            observers,
            checkers: AtomicUsize::new(0),
            stopped: Mutex::new(false),
        };
        hooks.observers.flip(observing);
        Ok(Arc::new(hooks))
    }

    /// Loads the plugins of a spec in place of those that run.
    ///
    /// All of it is done before anybody notices: files are read and compiled, instances started, one for each thread
    /// that will need it. Then every thread asks the new plugins at once, and no cached verdict of the old ones holds.
    /// Events that happened before are told to the old ones, others to the new ones. Waits for the
    /// calls of the old ones that are under way; what else they have been asked, the new ones are.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and when the broker is about to end. The old plugins go on as before.
    pub fn reload(&self, spec: &HookSpec) -> Result<(), LoadError> {
        let stopped = self.stopped.lock();
        if *stopped {
            return Err(LoadError::Stopping);
        }
        let began = Instant::now();
        let number = self.number() + 1;
        let checkers = self.checkers.load(Ordering::Relaxed);
        let before = self.generation();
        let (generation, observing) = Generation::load(spec, &self.common, number, checkers, &before.plugins)?;
        let (decided, plugins) = (generation.decided, generation.plugins.len());
        let old = std::mem::replace(&mut *self.current.write(), Arc::new(generation));
        // Who reads the new number finds the new generation. Who still allows what nobody decided was there before.
        self.number.store(number, Ordering::Release);
        self.decided.store(decided.bits(), Ordering::Release);
        self.forget_verdicts();
        self.observers.flip(observing);
        let were = if plugins == 1 { "plugin was" } else { "plugins were" };
        tracing::info!("{plugins} {were} loaded anew in {:.1?}", began.elapsed());
        old.stop();
        // The last faults of those that have gone are no reason to have anybody wait.
        self.common.tally.suspects.clear();
        Ok(())
    }

    fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.current.read())
    }

    fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// What the plugins that run were loaded by.
    pub fn spec(&self) -> HookSpec {
        self.generation().spec.clone()
    }

    /// The files that they were loaded from, and what those were when they were read.
    pub fn files(&self) -> Vec<(PathBuf, FileStamp)> {
        let file = |plugin: &Arc<Loaded>| match &plugin.origin {
            Origin::File(path) => plugin.stamp.map(|stamp| (path.clone(), stamp)),
            Origin::BuiltIn => None,
        };
        self.generation().plugins.iter().filter_map(file).collect()
    }

    /// Whether any plugin decides this action; where none does, it is allowed.
    pub fn decides(&self, action: Action) -> bool {
        ActionSet::from_bits(self.decided.load(Ordering::Acquire)).contains(action)
    }

    /// A number that is another one when cached verdicts no longer hold. Take it before you ask for a verdict.
    pub fn verdict_number(&self) -> u64 {
        self.common.verdict_number.current()
    }

    /// Tells of each new [`verdict_number`](Self::verdict_number), those in between left out.
    pub fn verdict_numbers(&self) -> watch::Receiver<u64> {
        self.common.verdict_number.changes()
    }

    /// From now on, nothing that plugins have said of topics before holds any more.
    pub fn forget_verdicts(&self) {
        self.common.verdict_number.advance();
    }

    /// Whether any plugin asked for events of this kind: look before you make one.
    pub fn wants(&self, kind: EventKind) -> bool {
        self.common.tally.events.wants(kind)
    }

    /// Whether any plugin asked for the payloads of such events: otherwise leave them out.
    pub fn wants_payload(&self, kind: EventKind) -> bool {
        self.common.tally.events.wants_payload(kind)
    }

    /// Tells of an event, in order, soon. Never waits: where too many wait already, the event is dropped and counted.
    pub fn emit(&self, event: Event) {
        self.common.tally.events.put(event);
    }

    /// Makes what decides topics on one thread, with instances of its own.
    pub fn topic_checker(self: &Arc<Self>) -> TopicChecker {
        TopicChecker::new(self)
    }

    /// Makes what asks who may connect on one thread, with instances of its own.
    pub fn greeter(self: &Arc<Self>) -> Greeter {
        Greeter::new(self)
    }

    /// Asks who may connect, on threads that do nothing else. A client whose address has made plugins fail waits first.
    ///
    /// Where the answer is not waited for any more, nothing is asked that has not been asked yet.
    pub async fn authenticate(&self, client: Arc<ClientInfo>, credentials: Credentials) -> AuthOutcome {
        let suspects = &self.common.tally.suspects;
        let mut may_ask = suspects.wait_for_turn(&client).await;
        let mut outdated = 0;
        while may_ask {
            let generation = self.generation();
            match generation.auth.authenticate(Arc::clone(&client), credentials.clone()).await {
                // Others decide by now, who may not want it in.
                Ok(AuthOutcome::Allowed) if generation.number != self.number() => {
                    outdated += 1;
                    may_ask = outdated < OUTDATED_MAX;
                }
                Ok(outcome) => return outcome,
                Err(NotPut::Suspect) => may_ask = suspects.wait_for_turn(&client).await,
                // A reload came between the two lines.
                Err(NotPut::Closed) if generation.number != self.number() => {}
                Err(NotPut::Closed) => return AuthOutcome::Denied(None),
            }
        }
        AuthOutcome::Failed
    }

    /// How long plugins may take to say who may connect, once they are asked, with the wait for their turn.
    pub fn auth_patience(&self) -> Duration {
        self.generation().auth.patience()
    }

    /// Begins the ticks: each plugin that asked for them has its first one now.
    pub fn start(&self) {
        self.observers.begin_ticks();
    }

    /// Ends in good order: answers who waits, tells the events that wait within a bounded time, lets plugins stop.
    ///
    /// Waits for the threads of the plugins. Drop the [`TopicChecker`]s yourself.
    pub fn stop(&self) {
        *self.stopped.lock() = true;
        // A call that others wait for keeps nobody from being told.
        self.observers.close();
        self.generation().stop();
        self.observers.stop();
        self.common.tally.excesses.tell_all();
    }

    /// How many calls of each plugin failed since the start, whatever was loaded in between.
    pub fn faults(&self) -> Vec<(Arc<str>, u64)> {
        self.common.tally.faults()
    }

    /// Everything that is counted about plugins: names in lower case with dashes.
    pub fn counters(&self) -> Vec<(String, u64)> {
        self.common.tally.counters()
    }

    /// How many events were dropped because too many waited, or lost because a plugin failed.
    pub fn events_dropped(&self) -> u64 {
        self.common.tally.events.dropped()
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.observers.close();
    }
}
