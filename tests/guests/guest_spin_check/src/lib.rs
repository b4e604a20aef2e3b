//! Never answers whether a topic is allowed.

use amqtt_plugin_sdk::{Action, Client, Interests, NoSettings, Plugin, TopicCheck, Verdict, plugin};

struct SpinCheck;

impl Plugin for SpinCheck {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(SpinCheck)
    }

    fn interests(&self) -> Interests {
        Interests { actions: vec![Action::Publish, Action::Subscribe], ..Interests::default() }
    }
}

impl TopicCheck for SpinCheck {
    fn check(&mut self, _: &Client, _: Action, _: &str) -> Verdict {
        loop {
            std::hint::spin_loop();
        }
    }
}

plugin!(SpinCheck: TopicCheck);
