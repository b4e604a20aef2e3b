//! Allows each user a list of topics. `README.md` tells the rules.

mod file;
mod rules;

use amqtt_plugin_sdk::{
    Action, CacheFor, Client, Decision, Interests, Plugin, Ticks, TopicCheck, Verdict, Watched, invalidate, log, plugin,
};
use serde::Deserialize;

use file::{FileRules, Who};
use rules::{Judgement, Rules};

/// How often it is looked whether the file has changed.
const LOOK_SECS: u32 = 1;

/// What people expect to be closed who come from amqtt, where it is.
const LEFT_OPEN: &str = "`publish-acl` is set, and neither `acl` nor `subscribe-acl`: subscribing is left to other \
                         plugins, and without one that decides it everyone may subscribe to everything";

enum TopicAcl {
    Lists(Lists),
    File(Watched<FileRules>),
}

/// The lists of the settings.
struct Lists {
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
    acl_file: Option<String>,
}

impl Plugin for TopicAcl {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let Settings { mut acl, publish_acl, subscribe_acl, receive_acl, acl_file } = settings;
        let lists = [
            (acl.is_some(), "acl"),
            (publish_acl.is_some(), "publish-acl"),
            (subscribe_acl.is_some(), "subscribe-acl"),
            (receive_acl.is_some(), "receive-acl"),
        ];
        let list = lists.into_iter().find(|(is_set, _)| *is_set).map(|(_, name)| name);
        if acl_file.is_some() {
            return match list {
                None => {
                    let mut rules = Watched::open("acl-file", read_rules)?;
                    if rules.follow().len() == 0 {
                        log::warn("no rule in the ACL file: nobody may publish or subscribe");
                    }
                    Ok(TopicAcl::File(rules))
                }
                Some(list) => Err(format!("`acl-file` and `{list}` are both set: rules are in one place")),
            };
        }
        if list.is_none() {
            log::warn("no `acl` and no `acl-file` is set: nobody may publish or subscribe");
            acl = Some(Rules::default());
        } else if acl.is_none() && subscribe_acl.is_none() && publish_acl.is_some() {
            log::warn(LEFT_OPEN);
        }
        Ok(TopicAcl::Lists(Lists {
            publish: publish_acl.or_else(|| acl.clone()),
            subscribe: subscribe_acl.or(acl),
            receive: receive_acl,
        }))
    }

    fn interests(&self) -> Interests {
        let actions = [Action::Publish, Action::Subscribe, Action::Receive].into_iter();
        match self {
            TopicAcl::Lists(lists) => {
                let actions = actions.filter(|action| lists.of(*action).is_some()).collect();
                Interests { actions, ..Interests::default() }
            }
            // What a file does not say today it may say tomorrow.
            TopicAcl::File(_) => {
                Interests { actions: actions.collect(), tick_seconds: LOOK_SECS, ..Interests::default() }
            }
        }
    }
}

impl TopicCheck for TopicAcl {
    fn check(&mut self, client: &Client, action: Action, topic: &str) -> Verdict {
        let username = client.username();
        let Judgement { allowed, extends_to } = match self {
            TopicAcl::Lists(lists) => {
                lists.of(action).map_or(Judgement::DENIED, |rules| rules.judge(username.as_deref(), topic))
            }
            TopicAcl::File(rules) => {
                let who = Who { username: username.as_deref(), client_id: &client.client_id() };
                rules.follow().judge(who, action, topic)
            }
        };
        // A rule that is a topic says nothing of others.
        if let Some(filter) = extends_to.filter(|filter| action != Action::Subscribe && filter.as_str() != topic) {
            client.request().extend_to(&filter);
        }
        Verdict { decision: if allowed { Decision::Allow } else { Decision::Deny }, cache: CacheFor::Reload }
    }
}

impl Ticks for TopicAcl {
    fn tick(&mut self) {
        let TopicAcl::File(rules) = self else { return };
        rules.look_and_log(|rules| {
            // Before the log says that they are in force.
            invalidate::all();
            match rules.len() {
                1 => "1 rule".to_owned(),
                count => format!("{count} rules"),
            }
        });
    }
}

