//! The one place where the words of the plugin interface meet those of the broker.
//!
//! What is generated from `wit/` stays in here: the rest of the broker sees its own types. Calls of hooks are in this file;
//! `handles` answers what plugins ask of the handles of a call, `capabilities` what they ask of the broker.

mod capabilities;
mod handles;

use std::sync::Arc;

use wasmtime::component::{HasSelf, Instance, InstancePre, Linker, Resource};
use wasmtime::{Error, Store};

use super::manifest::{Capability, Exports};
use super::state::State;
use crate::hooks::combine::{AuthVote, CacheFor, Decision, Vote};
use crate::hooks::exchange::{Proof, StepVote};
use crate::hooks::interests::Registration;
use crate::hooks::limits::{EXCHANGE_DATA_BYTES_MAX, EXCHANGE_STATE_BYTES_MAX};
use crate::hooks::{Action, Event, SessionInfo};
use crate::types::{ClientInfo, QoS, TopicFilter};

use self::amqtt::plugin::{broker_info, clock, files, invalidate, log, publisher, random, sessions, types};
use self::exports::amqtt::plugin::{auth, enhanced_auth, events, lifecycle, ticks, topic_check};

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package amqtt:host;

        world every-hook {
            include amqtt:plugin/capabilities@1.0.0;
            export amqtt:plugin/lifecycle@1.0.0;
            export amqtt:plugin/auth@1.0.0;
            export amqtt:plugin/enhanced-auth@1.0.0;
            export amqtt:plugin/topic-check@1.0.0;
            export amqtt:plugin/events@1.0.0;
            export amqtt:plugin/ticks@1.0.0;
        }
    ",
    world: "amqtt:host/every-hook",
    imports: {
        "amqtt:plugin/types": trappable,
        "amqtt:plugin/random": trappable,
        "amqtt:plugin/sessions": trappable,
    },
    with: {
        "amqtt:plugin/types.client": Current,
        "amqtt:plugin/types.auth-request": Current,
        "amqtt:plugin/types.topic-request": Current,
        "amqtt:plugin/types.event": Current,
        "amqtt:plugin/types.registration": Current,
        "amqtt:plugin/sessions.session": KnownSession,
    },
});

/// What the running call is about. A plugin only ever has borrowed handles to it, and gives them back before it returns.
#[expect(unreachable_pub, reason = "the generated module exports it again")]
pub struct Current;

/// What was known of a session when a plugin asked for it. The plugin owns it and may keep it.
#[expect(unreachable_pub, reason = "the generated module exports it again")]
pub struct KnownSession(SessionInfo);

/// There is only one call at a time, so that handles need no table.
const CURRENT: u32 = 0;

/// Offers a plugin the capabilities that it imports, and no others.
pub(super) fn link(linker: &mut Linker<State>, capabilities: &[Capability]) -> wasmtime::Result<()> {
    for capability in capabilities {
        match capability {
            Capability::Types => types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Log => log::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Files => files::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Publisher => publisher::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::BrokerInfo => broker_info::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Sessions => sessions::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Clock => clock::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Random => random::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Invalidate => invalidate::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
        }
    }
    Ok(())
}

/// Where a component has its hooks.
pub(super) struct HookIndices {
    lifecycle: lifecycle::GuestIndices,
    auth: Option<auth::GuestIndices>,
    enhanced_auth: Option<enhanced_auth::GuestIndices>,
    topic_check: Option<topic_check::GuestIndices>,
    events: Option<events::GuestIndices>,
    ticks: Option<ticks::GuestIndices>,
}

impl HookIndices {
    /// Finds the hooks that the component exports.
    pub(super) fn new(pre: &InstancePre<State>, exports: Exports) -> wasmtime::Result<Self> {
        Ok(Self {
            lifecycle: lifecycle::GuestIndices::new(pre)?,
            auth: exports.auth.then(|| auth::GuestIndices::new(pre)).transpose()?,
            enhanced_auth: exports.enhanced_auth.then(|| enhanced_auth::GuestIndices::new(pre)).transpose()?,
            topic_check: exports.topic_check.then(|| topic_check::GuestIndices::new(pre)).transpose()?,
            events: exports.events.then(|| events::GuestIndices::new(pre)).transpose()?,
            ticks: exports.ticks.then(|| ticks::GuestIndices::new(pre)).transpose()?,
        })
    }

