//! Allows each client to publish to a topic below `once/` once; each instance counts for itself. Says that its answers
//! below `wide/` hold for all that is there, and denies what it is asked of that beyond the first eight times for each client
//! and action. Allows the rest.

use std::collections::{HashMap, HashSet};

use amqtt_plugin_sdk::{
    Action, CacheFor, Client, Decision, Interests, NoSettings, Plugin, TopicCheck, TopicFilter, Verdict, plugin,
};

#[derive(Default)]
struct AllowOnce {
    allowed: HashSet<(String, String)>,
    asked_wide: HashMap<(String, Action), usize>,
}

impl Plugin for AllowOnce {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(AllowOnce::default())
    }

    fn interests(&self) -> Interests {
        Interests { actions: vec![Action::Publish, Action::Receive], ..Interests::default() }
    }
}

impl TopicCheck for AllowOnce {
    fn check(&mut self, client: &Client, action: Action, topic: &str) -> Verdict {
        if topic.starts_with("wide/") {
            TopicFilter::new("wide/#").iter().for_each(|filter| client.request().extend_to(filter));
            let asked = self.asked_wide.entry((client.client_id().into_owned(), action)).or_default();
            *asked += 1;
            let decision = if *asked <= 8 { Decision::Allow } else { Decision::Deny };
            return Verdict { decision, cache: CacheFor::Reload };
        }
        let bounded = action == Action::Publish && topic.starts_with("once/");
        let first = !bounded || self.allowed.insert((client.client_id().into_owned(), topic.to_owned()));
        let decision = if first { Decision::Allow } else { Decision::Deny };
        Verdict { decision, cache: CacheFor::Never }
    }
}

plugin!(AllowOnce: TopicCheck);
