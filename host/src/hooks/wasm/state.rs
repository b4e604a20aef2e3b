use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;
use wasmtime::UpdateDeadline;
use wasmtime::component::ResourceTable;

use super::room::Limits;
use super::wasi::Wasi;
use crate::hooks::capabilities::Capabilities;
use crate::hooks::faults;
use crate::hooks::interests::Registration;
use crate::hooks::limits::{DEADLINE_EXTENSIONS_MAX, EPOCH_TICK, MEMORY_BYTES_MAX, OBSERVER_TURN, SESSIONS_HELD_MAX};
use crate::hooks::{Event, PluginLimits, Reason, TopicFacts, priority};
use crate::types::{ClientInfo, TopicFilter};

/// What belongs to one instance on the broker's side.
pub(super) struct State {
    /// The file that the running call has read last: its settings key and its content.
    pub(super) last_read: Option<(String, Arc<[u8]>)>,
    /// What it was called for last.
    pub(super) hook: faults::Call,
    /// What the running call is about.
    pub(super) call: Call,
    /// What the plugin asks for; there while its `init` runs.
    pub(super) registration: Option<Registration>,
    /// Whether the plugin asked for the payloads of events.
    pub(super) payloads: bool,
    /// Sessions that the plugin asked for and has not let go of.
    pub(super) sessions: ResourceTable,
    /// What the plugin may use, shared by its instances.
    pub(super) capabilities: Arc<Capabilities>,
    /// How many accepted contents of files it knows of: those of before its start, and its own.
    pub(super) accepts_known: u64,
    /// Whether log messages are left out: those of `init`, which another instance has written already.
    pub(super) quiet: bool,
    /// Where the plugin imports WASI.
    pub(super) wasi: Option<Box<Wasi>>,
    pub(super) limits: Limits,
    /// How long a call may run, if the configuration says so.
    pub(super) deadline_set: Option<Duration>,
    pub(super) deadline: Deadline,
    /// How long the next call may run, if that is less.
    pub(super) within: Option<Duration>,
    /// Whether its thread leaves the core to others in an event or a tick that takes long.
    pub(super) gives_way: bool,
}

impl State {
    /// Its `init` is over: log messages are written from now on.
    pub(super) fn speak(&mut self) {
        self.quiet = false;
        self.wasi.iter().for_each(|wasi| wasi.speak());
    }

    /// A quiet one writes no log messages until its `init` is over.
    pub(super) fn new(capabilities: Arc<Capabilities>, quiet: bool, set: PluginLimits, wasi: bool) -> Self {
        let wasi = wasi.then(|| Box::new(Wasi::new(&capabilities, quiet)));
        let limits = Limits::new(set.memory_bytes.unwrap_or(MEMORY_BYTES_MAX));
        let deadline = Deadline::new(Duration::ZERO);
        let mut sessions = ResourceTable::new();
        sessions.set_max_capacity(SESSIONS_HELD_MAX);
        let accepts_known = capabilities.files.accepts();
        Self {
            accepts_known,
            last_read: None,
            hook: faults::Call::Init,
            call: Call::default(),
            registration: None,
            payloads: false,
            sessions,
            capabilities,
            quiet,
            wasi,
            limits,
            deadline_set: set.deadline,
            deadline,
            within: None,
            gives_way: false,
        }
    }
}

/// What a running call is about: there is one at a time, so that its handles need no table.
#[derive(Default)]
pub(super) struct Call {
    pub(super) client: Option<Arc<ClientInfo>>,
    pub(super) event: Option<Arc<Event>>,
    /// Of the topics of a `check` or `check-many`.
    pub(super) topics: Vec<TopicFacts>,
    /// What the plugin says of its answers, by position; empty for most.
    reasons: Vec<(u32, Reason)>,
    /// What the plugin extends its answers to, by position; empty for most.
    extensions: Vec<(u32, TopicFilter)>,
}

impl Call {
    /// Begins a call about a client and topics.
    pub(super) fn begin(&mut self, client: &Arc<ClientInfo>, topics: impl IntoIterator<Item = TopicFacts>) {
        self.client = Some(Arc::clone(client));
        self.topics.clear();
        self.topics.extend(topics);
    }

    /// Ends a call. The room for topics is kept for the next one.
    pub(super) fn end(&mut self) {
        self.client = None;
        self.event = None;
        self.reasons.clear();
        self.extensions.clear();
    }

