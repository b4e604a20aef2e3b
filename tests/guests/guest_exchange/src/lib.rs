//! Serves the authentication method `STEPS`, whose exchanges go as the client says, and two that do what they must not: once
//! they have asked, `CREDULOUS` believes everything and `FRAGILE` fails.

#![allow(clippy::panic, reason = "it is what it is for")]

use amqtt_plugin_sdk::{Client, EnhancedAuth, Interests, Plugin, Reason, Step, plugin};
use serde::Deserialize;

struct Exchange {
    settings: Settings,
}

/// More methods that it serves.
#[derive(Deserialize)]
struct Settings {
    /// The bytes of the name of each.
    #[serde(default)]
    methods: Vec<usize>,
}

impl Plugin for Exchange {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Exchange { settings })
    }

    fn interests(&self) -> Interests {
        let more = self.settings.methods.iter().map(|bytes| "M".repeat(*bytes));
        let methods =
            ["STEPS", "OTHER-STEPS", "CREDULOUS", "FRAGILE"].map(str::to_owned).into_iter().chain(more).collect();
        Interests { methods, ..Interests::default() }
    }
}

impl EnhancedAuth for Exchange {
    fn start(&mut self, client: &Client, _: &str, data: Option<&[u8]>) -> Step {
        step(client, "", data)
    }

    fn proceed(&mut self, client: &Client, method: &str, state: &[u8], data: Option<&[u8]>) -> Step {
        match method {
            "CREDULOUS" => return Step::Success { username: None, data: None },
            "FRAGILE" => panic!("at a second step"),
            _ => {}
        }
        step(client, &String::from_utf8_lossy(state), data)
    }
}

/// The state is all that was asked so far.
fn step(client: &Client, state: &str, data: Option<&[u8]>) -> Step {
    let data = data.map(String::from_utf8_lossy);
    match data.as_deref().map(|data| data.split_once(':').unwrap_or((data, ""))) {
        None => Step::Challenge { data: Vec::new(), state: b"nothing".to_vec() },
        Some(("ask", what)) => Step::Challenge { data: what.into(), state: format!("{state}{what};").into() },
        Some(("tell", _)) => Step::Challenge { data: state.into(), state: state.into() },
        Some(("long", "data")) => Step::Challenge { data: vec![b'x'; 65_536], state: Vec::new() },
        Some(("long", "proof")) => Step::Success { username: None, data: Some(vec![b'x'; 65_536]) },
        Some(("long", "name")) => Step::Success { username: Some("x".repeat(65_536)), data: None },
        Some(("nul", _)) => Step::Success { username: Some("a\0b".to_owned()), data: None },
        Some(("fat", _)) => Step::Challenge { data: Vec::new(), state: vec![0; 4_097] },
        Some(("is", "")) => Step::Success { username: None, data: None },
        Some(("is", name)) => Step::Success { username: Some(name.to_owned()), data: Some(b"welcome".to_vec()) },
        Some(("trap", _)) => panic!("as it was told"),
        Some(("explain", _)) => {
            client.request().explain(&Reason::code(0x8a).text("no").property("retry", "never"));
            Step::Deny
        }
        Some(_) => Step::Deny,
    }
}

plugin!(Exchange: EnhancedAuth);
