use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::InstancePre;
use wasmtime::{Error, Store, Trap};

use super::bindings::{HookCalls, HookIndices};
use super::room::OutOfMemory;
use super::state::{Deadline, State, TimedOut};
use super::wasi::exit_status;
use crate::hooks::capabilities::escape;
use crate::hooks::combine::{AuthVote, Vote};
use crate::hooks::exchange::{Exchange, StepVote};
use crate::hooks::faults::Call;
use crate::hooks::interests::Registration;
use crate::hooks::limits::{
    AUTH_DEADLINE, CAUSE_CHARS_MAX, HANDOVER_BYTES_MAX, INIT_DEADLINE, OBSERVER_DEADLINE, TOPIC_CHECK_DEADLINE,
};
use crate::hooks::{Action, Credentials, Event, TopicFacts};
use crate::types::ClientInfo;

/// One running copy of a plugin. It shares nothing with other copies.
///
/// After a call that ends in a [`Fault`] nothing is known about its state: drop it.
pub(crate) struct Instance {
    store: Store<State>,
    hooks: HookCalls,
}

impl Instance {
    /// Makes an instance and calls its `init`.
    pub(super) fn start(
        pre: &InstancePre<State>,
        indices: &HookIndices,
        state: State,
        settings: &str,
    ) -> Result<(Self, Registration), Fault> {
        let mut store = Store::new(pre.engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(HANDOVER_BYTES_MAX);
        store.epoch_deadline_callback(|mut context| context.data_mut().deadline.look());
        begin(&mut store, INIT_DEADLINE);
        let instance = pre.instantiate(&mut store).map_err(Fault::from)?;
        let hooks =
            indices.load(&mut store, &instance).map_err(|error| Fault::Mismatch(shorten(&format!("{error:#}"))))?;
        let registration = hooks.init(&mut store, settings).map_err(Fault::from)?;
        let registration = registration.map_err(|text| Fault::Refused(shorten(&text)))?;
        store.data_mut().payloads = registration.interests.payloads;
        store.data_mut().speak();
        Ok((Self { store, hooks }, registration))
    }

    /// Asks for a vote on a CONNECT, which may take so long unless the configuration says otherwise.
    pub(crate) fn authenticate(
        &mut self,
        client: &Arc<ClientInfo>,
        credentials: &Credentials,
        deadline: Duration,
    ) -> Result<AuthVote, Fault> {
        self.begin(Call::Auth, deadline);
        self.store.data_mut().call.begin(client, None);
        let (username, password) = (credentials.username.as_deref(), credentials.password.as_deref());
        let vote = self.hooks.authenticate(&mut self.store, username, password)?;
        self.store.data_mut().call.end();
        Ok(vote)
    }

    /// Asks what a step of an exchange leads to.
    pub(crate) fn step(
        &mut self,
        client: &Arc<ClientInfo>,
        exchange: &Exchange,
        data: Option<&[u8]>,
    ) -> Result<StepVote, Fault> {
        self.begin(Call::EnhancedAuth, AUTH_DEADLINE);
        self.store.data_mut().call.begin(client, None);
        let vote = self.hooks.step(&mut self.store, exchange.method(), exchange.state(), data)?;
        self.store.data_mut().call.end();
        Ok(vote)
    }

    /// Asks for a vote on an action.
    pub(crate) fn check(
        &mut self,
        client: &Arc<ClientInfo>,
        action: Action,
        topic: &str,
        facts: TopicFacts,
    ) -> Result<Vote, Fault> {
        self.begin(Call::TopicCheck, TOPIC_CHECK_DEADLINE);
        self.store.data_mut().call.begin(client, Some(facts));
        let vote = self.hooks.check(&mut self.store, client, action, topic)?;
        self.store.data_mut().call.end();
        Ok(vote)
    }

    /// Asks for votes on an action with several topics: one for each. It has time for each of them.
    pub(crate) fn check_many(
        &mut self,
        client: &Arc<ClientInfo>,
        action: Action,
        topics: &[(&str, TopicFacts)],
    ) -> Result<Vec<Vote>, Fault> {
        self.begin_times(Call::TopicCheck, TOPIC_CHECK_DEADLINE, topics.len());
        self.store.data_mut().call.begin(client, topics.iter().map(|(_, facts)| *facts));
        let names: Vec<String> = topics.iter().map(|(topic, _)| (*topic).to_owned()).collect();
        let votes = self.hooks.check_many(&mut self.store, client, action, &names)?;
        self.store.data_mut().call.end();
        Ok(votes)
    }

    /// Has the next call end after `limit` if it may take longer.
    pub(crate) fn within(&mut self, limit: Duration) {
        self.store.data_mut().within = Some(limit);
    }

    /// Whether the thread of an event or a tick that takes long leaves the core to whoever wants it, for good.
    pub(crate) fn gives_way(&mut self, gives_way: bool) {
        self.store.data_mut().gives_way = gives_way;
    }

    /// Tells of an event.
    pub(crate) fn handle(&mut self, event: &Arc<Event>) -> Result<(), Fault> {
        self.begin(Call::Events, OBSERVER_DEADLINE);
        let state = self.store.data_mut();
        state.deadline.gives_way = state.gives_way;
        let call = &mut state.call;
        call.client.clone_from(&event.client);
        call.event = Some(Arc::clone(event));
        self.hooks.handle(&mut self.store, event)?;
        self.store.data_mut().call.end();
        Ok(())
    }

    /// Lets the plugin do what it does at regular times. That may be to read a file that has changed, which is to take as
    /// long as it may at the start, and have its share of a core: otherwise the change is never in force.
    pub(crate) fn tick(&mut self) -> Result<(), Fault> {
        let reads_files = self.store.data().capabilities.files.are_granted();
        self.begin(Call::Ticks, if reads_files { INIT_DEADLINE } else { OBSERVER_DEADLINE });
        let state = self.store.data_mut();
        state.deadline.gives_way = state.gives_way && !reads_files;
        Ok(self.hooks.tick(&mut self.store)?)
    }

    /// Whether another instance has had a content of a file accepted since this one was started. To find that out for itself
    /// it would have to read all of it within its next call.
    pub(crate) fn is_stale(&self) -> bool {
        let state = self.store.data();
        state.capabilities.files.accepts() != state.accepts_known
    }

    /// How long the last call was seen to run; none if it was over before anybody looked.
    pub(crate) fn seen_running(&self) -> Option<Duration> {
        self.store.data().deadline.seen_running()
    }

    /// Tells the plugin that it ends in good order.
    pub(crate) fn stop(mut self) -> Result<(), Fault> {
        self.begin(Call::Stop, OBSERVER_DEADLINE);
        Ok(self.hooks.stop(&mut self.store)?)
    }

    /// Begins a call that may run for so long, unless the configuration has another limit.
    fn begin(&mut self, hook: Call, limit: Duration) {
        self.begin_times(hook, limit, 1);
    }

    /// The same for so many things in one call.
    fn begin_times(&mut self, hook: Call, limit: Duration, count: usize) {
        self.store.data_mut().hook = hook;
        let limit = self.store.data().deadline_set.unwrap_or(limit);
        let limit = limit.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        let within = self.store.data_mut().within.take();
        begin(&mut self.store, within.map_or(limit, |within| within.min(limit)));
    }
}

fn begin(store: &mut Store<State>, limit: Duration) {
    let state = store.data_mut();
    state.deadline = Deadline::new(limit);
    state.last_read = None;
    // The first look only takes down the time.
    store.set_epoch_deadline(1);
}

/// Why a call of a plugin gave no answer. The text continues `plugin "x" `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It ran for longer than it may.
    TimedOut(Duration),
    /// It trapped: a panic, a wrong access, too much memory, a full stack.
    Trapped(String),
    /// It asked for more memory than it may have.
    OutOfMemory(OutOfMemory),
    /// A function has another type than the plugin interface says.
    Mismatch(String),
    /// Its `init` gave an error text.
    Refused(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if let Some(&TimedOut(limit)) = error.downcast_ref() {
            return Self::TimedOut(limit);
        }
        error.downcast_ref().map_or_else(|| Self::Trapped(cause(&error)), |&wanted| Self::OutOfMemory(wanted))
    }
}

