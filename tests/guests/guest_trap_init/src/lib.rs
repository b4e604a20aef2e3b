//! Panics when it is set up.

use amqtt_plugin_sdk::{Auth, Client, Decision, NoSettings, Plugin, plugin};

struct TrapInit;

impl Plugin for TrapInit {
    type Settings = NoSettings;

    #[expect(clippy::panic, reason = "what it is for")]
    fn new(_: NoSettings) -> Result<Self, String> {
        panic!("set up")
    }
}

impl Auth for TrapInit {
    fn authenticate(&mut self, _: &Client, _: Option<&str>, _: Option<&[u8]>) -> Decision {
        Decision::Allow
    }
}

plugin!(TrapInit: Auth);
