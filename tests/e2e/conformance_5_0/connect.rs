//! Sections 3.1 and 3.2 of MQTT 5.0: CONNECT and CONNACK.

use amqtt_tests::guests;

use super::packets::*;
use super::peer::Peer;
use crate::bounds::wait_for_counter;
use crate::broker::{Broker, Setup};

const OPEN: &str = "plugins: [auth_anonymous]\n";

/// 3.2.2.3: what the settings make of it is told; the rest is as the standard has it by default.
#[test]
fn a_connack_tells_what_there_is() {
    let (_, told) = Peer::told(&Broker::open(), &Connect::clean("id"), false);
    let expected = [two(0x21, 1_024), four(0x27, 16 << 20), two(0x22, 16)].concat();
    assert_eq!(told, expected, "{told:02x?}");
    let broker = Setup::new(
        "plugins: [auth_anonymous]\nmax-qos: 1\nretain-available: false\nwildcard-subscriptions: false\n\
         subscription-identifiers: false\nshared-subscriptions: false\nlimits: {receive-max: 9, packet-bytes-max: 1000, topic-alias-max: 0}\n",
    );
    let (_, told) = Peer::told(&broker.start(), &Connect::clean("id"), false);
    let without = [[0x28, 0], [0x29, 0], [0x2a, 0]].concat();
    let expected = [two(0x21, 9), vec![0x24, 1, 0x25, 0], four(0x27, 1_000), without].concat();
    assert_eq!(told, expected, "{told:02x?}");
}

/// `[MQTT-3.1.2-24]`: who takes no CONNACK that tells it all is not let in, and has no session.
#[test]
fn a_connack_may_be_too_large_for_the_client() {
    let broker = Broker::open();
    for too_small in [5, 10] {
        Peer::refused(&broker, Connect::resume("id", 60).with(four(0x27, too_small)).bytes(), 0x95);
    }
    Peer::accepted(&broker, &Connect::resume("id", 60).with(four(0x27, 40)), false);
}

/// `[MQTT-3.1.3-6]` `[MQTT-3.1.3-7]` `[MQTT-3.2.2-16]`: the name that it is given is the name of its session.
#[test]
fn a_client_without_a_name_is_told_the_one_it_is_given() {
    let broker = Broker::open();
    let (mut peer, told) = Peer::told(&broker, &Connect::resume("", 60), false);
    let at = told.iter().position(|byte| *byte == 0x12).expect("is told");
    let len = usize::from(told[at + 2]);
    let name = std::str::from_utf8(&told[at + 3..at + 3 + len]).expect("is text");
    assert!(name.len() > 20);
    peer.send(DISCONNECT).expect_closed();
    let (_, told) = Peer::told(&broker, &Connect::resume(name, 60), true);
    assert!(!told.contains(&0x12));
}

/// `[MQTT-3.2.2-21]` `[MQTT-3.2.2-22]` `[MQTT-3.1.2-22]`: the client is held to the keep-alive that it is told.
#[test]
fn the_server_keep_alive_counts() {
    let broker = Broker::start("plugins: [auth_anonymous]\nlimits: {keep-alive-max-secs: 1}\n");
    for asked in [0, 2, 60] {
        let (mut peer, told) = Peer::told(&broker, &Connect::clean("id").keep_alive(asked), false);
        assert!(told.ends_with(&two(0x13, 1)), "{told:02x?}");
        if asked == 60 {
            peer.expect_disconnect(0x8d);
        }
    }
    let (_, told) = Peer::told(&broker, &Connect::clean("id").keep_alive(1), false);
    assert!(!told.ends_with(&two(0x13, 1)), "it is what the client asked for");
}

/// `[MQTT-3.1.4-1]` `[MQTT-4.13.1-1]`: a CONNECT that does not conform is answered with the reason.
#[test]
fn a_malformed_connect_is_told_so() {
    let broker = Broker::open();
    let connect = Connect::clean("id");
    let mut reserved = connect.clone();
    reserved.flags |= 1;
    Peer::refused(&broker, reserved.bytes(), 0x81); // [MQTT-3.1.2-3]
    Peer::refused(&broker, connect.clone().with(topic_alias(1)).bytes(), 0x81); // 2.2.2.2
    Peer::refused(&broker, connect.clone().with(two(0x21, 0)).bytes(), 0x82); // 3.1.2.11.3
    Peer::refused(&broker, connect.clone().with(session_expiry(1)).with(session_expiry(1)).bytes(), 0x82);
    Peer::refused(&broker, connect.clone().will(WILL_Q1 | WILL_Q2, &[], "").bytes(), 0x81); // [MQTT-3.1.2-12]
    let mut bytes = connect.bytes();
    bytes.push(0);
    bytes[1] += 1;
    Peer::refused(&broker, bytes, 0x81);
}

