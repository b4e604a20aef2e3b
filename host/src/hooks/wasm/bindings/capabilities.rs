//! What plugins ask of the broker, capability by capability.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::Error;
use wasmtime::component::Resource;

use super::KnownSession;
use super::amqtt::plugin::{broker_info, clock, files, invalidate, log, publisher, random, sessions, types};
use crate::hooks::SubscriptionInfo;
use crate::hooks::capabilities::{self, FileError, LogLevel, PublishError};
use crate::hooks::limits::{PUBLISH_LEVELS_MAX, PUBLISH_PAYLOAD_BYTES_MAX, RANDOM_BYTES_MAX, SESSIONS_HELD_MAX};
use crate::hooks::wasm::state::State;

impl clock::Host for State {
    fn unix_nanoseconds(&mut self) -> u64 {
        capabilities::clock::unix_nanoseconds()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        capabilities::clock::monotonic_nanoseconds()
    }
}

impl random::Host for State {
    fn bytes(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        if count > RANDOM_BYTES_MAX {
            return Err(Error::msg(format!("it asked for {count} random bytes at once, more than {RANDOM_BYTES_MAX}")));
        }
        let mut bytes = vec![0; count as usize];
        getrandom::fill(&mut bytes).map_err(|error| Error::msg(format!("the system has no random bytes: {error}")))?;
        Ok(bytes)
    }
}

impl sessions::Host for State {
    fn count(&mut self) -> wasmtime::Result<u64> {
        Ok(self.capabilities.sessions.count())
    }

    fn page(&mut self, start: Option<u64>, limit: u32) -> wasmtime::Result<sessions::SessionPage> {
        let page = self.capabilities.sessions.page(start, limit);
        let client_ids = page.client_ids.iter().map(|client_id| client_id.as_str().to_owned()).collect();
        Ok(sessions::SessionPage { client_ids, next: page.next })
    }

    fn find(&mut self, client_id: String) -> wasmtime::Result<Option<Resource<KnownSession>>> {
        let Some(session) = self.capabilities.sessions.find(&client_id) else { return Ok(None) };
        let full = |_| Error::msg(format!("it holds more than {SESSIONS_HELD_MAX} sessions"));
        Ok(Some(self.sessions.push(KnownSession(session)).map_err(full)?))
    }

    fn subscriptions(
        &mut self,
        client_id: String,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Vec<sessions::Subscription>> {
        let found = self.capabilities.sessions.subscriptions(&client_id, after.as_deref(), limit).into_iter();
        let copy = |SubscriptionInfo { filter, options, id }| sessions::Subscription {
            filter: filter.as_str().to_owned(),
            qos: options.qos.into(),
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            retain_handling: options.retain_handling as u8,
            identifier: id.map(|id| id.value()),
        };
        Ok(found.map(copy).collect())
    }
}

impl sessions::HostSession for State {
    fn client_id(&mut self, session: Resource<KnownSession>) -> wasmtime::Result<String> {
        Ok(self.sessions.get(&session)?.0.client.client_id.as_str().to_owned())
    }

    fn username(&mut self, session: Resource<KnownSession>) -> wasmtime::Result<Option<String>> {
        Ok(self.sessions.get(&session)?.0.client.username().map(str::to_owned))
    }

    fn remote_address(&mut self, session: Resource<KnownSession>) -> wasmtime::Result<String> {
        Ok(self.sessions.get(&session)?.0.client.peer.remote_address.to_string())
    }

    fn connected(&mut self, session: Resource<KnownSession>) -> wasmtime::Result<bool> {
        Ok(self.sessions.get(&session)?.0.connected)
    }

    fn persistent(&mut self, session: Resource<KnownSession>) -> wasmtime::Result<bool> {
        Ok(self.sessions.get(&session)?.0.persistent)
    }

    fn subscription_count(&mut self, session: Resource<KnownSession>) -> wasmtime::Result<u32> {
        Ok(count(self.sessions.get(&session)?.0.subscriptions))
    }

    fn inflight_messages(&mut self, session: Resource<KnownSession>) -> wasmtime::Result<u32> {
        Ok(count(self.sessions.get(&session)?.0.inflight))
    }

