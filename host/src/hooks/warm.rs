use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::back_off::BackOff;
use super::combine::NoAnswer;
use super::faults::Call;
use super::loaded::Loaded;
use super::priority;
use super::wasm::{Fault, Instance};
use crate::types::ClientInfo;

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
    /// Whether an instance that is stale is replaced.
    is_kept_fresh: bool,
    /// Whether the thread of a call that takes long leaves the core to others.
    gives_way: bool,
    /// How long the last call was seen to run, if it was seen.
    last_ran: Option<Duration>,
    /// Whether the last call ended with a fault.
    failed: bool,
}

/// A call was ended before the time was up that it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Ends instances in good order, on a thread of their own: somebody waits for this one.
pub(crate) fn retire(instances: Vec<Warm>) {
    if instances.is_empty() {
        return;
    }
    let stop = move || instances.into_iter().for_each(Warm::stop);
    if let Err(error) = thread::Builder::new().name("amqtt-retire".into()).spawn(stop) {
        tracing::warn!("plugins that were replaced are dropped without their `stop`, as there is no thread: {error}");
    }
}

#[expect(clippy::large_enum_variant, reason = "there is one for each thread and plugin, and it is called in place")]
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
        let (state, back_off) = (State::Resting(Instant::now()), BackOff::default());
        let mut warm = Self {
            plugin,
            state,
            back_off,
            wait,
            is_kept_fresh: false,
            gives_way: false,
            last_ran: None,
            failed: false,
        };
        warm.settle(warm.plugin.wasm.instantiate());
        warm
    }

    /// Has an instance replaced once others of the plugin go by another content of a file: calls are too short for it to
    /// read that.
    pub(crate) fn kept_fresh(self) -> Self {
        Self { is_kept_fresh: true, ..self }
    }

    /// Has the thread of an event or a tick that takes long leave the core to whoever wants it, for good.
    pub(crate) fn giving_way(self) -> Self {
        Self { gives_way: true, ..self }
    }

    pub(crate) fn plugin(&self) -> &Loaded {
        &self.plugin
    }

    /// Calls the instance in a matter of `client`, unless nothing comes of that lately. A fault is reported here, and costs
    /// the instance.
    pub(crate) fn call<R>(
        &mut self,
        call: Call,
        client: Option<&ClientInfo>,
        act: impl FnOnce(&mut Instance) -> Result<R, Fault>,
    ) -> Result<R, NoAnswer> {
        self.ask(call, client, act).map_err(|fault| self.fail(call, client, fault))
    }

    /// The same within `limit`, which is less than the call may take. To need more is no fault, but costs the instance too.
    pub(crate) fn call_within<R>(
        &mut self,
        limit: Duration,
        call: Call,
        client: &ClientInfo,
        act: impl FnOnce(&mut Instance) -> Result<R, Fault>,
    ) -> Result<Result<R, NoAnswer>, TooLong> {
        let asked = self.ask(call, Some(client), |instance| {
            instance.within(limit);
            act(instance)
        });
        match asked {
            Err(Some(Fault::TimedOut(ran))) if ran == limit => {
                self.make();
                Err(TooLong)
            }
            asked => Ok(asked.map_err(|fault| self.fail(call, Some(client), fault))),
        }
    }

    /// What a call gives, or its fault, or nothing where it cannot be called.
    fn ask<R>(
        &mut self,
        call: Call,
        client: Option<&ClientInfo>,
        act: impl FnOnce(&mut Instance) -> Result<R, Fault>,
    ) -> Result<R, Option<Fault>> {
        (self.last_ran, self.failed) = (None, false);
        if !self.plugin.circuit(call).lets_through(client.map(ClientInfo::address)) {
            return Err(None);
        }
        self.replace_if_stale();
        if !matches!(self.state, State::Ready(_)) {
            self.recover(self.wait);
        }
        let State::Ready(instance) = &mut self.state else {
            return Err(None);
        };
        instance.gives_way(self.gives_way);
        let answer = act(instance).map_err(Some)?;
        self.last_ran = instance.seen_running();
        self.plugin.circuit(call).succeeded();
        Ok(answer)
    }

    #[cold]
    fn fail(&mut self, call: Call, client: Option<&ClientInfo>, fault: Option<Fault>) -> NoAnswer {
        if let Some(fault) = fault {
            self.last_ran = fault.time_limit();
            self.failed = true;
            self.plugin.report(call, client, &fault);
            self.make();
        }
        NoAnswer
    }

    /// Whether a call would find an instance. After a fault there is none for a moment, or for long.
    pub(crate) fn is_ready(&mut self) -> bool {
        self.replace_if_stale();
        if !matches!(self.state, State::Ready(_)) {
            self.recover(Duration::ZERO);
        }
        matches!(self.state, State::Ready(_))
    }

    /// How long the last call was seen to run; none for most calls, which are over before anybody looks.
    pub(crate) fn last_ran(&self) -> Option<Duration> {
        self.last_ran
    }

    /// Whether the last call was ended because its time was up.
    pub(crate) fn timed_out(&self) -> bool {
        self.failed && self.last_ran.is_some()
    }

    /// Whether the last call ended with a fault, which has cost the instance. Where there was no call it did not.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Ends the instance in good order.
    pub(crate) fn stop(self) {
        if let State::Ready(instance) = self.state
            && let Err(fault) = instance.stop()
        {
            self.plugin.report(Call::Stop, None, &fault);
        }
    }

    /// Takes the fresh instance if there is one. For the first that needs it and may wait, it may take so long.
    #[cold]
    fn recover(&mut self, wait: Duration) {
        if let State::Resting(until) = self.state
            && Instant::now() >= until
        {
            self.make();
        }
        let State::Making { fresh, waited } = &mut self.state else {
            return;
        };
        let made = if *waited || wait.is_zero() {
            fresh.try_recv().map_err(|error| error == TryRecvError::Disconnected)
        } else {
            *waited = true;
            fresh.recv_timeout(wait).map_err(|error| error == RecvTimeoutError::Disconnected)
        };
        match made {
            Ok(made) => self.settle(made),
            Err(gone) if gone => self.settle(Err(Fault::Trapped("the broker could not make an instance".into()))),
            Err(_) => {}
        }
    }

    fn replace_if_stale(&mut self) {
        if self.is_kept_fresh && matches!(&self.state, State::Ready(instance) if instance.is_stale()) {
            self.make();
        }
    }

    /// Drops the instance if there is one and has a fresh one made.
    fn make(&mut self) {
        let (sender, fresh) = mpsc::sync_channel(1);
        let plugin = Arc::clone(&self.plugin);
        // A thread for each: a plugin that starts slowly must not hold up the others. At most one per instance is under way.
        let spawned = thread::Builder::new().name("amqtt-instance".into()).spawn(move || {
            priority::take_long_turns();
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
                self.plugin.faults.report_start(&self.plugin, &fault, wait);
                self.state = State::Resting(until);
            }
        }
    }
}
