use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, SendError, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::common::Common;
use super::event_queues::{EventQueue, EventQueues};
use super::faults::Call;
use super::interests::EventSet;
use super::limits::{FRESH_INSTANCE_PATIENCE, OBSERVER_BUSY_MAX, OBSERVER_FAULT_COST, OBSERVER_WINDOW};
use super::loaded::Loaded;
use super::observers::End;
use super::pace::Share;
use super::priority;
use super::queue::Popped;
use super::warm::Warm;
use super::{Event, EventKind};

/// What tells one plugin of events and has it tick, with its one instance for that, on a thread of its own.
///
/// A call that takes long leaves the core to whoever wants it, which its thread then does for good. So another one takes
/// the place of that thread, unless the plugin is one of those that take much time: these are told on such a thread until
/// plugins are loaded anew.
pub(crate) struct Teller {
    warm: Warm,
    queue: Arc<EventQueue>,
    events: Arc<EventQueues>,
    period: Option<Duration>,
    /// When it is to tick next, once ticks have begun.
    next: Option<Instant>,
    share: Share,
    /// Whether it is one of those that take much time.
    is_busy: bool,
    /// The one of this plugin that is told what came before.
    before: Option<End>,
    starter: Starter,
    ended: SyncSender<()>,
}

impl Teller {
    /// None for a plugin that observes nothing.
    pub(crate) fn new(plugin: &Arc<Loaded>, common: &Common, ended: SyncSender<()>) -> Option<Self> {
        let (exports, interests) = (plugin.wasm.manifest().exports, plugin.wasm.interests());
        let seconds = if exports.ticks { interests.tick_seconds } else { 0 };
        let period = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        let wanted = if exports.events { interests.events } else { EventSet::default() };
        let observes = !wanted.is_empty() || period.is_some();
        observes.then(|| Self {
            warm: Warm::new(Arc::clone(plugin), FRESH_INSTANCE_PATIENCE).giving_way(),
            queue: Arc::new(EventQueue::new(wanted, interests.payloads)),
            events: Arc::clone(&common.tally.events),
            period,
            next: None,
            share: Share::default(),
            is_busy: false,
            before: None,
            starter: common.starter.clone(),
            ended,
        })
    }

    pub(crate) fn plugin(&self) -> &Loaded {
        self.warm.plugin()
    }

    pub(crate) fn queue(&self) -> &Arc<EventQueue> {
        &self.queue
    }

    /// Has it begin once another one of the same plugin has ended.
    pub(crate) fn goes_on_after(&mut self, before: End) {
        self.before = Some(before);
    }

    fn run(mut self: Box<Self>) {
        priority::take_long_turns();
        if let Some(before) = self.before.take() {
            before.wait(&self.plugin().name);
        }
        while self.turn() {
            if self.is_busy {
                priority::give_way();
            } else if priority::has_given_way() {
                match self.hand_over() {
                    Ok(()) => return,
                    Err(teller) => self = teller,
                }
            }
        }
        self.warm.stop();
        // Nobody waits for it where the broker ends without order.
        let _ = self.ended.send(());
    }

    /// Has another thread go on. Where there is none, this one does.
    fn hand_over(mut self: Box<Self>) -> Result<(), Box<Self>> {
        match self.starter.start(&self.plugin().name) {
            Ok(another) => another.go_on(self),
            Err(error) => {
                tracing::error!(
                    "{} may be late with events and ticks, as there is no thread for it: {error}",
                    self.plugin()
                );
                self.is_busy = true;
                Err(self)
            }
        }
    }

    /// Does what is due, or waits for it. False when the end has come.
    fn turn(&mut self) -> bool {
        match self.queue.drain_until() {
            None if self.events.are_ticking() => self.tick_if_due(),
            Some(until) if Instant::now() >= until => {
                self.events.count_dropped(self.queue.len());
                return false;
            }
            _ => {}
        }
        match self.queue.pop(self.next) {
            Popped::Item(event) => self.tell(&event),
            Popped::Nothing => {}
            Popped::Closed => return false,
        }
        true
    }

    fn tell(&mut self, event: &Arc<Event>) {
        let call = if event.kind == EventKind::PluginFault { Call::EventsAboutFaults } else { Call::Events };
        // The fault is reported, the event is lost for this plugin, and the next one finds a fresh instance.
        if self.warm.call(call, event.client.as_deref(), |instance| instance.handle(event)).is_err() {
            self.events.count_dropped(1);
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

    /// Looks at the call that has just ended. One that has run out of time is enough.
    fn look_at_cost(&mut self) {
        let is_much = self.share.note(self.warm.last_ran(), self.warm.failed(), Instant::now);
        if self.is_busy || !is_much && !self.warm.timed_out() {
            return;
        }
        self.is_busy = true;
        let why = if is_much {
            format!("{OBSERVER_BUSY_MAX:?} within {OBSERVER_WINDOW:?}, a fault counted as {OBSERVER_FAULT_COST:?}")
        } else {
            "one of them has run out of time".to_owned()
        };
        tracing::warn!(
            "{} takes much time for its events or ticks, or fails in them often: {why}; from now on everything else goes \
             first, and they may be late",
            self.plugin()
        );
    }
}

/// A thread that waits for what it is to go on with. It ends when it can no longer be given anything.
pub(crate) struct TellerThread(SyncSender<Box<Teller>>);

impl TellerThread {
    pub(crate) fn start(plugin: &str) -> io::Result<Self> {
        let (give, given) = mpsc::sync_channel::<Box<Teller>>(1);
        // Of the 15 bytes that Linux shows, some are left for the plugin's name.
        thread::Builder::new().name(format!("events-{plugin}")).spawn(move || {
            if let Ok(teller) = given.recv() {
                teller.run();
            }
        })?;
        Ok(Self(give))
    }

    /// Gives it back where the thread is gone.
    pub(crate) fn go_on(self, teller: Box<Teller>) -> Result<(), Box<Teller>> {
        self.0.send(teller).map_err(|SendError(teller)| teller)
    }
}

/// Starts threads for those who have given way: whom they started themselves would do so as well.
#[derive(Clone)]
pub(crate) struct Starter(Sender<Order>);

struct Order {
    plugin: Arc<str>,
    started: SyncSender<io::Result<TellerThread>>,
}

impl Starter {
    pub(crate) fn new() -> io::Result<Self> {
        let (order, orders) = mpsc::channel::<Order>();
        thread::Builder::new().name("amqtt-events".into()).spawn(move || {
            for Order { plugin, started } in orders {
                // Who asked waits for it.
                let _ = started.send(TellerThread::start(&plugin));
            }
        })?;
        Ok(Self(order))
    }

    fn start(&self, plugin: &Arc<str>) -> io::Result<TellerThread> {
        let (started, start) = mpsc::sync_channel(1);
        // Where it is gone, so is what would send the answer.
        let _ = self.0.send(Order { plugin: Arc::clone(plugin), started });
        start.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?
    }
}
