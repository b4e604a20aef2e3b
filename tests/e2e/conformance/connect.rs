//! Sections 3.1 and 3.2: CONNECT and CONNACK.

use amqtt_tests::guests;

use super::packets::*;
use super::peer::Peer;
use crate::broker::{Broker, Setup};
use crate::protocol::check_closed;

/// `[MQTT-3.1.0-1]`
#[test]
fn the_first_packet_is_a_connect() {
    let broker = Broker::open();
    for packet in [
        publish(Q0, "a", 0, ""),
        puback(1),
        pubrel(1),
        subscribe(1, &[("a", 0)]),
        unsubscribe(1, &["a"]),
        PINGREQ.to_vec(),
        DISCONNECT.to_vec(),
    ] {
        check_closed(&broker, &packet, b"");
    }
}

/// `[MQTT-3.1.0-2]`: also when the second is the same as the first. The will is sent, as for every violation.
#[test]
fn a_second_connect_is_a_violation() {
    let broker = Broker::open();
    let mut watcher = Peer::subscribed(&broker, "watcher", "will", 0);
    let connect = connect_with(CLEAN | WILL, &[b"id", b"will", b"gone"]);
    Peer::accepted(&broker, &connect, false).send(&connect).expect_closed();
    watcher.expect_publish(Q0, "will", "gone");
}

/// `[MQTT-3.1.2-1]` `[MQTT-3.2.2-6]`
#[test]
fn another_protocol_name_is_closed_without_an_answer() {
    let broker = Broker::open();
    for name in [&b""[..], b"mqtt", b"MQTTX", b"MQT", b"MQisdp", b"HTTP"] {
        check_closed(&broker, &connect_as(name, 4, CLEAN, 0, &[b"id"]), b"");
    }
}

/// `[MQTT-3.1.2-2]` `[MQTT-3.2.2-4]` `[MQTT-3.2.2-5]`
#[test]
fn an_unknown_protocol_level_is_answered_with_code_1() {
    let broker = Broker::open();
    for level in [0, 1, 3, 6, 0x84, 0xff] {
        check_closed(&broker, &connect_as(b"MQTT", level, CLEAN, 0, &[b"id"]), &connack(false, 1));
    }
}

/// `[MQTT-3.1.4-1]`: each of these CONNECTs contradicts section 3.1, and gets no CONNACK.
#[test]
fn a_connect_that_does_not_conform_gets_no_connack() {
    let broker = Broker::open();
    let check = |flags: u8, fields: &[&[u8]]| check_closed(&broker, &connect_with(flags, fields), b"");
    check(CLEAN | 1, &[b"id"]); // [MQTT-3.1.2-3]
    check(CLEAN, &[]); // [MQTT-3.1.3-3]
    check(CLEAN | WILL, &[b"id"]); // [MQTT-3.1.2-9]
    check(CLEAN | WILL, &[b"id", b"topic"]); // [MQTT-3.1.2-9]
    check(CLEAN, &[b"id", b"topic", b"will"]); // [MQTT-3.1.2-11]
    check(CLEAN | WILL_Q1, &[b"id"]); // [MQTT-3.1.2-13]
    check(CLEAN | WILL_Q2, &[b"id"]); // [MQTT-3.1.2-13]
    check(CLEAN | WILL | WILL_Q1 | WILL_Q2, &[b"id", b"topic", b"will"]); // [MQTT-3.1.2-14]
    check(CLEAN | WILL_RETAIN, &[b"id"]); // [MQTT-3.1.2-15]
    check(CLEAN, &[b"id", b"user"]); // [MQTT-3.1.2-18]
    check(CLEAN | USER, &[b"id"]); // [MQTT-3.1.2-19]
    check(CLEAN | USER, &[b"id", b"user", b"password"]); // [MQTT-3.1.2-20]
    check(CLEAN | USER | PASSWORD, &[b"id", b"user"]); // [MQTT-3.1.2-21]
    check(CLEAN | PASSWORD, &[b"id", b"password"]); // [MQTT-3.1.2-22]
    // What they would be without the fault is accepted: nothing else is wrong with them.
    Peer::accepted(&broker, connect_with(CLEAN | WILL | WILL_Q2, &[b"id", b"topic", b"will"]), false);
    Peer::accepted(&broker, connect_with(CLEAN | USER | PASSWORD, &[b"id", b"user", b"password"]), false);
}

/// `[MQTT-3.1.3-1]`: client identifier, will topic, will message, user name, password.
#[test]
fn fields_are_read_in_order() {
    let broker = Setup::new("auth:\n  password-file: passwords\nplugins: [auth_file]\n")
        .file("passwords", "test:$6$l4zQEHEcowc1Pnv4$HHrh8xnsZoLItQ8BmpFHM4r6q5UqK3DnXp2GaTm5zp5buQ7NheY3Xt9f6godVKbEtA.hOC7IEDwnok3pbAOip.\n")
        .start();
    let all = |id: &str| connect_with(CLEAN | WILL | USER | PASSWORD, &[id.as_bytes(), b"t", b"m", b"test", b"test"]);
    let mut watcher = Peer::accepted(&broker, all("watcher"), false);
    watcher.subscribe("t", 0);
    drop(Peer::accepted(&broker, all("id"), false));
    watcher.expect_publish(Q0, "t", "m");
}

/// `[MQTT-3.1.3-2]` `[MQTT-3.2.2-2]` `[MQTT-3.2.2-3]`
#[test]
fn the_client_identifier_names_the_session() {
    let broker = Broker::open();
    Peer::accepted(&broker, resume("a"), false).send(DISCONNECT).expect_closed();
    Peer::accepted(&broker, resume("A"), false).send(DISCONNECT).expect_closed();
    Peer::accepted(&broker, resume("ab"), false);
    Peer::accepted(&broker, resume("a"), true);
}