/// `[MQTT-3.1.2-2]`: what comes after 5.0 is not known.
#[test]
fn a_later_version_is_refused() {
    let broker = Broker::open();
    let mut bytes = Connect::clean("id").bytes();
    bytes[8] = 6;
    Peer::open(&broker).send(bytes).expect([0x20, 2, 0, 1]).expect_closed();
}

/// `[MQTT-4.12.0-1]`: there is no authentication method.
#[test]
fn an_authentication_method_is_refused() {
    let broker = Broker::open();
    Peer::refused(&broker, Connect::clean("id").with(text(0x15, "SCRAM-SHA-256")).bytes(), 0x8c);
    // And an AUTH comes out of nowhere (4.12).
    Peer::connected(&broker, "id").send([0xf0, 0]).expect_disconnect(0x82);
}

/// Table 3-1: what auth says, in the words of 5.0.
#[test]
fn a_refused_login_has_its_reason() {
    let broker = Broker::start("auth: {allow-anonymous: false}\nplugins: [auth_anonymous]\n");
    Peer::refused(&broker, Connect::clean("id").bytes(), 0x87);
    let broker = Setup::new("auth:\n  password-file: passwords\nplugins: [auth_file]\n")
        .file("passwords", "test:$5$rounds=1000$saltsalt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
        .start();
    let mut connect = Connect::clean("id");
    connect.flags |= USER | PASSWORD;
    connect.credentials = vec!["test".into(), "wrong".into()];
    Peer::refused(&broker, connect.bytes(), 0x86);
}

/// `[MQTT-3.2.2-19]` `[MQTT-3.2.2-20]`: what a plugin says of its refusal, unless that is too large for the client.
#[test]
fn a_plugin_may_say_why_it_refuses() {
    let broker =
        Setup::new("plugins: [guest_refuse_mallory, auth_anonymous]\n").plugin_dir_with(guests::REFUSE_MALLORY).start();
    let mut connect = Connect::clean("id");
    connect.flags |= USER;
    connect.credentials = vec!["mallory".into()];
    let said = [text(0x1f, "not you"), user("contact", "alice")].concat();
    let connack = packet(0x20, &[&[0, 0x8a, said.len() as u8], &said[..]].concat());
    Peer::open(&broker).send(connect.bytes()).expect(&connack).expect_closed();
    let fits = connect.clone().with(four(0x27, connack.len() as u32));
    Peer::open(&broker).send(fits.bytes()).expect(&connack).expect_closed();
    // User properties are left out first.
    let text_only = packet(0x20, &[&[0, 0x8a, 10][..], &text(0x1f, "not you")[..]].concat());
    for size in [connack.len() - 1, text_only.len()] {
        let smaller = connect.clone().with(four(0x27, size as u32));
        Peer::open(&broker).send(smaller.bytes()).expect(&text_only).expect_closed();
    }
    Peer::refused(&broker, connect.with(four(0x27, text_only.len() as u32 - 1)).bytes(), 0x8a);
}

/// `[MQTT-3.2.2-12]` `[MQTT-3.2.2-13]` `[MQTT-3.2.2-11]` `[MQTT-3.2.2-14]`: who asks for what it was told there is not.
#[test]
fn more_than_there_is_is_refused() {
    let broker = Broker::start("max-qos: 1\nretain-available: false\nplugins: [auth_anonymous]\n");
    Peer::refused(&broker, Connect::clean("id").will(WILL_Q2, &[], "").bytes(), 0x9b);
    Peer::refused(&broker, Connect::clean("id").will(WILL_RETAIN, &[], "").bytes(), 0x9a);
    Peer::connected(&broker, "id").send(publish(Q2, "a", 1, &[], "")).expect_disconnect(0x9b);
    Peer::connected(&broker, "id").send(publish(Q1 | RETAIN, "a", 1, &[], "")).expect_disconnect(0x9a);
    // A subscription is granted what there is (3.9.3).
    let mut peer = Peer::connected(&broker, "id");
    peer.send(subscribe(1, &[], &[("a", 2)])).expect(suback(1, &[1]));
}

/// `[MQTT-3.1.0-2]` `[MQTT-4.13.1-1]`: a violation is told before the connection is closed.
#[test]
fn a_violation_is_told_its_reason() {
    let broker = Broker::open();
    let check = |bytes: &[u8], reason: u8| Peer::connected(&broker, "id").send(bytes).expect_disconnect(reason);
    check(&Connect::clean("id").bytes(), 0x82); // [MQTT-3.1.0-2]
    check(&publish(Q1 | Q2, "a", 1, &[], ""), 0x81); // [MQTT-3.3.1-4]
    check(&publish(Q1, "a", 0, &[], ""), 0x82); // [MQTT-2.2.1-3]
    check(&publish(Q0, "a/#", 0, &[], ""), 0x90); // [MQTT-3.3.2-2]
    check(&publish(Q0, "", 0, &[], ""), 0x82); // 3.3.2.1
    check(&publish(Q0, "a", 0, &[subscription_id(1)], ""), 0x82); // [MQTT-3.3.4-6]
    check(&publish(Q0, "a", 0, &[text(0x08, "a/+")], ""), 0x82); // [MQTT-3.3.2-14]
    check(&subscribe(1, &[], &[("a#", 0)]), 0x8f);
    check(&subscribe(1, &[], &[("a", 0xc0)]), 0x81); // [MQTT-3.8.3-5]
    check(&subscribe(1, &[], &[("$share/g/a", NO_LOCAL)]), 0x82); // [MQTT-3.8.3-4]
    check(&[0x30, 0xff, 0xff, 0xff, 0x7f], 0x95); // 3.2.2.3.6
    check(&[0xc1, 0], 0x81); // [MQTT-2.1.3-1]
    check(&disconnect(0x8d, &[]), 0x82); // [MQTT-3.14.2-1]
}

/// Bounds on properties.
#[test]
fn too_many_properties_are_refused() {
    let broker = Broker::start(&format!("{OPEN}limits: {{user-properties-max: 2, properties-bytes-max: 100}}\n"));
    let mut peer = Peer::connected(&broker, "id");
    let one = user("n", "v");
    peer.send(publish(Q1, "a", 1, &[one.clone(), one.clone()], "")).expect(with_reason(&puback(1), 0x10));
    peer.send(publish(Q1, "a", 1, &[one.clone(), one.clone(), one.clone()], "")).expect_disconnect(0x97);
    let long = user("n", &"v".repeat(100));
    Peer::connected(&broker, "id").send(publish(Q0, "a", 0, std::slice::from_ref(&long), "")).expect_disconnect(0x97);
    Peer::refused(&broker, Connect::clean("id").with(long).bytes(), 0x97);
}

/// What is refused for a limit of MQTT 5.0 is counted.
#[test]
fn refusals_are_counted() {
    let broker = Broker::start(
        "plugins: [auth_anonymous, broker_sys]\nsys_interval: 1\n\
         limits: {properties-bytes-max: 30, topic-alias-max: 1, receive-max: 1}\n",
    );
    let long = user("n", &"v".repeat(30));
    Peer::connected(&broker, "id").send(publish(Q0, "a", 0, std::slice::from_ref(&long), "")).expect_disconnect(0x97);
    Peer::refused(&broker, Connect::clean("id").with(long).bytes(), 0x97);
    Peer::connected(&broker, "id").send(publish(Q0, "a", 0, &[topic_alias(2)], "")).expect_disconnect(0x94);
    let mut peer = Peer::connected(&broker, "id");
    peer.send(publish(Q2, "a", 1, &[], "")).expect(with_reason(&pubrec(1), 0x10));
    peer.send(publish(Q2, "a", 2, &[], "")).expect_disconnect(0x93);
    wait_for_counter(&broker, "counters/properties-refused", 2);
    wait_for_counter(&broker, "counters/topic-aliases-refused", 1);
    wait_for_counter(&broker, "counters/receive-max-exceeded", 1);
}

/// `[MQTT-3.14.4-3]` of the server's side, and 3.14.2.1: it says that it goes.
#[test]
fn a_shutdown_is_told() {
    let mut broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    broker.signal("TERM");
    peer.expect_disconnect(0x8b);
    assert!(broker.wait().success());
}
