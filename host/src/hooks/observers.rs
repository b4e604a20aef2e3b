use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::event_queue::{EventQueue, Item};
use super::faults::Call;
use super::limits::{FRESH_INSTANCE_PATIENCE, STOP_DRAIN};
use super::loaded::Loaded;
use super::queue::Popped;
use super::warm::Warm;
use super::{Event, EventKind};

/// The thread that tells plugins of events, in order, and calls their ticks: one instance of each plugin.
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
    }

    /// Takes no more events. The thread ends when it has told those that wait, within a bounded time.
    pub(crate) fn close(&self) {
        self.control.drain_until.get_or_init(|| Instant::now() + STOP_DRAIN);
        self.control.events.queue.close();
    }

    /// Closes, and waits for the thread.
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
}

impl Observer {
    /// None for a plugin that observes nothing.
    pub(crate) fn new(plugin: &Arc<Loaded>) -> Option<Self> {
        let (exports, interests) = (plugin.wasm.manifest().exports, plugin.wasm.interests());
        let seconds = if exports.ticks { interests.tick_seconds } else { 0 };
        let period = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        let observes = exports.events && !interests.events.is_empty() || period.is_some();
        observes.then(|| Self { warm: Warm::new(Arc::clone(plugin), FRESH_INSTANCE_PATIENCE), period, next: None })
    }

    fn tell(&mut self, event: &Arc<Event>, events: &EventQueue) {
        let plugin = self.warm.plugin();
        if !plugin.wasm.manifest().exports.events || !plugin.wasm.interests().events.contains(event.kind) {
            return;
        }
        let call = if event.kind == EventKind::PluginFault { Call::EventsAboutFaults } else { Call::Events };
        // The fault is reported, the event is lost for this plugin, and the next one finds a fresh instance.
        if self.warm.call(call, event.client.as_deref(), |instance| instance.handle(event)).is_err() {
            events.count_dropped();
        }
    }

    fn tick_if_due(&mut self) {
        let Some(period) = self.period else { return };
        let now = Instant::now();
        let due = *self.next.get_or_insert(now);
        if now < due {
            return;
        }
        // Ticks that were missed are left out.
        self.next = Some(if now < due + period { due + period } else { now + period });
        // The fault is reported, and the next tick finds a fresh instance.
        let _ = self.warm.call(Call::Ticks, None, |instance| instance.tick());
    }
}

fn observe(control: &Control) {
    let mut observers: Vec<Observer> = Vec::new();
    loop {
        match control.events.queue.pop(observers.iter().filter_map(|observer| observer.next).min()) {
            Popped::Item(Item::Event(event)) => {
                observers.iter_mut().for_each(|observer| observer.tell(&event, &control.events));
            }
            Popped::Item(Item::Flip(others)) => stop_all(std::mem::replace(&mut observers, others)),
            Popped::Nothing => {}
            Popped::Closed => break,
        }
        match control.drain_until.get() {
            None if control.ticking.load(Ordering::Acquire) => observers.iter_mut().for_each(Observer::tick_if_due),
            Some(until) if Instant::now() >= *until => break,
            _ => {}
        }
    }
    stop_all(observers);
}

fn stop_all(observers: Vec<Observer>) {
    observers.into_iter().for_each(|observer| observer.warm.stop());
}