/// `[MQTT-3.1.3-5]`: every character, and every length from 1 to 23.
#[test]
fn client_identifiers_of_1_to_23_characters_are_accepted() {
    let broker = Broker::open();
    let characters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for start in 0..characters.len() {
        let end = (start + 1 + start % 23).min(characters.len());
        Peer::connected(&broker, &characters[start..end]);
    }
    Peer::connected(&broker, &characters[..23]);
}

/// `[MQTT-3.1.3-6]`: two clients without a name are two clients.
#[test]
fn clients_without_a_name_are_given_one_each() {
    let broker = Broker::open();
    let mut first = Peer::subscribed(&broker, "", "first", 0);
    let mut second = Peer::subscribed(&broker, "", "second", 0);
    Peer::connected(&broker, "").publish(0, "first", "1").publish(0, "second", "2");
    first.expect_publish(Q0, "first", "1");
    second.expect_publish(Q0, "second", "2");
    first.expect_quiet();
    second.expect_quiet();
}

/// `[MQTT-3.1.3-8]` `[MQTT-3.1.3-9]` `[MQTT-3.2.2-4]` `[MQTT-3.2.2-5]`: no name for a session that is kept, a name too long.
#[test]
fn a_client_identifier_that_is_refused_is_answered_with_code_2() {
    let broker = Setup::new("plugins: [auth_anonymous]\nlimits:\n  client-id-bytes-max: 30\n").start();
    check_closed(&broker, &resume(""), &connack(false, 2));
    check_closed(&broker, &connect(&"x".repeat(31)), &connack(false, 2));
    Peer::connected(&broker, &"x".repeat(30));
}

/// `[MQTT-3.2.2-4]`: a session that exists is not mentioned to whom it is not given.
#[test]
fn a_refusal_tells_nothing_of_the_session() {
    let broker =
        Setup::new("plugins: [guest_refuse_mallory, auth_anonymous]\n").plugin_dir_with(guests::REFUSE_MALLORY).start();
    let with_user = |user: &str| connect_with(USER, &[b"id", user.as_bytes()]);
    Peer::accepted(&broker, with_user("alice"), false).send(DISCONNECT).expect_closed();
    check_closed(&broker, &with_user("mallory"), &connack(false, 4));
    Peer::accepted(&broker, with_user("alice"), true);
}

/// `[MQTT-3.1.4-2]`
#[test]
fn a_client_that_connects_twice_is_closed_once() {
    let broker = Broker::open();
    for (first, second) in [(connect("id"), connect("id")), (resume("id"), resume("id")), (resume("x"), connect("x"))] {
        let mut old = Peer::accepted(&broker, first, false);
        let session_present = second[9] & CLEAN == 0;
        let mut new = Peer::accepted(&broker, second, session_present);
        old.expect_closed();
        new.expect_quiet();
        new.send(DISCONNECT).expect_closed();
    }
}

/// `[MQTT-3.1.4-5]`: what follows a CONNECT that is refused is not looked at.
#[test]
fn nothing_is_done_for_a_client_that_is_refused() {
    let broker = Broker::open();
    let retained = publish(Q0 | RETAIN, "a", 0, "kept");
    check_closed(&broker, &[resume(""), retained.clone()].concat(), &connack(false, 2));
    check_closed(&broker, &[connect_as(b"MQTT", 6, CLEAN, 0, &[b"id"]), retained].concat(), &connack(false, 1));
    Peer::subscribed(&broker, "id", "#", 0).expect_quiet();
}

/// `[MQTT-3.2.0-1]` `[MQTT-3.1.4-4]`: the CONNACK comes before all that has waited.
#[test]
fn the_first_packet_from_the_broker_is_a_connack() {
    let broker = Broker::open();
    Peer::accepted(&broker, resume("id"), false).subscribe("a", 1).send(DISCONNECT).expect_closed();
    Peer::connected(&broker, "publisher").publish(0, "a", "waits");
    Peer::accepted(&broker, resume("id"), true).expect_publish(Q1, "a", "waits");
}

/// `[MQTT-3.1.2-6]` `[MQTT-3.1.4-3]` `[MQTT-3.2.2-1]`
#[test]
fn a_clean_session_discards_the_one_before() {
    let broker = Broker::open();
    Peer::accepted(&broker, resume("id"), false).subscribe("a", 1).send(DISCONNECT).expect_closed();
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(0, "a", "waits");
    let mut clean = Peer::accepted(&broker, connect("id"), false);
    publisher.publish(0, "a", "not subscribed");
    clean.expect_quiet();
    clean.subscribe("a", 1).send(DISCONNECT).expect_closed();
    let mut next = Peer::accepted(&broker, resume("id"), false);
    publisher.publish(0, "a", "not subscribed");
    next.expect_quiet();
}

/// `[MQTT-3.1.2-24]`: closed as if the network had failed, so that the will is sent; packets in between keep it open.
#[test]
fn silence_past_the_keep_alive_sends_the_will() {
    let broker = Broker::open();
    let mut watcher = Peer::subscribed(&broker, "watcher", "will", 0);
    let connect = connect_as(b"MQTT", 4, CLEAN | WILL, 1, &[b"id", b"will", b"gone"]);
    Peer::accepted(&broker, connect, false).expect_quiet().expect_closed();
    watcher.expect_publish(Q0, "will", "gone");
}
