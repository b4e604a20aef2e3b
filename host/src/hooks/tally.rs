use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::event_queues::EventQueues;
use super::excess::Excesses;
use super::faults::Faults;
use super::suspects::Suspects;

/// What is known about plugins whatever is loaded: it outlives a reload.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) events: Arc<EventQueues>,
    pub(crate) suspects: Arc<Suspects>,
    pub(crate) excesses: Arc<Excesses>,
    /// Clients that were refused because too many waited for an answer of auth.
    pub(crate) auth_turned_away: AtomicU64,
    /// Questions of auth that needed more time than they had at their first go.
    pub(crate) auth_asked_again: AtomicU64,
    /// How often plugins had a content of a file accepted: instances that decide by another one are made anew.
    pub(crate) accepts: Arc<AtomicU64>,
    /// Questions about topics that were not put in place because that would have held up a worker.
    pub(crate) asked_aside: AtomicU64,
    /// Those of a plugin go on counting when the plugin is loaded again.
    faults: Mutex<BTreeMap<Arc<str>, Arc<Faults>>>,
}

impl Tally {
    /// The count of the faults of one plugin.
    pub(crate) fn faults_of(&self, plugin: &Arc<str>) -> Arc<Faults> {
        let mut faults = self.faults.lock();
        let new = || Arc::new(Faults::new(Arc::clone(&self.events), Arc::clone(&self.suspects)));
        Arc::clone(faults.entry(Arc::clone(plugin)).or_insert_with(new))
    }

    /// How many calls of each plugin failed since the broker started.
    pub(crate) fn faults(&self) -> Vec<(Arc<str>, u64)> {
        self.faults.lock().iter().map(|(plugin, faults)| (Arc::clone(plugin), faults.count())).collect()
    }

    /// The counters of everything about plugins.
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let faults = self.faults();
        let mut counters = vec![
            ("plugin-faults".to_owned(), faults.iter().map(|(_, count)| count).sum()),
            ("events-dropped".to_owned(), self.events.dropped()),
            ("auth-turned-away".to_owned(), self.auth_turned_away.load(Ordering::Relaxed)),
            ("auth-asked-again".to_owned(), self.auth_asked_again.load(Ordering::Relaxed)),
            ("topic-checks-aside".to_owned(), self.asked_aside.load(Ordering::Relaxed)),
            ("addresses-slowed".to_owned(), self.suspects.count() as u64),
        ];
        counters.extend(faults.into_iter().map(|(plugin, count)| (format!("plugin-faults/{plugin}"), count)));
        counters.extend(self.excesses.counters());
        counters
    }
}
