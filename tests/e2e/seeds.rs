//! The configurations in the documents that this broker takes over from: each starts as it is, but for addresses, names of
//! files and placeholders.

use rumqttc::QoS::{AtLeastOnce, AtMostOnce};
use rumqttc::SubscribeReasonCode::Success;

use crate::broker::{Broker, Setup};
use crate::carrier::Carrier;
use crate::certificates::Authority;
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

/// A broker and who vouches for it.
struct Started {
    broker: Broker,
    authority: Authority,
}

/// Starts the broker with the files that the configuration names: passwords, and certificates.
fn start(config: &str) -> Started {
    let authority = Authority::new();
    let server = authority.server();
    let setup = Setup::whole(config).file("users", USERS).file("ca/ca.pem", &authority.pem);
    let setup = setup.file("certificate", server.certificate).file("key", server.key);
    let path = |name: &str| setup.dir().join(name).display().to_string();
    let mut config = config.to_owned();
    for (named, file) in [
        ("/some/passwd_file", "users"),
        ("/some/cafile", "ca/ca.pem"),
        ("/some/folder", "nowhere"),
        ("certificate data", "ca"),
        ("/some/certfile", "certificate"),
        ("/some/key", "key"),
    ] {
        config = config.replace(named, &path(file));
    }
    Started { broker: setup.with(&config).start(), authority }
}

/// The certificate that the document forgot.
fn with_forgotten_certificate(config: &str) -> String {
    let cafile = "    cafile: /some/cafile\n";
    assert!(config.contains(cafile));
    config.replace(cafile, &format!("{cafile}    certfile: /some/certfile\n    keyfile: /some/key\n"))
}

/// What a listener answers to a CONNECT, whatever it speaks.
fn login(started: &mut Started, listener: &str, user: Option<&str>) -> (Carrier, u8) {
    let mut carrier = Carrier::open(&mut started.broker, &started.authority, listener);
    let id = format!("{listener}-{user:?}");
    let mut body = [b"\0\x04MQTT\x04", &[user.map_or(2, |_| 0xc2), 0, 0][..]].concat();
    for text in [Some(id.as_str()), user, user.map(|_| "test")].into_iter().flatten() {
        body.extend([0, text.len() as u8]);
        body.extend(text.as_bytes());
    }
    let connack = carrier.exchange(&[&[0x10, body.len() as u8][..], &body].concat(), 4);
    (carrier, connack[3])
}

/// Connects to a listener by its name.
fn connect(
    Started { broker, .. }: &mut Started,
    listener: &str,
    user: Option<&str>,
) -> Result<Client, rumqttc::ConnectReturnCode> {
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
    let mut started = start(&placed(DEFAULT));
    check_round(&mut connect(&mut started, "default", None).expect("anonymous"), "a");
    check_round(&mut connect(&mut started, "default", Some("anybody")).expect("unverified"), "b");
}

#[test]
fn the_example_lets_in_who_has_a_password() {
    let mut started = start(&with_forgotten_certificate(&placed(EXAMPLE)));
    for listener in ["my-tcp-1", "my-tcp-2", "my-tcp-tls-1", "my-ws-1", "my-wss-1"] {
        let (mut carrier, accepted) = login(&mut started, listener, Some("test"));
        assert_eq!(accepted, 0, "{listener}");
        assert_eq!(carrier.exchange(b"\x82\x06\0\x01\0\x01a\x01", 5), [0x90, 3, 0, 1, 1]);
        assert_eq!(carrier.exchange(b"\x30\x05\0\x01ahi", 7), b"\x30\x05\0\x01ahi");
        assert_eq!(login(&mut started, listener, Some("other")).1, 4, "{listener}");
        assert_eq!(login(&mut started, listener, None).1, 5, "{listener}");
    }
    let mut client = connect(&mut started, "my-tcp-1", Some("test")).expect("the password is right");
    client.subscribe("$SYS/broker/version", AtMostOnce);
    assert!(client.receive_words().starts_with("$SYS/broker/version "), "`broker_sys` is there");
}

/// The document's listener with TLS never started there. Here it is an error that names what is missing.
#[test]
fn the_example_without_the_forgotten_certificate_opens_nothing() {
    let (status, stderr) = Setup::whole(&placed(EXAMPLE)).fail();
    assert_eq!(status.code(), Some(1));
    let expected =
        "broker.yaml:12:5: key `listeners.my-tcp-tls-1.ssl`: TLS needs a certificate, and there is no `certfile`";
    assert!(stderr.contains(expected) && !stderr.contains("listening"), "{stderr}");
}

#[test]
fn the_old_example_knows_who_may_what() {
    for config in OLD_EXAMPLES {
        let mut started = start(&placed(&filled_in(config)));
        for listener in ["my-tcp-1", "my-tcp-2", "my-tcp-ssl-1", "my-ws-1"] {
            // Names are not verified there: only `auth.anonymous` is asked. It lets in who names no one.
            let (mut carrier, accepted) = login(&mut started, listener, None);
            assert_eq!(accepted, 0, "{listener}");
            let refused = carrier.exchange(b"\x82\x0f\0\x01\0\x0adata/memes\0", 5);
            assert_eq!(refused, [0x90, 3, 0, 1, 0x80], "the list of `anonymous` is empty");
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
        let mut started = start(&placed(&filled_in(&indented)));
        assert_eq!(login(&mut started, "my-ws-1", None).1, 0);
    }
}

#[test]
fn placeholders_are_named_with_file_line_column_key_and_what_is_allowed() {
    for config in OLD_EXAMPLES {
        let (status, stderr) = Setup::whole(config).fail();
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
    let Started { mut broker, .. } = start(&placed(&filled_in(OLD_EXAMPLES[0])));
    let line = broker.wait_for_log("capath` is repeated");
    assert!(line.contains("WARN") && line.contains("line 15 counts, line 14 has no effect"), "{line}");
}
