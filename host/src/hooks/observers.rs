use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::event_queue::{EventQueue, Item};
use super::faults::Call;
use super::interests::EventSet;
use super::limits::{FRESH_INSTANCE_PATIENCE, OBSERVER_BUSY_MAX, OBSERVER_FAULT_COST, OBSERVER_WINDOW, STOP_DRAIN};
use super::loaded::Loaded;
use super::pace::Share;
use super::priority;
use super::queue::{BoundedQueue, Popped};
use super::warm::Warm;
use super::{Event, EventKind};

/// The thread that tells plugins of events, in order, and calls their ticks: one instance of each plugin.
///
/// Those that take much time for it are handed over to another thread, which gives way to all others, until plugins are
/// loaded anew.
pub(crate) struct Observers {
    control: Arc<Control>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Control {
    events: Arc<EventQueue>,
    ticking: AtomicBool,
    /// Set when the broker stops: how long to go on with events that wait.
    drain_until: OnceLock<Instant>,
}

impl Observers {
    /// Starts the thread. No tick comes before [`Observers::begin_ticks`].
    pub(crate) fn start(events: Arc<EventQueue>) -> io::Result<Self> {
        let control = Arc::new(Control { events, ticking: AtomicBool::new(false), drain_until: OnceLock::new() });
        let observed = Arc::clone(&control);
        let thread = thread::Builder::new().name("amqtt-events".into()).spawn(move || observe(&observed))?;
        Ok(Self { control, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn begin_ticks(&self) {
        self.control.ticking.store(true, Ordering::Release);
        self.control.events.queue.wake();
        self.control.events.slow.wake();
    }

    /// Takes no more events. The threads end when they have told those that wait, within a bounded time.
    pub(crate) fn close(&self) {
        self.control.drain_until.get_or_init(|| Instant::now() + STOP_DRAIN);
        self.control.events.queue.close();
    }

    /// Closes, and waits for the threads.
    pub(crate) fn stop(&self) {
        self.close();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that tells plugins of events had panicked");
        }
    }
}

/// A plugin that is told of events or has ticks, with its one instance for that.
pub(crate) struct Observer {
    warm: Warm,
    period: Option<Duration>,
    /// When it is to tick next, once ticks have begun.
    next: Option<Instant>,
    share: Share,
    /// Whether it is one of those that take much time.
    is_busy: bool,
}

impl Observer {
    /// None for a plugin that observes nothing.
    pub(crate) fn new(plugin: &Arc<Loaded>) -> Option<Self> {
        let (exports, interests) = (plugin.wasm.manifest().exports, plugin.wasm.interests());
        let seconds = if exports.ticks { interests.tick_seconds } else { 0 };
        let period = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        let observes = exports.events && !interests.events.is_empty() || period.is_some();
        observes.then(|| Self {
            warm: Warm::new(Arc::clone(plugin), FRESH_INSTANCE_PATIENCE),
            period,
            next: None,
            share: Share::default(),
            is_busy: false,
        })
    }

    fn wants(&self, kind: EventKind) -> bool {
        let plugin = self.warm.plugin();
        plugin.wasm.manifest().exports.events && plugin.wasm.interests().events.contains(kind)
    }

    fn tell(&mut self, event: &Arc<Event>, events: &EventQueue) {
        if !self.wants(event.kind) {
            return;
        }
        let call = if event.kind == EventKind::PluginFault { Call::EventsAboutFaults } else { Call::Events };
        // The fault is reported, the event is lost for this plugin, and the next one finds a fresh instance.
        if self.warm.call(call, event.client.as_deref(), |instance| instance.handle(event)).is_err() {
            events.count_dropped();
        }
        self.look_at_cost();
    }

    fn tick_if_due(&mut self) {
        let Some(period) = self.period else { return };
        let now = Instant::now();
        let due = *self.next.get_or_insert(now);
        if now < due {
            return;
        }
        // Ticks that were missed are left out, and none follows closely on a late one: who looks at a file in each is to see
        // whether it is still being written.
        self.next = Some(if now < due + period / 10 { due + period } else { now + period });
        // The fault is reported, and the next tick finds a fresh instance.
        let _ = self.warm.call(Call::Ticks, None, |instance| instance.tick());
        self.look_at_cost();
    }

    /// Looks at the call that has just ended. One that has run out of time is enough: that may be seconds, and others wait.
    fn look_at_cost(&mut self) {
        self.is_busy |= self.warm.timed_out();
        self.is_busy |= self.share.note(self.warm.last_ran(), self.warm.failed(), Instant::now);
    }
}

/// The first thread: tells everybody, but for those that it has handed over.
fn observe(control: &Arc<Control>) {
    priority::take_long_turns();
    let (mut here, mut slow) = (Here::new(control, &control.events.queue), Slow::default());
    while here.turn(|item| slow.pass_on(control, item)) {
        if here.observers.iter().any(|observer| observer.is_busy) {
            slow.take_busy(control, &mut here.observers);
        }
    }
    here.stop();
    control.events.slow.close();
    slow.join();
}

/// The other thread.
fn observe_slow(control: &Control) {
    priority::give_way();
    let mut here = Here::new(control, &control.events.slow);
    while here.turn(|_| {}) {}
    here.stop();
}

/// Those that one of the threads tells.
struct Here<'a> {
    control: &'a Control,
    queue: &'a BoundedQueue<Item>,
    observers: Vec<Observer>,
}

impl<'a> Here<'a> {
    fn new(control: &'a Control, queue: &'a BoundedQueue<Item>) -> Self {
        Self { control, queue, observers: Vec::new() }
    }

