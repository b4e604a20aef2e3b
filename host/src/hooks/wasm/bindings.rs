//! The one place where the words of the plugin interface meet those of the broker.
//!
//! What is generated from `wit/` stays in here: the rest of the broker sees its own types.

use std::sync::Arc;

use wasmtime::component::{HasSelf, Instance, InstancePre, Linker, Resource};
use wasmtime::{Error, Store};

use super::manifest::{Capability, Exports};
use super::state::State;
use crate::hooks::capabilities::{FileError, LogLevel, PublishError};
use crate::hooks::combine::{CacheFor, Decision, Vote};
use crate::hooks::interests::Interests;
use crate::hooks::{Action, Event, EventKind};
use crate::types::{ClientInfo, QoS};

use self::amqtt::plugin::{broker_info, clock, files, invalidate, log, publisher, types};
use self::exports::amqtt::plugin::{auth, events, lifecycle, ticks, topic_check};

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package amqtt:host;

        world every-hook {
            include amqtt:plugin/capabilities@0.1.0;
            export amqtt:plugin/lifecycle@0.1.0;
            export amqtt:plugin/auth@0.1.0;
            export amqtt:plugin/topic-check@0.1.0;
            export amqtt:plugin/events@0.1.0;
            export amqtt:plugin/ticks@0.1.0;
        }
    ",
    world: "amqtt:host/every-hook",
    imports: { "amqtt:plugin/types": trappable },
    with: {
        "amqtt:plugin/types.client": CurrentClient,
        "amqtt:plugin/types.event": CurrentEvent,
    },
});

/// The client of the running call. A plugin only ever has a borrowed handle to it, and gives it back before it returns.
#[expect(unreachable_pub, reason = "the generated module exports it again")]
pub struct CurrentClient;

/// The event of the running call, likewise borrowed.
#[expect(unreachable_pub, reason = "the generated module exports it again")]
pub struct CurrentEvent;

/// There is only one client and one event at a time, so that handles need no table.
const CURRENT: u32 = 0;

/// Offers a plugin the capabilities that it imports, and no others.
pub(super) fn link(linker: &mut Linker<State>, capabilities: &[Capability]) -> wasmtime::Result<()> {
    for capability in capabilities {
        match capability {
            Capability::Types => types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Log => log::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Clock => clock::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Files => files::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Publisher => publisher::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::BrokerInfo => broker_info::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
            Capability::Invalidate => invalidate::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?,
        }
    }
    Ok(())
}

/// Where a component has its hooks.
pub(super) struct HookIndices {
    lifecycle: lifecycle::GuestIndices,
    auth: Option<auth::GuestIndices>,
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
            topic_check: exports.topic_check.then(|| topic_check::GuestIndices::new(pre)).transpose()?,
            events: exports.events.then(|| events::GuestIndices::new(pre)).transpose()?,
            ticks: exports.ticks.then(|| ticks::GuestIndices::new(pre)).transpose()?,
        })
    }

    /// Finds them in one instance; fails where a function has another type than the interface says.
    pub(super) fn load(&self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<HookCalls> {
        Ok(HookCalls {
            lifecycle: self.lifecycle.load(&mut *store, instance)?,
            auth: self.auth.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose()?,
            topic_check: self.topic_check.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose()?,
            events: self.events.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose()?,
            ticks: self.ticks.as_ref().map(|hook| hook.load(&mut *store, instance)).transpose()?,
        })
    }
}

/// The hooks of one instance. Calling one that the component does not export is an error like a trap.
pub(super) struct HookCalls {
    lifecycle: lifecycle::Guest,
    auth: Option<auth::Guest>,
    topic_check: Option<topic_check::Guest>,
    events: Option<events::Guest>,
    ticks: Option<ticks::Guest>,
}

impl HookCalls {
    pub(super) fn init(&self, store: &mut Store<State>, settings: &str) -> wasmtime::Result<Result<Interests, String>> {
        Ok(self.lifecycle.call_init(store, settings)?.map(Interests::from))
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
    ) -> wasmtime::Result<Decision> {
        let client = Resource::new_borrow(CURRENT);
        let decision = hook(&self.auth)?.call_authenticate(store, client, username, password)?;
        Ok(decision.into())
    }

