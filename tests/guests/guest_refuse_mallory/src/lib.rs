//! Refuses the user `mallory` and abstains from the rest.

use amqtt_plugin_sdk::{Auth, Client, Decision, NoSettings, Plugin, plugin};

struct RefuseMallory;

impl Plugin for RefuseMallory {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(RefuseMallory)
    }
}

impl Auth for RefuseMallory {
    fn authenticate(&mut self, _: &Client, username: Option<&str>, _: Option<&[u8]>) -> Decision {
        if username == Some("mallory") { Decision::Deny } else { Decision::Abstain }
    }
}

plugin!(RefuseMallory: Auth);
