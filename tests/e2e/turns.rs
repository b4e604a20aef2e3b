//! What one client has the broker do comes in turns, between which others have theirs.

use std::io::{Read, Write};
use std::net::TcpStream;

use rumqttc::QoS::AtLeastOnce;

use crate::broker::Broker;
use crate::client::Client;
use crate::protocol::{CONNACK, CONNECT, open, subscribe};
use crate::slow_plugins::{connected, others, round_trips_until};

const PINGREQ: &[u8] = &[0xc0, 0];
const PINGRESP: [u8; 2] = [0xd0, 0];

/// The answer to a PINGREQ comes when all before it is done; meanwhile the other client is served.
fn check_others_have_turns(busy: &mut TcpStream, quick: &mut Client) {
    let round_trips = round_trips_until(busy, quick);
    let mut answer = [0; 2];
    busy.read_exact(&mut answer).expect("is answered");
    assert_eq!(answer, PINGRESP);
    assert!(round_trips > 20, "{round_trips} round trips meanwhile");
}

/// A client that has published two thousand retained messages.
fn with_retained(broker: &Broker) -> Client {
    let mut publisher = Client::connect(broker, "publisher");
    for number in 0..2_000 {
        publisher.publish(&format!("a/{number}/b"), AtLeastOnce, true, "kept");
    }
    publisher
}

/// A few bytes for each message, which goes to a thousand.
#[test]
fn many_messages_for_many() {
    let broker = Broker::open();
    let mut members = open(&broker);
    members.write_all(&[&CONNECT[..CONNECT.len() - 1], b"y"].concat()).expect("is open");
    members.read_exact(&mut [0; CONNACK.len()]).expect("is answered");
    for some in 0..10 {
        members
            .write_all(&subscribe((0..100).map(|group| format!("$share/{}/a", 100 * some + group))))
            .expect("is open");
        members.read_exact(&mut [0; 4 + 100]).expect("is answered");
    }
    let mut publisher = connected(&broker);
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    publisher.write_all(&[b"\x30\x03\0\x01a".repeat(2_000).as_slice(), PINGREQ].concat()).expect("is open");
    check_others_have_turns(&mut publisher, &mut quick);
}

/// All retained messages are looked at for each filter.
#[test]
fn many_filters_over_many_retained_messages() {
    const FILTERS: usize = 6_000;
    let broker = Broker::open();
    with_retained(&broker);
    let mut subscriber = open(&broker);
    // With a keep-alive of a second, in which it says nothing as the broker does not listen.
    subscriber.write_all(b"\x10\x0d\0\x04MQTT\x04\x02\0\x01\0\x01x").expect("is open");
    subscriber.read_exact(&mut [0; CONNACK.len()]).expect("is answered");
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    let filters = subscribe((0..FILTERS).map(|number| format!("+/+/c{number}")));
    subscriber.write_all(&[filters.as_slice(), PINGREQ].concat()).expect("is open");
    // One byte more than that of fewer filters.
    subscriber.read_exact(&mut [0; 5 + FILTERS]).expect("is answered");
    check_others_have_turns(&mut subscriber, &mut quick);
}

/// Whoever may not be subscribed any more gets no retained messages for what he was owed.
#[test]
fn what_is_owed_ends_with_the_subscription() {
    const FILTERS: usize = 6_000;
    let acl =
        "topic-check: {plugins: [topic_acl], publish-acl: {anonymous: ['#']}, subscribe-acl: {anonymous: ['#']}}\n";
    let mut broker = Broker::start(&format!("plugins: [auth_anonymous, topic_acl]\n{acl}"));
    let mut publisher = with_retained(&broker);
    publisher.publish("secret", AtLeastOnce, true, "secret");
    let mut subscriber = connected(&broker);
    let filters = (0..FILTERS).map(|number| format!("+/+/c{number}")).chain(["secret".to_owned()]);
    subscriber.write_all(&[subscribe(filters).as_slice(), PINGREQ].concat()).expect("is open");
    subscriber.read_exact(&mut [0; 5 + FILTERS + 1]).expect("is answered");
    let denied = broker.config().replace("subscribe-acl: {anonymous: ['#']}", "subscribe-acl: {somebody: ['#']}");
    broker.rewrite("broker.yaml", denied);
    broker.signal("HUP");
    broker.wait_for_log("permissions have changed: 6001 subscriptions ended");
    // Answers go before messages: with the second one these would have come.
    let mut answers = [0; 4];
    subscriber.read_exact(&mut answers[..2]).expect("is answered");
    subscriber.write_all(PINGREQ).expect("is open");
    subscriber.read_exact(&mut answers[2..]).expect("is answered");
    assert_eq!(answers, [PINGRESP, PINGRESP].concat()[..]);
}

/// A persistent session's next connection gets what the one before was owed.
#[test]
fn what_is_owed_outlives_the_connection() {
    const FILTERS: usize = 6_000;
    let broker = Broker::open();
    let mut publisher = with_retained(&broker);
    publisher.publish("last", AtLeastOnce, true, "x");
    let connect = b"\x10\x0d\0\x04MQTT\x04\0\0\0\0\x01x";
    let mut subscriber = open(&broker);
    subscriber.write_all(connect).expect("is open");
    subscriber.read_exact(&mut [0; CONNACK.len()]).expect("is answered");
    let filters = (0..FILTERS).map(|number| format!("+/+/c{number}")).chain(["last".to_owned()]);
    subscriber.write_all(&subscribe(filters)).expect("is open");
    subscriber.read_exact(&mut [0; 5 + FILTERS + 1]).expect("is answered");
    subscriber.write_all(&[0xe0, 0]).expect("is open");
    drop(subscriber);
    let mut again = open(&broker);
    again.write_all(connect).expect("is open");
    let mut answer = [0; CONNACK.len() + 9];
    again.read_exact(&mut answer).expect("all of it comes");
    assert_eq!(answer, *b"\x20\x02\x01\0\x31\x07\0\x04lastx");
}

/// Who does not take what is written is not read either, until he does.
#[test]
fn what_was_sent_before_a_large_message_was_taken_is_answered() {
    let broker = Broker::open();
    let mut subscriber = connected(&broker);
    subscriber.write_all(&subscribe(["a".to_owned()])).expect("is open");
    subscriber.read_exact(&mut [0; 5]).expect("is answered");
    // More than the system keeps for a connection.
    let payload = vec![b'x'; 15 << 20];
    Client::connect(&broker, "publisher").publish("a", AtLeastOnce, false, payload.clone());
    let mut answer = vec![0; 1 + 4 + 3 + payload.len() + PINGRESP.len()];
    let (begun, rest) = answer.split_at_mut(1_000);
    subscriber.read_exact(begun).expect("it is on its way");
    subscriber.write_all(PINGREQ).expect("is open");
    subscriber.read_exact(rest).expect("is answered");
    assert!(answer.ends_with(&PINGRESP));
}
