//! Checks user names and passwords against a file. `README.md` tells the format.

mod hash;
mod nobody;
mod users;

use amqtt_plugin_sdk::{Auth, Client, Decision, Interests, Plugin, Ticks, Watched, log, plugin};
use serde::Deserialize;

use nobody::{NO_USERS, says_no_users};
use users::Users;

/// The longest password that is looked at, in bytes, as in libxcrypt: hashing takes time in proportion, and whoever
/// connects may send 64 KiB.
const PASSWORD_BYTES_MAX: usize = 511;

/// How often it is looked whether the file has changed.
const LOOK_SECS: u32 = 1;

struct AuthFile {
    /// None where the settings name no file.
    users: Option<Watched<Users>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    password_file: Option<String>,
}

impl Plugin for AuthFile {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.password_file.is_none() {
            log::warn("no `password-file` is set: nobody's password is checked here");
            return Ok(AuthFile { users: None });
        }
        let mut users = Watched::open("password-file", read_users)?;
        warn_of_bad_lines(users.follow());
        Ok(AuthFile { users: Some(users) })
    }

    fn interests(&self) -> Interests {
        let tick_seconds = if self.users.is_some() { LOOK_SECS } else { 0 };
        Interests { tick_seconds, ..Interests::default() }
    }
}

impl Ticks for AuthFile {
    fn tick(&mut self) {
        let Some(users) = &mut self.users else { return };
        if users.look_and_log(|users| format!("{} users", users.len())) {
            warn_of_bad_lines(users.follow());
        }
    }
}

/// Reads a password file. Where there were users, a file without any is one that somebody is about to write.
fn read_users(content: &[u8], in_force: Option<&Users>) -> Result<Users, String> {
    let users = Users::parse(content);
    let is_emptied = users.len() == 0 && in_force.is_some_and(|users| users.len() > 0);
    if is_emptied && !content.split(|byte| *byte == b'\n').any(says_no_users) {
        let reason = users.bad_lines().first().map_or_else(String::new, |line| format!(" (password file {line})"));
        return Err(format!("there is no user in it{reason}; if that is meant, write a line `{NO_USERS}`"));
    }
    Ok(users)
}

fn warn_of_bad_lines(users: &Users) {
    users.warn_of_bad_lines();
    if users.len() == 0 {
        log::warn("no user in the password file: whoever names one is refused");
    }
}

impl Auth for AuthFile {
    fn authenticate(&mut self, _: &Client, username: Option<&str>, password: Option<&[u8]>) -> Decision {
        let (Some(users), Some(username)) = (&mut self.users, username.filter(|name| !name.is_empty())) else {
            return Decision::Abstain;
        };
        let users = users.follow();
        match password {
            Some(password) if password.len() <= PASSWORD_BYTES_MAX && users.accept(username, password) => {
                Decision::Allow
            }
            _ => Decision::Deny,
        }
    }
}

plugin!(AuthFile: Auth, Ticks);

#[cfg(test)]
mod tests {
    use amqtt_plugin_sdk::files::{self, FileError};

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
        assert_eq!(err.as_deref(), Some("`password-file`: cannot read the file: no such file"));
    }

    #[test]
    fn a_file_may_say_that_no_user_is_meant() {
        let mut plugin = plugin(SEED);
        files::stand_in("password-file", Ok("# mine\n# no users\r\n".into()));
        plugin.tick();
        check(&mut plugin, Some("test"), Some("test"), Decision::Deny);
        files::stand_in("password-file", Ok(SEED.into()));
        plugin.tick();
        check(&mut plugin, Some("test"), Some("test"), Decision::Allow);
    }

    #[test]
    fn a_changed_file_counts_and_one_without_users_does_not() {
        let mut plugin = plugin(SEED);
        let mut other = AuthFile::new(Settings { password_file: Some("passwords".to_owned()) }).expect("a plugin");
        assert_eq!(plugin.interests().tick_seconds, 1);
        let long = "x".repeat(511);
        files::stand_in("password-file", Ok(LONG.into()));
        plugin.tick();
        for instance in [&mut plugin, &mut other] {
            check(instance, Some("test"), Some("test"), Decision::Deny);
            check(instance, Some("long"), Some(&long), Decision::Allow);
        }
        let gone = Err(FileError::Failed("gone".to_owned()));
        for broken in [Ok("".into()), Ok("# nobody\n".into()), Ok("long:plain\n".into()), gone] {
            files::stand_in("password-file", broken);
            plugin.tick();
            check(&mut plugin, Some("long"), Some(&long), Decision::Allow);
            check(&mut other, Some("long"), Some(&long), Decision::Allow);
        }
        files::stand_in("password-file", Ok(SEED.into()));
        plugin.tick();
        // After it was gone it may be half-written.
        check(&mut other, Some("long"), Some(&long), Decision::Allow);
        plugin.tick();
        check(&mut other, Some("long"), Some(&long), Decision::Deny);
        check(&mut other, Some("test"), Some("test"), Decision::Allow);
    }
}