    fn queued_messages(&mut self, session: Resource<KnownSession>) -> wasmtime::Result<u32> {
        Ok(count(self.sessions.get(&session)?.0.queued))
    }

    fn drop(&mut self, session: Resource<KnownSession>) -> wasmtime::Result<()> {
        self.sessions.delete(session)?;
        Ok(())
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// All verdicts end together: who asks again gets the same answer, and there is one number to compare.
impl invalidate::Host for State {
    fn all(&mut self) {
        self.capabilities.verdict_number.invalidate(Instant::now());
    }

    fn client(&mut self, _: String) {
        self.capabilities.verdict_number.invalidate(Instant::now());
    }

    fn user(&mut self, _: Option<String>) {
        self.capabilities.verdict_number.invalidate(Instant::now());
    }
}

impl log::Host for State {
    fn write(&mut self, level: log::Level, message: String) {
        if !self.quiet {
            self.capabilities.log.write(level.into(), &message, Some(self.hook.name()));
        }
    }

    fn enabled(&mut self, level: log::Level) -> bool {
        // Also where nothing is written now: a plugin may keep the answer for its later calls.
        self.capabilities.log.enabled(level.into())
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
            Some((read, content)) if read == key => {
                let number = self.capabilities.files.accept(&key, content)?;
                self.accepts_known += 1;
                Ok(number)
            }
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

impl publisher::Host for State {
    fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        qos: types::Qos,
        retain: bool,
    ) -> Result<(), publisher::PublishError> {
        Ok(self.capabilities.publisher.publish(&topic, payload, qos.into(), retain, self.hook.name())?)
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
            PublishError::TopicTooDeep => Self::InvalidTopic(format!("it has more than {PUBLISH_LEVELS_MAX} levels")),
            PublishError::TooLarge => Self::TooLarge(PUBLISH_PAYLOAD_BYTES_MAX as u64),
            PublishError::Limited => Self::Limited,
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::hooks::capabilities::{BrokerInfo, Capabilities, Files, PluginLog, Publisher, Sessions};
    use crate::hooks::excess::PluginExcess;
    use crate::hooks::stand_in::StandIn;
    use crate::hooks::{BrokerServices, PluginLimits};

    /// The state of an instance that is in its `init`, of which it is the first or not.
    fn state(first: bool) -> State {
        let broker: Arc<dyn BrokerServices> = Arc::<StandIn>::default();
        let excess = Arc::new(PluginExcess::new("p".into()));
        let capabilities = Capabilities {
            log: PluginLog::new("p".into(), Arc::clone(&excess)),
            files: Files::new(&[], &serde_json::Map::new(), Arc::default()),
            publisher: Publisher::new(Vec::new(), Arc::clone(&broker), excess),
            broker_info: BrokerInfo::new(Arc::clone(&broker), Arc::default()),
            sessions: Sessions::new(broker),
            verdict_number: Arc::default(),
        };
        State::new(Arc::new(capabilities), !first, PluginLimits::default(), false)
    }

    /// A logger that asks once, when it is made, would be silent for ever.
    #[test]
    fn every_instance_is_told_the_level_in_its_init_and_the_first_alone_writes_then() {
        let kept = tempfile::NamedTempFile::new().expect("a file");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(LevelFilter::INFO)
            .with_writer(Arc::new(kept.reopen().expect("is there")))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            for (number, first) in [true, false].into_iter().enumerate() {
                let mut state = state(first);
                let enabled = [log::Level::Info, log::Level::Debug].map(|level| log::Host::enabled(&mut state, level));
                assert_eq!(enabled, [true, false], "instance {number}");
                log::Host::write(&mut state, log::Level::Info, format!("init of {number}"));
                state.speak();
                log::Host::write(&mut state, log::Level::Info, format!("call of {number}"));
            }
        });
        let written = std::fs::read_to_string(kept.path()).expect("text");
        let contains = ["init of 0", "call of 0", "init of 1", "call of 1"].map(|text| written.contains(text));
        assert_eq!(contains, [true, true, false, true], "{written}");
    }
}
