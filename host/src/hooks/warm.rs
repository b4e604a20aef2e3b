use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::back_off::BackOff;
use super::combine::NoAnswer;
use super::loaded::Loaded;
use super::wasm::{Fault, Instance};

/// One thread's instance of a plugin: called in place, replaced after a fault.
///
/// Fresh instances are made on a thread of their own, for a plugin's `init` may take long: the caller goes without an
/// answer until there is one.
pub(crate) struct Warm {
    plugin: Arc<Loaded>,
    state: State,
    back_off: BackOff,
    /// How long a call waits for a fresh instance.
    wait: Duration,
}

enum State {
    Ready(Instance),
    /// Being made; somebody may have waited for it already.
    Making {
        fresh: Receiver<Result<Instance, Fault>>,
        waited: bool,
    },
    /// Failed to start; to be tried again then.
    Resting(Instant),
}

impl Warm {
    /// Makes the first instance in place.
    pub(crate) fn new(plugin: Arc<Loaded>, wait: Duration) -> Self {
        let mut warm = Self { plugin, state: State::Resting(Instant::now()), back_off: BackOff::default(), wait };
        warm.settle(warm.plugin.wasm.instantiate());
        warm
    }

    pub(crate) fn plugin(&self) -> &Loaded {
        &self.plugin
    }

    /// Calls the instance. A fault is reported here, and costs the instance.
    pub(crate) fn call<R>(
        &mut self,
        hook: &'static str,
        call: impl FnOnce(&mut Instance) -> Result<R, Fault>,
    ) -> Result<R, NoAnswer> {
        if !matches!(self.state, State::Ready(_)) {
            self.recover();
        }
        let State::Ready(instance) = &mut self.state else {
            return Err(NoAnswer);
        };
        call(instance).map_err(|fault| {
            self.plugin.faults.report(hook, &fault);
            self.make();
            NoAnswer
        })
    }

    /// Ends the instance in good order.
    pub(crate) fn stop(self) {
        if let State::Ready(instance) = self.state
            && let Err(fault) = instance.stop()
        {
            self.plugin.faults.report("stop", &fault);
        }
    }

    #[cold]
    fn recover(&mut self) {
        if let State::Resting(until) = self.state
            && Instant::now() >= until
        {
            self.make();
        }
        let State::Making { fresh, waited } = &mut self.state else {
            return;
        };
        let made = if std::mem::replace(waited, true) {
            fresh.try_recv().map_err(|error| error == TryRecvError::Disconnected)
        } else {
            fresh.recv_timeout(self.wait).map_err(|error| error == RecvTimeoutError::Disconnected)
        };
        match made {
            Ok(made) => self.settle(made),
            Err(gone) if gone => self.settle(Err(Fault::Trapped("the broker could not make an instance".into()))),
            Err(_) => {}
        }
    }

    /// Drops the instance if there is one and has a fresh one made.
    fn make(&mut self) {
        let (sender, fresh) = mpsc::sync_channel(1);
        let plugin = Arc::clone(&self.plugin);
        // A thread for each: a plugin that starts slowly must not hold up the others. At most one per instance is under way.
        let spawned = thread::Builder::new().name("amqtt-instance".into()).spawn(move || {
            // Nobody waits any more when the broker stops.
            let _ = sender.send(plugin.wasm.instantiate());
        });
        match spawned {
            Ok(_) => self.state = State::Making { fresh, waited: false },
            Err(error) => self.settle(Err(Fault::Trapped(format!("no thread to make an instance on: {error}")))),
        }
    }

    fn settle(&mut self, made: Result<Instance, Fault>) {
        match made {
            Ok(instance) => {
                self.back_off.succeeded();
                self.state = State::Ready(instance);
            }
            Err(fault) => {
                let (wait, until) = self.back_off.failed(Instant::now());
                self.plugin.faults.report_start(&fault, wait);
                self.state = State::Resting(until);
            }
        }
    }
}
