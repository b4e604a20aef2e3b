//! Sections 3.8 to 3.12: subscriptions, and PINGREQ.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;

/// `[MQTT-3.8.3-3]` `[MQTT-3-8.3-4]` `[MQTT-3.10.3-2]` `[MQTT-4.7.1-2]` `[MQTT-4.7.1-3]` `[MQTT-4.7.3-1]`
#[test]
fn a_malformed_subscribe_or_unsubscribe_closes_the_connection() {
    let broker = Broker::open();
    let none: [(&str, u8); 0] = [];
    let no_filter: [&str; 0] = [];
    let mut packets = vec![subscribe(1, &none), unsubscribe(1, &no_filter)];
    packets.extend([3, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff].map(|qos| subscribe(1, &[("a", 0), ("b", qos)])));
    for filter in ["", "a#", "#/a", "a/#/b", "a+", "+a/b", "a/b+"] {
        packets.push(subscribe(1, &[(filter, 0)]));
        packets.push(unsubscribe(1, &["a", filter]));
    }
    packets.push(packet(0xa2, b"\0\x01\0\x02a")); // [MQTT-3.10.3-1] cut off
    for packet in packets {
        Peer::connected(&broker, "id").send(packet).expect_closed();
    }
}

/// `[MQTT-3.8.4-1]` `[MQTT-3.8.4-4]` `[MQTT-3.8.4-5]` `[MQTT-3.9.3-1]` `[MQTT-3.9.3-2]`: a code for each filter, in order.
#[test]
fn many_filters_are_as_many_subscribes_with_one_answer() {
    let broker = Broker::open();
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(RETAIN, "b", "kept");
    let too_deep = "/".repeat(1_000);
    let mut peer = Peer::connected(&broker, "id");
    peer.send(subscribe(8, &[("a", 2), (&too_deep, 1), ("b", 0), ("c", 1), ("a", 1)]));
    peer.expect(suback(8, &[2, 0x80, 0, 1, 1])).expect_publish(Q0 | RETAIN, "b", "kept");
    // The second request for `a` has replaced the first.
    publisher.send(publish(Q2, "a", 1, "x")).expect(pubrec(1));
    peer.expect_publish(Q1, "a", "x");
    peer.expect_quiet();
}

/// `[MQTT-3.8.4-3]`: replaced with its QoS, its retained message sent again, other messages sent once.
#[test]
fn the_same_filter_again_replaces_the_subscription() {
    let broker = Broker::open();
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(RETAIN, "a", "kept");
    let mut peer = Peer::connected(&broker, "id");
    for (granted, flags) in [(1, Q1), (0, Q0), (2, Q1)] {
        peer.subscribe("a", granted).expect_publish(flags | RETAIN, "a", "kept");
        publisher.publish(0, "a", "live");
        peer.expect_publish(flags, "a", "live");
        peer.expect_quiet();
    }
}

/// `[MQTT-3.8.4-6]`
#[test]
fn the_lower_qos_is_used() {
    let broker = Broker::open();
    let mut publisher = Peer::connected(&broker, "publisher");
    for granted in 0..3_u8 {
        let mut peer = Peer::subscribed(&broker, "id", "a", granted);
        for published in 0..3_u8 {
            publisher.send(publish(published << 1, "a", 1, "x"));
            match published {
                0 => publisher.expect_quiet(),
                1 => publisher.expect(puback(1)),
                _ => publisher.expect(pubrec(1)).send(pubrel(1)).expect(pubcomp(1)),
            };
            peer.expect_publish(granted.min(published) << 1, "a", "x");
        }
    }
}

/// `[MQTT-3.10.4-1]` `[MQTT-3.10.4-2]` `[MQTT-3.10.4-5]`: byte for byte, not by what it matches.
#[test]
fn unsubscribing_takes_back_the_same_filter_only() {
    let broker = Broker::open();
    let mut publisher = Peer::connected(&broker, "publisher");
    let mut peer = Peer::subscribed(&broker, "id", "a/+", 0);
    for other in ["a/b", "a/#", "+/+", "#", "A/+", "a/+/", "/a/+"] {
        peer.send(unsubscribe(2, &[other])).expect(unsuback(2));
        publisher.publish(0, "a/b", other);
        peer.expect_publish(Q0, "a/b", other);
    }
    peer.send(unsubscribe(3, &["a/+"])).expect(unsuback(3));
    publisher.publish(0, "a/b", "x");
    peer.expect_quiet();
}

/// `[MQTT-3.10.4-3]`
#[test]
fn what_was_sent_before_unsubscribing_is_seen_through() {
    let broker = Broker::open();
    let mut publisher = Peer::connected(&broker, "publisher");
    let mut peer = Peer::accepted(&broker, resume("id"), false);
    peer.subscribe("a", 2);
    publisher.publish(0, "a", "1");
    publisher.send(publish(Q2, "a", 7, "2")).expect(pubrec(7));
    let first = peer.expect_publish(Q1, "a", "1");
    let second = peer.expect_publish(Q2, "a", "2");
    peer.send(unsubscribe(2, &["a"])).expect(unsuback(2));
    peer.send(pubrec(second)).expect(pubrel(second));
    let mut peer = Peer::accepted(&broker, resume("id"), true);
    assert_eq!(peer.expect_publish(Q1 | DUP, "a", "1"), first);
    peer.expect(pubrel(second));
}

/// `[MQTT-3.10.4-4]` `[MQTT-3.10.4-6]`: one answer for many filters.
#[test]
fn many_filters_are_as_many_unsubscribes_with_one_answer() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    peer.subscribe("a", 0).subscribe("b", 0).subscribe("c", 0);
    peer.send(unsubscribe(9, &["a", "nothing", "c"])).expect(unsuback(9));
    Peer::connected(&broker, "publisher").publish(0, "a", "x").publish(0, "b", "y").publish(0, "c", "z");
    peer.expect_publish(Q0, "b", "y");
    peer.expect_quiet();
}

/// `[MQTT-3.12.4-1]`: one for each.
#[test]
fn every_pingreq_is_answered() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    peer.send([PINGREQ, PINGREQ, PINGREQ].concat()).expect(PINGRESP).expect(PINGRESP).expect(PINGRESP);
    peer.send(DISCONNECT).expect_closed();
}