    /// Finds them in one instance; fails where a function has another type than the interface says.
    pub(super) fn load(&self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<HookCalls> {
        Ok(HookCalls {
            lifecycle: of_hook("lifecycle", self.lifecycle.load(&mut *store, instance))?,
            auth: of_hook("auth", self.auth.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose())?,
            enhanced_auth: of_hook(
                "enhanced-auth",
                self.enhanced_auth.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose(),
            )?,
            topic_check: of_hook(
                "topic-check",
                self.topic_check.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose(),
            )?,
            events: of_hook("events", self.events.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose())?,
            ticks: of_hook("ticks", self.ticks.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose())?,
        })
    }
}

/// Says which hook an error is about.
fn of_hook<T>(hook: &str, loaded: wasmtime::Result<T>) -> wasmtime::Result<T> {
    loaded.map_err(|error| error.context(format!("a function of `{hook}`")))
}

/// The hooks of one instance. Calling one that the component does not export is an error like a trap.
pub(super) struct HookCalls {
    lifecycle: lifecycle::Guest,
    auth: Option<auth::Guest>,
    enhanced_auth: Option<enhanced_auth::Guest>,
    topic_check: Option<topic_check::Guest>,
    events: Option<events::Guest>,
    ticks: Option<ticks::Guest>,
}

impl HookCalls {
    /// What the plugin asks for, or why it does not like its settings.
    pub(super) fn init(
        &self,
        store: &mut Store<State>,
        settings: &str,
    ) -> wasmtime::Result<Result<Registration, String>> {
        store.data_mut().registration = Some(Registration::default());
        let answer = self.lifecycle.call_init(&mut *store, settings, Resource::new_borrow(CURRENT))?;
        let registration = store.data_mut().registration.take().unwrap_or_default();
        Ok(answer.map(|()| registration))
    }

    pub(super) fn stop(&self, store: &mut Store<State>) -> wasmtime::Result<()> {
        self.lifecycle.call_stop(store)
    }

    /// The client is the one of the store's state.
    pub(super) fn authenticate(
        &self,
        store: &mut Store<State>,
        username: Option<&str>,
        password: Option<&[u8]>,
    ) -> wasmtime::Result<AuthVote> {
        let (client, request) = (Resource::new_borrow(CURRENT), Resource::new_borrow(CURRENT));
        let decision = hook(&self.auth)?.call_authenticate(&mut *store, client, request, username, password)?;
        let reason = store.data_mut().call.take_reason(0).map(Box::new);
        Ok(AuthVote { decision: decision.into(), reason })
    }

    /// The client is the one of the store's state.
    pub(super) fn step(
        &self,
        store: &mut Store<State>,
        method: &str,
        state: Option<&[u8]>,
        data: Option<&[u8]>,
    ) -> wasmtime::Result<StepVote> {
        let (client, request) = (Resource::new_borrow(CURRENT), Resource::new_borrow(CURRENT));
        let hook = hook(&self.enhanced_auth)?;
        let outcome = match state {
            None => hook.call_start(&mut *store, client, request, method, data)?,
            Some(state) => hook.call_proceed(&mut *store, client, request, method, state, data)?,
        };
        let reason = store.data_mut().call.take_reason(0).map(Box::new);
        Ok(match outcome {
            enhanced_auth::Outcome::Continue(enhanced_auth::Challenge { data, state }) => {
                check_bytes("a state", state.len(), EXCHANGE_STATE_BYTES_MAX)?;
                check_bytes("data", data.len(), EXCHANGE_DATA_BYTES_MAX)?;
                StepVote::Challenge { data, state }
            }
            enhanced_auth::Outcome::Success(enhanced_auth::Proof { username, data }) => {
                check_bytes("data", data.as_ref().map_or(0, Vec::len), EXCHANGE_DATA_BYTES_MAX)?;
                let name = username.as_deref().unwrap_or_default();
                check_bytes("a user name", name.len(), EXCHANGE_DATA_BYTES_MAX)?;
                if name.contains('\0') {
                    return Err(Error::msg("a user name with NUL"));
                }
                StepVote::Proven(Proof { username: username.map(Into::into), data })
            }
            enhanced_auth::Outcome::Deny => StepVote::Denied(reason),
        })
    }

