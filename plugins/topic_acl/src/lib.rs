//! Allows each user a list of topics. `README.md` tells the rules.

mod rules;

use amqtt_plugin_sdk::{Action, CacheFor, Client, Decision, Interests, Plugin, TopicCheck, Verdict, log, plugin};
use serde::Deserialize;

use rules::Rules;

struct TopicAcl {
    /// None where the settings leave an action to others.
    publish: Option<Rules>,
    subscribe: Option<Rules>,
    receive: Option<Rules>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    acl: Option<Rules>,
    publish_acl: Option<Rules>,
    subscribe_acl: Option<Rules>,
    receive_acl: Option<Rules>,
}

impl Plugin for TopicAcl {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let Settings { mut acl, publish_acl, subscribe_acl, receive_acl } = settings;
        if acl.is_none() && publish_acl.is_none() && subscribe_acl.is_none() && receive_acl.is_none() {
            log::warn("no `acl` is set: nobody may publish or subscribe");
            acl = Some(Rules::default());
        }
        Ok(TopicAcl {
            publish: publish_acl.or_else(|| acl.clone()),
            subscribe: subscribe_acl.or(acl),
            receive: receive_acl,
        })
    }

    fn interests(&self) -> Interests {
        let actions = [Action::Publish, Action::Subscribe, Action::Receive];
        Interests {
            actions: actions.into_iter().filter(|action| self.rules(*action).is_some()).collect(),
            ..Interests::default()
        }
    }
}

impl TopicCheck for TopicAcl {
    fn check(&mut self, client: &Client, action: Action, topic: &str) -> Verdict {
        let allowed = self.rules(action).is_some_and(|rules| rules.allow(client.username().as_deref(), topic));
        Verdict { decision: if allowed { Decision::Allow } else { Decision::Deny }, cache: CacheFor::Reload }
    }
}

impl TopicAcl {
    fn rules(&self, action: Action) -> Option<&Rules> {
        match action {
            Action::Publish => self.publish.as_ref(),
            Action::Subscribe => self.subscribe.as_ref(),
            Action::Receive => self.receive.as_ref(),
        }
    }
}

plugin!(TopicAcl: TopicCheck);

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(settings: &str) -> TopicAcl {
        TopicAcl::new(serde_json::from_str(settings).expect(settings)).expect(settings)
    }

    fn check(plugin: &mut TopicAcl, username: Option<&str>, action: Action, topic: &str, expected: Decision) {
        let client = Client::stand_in("id", username, "192.0.2.1:49152");
        let verdict = plugin.check(&client, action, topic);
        assert_eq!(verdict, Verdict { decision: expected, cache: CacheFor::Reload }, "{username:?} {action:?} {topic}");
    }

    #[test]
    fn the_acl_of_the_documentation() {
        let settings = r#"{"acl":{"username1":["repositories/+/master","calendar/#","data/memes"],"anonymous":[]}}"#;
        let mut plugin = plugin(settings);
        assert_eq!(plugin.interests().actions, [Action::Publish, Action::Subscribe]);
        for action in [Action::Publish, Action::Subscribe] {
            check(&mut plugin, Some("username1"), action, "repositories/amqtt/master", Decision::Allow);
            check(&mut plugin, Some("username1"), action, "repositories/amqtt/main", Decision::Deny);
            check(&mut plugin, Some("username1"), action, "calendar", Decision::Allow);
            check(&mut plugin, Some("username1"), action, "data/memes", Decision::Allow);
            check(&mut plugin, Some("username2"), action, "data/memes", Decision::Deny);
            check(&mut plugin, None, action, "data/memes", Decision::Deny);
        }
        check(&mut plugin, Some("username1"), Action::Subscribe, "repositories/#", Decision::Deny);
        check(&mut plugin, Some("username1"), Action::Subscribe, "repositories/+/master", Decision::Allow);
    }

    #[test]
    fn each_action_may_have_a_list_of_its_own() {
        let mut plugin = plugin(
            r#"{"acl":{"bob":["all"]},"publish-acl":{"bob":["in"]},"subscribe-acl":{"bob":["out"]},"receive-acl":{"bob":["rec"]}}"#,
        );
        assert_eq!(plugin.interests().actions, [Action::Publish, Action::Subscribe, Action::Receive]);
        for (action, own) in [(Action::Publish, "in"), (Action::Subscribe, "out"), (Action::Receive, "rec")] {
            for topic in ["all", "in", "out", "rec"] {
                let expected = if topic == own { Decision::Allow } else { Decision::Deny };
                check(&mut plugin, Some("bob"), action, topic, expected);
            }
        }
    }

    #[test]
    fn decides_only_the_actions_that_have_a_list() {
        assert_eq!(plugin(r#"{"publish-acl":{}}"#).interests().actions, [Action::Publish]);
        assert_eq!(plugin(r#"{"receive-acl":{}}"#).interests().actions, [Action::Receive]);
        assert_eq!(plugin("{}").interests().actions, [Action::Publish, Action::Subscribe]);
        check(&mut plugin("{}"), Some("bob"), Action::Publish, "a", Decision::Deny);
    }

    #[test]
    fn user_names_gain_nothing_by_their_spelling() {
        let mut plugin = plugin(r#"{"acl":{"anonymous":["open"],"bob":["bob"]}}"#);
        check(&mut plugin, None, Action::Publish, "open", Decision::Allow);
        check(&mut plugin, Some(""), Action::Publish, "open", Decision::Allow);
        for name in ["anonymous", "Anonymous", "+", "#", "bob\0", "BOB"] {
            check(&mut plugin, Some(name), Action::Publish, "open", Decision::Deny);
            check(&mut plugin, Some(name), Action::Publish, "bob", Decision::Deny);
        }
    }
}
