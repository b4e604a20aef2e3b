//! Where the log goes, and what becomes of the broker where nobody takes it.

use std::fs::File;
use std::io::{Read, Write};

use rumqttc::QoS::AtLeastOnce;

use crate::broker::{Broker, Setup, amqtt};
use crate::client::Client;
use crate::slow_plugins::connected;

/// A broker whose log nobody reads, after it had more to say than a pipe and the broker itself hold.
fn with_a_full_log() -> Broker {
    let config = "plugins: [auth_anonymous, topic_taboo]\ntopic-check: {taboo: [secret/#]}\n";
    let broker = Setup::new(config).debug().leave_log().start();
    let mut client = connected(&broker);
    let topic = format!("secret/{}", "x".repeat(93));
    let publish = [&[0x30, 102, 0, 100], topic.as_bytes()].concat();
    // Each is refused, which the log says in some 190 bytes.
    client.write_all(&[publish.repeat(10_000).as_slice(), &[0xc0, 0]].concat()).expect("is open");
    client.read_exact(&mut [0; 2]).expect("is answered");
    broker
}

#[test]
fn a_log_that_nobody_reads_delays_nobody_and_says_later_what_is_missing() {
    let mut broker = with_a_full_log();
    let mut other = Client::connect(&broker, "other");
    other.subscribe("a", AtLeastOnce);
    other.publish("a", AtLeastOnce, false, "b");
    assert_eq!(other.receive_words(), "a b");
    broker.read_log();
    let line = broker.wait_for_log("lines of the log were left out");
    assert!(line.contains("] :: WARN - "), "{line}");
    broker.signal("TERM");
    broker.wait_for_log("shutting down");
    assert!(broker.wait().success());
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_broker_from_ending() {
    let mut broker = with_a_full_log();
    broker.signal("TERM");
    assert!(broker.wait().success());
}

/// Also where nothing can be written, the broker works.
#[test]
fn what_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("has one");
    let path = folder.path().join("broker.yaml");
    let config = format!("listeners: {{mine: {{bind: \"{address}\"}}}}\nplugins: [auth_anonymous]\n");
    std::fs::write(&path, config).expect("can write");
    let full = File::options().write(true).open("/dev/full").expect("there is one");
    let status = amqtt().arg("-c").arg(&path).stderr(full).status().expect("can start");
    assert_eq!(status.code(), Some(1));
    // What was logged comes before the last word.
    let output = amqtt().arg("-c").arg(&path).arg("-d").output().expect("can start");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("] :: DEBUG - "), "{log}");
    let said: Vec<&str> = log.lines().skip_while(|line| !line.starts_with("amqtt: ")).collect();
    assert!(
        matches!(said[..], [error, hint] if error.contains("listener `mine`") && hint.starts_with("  hint: ")),
        "{log}"
    );
}
