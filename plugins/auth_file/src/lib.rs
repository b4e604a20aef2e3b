//! Checks user names and passwords against a file. `README.md` tells the format.

mod hash;
mod users;

use amqtt_plugin_sdk::{Auth, Client, Decision, Plugin, files, log, plugin};
use serde::Deserialize;

use users::Users;

/// The longest password that is looked at, in bytes, as in libxcrypt: hashing takes time in proportion, and whoever
/// connects may send 64 KiB.
const PASSWORD_BYTES_MAX: usize = 511;

/// How many bad lines of a password file are told one by one.
const WARNINGS_MAX: usize = 20;

struct AuthFile {
    /// None where the settings name no file.
    users: Option<Users>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    password_file: Option<String>,
}

impl Plugin for AuthFile {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let Some(path) = settings.password_file else {
            log::warn("no `password-file` is set: nobody's password is checked here");
            return Ok(AuthFile { users: None });
        };
        let content = files::read("password-file")
            .map_err(|err| format!("`password-file`: cannot read the file: {err}: `{path}`"))?;
        let (users, warnings) = Users::parse(&content);
        for warning in warnings.iter().take(WARNINGS_MAX) {
            log::warn(format_args!("{warning}: `{path}`"));
        }
        if let Some(more) = warnings.len().checked_sub(WARNINGS_MAX).filter(|more| *more > 0) {
            log::warn(format_args!("{more} more bad lines: `{path}`"));
        }
        if users.len() == 0 {
            log::warn(format_args!("no user in the password file: whoever names one is refused: `{path}`"));
        }
        Ok(AuthFile { users: Some(users) })
    }
}

impl Auth for AuthFile {
    fn authenticate(&mut self, _: &Client, username: Option<&str>, password: Option<&[u8]>) -> Decision {
        let (Some(users), Some(username)) = (&self.users, username.filter(|name| !name.is_empty())) else {
            return Decision::Abstain;
        };
        match password {
            Some(password) if password.len() <= PASSWORD_BYTES_MAX && users.accept(username, password) => {
                Decision::Allow
            }
            _ => Decision::Deny,
        }
    }
}

plugin!(AuthFile: Auth);

#[cfg(test)]
mod tests {
    use amqtt_plugin_sdk::files::FileError;

    use super::*;

    /// The line of amqtt's documentation; the password is `test`.
    const SEED: &str = "# Test user with 'test' password encrypted with sha-512\n\
        test:$6$l4zQEHEcowc1Pnv4$HHrh8xnsZoLItQ8BmpFHM4r6q5UqK3DnXp2GaTm5zp5buQ7NheY3Xt9f6godVKbEtA.hOC7IEDwnok3pbAOip.";

    fn plugin(content: &str) -> AuthFile {
        files::stand_in("password-file", Ok(content.into()));
        AuthFile::new(Settings { password_file: Some("passwords".to_owned()) }).expect("a plugin")
    }

    fn check(plugin: &mut AuthFile, username: Option<&str>, password: Option<&str>, expected: Decision) {
        let client = Client::stand_in("id", username, "192.0.2.1:49152");
        let decision = plugin.authenticate(&client, username, password.map(str::as_bytes));
        assert_eq!(decision, expected, "{username:?} {password:?}");
    }

    #[test]
    fn the_line_of_the_documentation() {
        let mut plugin = plugin(SEED);
        check(&mut plugin, Some("test"), Some("test"), Decision::Allow);
        check(&mut plugin, Some("test"), Some("Test"), Decision::Deny);
        check(&mut plugin, Some("test"), Some(""), Decision::Deny);
        check(&mut plugin, Some("test"), None, Decision::Deny);
        check(&mut plugin, Some("other"), Some("test"), Decision::Deny);
        check(&mut plugin, Some(""), Some("test"), Decision::Abstain);
        check(&mut plugin, None, None, Decision::Abstain);
        check(&mut plugin, None, Some("test"), Decision::Abstain);
    }

    /// Its password is 511 times `x`, the longest that libxcrypt takes.
    const LONG: &str =
        "long:$6$rounds=1000$xy$OHPGsRxhEZgBXwlgarvKE36i1ektUYKpX6YscxP.Zs6NVdUIfzmU7NFhgUJ1e6L9wYvb21QEsteS1fzzTHMka/";

    #[test]
    fn an_overlong_password_is_refused() {
        check(&mut plugin(LONG), Some("long"), Some(&"x".repeat(511)), Decision::Allow);
        let mut plugin = plugin(SEED);
        check(&mut plugin, Some("test"), Some(&"x".repeat(65_535)), Decision::Deny);
    }

    #[test]
    fn without_a_file_it_abstains() {
        let mut plugin = AuthFile::new(Settings { password_file: None }).expect("a plugin");
        check(&mut plugin, Some("test"), Some("test"), Decision::Abstain);
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_key_and_path() {
        files::stand_in("password-file", Err(FileError::Failed("no such file".to_owned())));
        let err = AuthFile::new(Settings { password_file: Some("here".to_owned()) }).err();
        assert_eq!(err.as_deref(), Some("`password-file`: cannot read the file: no such file: `here`"));
    }
}
