use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use parking_lot::Mutex;

use super::common::Common;
use super::event_queues::EventQueues;
use super::loaded::Loaded;
use super::teller::{Teller, TellerThread};

/// The plugins that are told of events, in order, or have ticks: each has a thread for it, so that none waits for another.
pub(crate) struct Observers {
    events: Arc<EventQueues>,
    running: Mutex<Vec<Running>>,
}

/// A plugin that is told: of what happens, or the last of what happened before others were loaded.
struct Running {
    plugin: Arc<str>,
    end: End,
}

impl Observers {
    /// Nobody is told yet, and no tick comes before [`Observers::begin_ticks`].
    pub(crate) fn new(events: Arc<EventQueues>) -> Self {
        Self { events, running: Mutex::default() }
    }

    /// Lets others be told from now on: what came before is for those who are told so far.
    ///
    /// A plugin that is among both goes on once it has been told all of that.
    pub(crate) fn flip(&self, observers: Vec<Observer>) {
        let mut running = self.running.lock();
        self.events.flip(observers.iter().map(|observer| Arc::clone(observer.teller.queue())).collect());
        let mut before = std::mem::take(&mut *running);
        before.retain(|before| before.end.is_to_come());
        for Observer { mut teller, thread, end } in observers {
            let plugin = Arc::clone(&teller.plugin().name);
            if let Some(same) = before.iter().position(|before| before.plugin == plugin) {
                teller.goes_on_after(before.swap_remove(same).end);
            }
            if thread.go_on(teller).is_err() {
                tracing::error!("the thread that was to tell plugin {plugin:?} of events is gone");
            }
            running.push(Running { plugin, end });
        }
        running.append(&mut before);
    }

    pub(crate) fn begin_ticks(&self) {
        self.events.begin_ticks();
    }

    /// Takes no more events. The threads end when they have told those that wait, within a bounded time.
    pub(crate) fn close(&self) {
        self.events.close();
    }

    /// Closes, and waits for the threads.
    pub(crate) fn stop(&self) {
        self.close();
        for Running { plugin, end } in std::mem::take(&mut *self.running.lock()) {
            end.wait(&plugin);
        }
    }
}

/// A plugin that is to be told, and the thread that waits to do so. Without [`Observers::flip`] it ends when it is dropped.
pub(crate) struct Observer {
    teller: Box<Teller>,
    thread: TellerThread,
    end: End,
}

impl Observer {
    /// None for a plugin that observes nothing.
    pub(crate) fn new(plugin: &Arc<Loaded>, common: &Common) -> io::Result<Option<Self>> {
        let (ended, end) = mpsc::sync_channel(1);
        let Some(teller) = Teller::new(plugin, common, ended) else { return Ok(None) };
        let thread = TellerThread::start(&plugin.name)?;
        Ok(Some(Self { teller: Box::new(teller), thread, end: End(end) }))
    }
}

/// The end of the telling: something comes then, or nothing will after a panic.
pub(crate) struct End(Receiver<()>);

impl End {
    fn is_to_come(&self) -> bool {
        self.0.try_recv() == Err(mpsc::TryRecvError::Empty)
    }

    pub(crate) fn wait(self, plugin: &str) {
        if self.0.recv().is_err() {
            tracing::error!("the thread that tells plugin {plugin:?} of events had panicked");
        }
    }
}
