//! Has clients prove that they know a password without sending it: SCRAM-SHA-256 (RFC 5802, RFC 7677) in the AUTH packets
//! of MQTT 5.0. `README.md` tells the settings.

mod messages;
// How a password file says it is the same for both plugins, and for `amqtt passwd`.
#[path = "../../auth_file/src/nobody.rs"]
mod nobody;
mod users;
mod verifier;

use amqtt_plugin_sdk::{Client, EnhancedAuth, Interests, Plugin, Reason, Step, Ticks, Watched, log, plugin, random};
use base64ct::{Base64, Encoding};
use serde::Deserialize;

use messages::{ClientFinal, ClientFirst};
use nobody::{NO_USERS, says_no_users};
use users::Users;

const METHOD: &str = "SCRAM-SHA-256";

/// Random bytes of the server's part of a nonce.
const NONCE_BYTES: u32 = 18;

/// What stands between the parts of a state. No message has one.
const SEPARATOR: char = '\0';

/// How often it is looked whether the file has changed.
const LOOK_SECS: u32 = 1;

/// 0x87: the reason code of a refusal that says in words why.
const NOT_AUTHORIZED: u8 = 0x87;

struct AuthScram {
    users: Watched<Users>,
    decoy_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    /// Read through the broker, which knows the path.
    #[serde(rename = "password-file")]
    _password_file: String,
    decoy_key: Option<String>,
}

impl Plugin for AuthScram {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let mut users = Watched::open("password-file", read_users)?;
        warn_of_bad_lines(users.follow());
        Ok(AuthScram { users, decoy_key: settings.decoy_key })
    }

    fn interests(&self) -> Interests {
        Interests { methods: vec![METHOD.to_owned()], tick_seconds: LOOK_SECS, ..Interests::default() }
    }
}

impl Ticks for AuthScram {
    fn tick(&mut self) {
        if self.users.look_and_log(|users| format!("{} users", users.len())) {
            warn_of_bad_lines(self.users.follow());
        }
    }
}

/// Reads a password file. Where there were users, a file without any is one that somebody is about to write.
fn read_users(content: &[u8], in_force: Option<&Users>) -> Result<Users, String> {
    let users = Users::parse(content);
    let is_emptied = users.len() == 0 && in_force.is_some_and(|users| users.len() > 0);
    if is_emptied && !content.split(|byte| *byte == b'\n').any(says_no_users) {
        return Err(format!("there is no user in it; if that is meant, write a line `{NO_USERS}`"));
    }
    Ok(users)
}

fn warn_of_bad_lines(users: &Users) {
    users.warn_of_bad_lines();
    if users.len() == 0 {
        log::warn("no user in the password file: everybody is refused");
    }
}

impl EnhancedAuth for AuthScram {
    fn start(&mut self, client: &Client, _: &str, data: Option<&[u8]>) -> Step {
        let challenged = text(data).and_then(|message| self.challenge(message));
        or_deny(client, challenged)
    }

    fn proceed(&mut self, client: &Client, _: &str, state: &[u8], data: Option<&[u8]>) -> Step {
        let verified = text(Some(state)).and_then(|state| self.verify(state, text(data)?));
        or_deny(client, verified)
    }
}

impl AuthScram {
    /// Answers the first message with salt, iterations and a nonce.
    fn challenge(&mut self, message: &str) -> Result<Step, &'static str> {
        let first = ClientFirst::parse(message)?;
        let (verifier, _) = self.users.follow().find(&first.username, self.decoy_key.as_deref());
        let nonce = Base64::encode_string(&random::bytes(NONCE_BYTES));
        let salt = Base64::encode_string(&verifier.salt);
        let answer = format!("r={}{nonce},s={salt},i={}", first.nonce, verifier.iterations);
        let state = [first.gs2_header, first.bare, &answer].join(&SEPARATOR.to_string());
        Ok(Step::Challenge { data: answer.into_bytes(), state: state.into_bytes() })
    }

    /// Verifies the proof of the last message, and answers with the server's own.
    fn verify(&mut self, state: &str, message: &str) -> Result<Step, &'static str> {
        let mut parts = state.splitn(3, SEPARATOR);
        let (Some(gs2_header), Some(bare), Some(challenge)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("the exchange is not one of this plugin");
        };
        let first = [gs2_header, bare].concat();
        let username = ClientFirst::parse(&first)?.username;
        let last = ClientFinal::parse(message)?;
        let nonce = challenge.strip_prefix("r=").and_then(|rest| rest.split(',').next());
        if nonce != Some(last.nonce) || last.gs2_header != gs2_header.as_bytes() {
            return Err("the last message does not go with the first");
        }
        let (verifier, is_known) = self.users.follow().find(&username, self.decoy_key.as_deref());
        let auth_message = [bare, ",", challenge, ",", last.without_proof];
        if !verifier.accepts(&auth_message, &last.proof) || !is_known {
            return Ok(Step::Deny);
        }
        let signature = Base64::encode_string(&verifier.server_signature(&auth_message));
        Ok(Step::Success { username: Some(username), data: Some(format!("v={signature}").into_bytes()) })
    }
}

fn text(data: Option<&[u8]>) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(data.ok_or("there is no authentication data")?);
    text.map_err(|_| "the authentication data is not UTF-8")
}

/// Tells the client what is wrong with its messages. That user or password are wrong goes without words.
fn or_deny(client: &Client, step: Result<Step, &'static str>) -> Step {
    step.unwrap_or_else(|problem| {
        client.request().explain(&Reason::code(NOT_AUTHORIZED).text(problem));
        Step::Deny
    })
}

