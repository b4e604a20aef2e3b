//! Panics when asked who may connect.

use amqtt_plugin_sdk::{Auth, Client, Decision, NoSettings, Plugin, plugin};

struct TrapAuth;

impl Plugin for TrapAuth {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(TrapAuth)
    }
}

impl Auth for TrapAuth {
    #[expect(clippy::panic, reason = "what it is for")]
    fn authenticate(&mut self, client: &Client, _: Option<&str>, _: Option<&[u8]>) -> Decision {
        panic!("asked about client `{}`", client.client_id());
    }
}

plugin!(TrapAuth: Auth);
