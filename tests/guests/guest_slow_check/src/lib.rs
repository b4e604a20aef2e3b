//! Allows every topic; takes some 20 ms each time for those below `slow-publish`, `slow-subscribe` and `slow-receive`, for
//! that action. Clients whose identifiers begin with `refused` are not delivered those. It has no end for what is below
//! `endless`.

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
        Interests { actions: vec![Action::Publish, Action::Subscribe, Action::Receive], ..Interests::default() }
    }
}

impl TopicCheck for SlowCheck {
    fn check(&mut self, client: &Client, action: Action, topic: &str) -> Verdict {
        while topic.starts_with("endless/") {
            std::hint::spin_loop();
        }
        let slow = topic.starts_with(match action {
            Action::Publish => "slow-publish/",
            Action::Subscribe => "slow-subscribe/",
            Action::Receive => "slow-receive/",
        });
        let decision = Decision::Allow;
        if !slow {
            return Verdict { decision, cache: CacheFor::Reload };
        }
        for turn in 0..20_000_000_u32 {
            std::hint::black_box(turn);
        }
        let refused = action == Action::Receive && client.client_id().starts_with("refused");
        Verdict { decision: if refused { Decision::Deny } else { decision }, cache: CacheFor::Never }
    }
}

plugin!(SlowCheck: TopicCheck);
