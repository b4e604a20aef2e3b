use std::sync::Arc;

use super::Action;
use super::combine::{Verdict, combine_topic};
use super::limits::FRESH_INSTANCE_WAIT;
use super::loaded::Loaded;
use super::warm::Warm;
use crate::types::ClientInfo;

/// Asks the plugins that decide topics, on the thread that holds the message: make one for each such thread.
///
/// Dropping it ends its instances in good order.
pub struct TopicChecker {
    plugins: Vec<Warm>,
}

impl TopicChecker {
    pub(crate) fn new(plugins: &[Arc<Loaded>]) -> Self {
        let decide = plugins.iter().filter(|plugin| !plugin.wasm.interests().actions.is_empty());
        Self { plugins: decide.map(|plugin| Warm::new(Arc::clone(plugin), FRESH_INSTANCE_WAIT)).collect() }
    }

    /// Whether `client` may do `action` with `topic`: a topic filter for a subscription, else a topic name.
    ///
    /// Takes under a microsecond with ordinary plugins, and each plugin's deadline at the worst. A fault of a plugin
    /// is a refusal of this one request.
    pub fn check(&mut self, client: &Arc<ClientInfo>, action: Action, topic: &str) -> Verdict {
        let asked = self.plugins.iter_mut().filter(|warm| warm.plugin().wasm.interests().actions.contains(action));
        combine_topic(asked.map(|warm| warm.call("topic-check", |instance| instance.check(client, action, topic))))
    }
}

impl Drop for TopicChecker {
    fn drop(&mut self) {
        self.plugins.drain(..).for_each(Warm::stop);
    }
}
