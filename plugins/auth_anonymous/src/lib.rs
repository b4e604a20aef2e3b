//! Lets clients without a user name in, or keeps them out. `README.md` tells the cases.

use amqtt_plugin_sdk::{Auth, Client, Decision, Plugin, plugin};
use serde::Deserialize;
use serde::de::IgnoredAny;

struct AuthAnonymous {
    allow_anonymous: bool,
    /// Whether there are passwords, so that a user name has to be vouched for by `auth_file`.
    has_password_file: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    #[serde(default = "yes")]
    allow_anonymous: bool,
    #[serde(default)]
    password_file: Option<IgnoredAny>,
}

fn yes() -> bool {
    true
}

impl Plugin for AuthAnonymous {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(AuthAnonymous {
            allow_anonymous: settings.allow_anonymous,
            has_password_file: settings.password_file.is_some(),
        })
    }
}

impl Auth for AuthAnonymous {
    fn authenticate(&mut self, _: &Client, username: Option<&str>, _: Option<&[u8]>) -> Decision {
        match (username.filter(|name| !name.is_empty()), self.allow_anonymous) {
            (None, true) => Decision::Allow,
            (None, false) => Decision::Deny,
            (Some(_), true) if !self.has_password_file => Decision::Allow,
            (Some(_), _) => Decision::Abstain,
        }
    }
}

plugin!(AuthAnonymous: Auth);
