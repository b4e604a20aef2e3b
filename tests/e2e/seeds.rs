//! The configurations in the documents that this broker takes over from: each starts as it is, but for addresses, names of
//! files and placeholders.

use rumqttc::ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
use rumqttc::QoS::{AtLeastOnce, AtMostOnce};
use rumqttc::SubscribeReasonCode::{Failure, Success};

use crate::broker::{Broker, Setup};
use crate::client::{Client, options};

const DEFAULT: &str = include_str!("../seeds/000_default.yaml");
const EXAMPLE: &str = include_str!("../seeds/000_example.yaml");
/// With placeholders; the second and the fourth have the same text.
const OLD_EXAMPLES: [&str; 2] = [include_str!("../seeds/002.yaml"), include_str!("../seeds/004.yaml")];
/// In documents that lost their indentation.
const FLAT_EXAMPLES: [&str; 2] = [include_str!("../seeds/001.yaml"), include_str!("../seeds/003.yaml")];

/// The line of the first document; the password is `test`.
const USERS: &str =
    "test:$6$l4zQEHEcowc1Pnv4$HHrh8xnsZoLItQ8BmpFHM4r6q5UqK3DnXp2GaTm5zp5buQ7NheY3Xt9f6godVKbEtA.hOC7IEDwnok3pbAOip.\n";

/// Each address with a free port of this machine in its place.
fn placed(config: &str) -> String {
    let line = |line: &str| match line.split_once("bind: ") {
        Some((indent, _)) => format!("{indent}bind: 127.0.0.1:0\n"),
        None => format!("{line}\n"),
    };
    config.lines().map(line).collect()
}

/// What people write in place of placeholders.
fn filled_in(config: &str) -> String {
    config.replace("true / false", "true").replace("username2: ...", "username2: ['data/memes']")
}

/// What this version listens on: plain TCP.
fn plain(config: &str) -> String {
    config.replace("ssl: on", "ssl: off").replace("type: ws", "type: tcp")
}

/// Starts the broker with the password file that the configuration names.
fn start(config: &str) -> Broker {
    let setup = Setup::whole(config).file("users", USERS);
    let users = setup.dir().join("users");
    let config = config.replace("/some/passwd_file", &users.display().to_string());
    setup.with(&config).start()
}

/// Connects to a listener by its name.
fn connect(broker: &mut Broker, listener: &str, user: Option<&str>) -> Result<Client, rumqttc::ConnectReturnCode> {
    let line = broker.wait_for_log(&format!("listener `{listener}`"));
    broker.port = line.rsplit(':').next().and_then(|port| port.parse().ok()).expect("ends with the port");
    let mut options = options(broker, &format!("{listener}-{user:?}"));
    if let Some(user) = user {
        options.set_credentials(user, "test");
    }
    Client::connect_with(options)
}

fn check_round(client: &mut Client, topic: &str) {
    assert_eq!(client.subscribe(topic, AtLeastOnce), Success(AtLeastOnce));
    client.publish(topic, AtLeastOnce, false, "here");
    assert_eq!(client.receive_words(), format!("{topic} here"));
}

#[test]
fn the_default_configuration_lets_everyone_in() {
    let mut broker = start(&placed(DEFAULT));
    check_round(&mut connect(&mut broker, "default", None).expect("anonymous"), "a");
    check_round(&mut connect(&mut broker, "default", Some("anybody")).expect("unverified"), "b");
}

#[test]
fn the_example_lets_in_who_has_a_password() {
    let mut broker = start(&plain(&placed(EXAMPLE)));
    for listener in ["my-tcp-1", "my-tcp-2", "my-tcp-tls-1", "my-ws-1", "my-wss-1"] {
        check_round(&mut connect(&mut broker, listener, Some("test")).expect("the password is right"), listener);
        assert_eq!(connect(&mut broker, listener, Some("other")).err(), Some(BadUserNamePassword), "{listener}");
        assert_eq!(connect(&mut broker, listener, None).err(), Some(NotAuthorized), "{listener}");
    }
    let mut client = connect(&mut broker, "my-tcp-1", Some("test")).expect("the password is right");
    client.subscribe("$SYS/broker/version", AtMostOnce);
    assert!(client.receive_words().starts_with("$SYS/broker/version "), "`broker_sys` is there");
}

#[test]
fn the_old_example_knows_who_may_what() {
    for config in OLD_EXAMPLES {
        let mut broker = start(&plain(&placed(&filled_in(config))));
        for listener in ["my-tcp-1", "my-tcp-2", "my-tcp-ssl-1", "my-ws-1"] {
            // Names are not verified there: only `auth.anonymous` is asked. It lets in who names no one.
            let mut client = connect(&mut broker, listener, None).expect("anonymous");
            assert_eq!(client.subscribe("data/memes", AtMostOnce), Failure, "the list of `anonymous` is empty");
        }
    }
}

/// The same lines with the indentation that other documents have kept.
#[test]
fn an_example_without_its_indentation_opens_nothing_and_is_the_same_with_it() {
    for flat in FLAT_EXAMPLES {
        let (status, stderr) = Setup::whole(flat).fail();
        assert_eq!(status.code(), Some(1));
        assert!(stderr.contains("broker.yaml:2:1: key `default` stands outside of `listeners`"), "{stderr}");
        assert!(!stderr.contains("listening"), "{stderr}");
        let indented: String = std::iter::zip(flat.lines(), OLD_EXAMPLES[0].lines())
            .map(|(line, model)| format!("{}{line}\n", &model[..model.len() - model.trim_start().len()]))
            .collect();
        let mut broker = start(&plain(&placed(&filled_in(&indented))));
        connect(&mut broker, "my-ws-1", None).expect("anonymous");
    }
}

#[test]
fn placeholders_are_named_with_file_line_column_key_and_what_is_allowed() {
    for config in OLD_EXAMPLES {
        let (status, stderr) = Setup::whole(&plain(config)).fail();
        assert_eq!(status.code(), Some(1));
        for expected in [
            "broker.yaml:24:22: key `auth.allow-anonymous`: found `true / false`, wanted `true` or `false`",
            "broker.yaml:27:14: key `topic-check.enabled`: found `true / false`, wanted `true` or `false`",
            "broker.yaml:32:20: key `topic-check.acl.username2`: found `...`, wanted a list of topics",
        ] {
            assert!(stderr.contains(expected), "{expected}\n{stderr}");
        }
        assert!(!stderr.contains("listening"), "{stderr}");
    }
}

#[test]
fn of_a_repeated_capath_the_last_counts_with_a_warning() {
    let mut broker = start(&plain(&placed(&filled_in(OLD_EXAMPLES[0]))));
    let line = broker.wait_for_log("capath` is repeated");
    assert!(line.contains("WARN") && line.contains("line 15 counts, line 14 has no effect"), "{line}");
}
