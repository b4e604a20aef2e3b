//! What one client has the broker do comes in turns, between which others have theirs.

use std::io::{Read, Write};

use rumqttc::QoS::AtLeastOnce;

use crate::broker::Broker;
use crate::client::Client;
use crate::protocol::{CONNACK, CONNECT, open, subscribe};
use crate::slow_plugins::{connected, others, round_trips_until};

const PINGREQ: &[u8] = &[0xc0, 0];
const PINGRESP: [u8; 2] = [0xd0, 0];

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
    let round_trips = round_trips_until(&publisher, &mut quick);
    let mut answer = [0; 2];
    publisher.read_exact(&mut answer).expect("is answered");
    assert_eq!(answer, PINGRESP);
    assert!(round_trips > 20, "{round_trips} round trips meanwhile");
}

/// All retained messages are looked at for each filter.
#[test]
fn many_filters_over_many_retained_messages() {
    const FILTERS: usize = 2_000;
    let broker = Broker::open();
    let mut publisher = Client::connect(&broker, "publisher");
    for number in 0..2_000 {
        publisher.publish(&format!("a/{number}/b"), AtLeastOnce, true, "kept");
    }
    let mut subscriber = connected(&broker);
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    let filters = subscribe((0..FILTERS).map(|number| format!("+/+/c{number}")));
    subscriber.write_all(&[filters.as_slice(), PINGREQ].concat()).expect("is open");
    // One byte more than that of fewer filters.
    subscriber.read_exact(&mut [0; 5 + FILTERS]).expect("is answered");
    let round_trips = round_trips_until(&subscriber, &mut quick);
    let mut answer = [0; 2];
    subscriber.read_exact(&mut answer).expect("is answered");
    assert_eq!(answer, PINGRESP);
    assert!(round_trips > 20, "{round_trips} round trips meanwhile");
}