    /// `client` is the one of the store's state.
    pub(super) fn check(
        &self,
        store: &mut Store<State>,
        client: &ClientInfo,
        action: Action,
        topic: &str,
    ) -> wasmtime::Result<Vote> {
        let handle = Resource::new_borrow(CURRENT);
        let client_id = client.client_id.as_str();
        let verdict =
            hook(&self.topic_check)?.call_check(store, handle, client_id, client.username(), action.into(), topic)?;
        Ok(Vote { decision: verdict.decision.into(), cache: CacheFor::from_seconds(verdict.cache_seconds) })
    }

    /// The event is the one of the store's state.
    pub(super) fn handle(&self, store: &mut Store<State>, kind: EventKind) -> wasmtime::Result<()> {
        hook(&self.events)?.call_handle(store, kind.into(), Resource::new_borrow(CURRENT))
    }

    pub(super) fn tick(&self, store: &mut Store<State>) -> wasmtime::Result<()> {
        hook(&self.ticks)?.call_tick(store)
    }
}

fn hook<T>(hook: &Option<T>) -> wasmtime::Result<&T> {
    hook.as_ref().ok_or_else(|| Error::msg("the plugin does not export this hook"))
}

impl State {
    fn current_client(&self) -> wasmtime::Result<&ClientInfo> {
        self.client.as_deref().ok_or_else(|| Error::msg("no client belongs to this call"))
    }

    fn current_event(&self) -> wasmtime::Result<&Event> {
        self.event.as_deref().ok_or_else(|| Error::msg("no event belongs to this call"))
    }
}

impl types::Host for State {}

impl types::HostClient for State {
    fn client_id(&mut self, _: Resource<CurrentClient>) -> wasmtime::Result<String> {
        Ok(self.current_client()?.client_id.as_str().to_owned())
    }

