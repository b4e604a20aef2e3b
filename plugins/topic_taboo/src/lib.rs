//! Keeps a few topics from everyone but those who are exempt. `README.md` tells the rules.

use amqtt_plugin_sdk::{
    Action, CacheFor, Client, Decision, Interests, Plugin, TopicCheck, TopicFilter, Verdict, plugin,
};
use serde::Deserialize;

/// What is taboo where the settings say nothing.
const TABOO: [&str; 3] = ["prohibited", "top-secret", "data/classified"];

/// Who is exempt where the settings say nothing.
const EXEMPT: &str = "admin";

struct TopicTaboo {
    taboo: Vec<TopicFilter>,
    exempt: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    taboo: Option<Vec<TopicFilter>>,
    taboo_exempt: Option<Vec<String>>,
}

impl Plugin for TopicTaboo {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let taboo = match settings.taboo {
            Some(taboo) => taboo,
            None => TABOO.into_iter().map(TopicFilter::new).collect::<Result<_, _>>()?,
        };
        let exempt = settings.taboo_exempt.unwrap_or_else(|| vec![EXEMPT.to_owned()]);
        Ok(TopicTaboo { taboo, exempt })
    }

    fn interests(&self) -> Interests {
        let actions = vec![Action::Publish, Action::Subscribe, Action::Receive];
        Interests { actions, ..Interests::default() }
    }
}

impl TopicCheck for TopicTaboo {
    /// A filter that also matches other topics is not covered, and so granted: `receive` keeps the taboo ones back.
    fn check(&mut self, client: &Client, _: Action, topic: &str) -> Verdict {
        let is_taboo = self.taboo.iter().any(|taboo| taboo.covers(topic));
        let decision = if is_taboo && !self.is_exempt(client) { Decision::Deny } else { Decision::Allow };
        Verdict { decision, cache: CacheFor::Reload }
    }
}

impl TopicTaboo {
    fn is_exempt(&self, client: &Client) -> bool {
        client.username().is_some_and(|name| !name.is_empty() && self.exempt.iter().any(|exempt| *exempt == *name))
    }
}

plugin!(TopicTaboo: TopicCheck);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: &str, username: Option<&str>, action: Action, topic: &str, allowed: bool) {
        let mut plugin = TopicTaboo::new(serde_json::from_str(settings).expect(settings)).expect(settings);
        let client = Client::stand_in("id", username, "192.0.2.1:49152");
        let decision = if allowed { Decision::Allow } else { Decision::Deny };
        let expected = Verdict { decision, cache: CacheFor::Reload };
        assert_eq!(plugin.check(&client, action, topic), expected, "{settings} {username:?} {action:?} {topic}");
    }

    #[test]
    fn the_taboos_of_the_documentation() {
        for action in [Action::Publish, Action::Subscribe, Action::Receive] {
            for topic in TABOO {
                check("{}", Some("alice"), action, topic, false);
                check("{}", None, action, topic, false);
                check("{}", Some("admin"), action, topic, true);
            }
            for topic in ["prohibited/not", "data", "data/classified/x", "Prohibited", "$SYS/x"] {
                check("{}", None, action, topic, true);
            }
        }
    }

    #[test]
    fn a_filter_is_refused_only_if_all_that_it_matches_is_taboo() {
        let settings = r##"{"taboo":["a/+","secret/#"]}"##;
        for filter in ["a/b", "a/+", "secret", "secret/#", "secret/x/+"] {
            check(settings, None, Action::Subscribe, filter, false);
        }
        for filter in ["#", "+", "a/#", "+/b", "+/+", "prohibited", "a"] {
            check(settings, None, Action::Subscribe, filter, true);
        }
        check(settings, None, Action::Receive, "a/b", false);
        check(settings, None, Action::Receive, "a", true);
        check(settings, None, Action::Receive, "secret/x/y", false);
    }

    #[test]
    fn settings_take_the_place_of_the_defaults() {
        let settings = r#"{"taboo":["x"],"taboo-exempt":["bob","eve"]}"#;
        for (name, allowed) in [("bob", true), ("eve", true), ("admin", false)] {
            check(settings, Some(name), Action::Publish, "x", allowed);
        }
        check(settings, None, Action::Publish, "prohibited", true);
        check(r#"{"taboo":[]}"#, None, Action::Publish, "prohibited", true);
        check(r#"{"taboo-exempt":[]}"#, Some("admin"), Action::Publish, "prohibited", false);
    }

    #[test]
    fn names_gain_nothing_by_their_spelling() {
        for name in ["", "Admin", "admin ", "+", "#", "anonymous", "admin\0"] {
            check("{}", Some(name), Action::Publish, "prohibited", false);
        }
        check(r#"{"taboo-exempt":["","+"]}"#, Some(""), Action::Receive, "prohibited", false);
        check(r#"{"taboo-exempt":["","+"]}"#, None, Action::Receive, "prohibited", false);
        check(r#"{"taboo-exempt":["","+"]}"#, Some("bob"), Action::Receive, "prohibited", false);
    }

    #[test]
    fn what_is_no_filter_is_an_error_that_quotes_it() {
        let error = serde_json::from_str::<Settings>(r##"{"taboo":["a/#/b"]}"##).expect_err("not a filter");
        assert!(error.to_string().contains("`a/#/b`"), "{error}");
    }
}
