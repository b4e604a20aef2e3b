use std::io::{Read, Write};

use rumqttc::LastWill;
use rumqttc::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

use crate::broker::Broker;
use crate::client::{Client, options};
use crate::protocol;

fn persistent(broker: &Broker, client_id: &str) -> Client {
    let mut options = options(broker, client_id);
    options.set_clean_session(false);
    Client::connect_with(options).expect("accepted")
}

/// `[MQTT-3.1.2-4]` `[MQTT-3.1.2-5]` `[MQTT-3.2.2-2]` `[MQTT-3.2.2-3]`
#[test]
fn a_persistent_session_waits_for_its_client() {
    let broker = Broker::open();
    let mut publisher = Client::connect(&broker, "publisher");
    let mut client = persistent(&broker, "client");
    assert!(!client.session_present);
    client.subscribe("a", ExactlyOnce);
    client.disconnect();
    for (qos, payload) in [(AtMostOnce, "0"), (AtLeastOnce, "1"), (ExactlyOnce, "2")] {
        publisher.publish("a", qos, false, payload);
    }
    let mut client = persistent(&broker, "client");
    assert!(client.session_present);
    // Not marked as retained, and QoS 0 is not kept.
    assert_eq!(client.receive_all(), ["a 1", "a 2"]);
    publisher.publish("a", AtLeastOnce, false, "live");
    assert_eq!(client.receive_words(), "a live");
}

/// `[MQTT-3.1.2-6]`
#[test]
fn a_clean_session_begins_and_ends_empty() {
    let broker = Broker::open();
    let mut publisher = Client::connect(&broker, "publisher");
    let mut client = persistent(&broker, "client");
    client.subscribe("a", ExactlyOnce);
    client.disconnect();
    publisher.publish("a", AtLeastOnce, false, "lost");
    let mut client = Client::connect(&broker, "client");
    assert!(!client.session_present);
    publisher.publish("a", AtLeastOnce, false, "not subscribed");
    assert!(client.receive_all().is_empty());
    client.subscribe("a", AtLeastOnce);
    client.disconnect();
    // The clean session left nothing either.
    assert!(!persistent(&broker, "client").session_present);
}

/// `[MQTT-3.1.4-2]`
#[test]
fn a_second_connection_takes_over() {
    let broker = Broker::open();
    let mut publisher = Client::connect(&broker, "publisher");
    let mut first = persistent(&broker, "client");
    first.subscribe("a", AtLeastOnce);
    let mut second = persistent(&broker, "client");
    assert!(second.session_present);
    first.wait_closed();
    publisher.publish("a", AtLeastOnce, false, "for the second");
    assert_eq!(second.receive_words(), "a for the second");
    // Also where neither wants the session kept.
    let mut third = Client::connect(&broker, "client");
    second.wait_closed();
    third.subscribe("a", AtLeastOnce);
    let mut fourth = Client::connect(&broker, "client");
    third.wait_closed();
    fourth.subscribe("b", AtLeastOnce);
    publisher.publish("b", AtLeastOnce, false, "alive");
    assert_eq!(fourth.receive_all(), ["b alive"]);
}

fn with_will(broker: &Broker, client_id: &str, topic: &str) -> Client {
    let mut options = options(broker, client_id);
    options.set_last_will(LastWill::new(topic, "gone", AtLeastOnce, true));
    Client::connect_with(options).expect("accepted")
}

/// `[MQTT-3.1.2-8]` `[MQTT-3.1.2-10]` `[MQTT-3.1.2-17]` `[MQTT-3.14.4-3]`
#[test]
fn a_will_is_sent_when_the_client_vanishes_and_only_then() {
    let broker = Broker::open();
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("will/#", ExactlyOnce);
    with_will(&broker, "orderly", "will/orderly").disconnect();
    with_will(&broker, "vanished", "will/vanished").vanish();
    assert_eq!(watcher.receive_words(), "will/vanished gone");
    assert!(watcher.receive_all().is_empty());
    // [MQTT-3.1.2-17]: it was to be retained.
    let mut late = Client::connect(&broker, "late");
    late.subscribe("will/#", AtMostOnce);
    assert_eq!(late.receive_all(), ["will/vanished gone r"]);
}

#[test]
fn a_takeover_sends_the_will_of_the_old_connection() {
    let broker = Broker::open();
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("will/#", AtMostOnce);
    let mut old = with_will(&broker, "client", "will/old");
    let _new = Client::connect(&broker, "client");
    old.wait_closed();
    assert_eq!(watcher.receive_words(), "will/old gone");
}

/// The watcher is no client library: that may drop what it reads together with the end of the connection.
#[test]
fn a_shutdown_sends_wills_and_ends_well() {
    for signal in ["INT", "TERM"] {
        let mut broker = Broker::open();
        let mut watcher = protocol::open(&broker);
        let subscribe = b"\x82\x0b\0\x01\0\x06will/#\0";
        watcher.write_all(&[protocol::CONNECT, subscribe].concat()).expect("is open");
        let mut client = with_will(&broker, "client", "will/client");
        let mut answer = [0; 4 + 5];
        watcher.read_exact(&mut answer).expect("is answered");
        broker.signal(signal);
        assert_eq!(protocol::answer_until_close(&mut watcher, b""), b"\x30\x11\0\x0bwill/clientgone");
        client.wait_closed();
        assert_eq!(broker.wait().code(), Some(0));
    }
}
