use std::io;
use std::sync::Arc;
use std::thread;

use super::HookSpec;
use super::aside::Aside;
use super::auth_pool::AuthPool;
use super::common::Common;
use super::interests::ActionSet;
use super::load::{LoadError, Roster};
use super::loaded::Loaded;
use super::observers::Observer;

/// The plugins of one loading, until a reload puts others in their place.
pub(crate) struct Generation {
    /// The first is 1.
    pub(crate) number: u64,
    pub(crate) spec: HookSpec,
    pub(crate) plugins: Vec<Arc<Loaded>>,
    /// Those that decide topics, in order.
    pub(crate) deciding: Vec<Arc<Loaded>>,
    pub(crate) decided: ActionSet,
    pub(crate) auth: AuthPool,
    /// Those that answer auth, in order, if workers may ask all of them in place; else none.
    pub(crate) greeting: Vec<Arc<Loaded>>,
    pub(crate) aside: Aside,
}

impl Generation {
    /// Loads every plugin of the spec and starts the first instance of each, and those that observe.
    ///
    /// So that nothing is left to fail or to wait for afterwards, `checkers` instances of those that decide topics are
    /// started as well. They take the place of those `before`.
    pub(crate) fn load(
        spec: &HookSpec,
        common: &Common,
        number: u64,
        checkers: usize,
        before: &[Arc<Loaded>],
    ) -> Result<(Self, Vec<Observer>), LoadError> {
        // Whoever calls may be a thread of tokio, where plugins with WASI cannot run.
        let loaded = thread::scope(|scope| {
            let loading = scope.spawn(|| Self::load_here(spec, common, number, checkers, before));
            loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        match &loaded {
            Ok(_) => common.runtime.compiled.loading_succeeded(),
            Err(_) => common.runtime.compiled.loading_failed(),
        }
        loaded
    }

    fn load_here(
        spec: &HookSpec,
        common: &Common,
        number: u64,
        checkers: usize,
        before: &[Arc<Loaded>],
    ) -> Result<(Self, Vec<Observer>), LoadError> {
        let Roster { all, auth, topic_check } = Roster::load(spec, common, before)?;
        let decided = topic_check.iter().fold(ActionSet::default(), |set, it| set.union(it.wasm.interests().actions));
        let observer = |plugin| Observer::new(plugin, common).transpose();
        let observers = all.iter().filter_map(observer).collect::<io::Result<_>>().map_err(LoadError::Engine)?;
        let deciding = topic_check.iter().filter(|plugin| !plugin.wasm.interests().actions.is_empty());
        for plugin in deciding.filter(|plugin| !plugin.wasm.manifest().wasi) {
            // The threads of auth take theirs from the same ones, and may be there first.
            let answers_auth = auth.iter().any(|other| Arc::ptr_eq(other, plugin));
            let of_auth = if answers_auth { AuthPool::instances(plugin) } else { 0 };
            plugin
                .wasm
                .prepare(checkers + of_auth)
                .map_err(|fault| LoadError::not_started(&plugin.name, plugin.origin.clone(), &fault))?;
        }
        let pool = AuthPool::start(&auth, Arc::clone(&common.tally)).map_err(LoadError::Engine)?;
        let aside = Aside::new(&topic_check, &common.tally.suspects);
        let generation = Self {
            number,
            spec: spec.clone(),
            plugins: all,
            deciding: topic_check,
            decided,
            auth: pool,
            greeting: greeting(auth),
            aside,
        };
        Ok((generation, observers))
    }

    /// Takes no more questions.
    pub(crate) fn close(&self) {
        self.auth.close();
        self.aside.close();
    }

    /// Closes, waits for what is under way, and lets instances stop that nobody has needed.
    pub(crate) fn stop(&self) {
        self.close();
        self.auth.stop();
        self.aside.stop();
        for plugin in &self.plugins {
            for instance in plugin.wasm.take_ready() {
                if let Err(fault) = instance.stop() {
                    plugin.report(super::faults::Call::Stop, None, &fault);
                }
            }
        }
    }
}

/// Those that answer auth, if that takes none of them any time; else none.
fn greeting(mut auth: Vec<Arc<Loaded>>) -> Vec<Arc<Loaded>> {
    auth.retain(|plugin| plugin.wasm.manifest().exports.auth);
    if auth.iter().all(|plugin| plugin.answers_at_once()) { auth } else { Vec::new() }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.close();
    }
}