    /// Waits for something to do, and does it. False when the end has come.
    fn turn(&mut self, first: impl FnOnce(&Item)) -> bool {
        let Self { control, queue, observers } = self;
        match queue.pop(observers.iter().filter_map(|observer| observer.next).min()) {
            Popped::Item(item) => {
                first(&item);
                match item {
                    Item::Event(event) => {
                        observers.iter_mut().for_each(|observer| observer.tell(&event, &control.events));
                    }
                    Item::Flip(others) => stop_all(std::mem::replace(observers, others)),
                    Item::Join(observer) => observers.push(*observer),
                }
            }
            Popped::Nothing => {}
            Popped::Closed => return false,
        }
        match control.drain_until.get() {
            None if control.ticking.load(Ordering::Acquire) => observers.iter_mut().for_each(Observer::tick_if_due),
            Some(until) if Instant::now() >= *until => return false,
            _ => {}
        }
        true
    }

    fn stop(self) {
        stop_all(self.observers);
    }
}

/// The other thread and those that it tells, as the first one knows them.
#[derive(Default)]
struct Slow {
    thread: Option<JoinHandle<()>>,
    has_some: bool,
    /// What they want.
    wanted: EventSet,
}

impl Slow {
    fn pass_on(&mut self, control: &Control, item: &Item) {
        match item {
            Item::Event(event) if self.wanted.contains(event.kind) => control.events.pass_on(event),
            Item::Flip(_) if self.has_some => {
                control.events.slow.push_anyway(0, Item::Flip(Vec::new()));
                (self.has_some, self.wanted) = (false, EventSet::default());
            }
            _ => {}
        }
    }

    fn take_busy(&mut self, control: &Arc<Control>, observers: &mut Vec<Observer>) {
        if let Err(error) = self.start_once(control) {
            tracing::error!("no thread for plugins that take much time for events: {error}");
            for observer in observers {
                (observer.is_busy, observer.share) = (false, Share::default());
            }
            return;
        }
        for observer in observers.extract_if(.., |observer| observer.is_busy) {
            let plugin = observer.warm.plugin();
            tracing::warn!(
                "{plugin} takes much time for its events or ticks, or fails in them often: {OBSERVER_BUSY_MAX:?} within \
                 {OBSERVER_WINDOW:?}, a fault counted as {OBSERVER_FAULT_COST:?}; from now on everything else goes first, and they may be late"
            );
            if plugin.wasm.manifest().exports.events {
                self.wanted = self.wanted.union(plugin.wasm.interests().events);
            }
            self.has_some = true;
            control.events.slow.push_anyway(0, Item::Join(Box::new(observer)));
        }
    }

    fn start_once(&mut self, control: &Arc<Control>) -> io::Result<()> {
        if self.thread.is_none() {
            let control = Arc::clone(control);
            let thread = thread::Builder::new().name("amqtt-slow".into());
            self.thread = Some(thread.spawn(move || observe_slow(&control))?);
        }
        Ok(())
    }

    fn join(self) {
        if self.thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that tells slow plugins of events had panicked");
        }
    }
}

fn stop_all(observers: Vec<Observer>) {
    observers.into_iter().for_each(|observer| observer.warm.stop());
}