    /// Extends the answer at a position.
    pub(super) fn extend(&mut self, item: u32, filter: TopicFilter) {
        self.take_extension(item);
        self.extensions.push((item, filter));
    }

    /// Takes what the answer at a position was extended to.
    pub(super) fn take_extension(&mut self, item: u32) -> Option<TopicFilter> {
        let place = self.extensions.iter().position(|(of, _)| *of == item)?;
        Some(self.extensions.swap_remove(place).1)
    }

    /// What the plugin says of the answer at a position, to be added to.
    pub(super) fn reason(&mut self, item: u32) -> &mut Reason {
        let place = match self.reasons.iter().position(|(of, _)| *of == item) {
            Some(place) => place,
            None => {
                self.reasons.push((item, Reason::default()));
                self.reasons.len() - 1
            }
        };
        &mut self.reasons[place].1
    }

    /// Takes what the plugin said of the answer at a position.
    pub(super) fn take_reason(&mut self, item: u32) -> Option<Reason> {
        let place = self.reasons.iter().position(|(of, _)| *of == item)?;
        Some(self.reasons.swap_remove(place).1)
    }
}

/// How long the running call may still run.
///
/// Running time counts, not waiting time: on a busy machine a thread may wait longer for a core than a plugin may run.
/// The first look, at most one tick after the start of the call, takes down the thread's running time; asking for it at
/// the start would cost every call a system call.
#[derive(Debug)]
pub(super) struct Deadline {
    pub(super) limit: Duration,
    /// How long the call has waited for something of WASI, of which it is not running.
    pub(super) waited: Duration,
    /// Whether the thread leaves the core to others once the call has taken long.
    pub(super) gives_way: bool,
    first_look: Option<Duration>,
    looks: u32,
}

impl Deadline {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, waited: Duration::ZERO, gives_way: false, first_look: None, looks: 0 }
    }

    /// How long the thread has run since the first look; none before it.
    pub(super) fn seen_running(&self) -> Option<Duration> {
        self.first_look.map(|then| ThreadTime::now().as_duration().saturating_sub(then))
    }

    /// Called at each look: says after how many ticks to look again, or that the time is up.
    pub(super) fn look(&mut self) -> wasmtime::Result<UpdateDeadline> {
        self.looks += 1;
        let now = ThreadTime::now().as_duration();
        let ran = now.saturating_sub(*self.first_look.get_or_insert(now));
        if ran >= self.limit || self.looks > DEADLINE_EXTENSIONS_MAX {
            return Err(wasmtime::Error::new(TimedOut(self.limit)));
        }
        let left = self.limit - ran;
        if !self.gives_way || left <= OBSERVER_TURN {
            return Ok(UpdateDeadline::Continue(ticks(left)));
        }
        if ran >= OBSERVER_TURN {
            priority::give_way();
            return Ok(UpdateDeadline::Continue(ticks(left)));
        }
        Ok(UpdateDeadline::Continue(ticks(OBSERVER_TURN - ran)))
    }
}

/// The error that interrupts a call whose time is up.
#[derive(Debug, thiserror::Error)]
#[error("timed out after {0:?}")]
pub(super) struct TimedOut(pub(super) Duration);

/// How many ticks cover a time; at least one.
fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos().div_ceil(EPOCH_TICK.as_nanos()).max(1);
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_round_up() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(EPOCH_TICK), 1);
        assert_eq!(ticks(EPOCH_TICK + Duration::from_nanos(1)), 2);
        assert_eq!(ticks(EPOCH_TICK * 7), 7);
    }

    #[test]
    fn a_thread_that_waits_does_not_run_out_of_time_but_is_not_kept_for_ever() {
        let mut deadline = Deadline::new(Duration::from_secs(5));
        for _ in 0..DEADLINE_EXTENSIONS_MAX {
            assert!(matches!(deadline.look(), Ok(UpdateDeadline::Continue(_))));
        }
        assert!(deadline.look().is_err());
    }

    #[test]
    fn a_thread_that_runs_runs_out_of_time() {
        let mut deadline = Deadline::new(Duration::from_millis(1));
        assert!(deadline.look().is_ok());
        let start = ThreadTime::now();
        while start.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        assert!(deadline.look().is_err());
    }
}
