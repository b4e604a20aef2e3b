//! Allows every topic; takes some 20 ms each time for those below `slow`.

use amqtt_plugin_sdk::{
    Action, CacheFor, Client, Decision, Interests, NoSettings, Plugin, TopicCheck, Verdict, plugin,
};

struct SlowCheck;

impl Plugin for SlowCheck {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(SlowCheck)
    }

    fn interests(&self) -> Interests {
        Interests { actions: vec![Action::Publish], ..Interests::default() }
    }
}

impl TopicCheck for SlowCheck {
    fn check(&mut self, _: &Client, _: Action, topic: &str) -> Verdict {
        let (decision, slow) = (Decision::Allow, topic.starts_with("slow/"));
        if !slow {
            return Verdict { decision, cache: CacheFor::Reload };
        }
        for turn in 0..20_000_000_u32 {
            std::hint::black_box(turn);
        }
        Verdict { decision, cache: CacheFor::Never }
    }
}

plugin!(SlowCheck: TopicCheck);
