//! What MQTT 5.0 has in common with 3.1.1, spoken in 5.0: strings, flags, identifiers, acknowledgements, retained
//! messages, order.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;

/// `[MQTT-1.5.4-1]` `[MQTT-1.5.4-2]` `[MQTT-1.5.7-1]`: in every string that a client sends.
#[test]
fn ill_formed_strings_are_malformed() {
    let broker = Broker::open();
    for bad in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"a\0"] {
        let string = [&(bad.len() as u16).to_be_bytes(), bad].concat();
        let property = |id: u8| [&[id][..], &string].concat();
        let pair = |first: &[u8], second: &[u8]| [&[0x26][..], first, second].concat();
        let good = b"\0\x01g";
        let body = |flags: u8, fields: &[&[u8]]| [b"\0\x04MQTT\x05", &[flags, 0, 0, 0][..], &fields.concat()].concat();
        for connect in [
            body(CLEAN, &[&string]),
            body(CLEAN | WILL, &[good, &[0], &string, good]),
            body(CLEAN | USER, &[good, &string]),
        ] {
            Peer::refused(&broker, packet(0x10, &connect), 0x81);
        }
        let with_property = |property: Vec<u8>| {
            let refused = Connect::clean("id").with(property);
            Peer::refused(&broker, refused.bytes(), 0x81);
        };
        with_property(property(0x15));
        with_property(pair(&string, good));
        with_property(pair(good, &string));
        let topic_field = |first: u8, before: &[u8], after: &[u8]| packet(first, &[before, &string, after].concat());
        for bytes in [
            topic_field(0x30, b"", b"\0"),
            topic_field(0x82, b"\0\x01\0", b"\0"),
            topic_field(0xa2, b"\0\x01\0", b""),
            publish(Q0, "a", 0, &[property(0x03)], ""),
            publish(Q0, "a", 0, &[pair(good, &string)], ""),
            disconnect(0, &[property(0x1f)]),
        ] {
            Peer::connected(&broker, "id").send(bytes).expect_disconnect(0x81);
        }
    }
    // [MQTT-1.5.4-3]: a byte order mark is a character.
    let mut peer = Peer::connected(&broker, "id");
    peer.subscribe("\u{feff}a", 0);
    Peer::connected(&broker, "publisher").publish(0, "\u{feff}a", &[], "x").publish_to_any(0, "a", &[], "y");
    peer.expect_publish(Q0, "\u{feff}a", &[], "x");
    peer.expect_quiet();
}

/// `[MQTT-2.1.3-1]` `[MQTT-3.6.1-1]` `[MQTT-3.8.1-1]` `[MQTT-3.10.1-1]` `[MQTT-3.14.1-1]` `[MQTT-3.15.1-1]`
#[test]
fn reserved_flags_are_malformed() {
    let broker = Broker::open();
    let packets = [puback(1), pubrec(1), pubrel(1), pubcomp(1), subscribe(1, &[], &[("a", 0)]), unsubscribe(1, &["a"])];
    for packet in packets.into_iter().chain([vec![0xc0, 0], DISCONNECT.to_vec(), vec![0xf0, 1, 0x18]]) {
        for flags in (0..16).filter(|flags| packet[0] & 0x0f != *flags) {
            let mut wrong = packet.clone();
            wrong[0] = packet[0] & 0xf0 | flags;
            Peer::connected(&broker, "id").send(wrong).expect_disconnect(0x81);
        }
    }
    let mut connect = Connect::clean("id").bytes();
    connect[0] |= 1;
    Peer::refused(&broker, connect, 0x81);
}

/// `[MQTT-2.2.1-3]` `[MQTT-2.2.1-5]` `[MQTT-2.2.1-6]` `[MQTT-3.8.4-2]` `[MQTT-3.10.4-5]` `[MQTT-3.12.4-1]`
#[test]
fn answers_carry_the_identifier() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    for id in [1, 0x1234, 65_535] {
        peer.send(subscribe(id, &[user("n", "v")], &[("other", 0)])).expect(suback(id, &[0]));
        peer.send(unsubscribe(id, &["other"])).expect(unsuback(id, &[0]));
        peer.send(publish(Q1, "a", id, &[], "")).expect(with_reason(&puback(id), 0x10));
        peer.send(publish(Q2, "a", id, &[], "")).expect(with_reason(&pubrec(id), 0x10));
        peer.send(pubrel(id)).expect(pubcomp(id));
    }
    peer.expect_quiet();
    for bytes in [publish(Q1, "a", 0, &[], ""), subscribe(0, &[], &[("a", 0)]), unsubscribe(0, &["a"]), puback(0)] {
        Peer::connected(&broker, "id").send(bytes).expect_disconnect(0x82);
    }
}

/// `[MQTT-4.3.2-1]` to `[MQTT-4.3.2-5]`: both sides of QoS 1.
#[test]
fn qos_1_is_kept_until_its_puback() {
    let broker = Broker::open();
    let mut subscriber = Peer::accepted(&broker, &Connect::resume("id", 60), false);
    subscriber.subscribe("a", 1);
    let mut publisher = Peer::connected(&broker, "publisher");
    // The same identifier with DUP is another message once the first was acknowledged.
    publisher.publish(0, "a", &[], "1").publish(DUP, "a", &[], "2");
    let first = subscriber.expect_publish(Q1, "a", &[], "1");
    let second = subscriber.expect_publish(Q1, "a", &[], "2");
    assert_ne!(first, second);
    subscriber.send(puback(first));
    drop(subscriber);
    let mut subscriber = Peer::accepted(&broker, &Connect::resume("id", 60), true);
    assert_eq!(subscriber.expect_publish(Q1 | DUP, "a", &[], "2"), second);
    subscriber.expect_quiet().send(puback(second)).send(DISCONNECT).expect_closed();
    Peer::accepted(&broker, &Connect::resume("id", 60), true).expect_quiet();
}