    fn username(&mut self, _: Resource<CurrentClient>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_client()?.username().map(str::to_owned))
    }

    fn remote_address(&mut self, _: Resource<CurrentClient>) -> wasmtime::Result<String> {
        Ok(self.current_client()?.peer.remote_address.to_string())
    }

    fn drop(&mut self, _: Resource<CurrentClient>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl types::HostEvent for State {
    fn client_id(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_event()?.client.as_ref().map(|client| client.client_id.as_str().to_owned()))
    }

    fn username(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_event()?.client.as_ref().and_then(|client| client.username()).map(str::to_owned))
    }

    fn topic(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_event()?.topic.as_deref().map(str::to_owned))
    }

    fn qos(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<types::Qos>> {
        Ok(self.current_event()?.qos.map(types::Qos::from))
    }

    fn payload(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.current_event()?.payload.as_ref().map(|payload| payload.to_vec()))
    }

    fn retain(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<bool>> {
        Ok(self.current_event()?.retain)
    }

    fn payload_length(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<u64>> {
        Ok(self.current_event()?.payload_len.map(|len| len as u64))
    }

    fn packet_type(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<u8>> {
        Ok(self.current_event()?.packet.map(|packet| packet.packet_type))
    }

    fn packet_flags(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<u8>> {
        Ok(self.current_event()?.packet.map(|packet| packet.flags))
    }

    fn packet_id(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<u16>> {
        Ok(self.current_event()?.packet.and_then(|packet| packet.packet_id))
    }

    fn packet_length(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<u32>> {
        Ok(self.current_event()?.packet.map(|packet| packet.len))
    }

    fn reason(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<Option<String>> {
        Ok(self.current_event()?.reason.as_deref().map(str::to_owned))
    }

    fn drop(&mut self, _: Resource<CurrentEvent>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) {
        if !self.quiet {
            self.capabilities.log.write(level.into(), &message);
        }
    }

    fn enabled(&mut self, level: log::Level) -> bool {
        !self.quiet && self.capabilities.log.enabled(level.into())
    }
}

impl files::Host for State {
    fn read(&mut self, key: String) -> Result<Vec<u8>, files::FileError> {
        let content = self.capabilities.files.read(&key)?;
        self.last_read = Some((key, Arc::from(&content[..])));
        Ok(content)
    }

    fn stamp(&mut self, key: String) -> Result<u64, files::FileError> {
        Ok(self.capabilities.files.stamp(&key)?)
    }

    fn accept(&mut self, key: String) -> Result<u64, files::FileError> {
        match self.last_read.take() {
            Some((read, content)) if read == key => Ok(self.capabilities.files.accept(&key, content)?),
            _ => Err(FileError::Refused("it was not the last to be read in this call".to_owned()).into()),
        }
    }

    fn accepted(&mut self, key: String) -> Result<Option<Vec<u8>>, files::FileError> {
        Ok(self.capabilities.files.accepted(&key)?.map(|content| content.to_vec()))
    }

    fn accepted_number(&mut self, key: String) -> Result<u64, files::FileError> {
        Ok(self.capabilities.files.accepted_number(&key)?)
    }
}

impl clock::Host for State {
    fn unix_nanoseconds(&mut self) -> u64 {
        self.capabilities.clock.unix_nanoseconds()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        self.capabilities.clock.monotonic_nanoseconds()
    }
}

impl invalidate::Host for State {
    fn all(&mut self) {
        self.capabilities.verdict_number.advance();
    }
}

impl publisher::Host for State {
    fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        qos: types::Qos,
        retain: bool,
    ) -> Result<(), publisher::PublishError> {
        Ok(self.capabilities.publisher.publish(&topic, payload, qos.into(), retain)?)
    }
}

impl broker_info::Host for State {
    fn version(&mut self) -> String {
        self.capabilities.broker_info.version()
    }

    fn uptime_seconds(&mut self) -> u64 {
        self.capabilities.broker_info.uptime_seconds()
    }

    fn counters(&mut self) -> Vec<broker_info::Counter> {
        let counters = self.capabilities.broker_info.counters().into_iter();
        counters.map(|(name, value)| broker_info::Counter { name: name.into_owned(), value }).collect()
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

impl From<log::Level> for LogLevel {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Error => Self::ERROR,
            log::Level::Warn => Self::WARN,
            log::Level::Info => Self::INFO,
            log::Level::Debug => Self::DEBUG,
            log::Level::Trace => Self::TRACE,
        }
    }
}

impl From<FileError> for files::FileError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::NotGranted => Self::NotGranted,
            FileError::NotSet => Self::NotSet,
            FileError::Refused(why) => Self::Refused(why),
            FileError::TooLarge(bytes) => Self::TooLarge(bytes),
            FileError::Failed(why) => Self::Failed(why),
        }
    }
}

impl From<PublishError> for publisher::PublishError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NotGranted => Self::NotGranted,
            PublishError::InvalidTopic(why) => Self::InvalidTopic(why.to_string()),
            PublishError::Limited => Self::Limited,
        }
    }
}

impl From<lifecycle::Interests> for Interests {
    fn from(interests: lifecycle::Interests) -> Self {
        let asked = [
            (lifecycle::Actions::PUBLISH, Action::Publish),
            (lifecycle::Actions::SUBSCRIBE, Action::Subscribe),
            (lifecycle::Actions::RECEIVE, Action::Receive),
        ];
        Self {
            actions: asked.into_iter().filter(|(flag, _)| interests.actions.contains(*flag)).map(|(_, a)| a).collect(),
            events: interests.events.into_iter().map(EventKind::from).collect(),
            tick_seconds: interests.tick_seconds,
        }
    }
}

/// Both directions from one list: the names are the same on both sides.
macro_rules! event_kinds {
    ($($kind:ident)*) => {
        impl From<EventKind> for types::EventKind {
            fn from(kind: EventKind) -> Self {
                match kind { $(EventKind::$kind => Self::$kind,)* }
            }
        }

        impl From<types::EventKind> for EventKind {
            fn from(kind: types::EventKind) -> Self {
                match kind { $(types::EventKind::$kind => Self::$kind,)* }
            }
        }
    };
}

event_kinds! {
    BrokerPreStart BrokerPostStart BrokerPreShutdown BrokerPostShutdown
    ClientConnected ClientDisconnected ClientSubscribed ClientUnsubscribed
    MessageReceived MessageBroadcast RetainedMessage PacketReceived PacketSent
    WillSent SessionExpired MessageDropped PluginFault
}
