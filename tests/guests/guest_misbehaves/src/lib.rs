//! Misbehaves in one hook, as its settings say: towards clients whose identifiers, and about topics that begin with `bad`.
//! Allows everything else, for ever.

use std::hint::black_box;

use amqtt_plugin_sdk::{
    Action, Auth, CacheFor, Client, Decision, Event, EventKind, Events, Interests, Plugin, Qos, Ticks, TopicCheck,
    Verdict, clock, log, plugin, publisher,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Settings {
    hook: Hook,
    does: Does,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Hook {
    Auth,
    TopicCheck,
    Events,
    Ticks,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Does {
    Spin,
    Trap,
    Recurse,
    /// Takes all memory that it is given.
    Hog,
    LogFlood,
    PublishStorm,
    /// Nine milliseconds of work, inside the deadline.
    Slow,
    /// Hands over more than it may.
    Huge,
}

impl Does {
    #[expect(clippy::panic, reason = "what it is for")]
    fn act(self) {
        match self {
            Self::Spin => loop {
                std::hint::spin_loop();
            },
            Self::Trap => panic!("on purpose"),
            Self::Recurse => {
                black_box(recurse(black_box(1)));
            }
            Self::Hog => {
                let mut taken = Vec::new();
                loop {
                    taken.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            Self::LogFlood => (0..2_000).for_each(|number| log::warn(format_args!("flood {number}"))),
            Self::PublishStorm => {
                // Past the limit it is refused, and goes on.
                (0..2_000).for_each(|_| drop(publisher::publish("bad/storm", b"storm", Qos::AtMostOnce, false)));
            }
            Self::Slow => {
                let began = clock::monotonic();
                while clock::monotonic().saturating_sub(began).as_millis() < 9 {}
            }
            Self::Huge => log::warn(format_args!("{}", "x".repeat(2 << 20))),
        }
    }
}

#[expect(unconditional_recursion, reason = "what it is for")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1))) + depth
}

struct Misbehaves(Settings);

impl Misbehaves {
    fn act_in(&self, hook: Hook, on_purpose: bool) {
        if self.0.hook == hook && on_purpose {
            self.0.does.act();
        }
    }
}

impl Plugin for Misbehaves {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self(settings))
    }

    fn interests(&self) -> Interests {
        Interests {
            actions: vec![Action::Publish, Action::Subscribe],
            events: if self.0.hook == Hook::Events { vec![EventKind::MessageReceived] } else { Vec::new() },
            tick_seconds: u32::from(self.0.hook == Hook::Ticks),
            ..Interests::default()
        }
    }
}

impl Auth for Misbehaves {
    fn authenticate(&mut self, client: &Client, _: Option<&str>, _: Option<&[u8]>) -> Decision {
        self.act_in(Hook::Auth, client.client_id().starts_with("bad-login"));
        Decision::Allow
    }
}

impl TopicCheck for Misbehaves {
    fn check(&mut self, _: &Client, action: Action, topic: &str) -> Verdict {
        let on_purpose = action == Action::Publish && topic.starts_with("bad/");
        self.act_in(Hook::TopicCheck, on_purpose);
        Verdict { decision: Decision::Allow, cache: if on_purpose { CacheFor::Never } else { CacheFor::Reload } }
    }
}

impl Events for Misbehaves {
    fn handle(&mut self, event: &Event) {
        self.act_in(Hook::Events, event.topic().is_some_and(|topic| topic.starts_with("bad/")));
    }
}

impl Ticks for Misbehaves {
    fn tick(&mut self) {
        self.act_in(Hook::Ticks, true);
    }
}

plugin!(Misbehaves: Auth, TopicCheck, Events, Ticks);
