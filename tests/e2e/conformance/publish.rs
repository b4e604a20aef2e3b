//! Sections 3.3 to 3.7 and 4.3: messages and their acknowledgement.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;
use crate::protocol::check_closed;

/// `[MQTT-3.3.1-2]` `[MQTT-3.3.1-4]` `[MQTT-3.3.2-2]` `[MQTT-4.7.1-1]` `[MQTT-4.7.3-1]` `[MQTT-4.8.0-1]`
#[test]
fn a_malformed_publish_closes_the_connection() {
    let broker = Broker::open();
    for packet in [
        publish(Q0 | DUP, "a", 0, ""),
        publish(Q1 | Q2, "a", 1, ""),
        publish(Q0, "a/+", 0, ""),
        publish(Q1, "a/#", 1, ""),
        publish(Q2, "+", 1, ""),
        publish(Q0, "", 0, ""),
        packet(0x30, b"\0"),      // [MQTT-3.3.2-1] no topic
        packet(0x32, b"\0\x01a"), // [MQTT-2.3.1-1] no identifier
    ] {
        check_closed(&broker, &[connect("id"), packet].concat(), &connack(false, 0));
    }
}

/// `[MQTT-3.3.1-3]`: what the publisher repeats is new to the subscriber.
#[test]
fn dup_is_not_passed_on() {
    let broker = Broker::open();
    let mut subscriber = Peer::subscribed(&broker, "subscriber", "a", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(DUP, "a", "x");
    subscriber.expect_publish(Q1, "a", "x");
    publisher.send(publish(Q2 | DUP, "a", 7, "y")).expect(pubrec(7));
    subscriber.expect_publish(Q2, "a", "y");
}

/// `[MQTT-3.3.1-5]` `[MQTT-3.3.1-6]` `[MQTT-3.3.1-7]` `[MQTT-3.3.1-8]`: kept with its QoS, the last one of each topic.
#[test]
fn the_last_retained_message_is_sent_to_new_subscribers() {
    let broker = Broker::open();
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.send(publish(Q2 | RETAIN, "a", 1, "2")).expect(pubrec(1)).send(pubrel(1)).expect(pubcomp(1));
    let expect = |granted: u8, flags: u8, payload: &str| {
        let mut peer = Peer::subscribed(&broker, "late", "a", granted);
        peer.expect_publish(flags | RETAIN, "a", payload);
        peer.expect_quiet();
    };
    expect(0, Q0, "2");
    expect(1, Q1, "2");
    expect(2, Q2, "2");
    publisher.publish(RETAIN, "a", "1");
    expect(2, Q1, "1");
    publisher.send(publish(Q0 | RETAIN, "a", 0, "0")).expect_quiet();
    expect(2, Q0, "0");
}

/// `[MQTT-3.3.1-9]` `[MQTT-3.3.1-10]` `[MQTT-3.3.1-11]` `[MQTT-3.3.1-12]`
#[test]
fn an_empty_retained_message_deletes_and_is_passed_on() {
    let broker = Broker::open();
    let mut live = Peer::subscribed(&broker, "live", "a", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    let expect_stored = |payload: Option<&str>| {
        let mut late = Peer::subscribed(&broker, "late", "a", 0);
        if let Some(payload) = payload {
            late.expect_publish(Q0 | RETAIN, "a", payload);
        }
        late.expect_quiet();
    };
    publisher.publish(RETAIN, "a", "kept");
    live.expect_publish(Q0, "a", "kept");
    expect_stored(Some("kept"));
    for payload in ["live", ""] {
        publisher.publish(0, "a", payload);
        live.expect_publish(Q0, "a", payload);
        expect_stored(Some("kept"));
    }
    for _ in 0..2 {
        publisher.publish(RETAIN, "a", "");
        live.expect_publish(Q0, "a", "");
        expect_stored(None);
    }
}

/// `[MQTT-2.3.1-5]` `[MQTT-4.3.1-1]` `[MQTT-3.3.4-1]`: QoS 0 has no identifier and no answer, in either direction.
#[test]
fn qos_0_is_sent_once_and_not_answered() {
    let broker = Broker::open();
    let mut subscriber = Peer::subscribed(&broker, "subscriber", "a", 2);
    Peer::connected(&broker, "publisher").send(publish(Q0, "a", 0, "x")).expect_quiet();
    subscriber.expect(b"\x30\x04\0\x01ax").expect_quiet();
}

/// `[MQTT-4.3.2-2]` `[MQTT-3.3.4-1]`: after the PUBACK the identifier means a new message, whatever DUP says.
#[test]
fn a_qos_1_identifier_is_free_after_the_puback() {
    let broker = Broker::open();
    let mut subscriber = Peer::subscribed(&broker, "subscriber", "a", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    for flags in [0, DUP, DUP] {
        publisher.send(publish(Q1 | flags, "a", 5, "x")).expect(puback(5));
        subscriber.expect_publish(Q0, "a", "x");
    }
    publisher.expect_quiet();
}

/// `[MQTT-4.3.2-1]`: unacknowledged until its PUBACK, with an identifier of its own and DUP not set.
#[test]
fn a_qos_1_message_is_kept_until_its_puback() {
    let broker = Broker::open();
    let mut subscriber = Peer::accepted(&broker, resume("subscriber"), false);
    subscriber.subscribe("a", 1);
    Peer::connected(&broker, "publisher").publish(0, "a", "x").publish(0, "a", "y");
    let x = subscriber.expect_publish(Q1, "a", "x");
    let y = subscriber.expect_publish(Q1, "a", "y");
    assert_ne!(x, y);
    subscriber.send(puback(x)).expect_quiet();
    // [MQTT-3.3.1-1] [MQTT-4.4.0-1]: only the other one is sent again, with DUP and the same identifier.
    let mut subscriber = Peer::accepted(&broker, resume("subscriber"), true);
    assert_eq!(subscriber.expect_publish(Q1 | DUP, "a", "y"), y);
    subscriber.send(puback(y)).expect_quiet();
    Peer::accepted(&broker, resume("subscriber"), true).expect_quiet();
}

/// `[MQTT-4.3.3-1]`: PUBLISH until the PUBREC, then PUBREL until the PUBCOMP, all with one identifier.
#[test]
fn a_qos_2_message_is_kept_until_its_pubcomp() {
    let broker = Broker::open();
    let mut subscriber = Peer::accepted(&broker, resume("subscriber"), false);
    subscriber.subscribe("a", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.send(publish(Q2, "a", 9, "x")).expect(pubrec(9)).send(pubrel(9)).expect(pubcomp(9));
    let id = subscriber.expect_publish(Q2, "a", "x");
    let mut subscriber = Peer::accepted(&broker, resume("subscriber"), true);
    assert_eq!(subscriber.expect_publish(Q2 | DUP, "a", "x"), id);
    // [MQTT-2.2.2-1]: the PUBREL has the flags 0010.
    subscriber.send(pubrec(id)).expect(pubrel(id));
    let mut subscriber = Peer::accepted(&broker, resume("subscriber"), true);
    subscriber.expect(pubrel(id)).send(pubcomp(id)).expect_quiet();
    Peer::accepted(&broker, resume("subscriber"), true).expect_quiet();
}

/// `[MQTT-4.3.3-2]`: passed on once until the PUBREL, also across connections; then the identifier is free.
#[test]
fn a_qos_2_message_is_received_once() {
    let broker = Broker::open();
    let mut subscriber = Peer::subscribed(&broker, "subscriber", "a", 0);
    let mut publisher = Peer::accepted(&broker, resume("publisher"), false);
    publisher.send(publish(Q2, "a", 3, "x")).expect(pubrec(3));
    subscriber.expect_publish(Q0, "a", "x");
    publisher.send(publish(Q2 | DUP, "a", 3, "x")).expect(pubrec(3));
    let mut publisher = Peer::accepted(&broker, resume("publisher"), true);
    publisher.send(publish(Q2 | DUP, "a", 3, "x")).expect(pubrec(3));
    subscriber.expect_quiet();
    publisher.send(pubrel(3)).expect(pubcomp(3));
    publisher.send(publish(Q2 | DUP, "a", 3, "new")).expect(pubrec(3));
    subscriber.expect_publish(Q0, "a", "new");
    // A PUBREL of nothing is answered too, or the client would send it for ever.
    publisher.send(pubrel(3)).expect(pubcomp(3)).send(pubrel(3)).expect(pubcomp(3));
}

/// `[MQTT-3.3.5-2]`: acknowledged as if it were allowed, and dropped.
#[test]
fn a_publish_that_is_not_allowed_is_acknowledged() {
    let acl = "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  enabled: true\n  acl:\n    anonymous: [allowed]\n";
    let broker = Broker::start(&format!("{acl}  subscribe-acl:\n    anonymous: ['#']\n"));
    let mut subscriber = Peer::subscribed(&broker, "subscriber", "#", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.send(publish(Q0 | RETAIN, "denied", 0, "x")).expect_quiet();
    publisher.send(publish(Q1 | RETAIN, "denied", 1, "x")).expect(puback(1));
    publisher.send(publish(Q2 | RETAIN, "denied", 2, "x")).expect(pubrec(2)).send(pubrel(2)).expect(pubcomp(2));
    publisher.publish(0, "allowed", "y");
    subscriber.expect_publish(Q0, "allowed", "y");
    subscriber.expect_quiet();
    Peer::subscribed(&broker, "late", "#", 0).expect_quiet();
}