plugin!(AuthScram: EnhancedAuth, Ticks);

#[cfg(test)]
mod tests {
    use amqtt_plugin_sdk::{RequestFacts, files};

    use super::*;

    /// `pencil`, as in RFC 7677, section 3.
    const USER: &str = "user:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n";
    const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn plugin(content: &str) -> AuthScram {
        files::stand_in("password-file", Ok(content.into()));
        AuthScram::new(Settings { _password_file: "users".to_owned(), decoy_key: None }).expect("a plugin")
    }

    fn start(plugin: &mut AuthScram, data: &str) -> Step {
        plugin.start(&Client::stand_in("id", None, "192.0.2.1:49152"), METHOD, Some(data.as_bytes()))
    }

    fn proceed(plugin: &mut AuthScram, state: &str, data: &str) -> Step {
        let client = Client::stand_in("id", None, "192.0.2.1:49152");
        plugin.proceed(&client, METHOD, state.as_bytes(), Some(data.as_bytes()))
    }

    /// The state after the messages of the RFC, whose nonce is not one of ours.
    fn state() -> String {
        ["n,,", &CLIENT_FIRST[3..], SERVER_FIRST].join("\0")
    }

    #[test]
    fn the_exchange_of_rfc_7677() {
        let expected = Step::Success { username: Some("user".to_owned()), data: Some(SERVER_FINAL.into()) };
        // Another instance than the one that has made the challenge.
        assert_eq!(proceed(&mut plugin(USER), &state(), CLIENT_FINAL), expected);
    }

    #[test]
    fn a_challenge_has_the_users_salt_and_a_nonce_of_both() {
        random::stand_in([7; 18]);
        let nonce = Base64::encode_string(&[7; 18]);
        let expected = format!("r=rOprNGfwEbeRWgbNEkqO{nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let Step::Challenge { data, state } = start(&mut plugin(USER), CLIENT_FIRST) else { panic!("no challenge") };
        assert_eq!(String::from_utf8_lossy(&data), expected);
        assert_eq!(String::from_utf8_lossy(&state), ["n,,", &CLIENT_FIRST[3..], &expected].join("\0"));
    }

    #[test]
    fn a_proof_of_anything_else_is_denied() {
        let mut plugin = plugin(USER);
        for (from, to) in [("p=dH", "p=eH"), ("c=biws", "c=eSws"), ("r=rO", "r=rP"), (",p=", ",q="), ("VQ=", "VA=")] {
            assert_eq!(proceed(&mut plugin, &state(), &CLIENT_FINAL.replace(from, to)), Step::Deny, "{to}");
        }
        for (from, to) in [("n=user", "n=other"), ("i=4096", "i=4097"), ("\0", "\n"), ("n,,", "y,,")] {
            assert_eq!(proceed(&mut plugin, &state().replace(from, to), CLIENT_FINAL), Step::Deny, "{to}");
        }
        assert_eq!(plugin.start(&Client::stand_in("id", None, "192.0.2.1:49152"), METHOD, None), Step::Deny);
    }

    /// Neither a challenge nor a refusal tells whether there is a user.
    #[test]
    fn unknown_users_are_challenged_like_others() {
        let mut plugin = plugin(USER);
        let salt = |step| {
            let Step::Challenge { data, .. } = step else { panic!("no challenge") };
            String::from_utf8(data).expect("is text").split_once(",s=").expect("has a salt").1.to_owned()
        };
        let [one, again, two] =
            ["n,,n=eve,r=1", "n,,n=eve,r=2", "n,,n=eva,r=3"].map(|first| salt(start(&mut plugin, first)));
        assert_eq!(one, again);
        assert_ne!(one, two);
        assert_eq!((one.len(), &one[one.len() - 7..]), ("W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".len(), ",i=4096"));
        let facts = RequestFacts::default();
        let client = Client::stand_in("id", None, "192.0.2.1:49152").requesting(&facts);
        let state = state().replace("n=user", "n=eve");
        assert_eq!(plugin.proceed(&client, METHOD, state.as_bytes(), Some(CLIENT_FINAL.as_bytes())), Step::Deny);
        assert!(facts.explained.borrow().is_empty());
        let asks_for_binding = Some(b"p=tls-exporter,,n=user,r=1".as_slice());
        assert_eq!(plugin.start(&client, METHOD, asks_for_binding), Step::Deny);
        let expected = Reason::code(NOT_AUTHORIZED).text("channel binding is not offered");
        assert_eq!(*facts.explained.borrow(), [expected]);
    }

    #[test]
    fn a_changed_file_counts_and_one_without_users_does_not() {
        let mut plugin = plugin(USER);
        let accepts = |plugin: &mut AuthScram| proceed(plugin, &state(), CLIENT_FINAL) != Step::Deny;
        for broken in ["", "user:plain\n"] {
            files::stand_in("password-file", Ok(broken.into()));
            plugin.tick();
            assert!(accepts(&mut plugin));
        }
        files::stand_in("password-file", Ok(USER.replace("user:", "other:").into()));
        plugin.tick();
        assert!(!accepts(&mut plugin));
        files::stand_in("password-file", Ok(USER.into()));
        plugin.tick();
        assert!(accepts(&mut plugin));
        files::stand_in("password-file", Ok("# no users\n".into()));
        plugin.tick();
        assert!(!accepts(&mut plugin), "it is meant");
    }
}
