//! Sections 1 and 2: strings, fixed headers, packet identifiers.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;
use crate::protocol::check_closed;

/// Every packet with a string, and `bytes` as that string. A CONNECT gets no CONNACK.
fn check_refused_in_every_string(bytes: &[u8]) {
    let broker = Broker::open();
    check_closed(&broker, &connect_with(CLEAN, &[bytes]), b"");
    check_closed(&broker, &connect_with(CLEAN | WILL, &[b"id", bytes, b"will"]), b"");
    check_closed(&broker, &connect_with(CLEAN | USER, &[b"id", bytes]), b"");
    for packet in [publish(Q0, bytes, 0, ""), subscribe(1, &[(bytes, 0)]), unsubscribe(1, &[bytes])] {
        Peer::connected(&broker, "id").send(packet).expect_closed();
    }
}

/// `[MQTT-1.5.3-1]`: a stray byte, a NUL of two bytes, a surrogate, a character that is cut off.
#[test]
fn ill_formed_utf8_closes_the_connection() {
    for bytes in [&b"a\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82"] {
        check_refused_in_every_string(bytes);
    }
}

/// `[MQTT-1.5.3-2]` `[MQTT-4.7.3-2]`
#[test]
fn u0000_closes_the_connection() {
    check_refused_in_every_string(b"a\0b");
}

/// `[MQTT-1.5.3-3]`
#[test]
fn a_byte_order_mark_is_a_character() {
    let broker = Broker::open();
    let mut without = Peer::subscribed(&broker, "without", "a", 0);
    let mut with = Peer::subscribed(&broker, "with", "\u{feff}a", 0);
    Peer::connected(&broker, "publisher").publish(0, "\u{feff}a", "x");
    with.expect_publish(Q0, "\u{feff}a", "x");
    without.expect_quiet();
}

/// `[MQTT-2.2.2-2]` `[MQTT-3.6.1-1]` `[MQTT-3.8.1-1]` `[MQTT-3.10.1-1]` `[MQTT-3.14.1-1]`
#[test]
fn reserved_flags_close_the_connection() {
    let broker = Broker::open();
    for packet in [
        puback(1),
        pubrec(1),
        pubrel(1),
        pubcomp(1),
        subscribe(1, &[("a", 0)]),
        unsubscribe(1, &["a"]),
        PINGREQ.to_vec(),
        // The next test has DISCONNECT, which closes the connection with right flags as well.
    ] {
        for flags in (0..16).filter(|flags| packet[0] & 0x0f != *flags) {
            let mut wrong = packet.clone();
            wrong[0] = packet[0] & 0xf0 | flags;
            Peer::connected(&broker, "id").send(wrong).expect_closed();
        }
    }
    for flags in 1..16 {
        let mut wrong = connect("id");
        wrong[0] |= flags;
        check_closed(&broker, &wrong, b"");
    }
}

/// `[MQTT-3.14.1-1]`: it is a violation and no farewell, so that the will is sent.
#[test]
fn a_disconnect_with_reserved_flags_is_a_violation() {
    let broker = Broker::open();
    let mut watcher = Peer::subscribed(&broker, "watcher", "will", 0);
    for flags in 1..16 {
        let mut peer = Peer::accepted(&broker, connect_with(CLEAN | WILL, &[b"id", b"will", b"gone"]), false);
        peer.send([DISCONNECT[0] | flags, 0]).expect_closed();
        watcher.expect_publish(Q0, "will", "gone");
    }
}

/// `[MQTT-2.3.1-1]`
#[test]
fn packet_identifier_0_closes_the_connection() {
    let broker = Broker::open();
    for packet in [publish(Q1, "a", 0, ""), publish(Q2, "a", 0, ""), subscribe(0, &[("a", 0)]), unsubscribe(0, &["a"])]
    {
        Peer::connected(&broker, "id").send(packet).expect_closed();
    }
}

/// `[MQTT-2.3.1-6]` `[MQTT-2.3.1-7]` `[MQTT-3.8.4-2]` `[MQTT-3.10.4-4]`: answers carry the identifier of what they answer.
#[test]
fn answers_carry_the_identifier() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    for id in [1, 2, 0x1234, 0xff00, 65_535] {
        peer.send(subscribe(id, &[("other", 0)])).expect(suback(id, &[0]));
        peer.send(unsubscribe(id, &["other"])).expect(unsuback(id));
        peer.send(publish(Q1, "a", id, "")).expect(puback(id));
        peer.send(publish(Q2, "a", id, "")).expect(pubrec(id));
        peer.send(pubrel(id)).expect(pubcomp(id));
    }
}