/// Reads a file of rules. Where there were rules, a file without any is one that somebody is about to write.
fn read_rules(content: &[u8], in_force: Option<&FileRules>) -> Result<FileRules, String> {
    let rules = FileRules::parse(content)?;
    if rules.len() == 0 && in_force.is_some_and(|rules| rules.len() > 0) {
        return Err("there is no rule in it; if nobody is meant to do anything, write `pattern deny #`".to_owned());
    }
    Ok(rules)
}

impl Lists {
    fn of(&self, action: Action) -> Option<&Rules> {
        match action {
            Action::Publish => self.publish.as_ref(),
            Action::Subscribe => self.subscribe.as_ref(),
            Action::Receive => self.receive.as_ref(),
        }
    }
}

plugin!(TopicAcl: TopicCheck, Ticks);

#[cfg(test)]
mod tests {
    use amqtt_plugin_sdk::files;

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

    /// amqtt refuses every subscription then.
    #[test]
    fn a_list_of_publishing_alone_is_warned_about() {
        let check = |settings: &str, is_warned: bool| {
            plugin(settings);
            let warnings: Vec<String> = log::take_written().into_iter().map(|(_, message)| message).collect();
            assert_eq!(warnings.iter().any(|warning| warning == LEFT_OPEN), is_warned, "{settings}: {warnings:?}");
        };
        check(r#"{"publish-acl":{"bob":["a"]}}"#, true);
        check(r#"{"publish-acl":{},"receive-acl":{}}"#, true);
        check(r#"{"publish-acl":{},"acl":{}}"#, false);
        check(r#"{"publish-acl":{},"subscribe-acl":{}}"#, false);
        check(r#"{"receive-acl":{}}"#, false);
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

    #[test]
    fn a_file_takes_the_place_of_the_lists_and_is_followed() {
        files::stand_in("acl-file", Ok(b"user bob\ntopic a\n".to_vec()));
        let mut plugin = plugin(r#"{"acl-file":"rules"}"#);
        assert_eq!(plugin.interests().actions, [Action::Publish, Action::Subscribe, Action::Receive]);
        assert_eq!(plugin.interests().tick_seconds, 1);
        check(&mut plugin, Some("bob"), Action::Publish, "a", Decision::Allow);
        files::stand_in("acl-file", Ok(b"user bob\ntopic b\n".to_vec()));
        plugin.tick();
        assert_eq!(invalidate::take_calls(), [invalidate::Ended::All]);
        check(&mut plugin, Some("bob"), Action::Publish, "a", Decision::Deny);
        check(&mut plugin, Some("bob"), Action::Publish, "b", Decision::Allow);
        files::stand_in("acl-file", Ok(b"nonsense".to_vec()));
        plugin.tick();
        assert!(invalidate::take_calls().is_empty());
        check(&mut plugin, Some("bob"), Action::Publish, "b", Decision::Allow);
    }

    #[test]
    fn rules_do_not_end_with_an_empty_file() {
        files::stand_in("acl-file", Ok(b"topic a\n".to_vec()));
        let mut plugin = plugin(r#"{"acl-file":"rules"}"#);
        for empty in ["", "# nothing yet\n", "user bob\n"] {
            files::stand_in("acl-file", Ok(empty.into()));
            plugin.tick();
            assert!(invalidate::take_calls().is_empty());
            check(&mut plugin, None, Action::Publish, "a", Decision::Allow);
        }
        files::stand_in("acl-file", Ok(b"pattern deny #\n".to_vec()));
        plugin.tick();
        check(&mut plugin, None, Action::Publish, "a", Decision::Deny);
    }

    #[test]
    fn rules_are_in_one_place() {
        files::stand_in("acl-file", Ok(b"topic a".to_vec()));
        let refused = |settings| TopicAcl::new(serde_json::from_str(settings).expect(settings)).err();
        let expected = "`acl-file` and `publish-acl` are both set: rules are in one place";
        assert_eq!(refused(r#"{"acl-file":"f","publish-acl":{}}"#).as_deref(), Some(expected));
        files::stand_in("acl-file", Ok(b"topic a/#/b".to_vec()));
        let expected = "`acl-file`: line 1: `#` stands alone in the last level: `a/#/b`";
        assert_eq!(refused(r#"{"acl-file":"f"}"#).as_deref(), Some(expected));
    }
}