    /// `client` and the topic's facts are those of the store's state.
    pub(super) fn check(
        &self,
        store: &mut Store<State>,
        client: &ClientInfo,
        action: Action,
        topic: &str,
    ) -> wasmtime::Result<Vote> {
        let (handle, request) = (Resource::new_borrow(CURRENT), Resource::new_borrow(CURRENT));
        let (client_id, username) = (client.client_id.as_str(), client.username());
        let verdict = hook(&self.topic_check)?.call_check(
            &mut *store,
            handle,
            request,
            client_id,
            username,
            action.into(),
            topic,
        )?;
        Ok(store.data_mut().vote(0, &verdict, topic))
    }

    /// `client` and the topics' facts are those of the store's state.
    pub(super) fn check_many(
        &self,
        store: &mut Store<State>,
        client: &ClientInfo,
        action: Action,
        topics: &[String],
    ) -> wasmtime::Result<Vec<Vote>> {
        let (handle, request) = (Resource::new_borrow(CURRENT), Resource::new_borrow(CURRENT));
        let (client_id, username) = (client.client_id.as_str(), client.username());
        let topic_check = hook(&self.topic_check)?;
        let verdicts =
            topic_check.call_check_many(&mut *store, handle, request, client_id, username, action.into(), topics)?;
        if verdicts.len() != topics.len() {
            return Err(Error::msg(format!("{} verdicts on {} topics", verdicts.len(), topics.len())));
        }
        let answers = verdicts.iter().zip(topics);
        Ok((0..).zip(answers).map(|(item, (verdict, topic))| store.data_mut().vote(item, verdict, topic)).collect())
    }

    /// The event is the one of the store's state.
    pub(super) fn handle(&self, store: &mut Store<State>, event: &Event) -> wasmtime::Result<()> {
        let client = event.client.as_ref().map(|_| Resource::new_borrow(CURRENT));
        hook(&self.events)?.call_handle(store, event.kind.name(), client, Resource::new_borrow(CURRENT))
    }

    pub(super) fn tick(&self, store: &mut Store<State>) -> wasmtime::Result<()> {
        hook(&self.ticks)?.call_tick(store)
    }
}

fn check_bytes(what: &str, bytes: usize, max: usize) -> wasmtime::Result<()> {
    if bytes > max { Err(Error::msg(format!("{what} of {bytes} bytes, of at most {max}"))) } else { Ok(()) }
}

fn hook<T>(hook: &Option<T>) -> wasmtime::Result<&T> {
    hook.as_ref().ok_or_else(|| Error::msg("the plugin does not export this hook"))
}

impl State {
    /// A filter that does not match its topic, as one of a shared subscription never does, extends nothing.
    fn vote(&mut self, item: u32, verdict: &topic_check::Verdict, topic: &str) -> Vote {
        let cache = CacheFor::from_seconds(verdict.cache_seconds);
        let extended_to = self.call.take_extension(item);
        Vote {
            decision: verdict.decision.into(),
            cache,
            reason: self.call.take_reason(item).map(Arc::new),
            extended_to: extended_to.filter(|filter| !TopicFilter::is_shared(filter.as_str()) && filter.matches(topic)),
        }
    }
}

impl From<types::Decision> for Decision {
    fn from(decision: types::Decision) -> Self {
        match decision {
            types::Decision::Allow => Self::Allow,
            types::Decision::Deny => Self::Deny,
            types::Decision::Abstain => Self::Abstain,
        }
    }
}

impl From<Action> for types::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Publish => Self::Publish,
            Action::Subscribe => Self::Subscribe,
            Action::Receive => Self::Receive,
        }
    }
}

impl From<types::Action> for Action {
    fn from(action: types::Action) -> Self {
        match action {
            types::Action::Publish => Self::Publish,
            types::Action::Subscribe => Self::Subscribe,
            types::Action::Receive => Self::Receive,
        }
    }
}

impl From<QoS> for types::Qos {
    fn from(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => Self::AtMostOnce,
            QoS::AtLeastOnce => Self::AtLeastOnce,
            QoS::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

impl From<types::Qos> for QoS {
    fn from(qos: types::Qos) -> Self {
        match qos {
            types::Qos::AtMostOnce => Self::AtMostOnce,
            types::Qos::AtLeastOnce => Self::AtLeastOnce,
            types::Qos::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}
