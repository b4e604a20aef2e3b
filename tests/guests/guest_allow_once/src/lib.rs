//! Allows each client to publish to a topic below `once/` once; each instance counts for itself. Allows the rest.

use std::collections::HashSet;

use amqtt_plugin_sdk::{
    Action, CacheFor, Client, Decision, Interests, NoSettings, Plugin, TopicCheck, Verdict, plugin,
};

#[derive(Default)]
struct AllowOnce {
    allowed: HashSet<(String, String)>,
}

impl Plugin for AllowOnce {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(AllowOnce::default())
    }

    fn interests(&self) -> Interests {
        Interests { actions: vec![Action::Publish], ..Interests::default() }
    }
}

impl TopicCheck for AllowOnce {
    fn check(&mut self, client: &Client, _: Action, topic: &str) -> Verdict {
        let bounded = topic.starts_with("once/");
        let first = !bounded || self.allowed.insert((client.client_id().into_owned(), topic.to_owned()));
        let decision = if first { Decision::Allow } else { Decision::Deny };
        Verdict { decision, cache: CacheFor::Never }
    }
}

plugin!(AllowOnce: TopicCheck);