/// `[MQTT-4.3.3-1]` to `[MQTT-4.3.3-13]`: both sides of QoS 2, and what is sent again.
#[test]
fn qos_2_is_done_once() {
    let broker = Broker::open();
    let mut subscriber = Peer::accepted(&broker, &Connect::resume("id", 60), false);
    subscriber.subscribe("a", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.send(publish(Q2, "a", 7, &[message_expiry(600)], "1")).expect(pubrec(7));
    publisher.send(publish(Q2 | DUP, "a", 7, &[message_expiry(600)], "1")).expect(pubrec(7));
    publisher.send(pubrel(7)).expect(pubcomp(7));
    publisher.send(publish(Q2, "a", 7, &[], "2")).expect(pubrec(7));
    let first = subscriber.expect_publish(Q2, "a", &[message_expiry(600)], "1");
    let second = subscriber.expect_publish(Q2, "a", &[], "2");
    subscriber.send(pubrec(first)).expect(pubrel(first));
    // Sent again by the client, it is answered in the same way.
    subscriber.send(pubrec(first)).expect(pubrel(first));
    drop(subscriber);
    let mut subscriber = Peer::accepted(&broker, &Connect::resume("id", 60), true);
    subscriber.expect(pubrel(first));
    assert_eq!(subscriber.expect_publish(Q2 | DUP, "a", &[], "2"), second);
    subscriber.send(pubcomp(first)).send(pubrec(second)).expect(pubrel(second)).send(pubcomp(second));
    subscriber.expect_quiet().send(DISCONNECT).expect_closed();
    Peer::accepted(&broker, &Connect::resume("id", 60), true).expect_quiet();
}

/// `[MQTT-3.3.1-5]` to `[MQTT-3.3.1-8]`
#[test]
fn the_last_retained_message_is_kept() {
    let broker = Broker::open();
    let mut watcher = Peer::connected(&broker, "watcher");
    watcher.subscribe("a", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(RETAIN, "a", &[], "1").publish(RETAIN, "a", &[user("n", "v")], "2").publish(0, "a", &[], "3");
    let mut late = Peer::connected(&broker, "late");
    late.send(subscribe(1, &[], &[("a", 0)]));
    let mut received = [late.receive(), late.receive()];
    received.sort_unstable();
    assert_eq!(received, [publish(RETAIN, "a", 0, &[user("n", "v")], "2"), suback(1, &[0])]);
    // An empty one is delivered, deletes, and is not kept.
    publisher.publish(RETAIN, "a", &[], "");
    watcher.expect_publish(Q0, "a", &[], "1");
    watcher.expect_publish(Q0, "a", &[user("n", "v")], "2");
    watcher.expect_publish(Q0, "a", &[], "3");
    watcher.expect_publish(Q0, "a", &[], "");
    Peer::connected(&broker, "later").subscribe("a", 0).expect_quiet();
}

/// `[MQTT-3.10.4-1]` `[MQTT-3.10.4-2]` `[MQTT-3.10.4-3]` `[MQTT-3.10.4-6]`
#[test]
fn unsubscribing_ends_what_comes_and_not_what_was_begun() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    peer.subscribe("a/+", 2).subscribe("a/#", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(0, "a/b", &[], "1");
    let id = peer.expect_publish(Q1, "a/b", &[], "1");
    peer.send(unsubscribe(2, &["a/b", "a/+", "a/#"])).expect(unsuback(2, &[0x11, 0, 0]));
    publisher.publish_to_any(0, "a/b", &[], "2");
    peer.expect_quiet().send(puback(id)).expect_quiet();
}

/// `[MQTT-4.6.0-5]` `[MQTT-4.6.0-6]` `[MQTT-4.5.0-1]`: in the order of their publisher, at each QoS; and `[MQTT-3.8.4-8]`.
#[test]
fn messages_keep_their_order_and_the_lower_qos() {
    let broker = Broker::open();
    let mut subscribers: Vec<Peer> = (0..3).map(|qos| Peer::connected(&broker, &format!("at-{qos}"))).collect();
    for (subscriber, qos) in subscribers.iter_mut().zip(0..) {
        subscriber.subscribe("a", qos);
    }
    let mut publisher = Peer::connected(&broker, "publisher");
    for number in 0..30 {
        publisher.publish(0, "a", &[user("n", &number.to_string())], &number.to_string());
    }
    for (subscriber, flags) in subscribers.iter_mut().zip([Q0, Q1, Q1]) {
        for number in 0..30 {
            subscriber.expect_publish(flags, "a", &[user("n", &number.to_string())], &number.to_string());
        }
    }
}

/// `[MQTT-4.7.1-1]` `[MQTT-4.7.1-2]` `[MQTT-4.7.2-1]` `[MQTT-4.7.3-4]`
#[test]
fn filters_match_levels() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    peer.subscribe_as(1, "#", 0).subscribe_as(2, "+/b", 0).subscribe_as(3, "$data/#", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(0, "A", &[], "1").publish(0, "$data/b", &[], "2");
    peer.expect_publish(Q0, "A", &[subscription_id(1)], "1");
    peer.expect_publish(Q0, "$data/b", &[subscription_id(3)], "2");
    for bad in ["a#", "#/a", "a+", "+a/b"] {
        Peer::connected(&broker, "bad").send(subscribe(1, &[], &[(bad, 0)])).expect_disconnect(0x8f);
    }
    Peer::connected(&broker, "bad").send(subscribe(1, &[], &[("", 0)])).expect_disconnect(0x81);
}
