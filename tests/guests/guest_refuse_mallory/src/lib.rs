//! Refuses the user `mallory`, and says why, and abstains from the rest.

use amqtt_plugin_sdk::{Auth, Client, Decision, NoSettings, Plugin, Reason, plugin};

struct RefuseMallory;

impl Plugin for RefuseMallory {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(RefuseMallory)
    }
}

impl Auth for RefuseMallory {
    fn authenticate(&mut self, client: &Client, username: Option<&str>, _: Option<&[u8]>) -> Decision {
        if username != Some("mallory") {
            return Decision::Abstain;
        }
        client.request().explain(&Reason::code(0x8a).text("not you").property("contact", "alice"));
        Decision::Deny
    }
}

plugin!(RefuseMallory: Auth);
