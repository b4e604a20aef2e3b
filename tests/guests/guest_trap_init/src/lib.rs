//! Panics when it is set up, or never gets done with that.

use amqtt_plugin_sdk::{Auth, Client, Decision, Plugin, plugin};
use serde::Deserialize;

struct TrapInit;

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    spins: bool,
}

impl Plugin for TrapInit {
    type Settings = Settings;

    #[expect(clippy::panic, reason = "what it is for")]
    fn new(settings: Settings) -> Result<Self, String> {
        if settings.spins {
            loop {
                std::hint::spin_loop();
            }
        }
        panic!("set up")
    }
}

impl Auth for TrapInit {
    fn authenticate(&mut self, _: &Client, _: Option<&str>, _: Option<&[u8]>) -> Decision {
        Decision::Allow
    }
}

plugin!(TrapInit: Auth);