/// The cause in a few words; wasmtime's chain starts with a stack trace.
fn cause(error: &Error) -> String {
    if let Some(status) = exit_status(error) {
        return format!("it called `exit` with status {status}");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => "it panicked or aborted (`unreachable` was executed)".to_owned(),
        Some(Trap::StackOverflow) => "its stack overflowed".to_owned(),
        Some(trap) => shorten(&trap.to_string()),
        None => of_wasmtime(&error.root_cause().to_string()),
    }
}

/// What wasmtime says where it ends a call itself. For these faults it has words and no types, and they are about its own
/// workings: here are those for who wrote the plugin.
fn of_wasmtime(words: &str) -> String {
    if words.contains("fuel allocated for hostcalls has been exhausted") {
        format!("it handed over more than {} MiB in one call", HANDOVER_BYTES_MAX >> 20)
    } else if words.contains("borrow handles still remain at the end of the call") {
        "it kept a handle that it was lent: borrowed handles are to be dropped before the call returns".to_owned()
    } else {
        shorten(words)
    }
}

/// Makes text of a plugin fit for one line of the log.
pub(super) fn shorten(text: &str) -> String {
    let mut shortened = escape(text.trim());
    if let Some((end, _)) = shortened.char_indices().nth(CAUSE_CHARS_MAX) {
        shortened.truncate(end);
        shortened.push('…');
    }
    shortened
}

impl Fault {
    /// How long the call ran, if it is for that that it was ended.
    pub(crate) fn time_limit(&self) -> Option<Duration> {
        if let Self::TimedOut(limit) = self { Some(*limit) } else { None }
    }

    /// What happened in which hook. The text continues `plugin "x" `.
    pub(crate) fn in_hook(&self, hook: &str) -> String {
        match self {
            Self::TimedOut(limit) => format!("timed out after {limit:?} in {hook}"),
            Self::Trapped(cause) => format!("trapped in {hook}: {cause}"),
            Self::OutOfMemory(wanted) => format!("ran out of memory in {hook}: {wanted}"),
            Self::Mismatch(cause) => format!("does not fit the plugin interface: {cause}"),
            Self::Refused(text) => format!("refused to start: {text}"),
        }
    }
}
