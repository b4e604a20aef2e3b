use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::Action;
use super::combine::{Verdict, combine_topic};
use super::faults::Call;
use super::limits::{ASIDE_TIME, FRESH_INSTANCE_PATIENCE, FRESH_INSTANCE_WAIT};
use super::loaded::Loaded;
use super::pace::Pace;
use super::warm::Warm;
use crate::types::ClientInfo;

/// One thread's instances of the plugins that decide topics.
#[derive(Default)]
pub(crate) struct Deciders {
    plugins: Vec<Decider>,
    /// Whether one of them may be slow: a look at one place instead of several.
    any_slow: bool,
}

struct Decider {
    warm: Warm,
    pace: Pace,
}

impl Deciders {
    /// For a worker, which others than the asking client wait for.
    pub(crate) fn in_place(plugins: &[Arc<Loaded>]) -> Self {
        let plugins = plugins.iter().filter(|plugin| !plugin.wasm.interests().actions.is_empty());
        let decider = |plugin| Decider { warm: Warm::new(plugin, FRESH_INSTANCE_WAIT), pace: Pace::default() };
        Self { plugins: plugins.cloned().map(decider).collect(), any_slow: false }
    }

    /// For a thread that has nothing else to do.
    pub(crate) fn aside(plugins: &[Arc<Loaded>]) -> Self {
        let mut deciders = Self::in_place(plugins);
        deciders.plugins.iter_mut().for_each(|decider| decider.warm.set_wait(FRESH_INSTANCE_PATIENCE));
        deciders
    }

    /// Asks those that decide `action`, in order.
    pub(crate) fn check(&mut self, client: &Arc<ClientInfo>, action: Action, topic: &str) -> Verdict {
        let Self { plugins, any_slow } = self;
        let asked = plugins.iter_mut().filter(|decider| decider.decides(action)).map(|decider| {
            let vote =
                decider.warm.call(Call::TopicCheck, Some(client), |instance| instance.check(client, action, topic));
            *any_slow |= decider.became_slow();
            vote
        });
        combine_topic(asked)
    }

    /// Whether a plugin may be slow.
    pub(crate) fn any_slow(&self) -> bool {
        self.any_slow
    }

    /// Whether a plugin that decides `action` is slow.
    pub(crate) fn is_slow(&mut self, action: Action) -> bool {
        let mut decides = false;
        self.any_slow = false;
        for decider in &mut self.plugins {
            let slow = decider.pace.is_slow();
            self.any_slow |= slow;
            decides |= slow && decider.decides(action);
        }
        decides
    }

    /// Ends the instances in good order.
    pub(crate) fn stop(self) {
        self.plugins.into_iter().for_each(|decider| decider.warm.stop());
    }

    /// Ends the instances in good order, on a thread of its own: somebody waits for this one.
    pub(crate) fn retire(self) {
        if self.plugins.is_empty() {
            return;
        }
        let stopping = thread::Builder::new().name("amqtt-retire".into()).spawn(move || self.stop());
        if let Err(error) = stopping {
            tracing::warn!(
                "plugins that were replaced are dropped without their `stop`, as there is no thread: {error}"
            );
        }
    }
}

impl Decider {
    fn decides(&self, action: Action) -> bool {
        self.warm.plugin().wasm.interests().actions.contains(action)
    }

    /// Looks at the call that has just ended.
    fn became_slow(&mut self) -> bool {
        let Some(ran) = self.warm.last_ran() else { return false };
        let slow = self.pace.note(ran, Instant::now());
        if slow {
            let (plugin, secs) = (self.warm.plugin(), ASIDE_TIME.as_secs());
            tracing::warn!(
                "{plugin} is slow: a topic-check took {ran:?} or longer; only clients that need it wait for it for {secs} s"
            );
        }
        slow
    }
}
