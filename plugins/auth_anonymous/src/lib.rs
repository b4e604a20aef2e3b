//! Lets clients without a user name in, or keeps them out. `README.md` tells the cases.

use amqtt_plugin_sdk::{Auth, Client, Decision, Plugin, plugin};
use serde::Deserialize;
use serde::de::IgnoredAny;

struct AuthAnonymous {
    allow_anonymous: bool,
    /// Whether users have passwords, or prove who they are: then a user name has to be vouched for by another plugin.
    verifies_names: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    #[serde(default = "yes")]
    allow_anonymous: bool,
    #[serde(default)]
    password_file: Option<IgnoredAny>,
    /// Set by the broker, where `auth_scram` is asked too.
    #[serde(default)]
    names_are_proved: bool,
}

fn yes() -> bool {
    true
}

impl Plugin for AuthAnonymous {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(AuthAnonymous {
            allow_anonymous: settings.allow_anonymous,
            verifies_names: settings.password_file.is_some() || settings.names_are_proved,
        })
    }
}

impl Auth for AuthAnonymous {
    fn authenticate(&mut self, _: &Client, username: Option<&str>, _: Option<&[u8]>) -> Decision {
        match (username.filter(|name| !name.is_empty()), self.allow_anonymous) {
            (None, true) => Decision::Allow,
            (None, false) => Decision::Deny,
            (Some(_), true) if !self.verifies_names => Decision::Allow,
            (Some(_), _) => Decision::Abstain,
        }
    }
}

plugin!(AuthAnonymous: Auth);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(settings: &str, username: Option<&str>, expected: Decision) {
        let settings_read = serde_json::from_str(settings).expect(settings);
        let mut plugin = AuthAnonymous::new(settings_read).expect(settings);
        let client = Client::stand_in("id", username, "192.0.2.1:49152");
        assert_eq!(plugin.authenticate(&client, username, None), expected, "{settings} {username:?}");
    }

    #[test]
    fn allows_whoever_is_meant_to_be_allowed() {
        for (settings, anonymous, named) in [
            ("{}", Decision::Allow, Decision::Allow),
            (r#"{"allow-anonymous":true}"#, Decision::Allow, Decision::Allow),
            (r#"{"allow-anonymous":true,"password-file":"p"}"#, Decision::Allow, Decision::Abstain),
            (r#"{"names-are-proved":true}"#, Decision::Allow, Decision::Abstain),
            (r#"{"allow-anonymous":false}"#, Decision::Deny, Decision::Abstain),
            (r#"{"allow-anonymous":false,"password-file":"p"}"#, Decision::Deny, Decision::Abstain),
        ] {
            check(settings, None, anonymous);
            check(settings, Some(""), anonymous);
            check(settings, Some("alice"), named);
        }
    }

    #[test]
    fn a_text_is_no_boolean() {
        assert!(serde_json::from_str::<Settings>(r#"{"allow-anonymous":"true"}"#).is_err());
    }
}
