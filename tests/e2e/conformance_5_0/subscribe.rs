//! Sections 3.8 to 3.11 and 4.7 of MQTT 5.0: options and identifiers of subscriptions.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;

/// `[MQTT-3.8.3-3]`: not what it published itself; what others publish under the same filter it gets.
#[test]
fn no_local_leaves_ones_own_messages_out() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    peer.subscribe("a", NO_LOCAL).publish(0, "a", &[], "own").expect_quiet();
    Peer::connected(&broker, "other").publish(0, "a", &[], "other's");
    peer.expect_publish(Q0, "a", &[], "other's");
    // Its will comes after the connection, to the session that it had.
    let mut peer = Peer::accepted(&broker, &Connect::resume("id", 60).will(0, &[], "gone"), false);
    peer.subscribe("will", 1 | NO_LOCAL);
    drop(peer);
    Peer::accepted(&broker, &Connect::resume("id", 60), true).expect_quiet();
}

/// `[MQTT-3.8.3-3]` speaks of the publisher's client identifier, so it holds for what was kept before the subscription.
#[test]
fn no_local_leaves_ones_own_retained_messages_out() {
    let broker = Broker::open();
    Peer::connected(&broker, "other").publish_to_any(RETAIN, "a/other's", &[], "x");
    let mut peer = Peer::connected(&broker, "id");
    peer.publish_to_any(RETAIN, "a/own", &[], "x");
    let check = |peer: &mut Peer, options: u8, mut expected: Vec<Vec<u8>>| {
        peer.send(subscribe(1, &[], &[("a/+", options)]));
        expected.push(suback(1, &[0]));
        let mut received: Vec<_> = expected.iter().map(|_| peer.receive()).collect();
        received.sort_unstable();
        expected.sort_unstable();
        assert_eq!(received, expected, "{options:#010b}");
        peer.expect_quiet();
    };
    let message = |topic: &str| publish(RETAIN, topic, 0, &[], "x");
    check(&mut peer, NO_LOCAL, vec![message("a/other's")]);
    check(&mut peer, 0, vec![message("a/other's"), message("a/own")]);
    // A later connection with the same identifier is the same client.
    check(&mut Peer::connected(&broker, "id"), NO_LOCAL, vec![message("a/other's")]);
    check(&mut Peer::connected(&broker, "third"), NO_LOCAL, vec![message("a/other's"), message("a/own")]);
}

/// Another subscription that matches and asks for them gets them, under its own QoS and identifier.
#[test]
fn no_local_is_about_one_subscription() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    peer.subscribe_as(1, "a/#", 2 | NO_LOCAL).subscribe_as(2, "a/b", 0);
    peer.send(publish(Q1, "a/b", 1, &[], "own"));
    let mut received = [peer.receive(), peer.receive()];
    received.sort_unstable();
    assert_eq!(received, [publish(Q0, "a/b", 0, &[subscription_id(2)], "own"), puback(1)]);
    Peer::connected(&broker, "other").publish(0, "a/b", &[], "other's");
    let packet = peer.receive();
    assert_eq!((packet[0], packet.ends_with(b"other's")), (0x32, true), "{packet:02x?}");
    assert!(packet.windows(4).any(|ids| ids == [0x0b, 1, 0x0b, 2] || ids == [0x0b, 2, 0x0b, 1]), "{packet:02x?}");
}

/// `[MQTT-3.3.1-12]` `[MQTT-3.3.1-13]`
#[test]
fn retain_as_published_keeps_the_flag() {
    let broker = Broker::open();
    let mut with = Peer::connected(&broker, "with");
    let mut without = Peer::connected(&broker, "without");
    with.subscribe("a", RETAIN_AS_PUBLISHED);
    without.subscribe("a", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(RETAIN, "a", &[], "kept").publish(0, "a", &[], "not kept");
    with.expect_publish(Q0 | RETAIN, "a", &[], "kept");
    with.expect_publish(Q0, "a", &[], "not kept");
    without.expect_publish(Q0, "a", &[], "kept");
    without.expect_publish(Q0, "a", &[], "not kept");
}

/// `[MQTT-3.3.1-9]` `[MQTT-3.3.1-10]` `[MQTT-3.3.1-11]`
#[test]
fn retain_handling_says_when_retained_messages_are_sent() {
    let broker = Broker::open();
    Peer::connected(&broker, "publisher").publish_to_any(RETAIN, "a", &[], "kept");
    let mut peer = Peer::connected(&broker, "id");
    let mut check = |options: u8, is_sent: bool| {
        peer.send(subscribe(1, &[], &[("a", options)]));
        let mut expected = vec![suback(1, &[0])];
        if is_sent {
            expected.push(publish(RETAIN, "a", 0, &[], "kept"));
        }
        let mut received: Vec<_> = expected.iter().map(|_| peer.receive()).collect();
        received.sort_unstable();
        expected.sort_unstable();
        assert_eq!(received, expected, "{options:#010b}");
        peer.expect_quiet();
    };
    check(RETAIN_NEVER, false);
    check(RETAIN_IF_NEW, false);
    check(0, true);
    check(0, true);
    check(RETAIN_IF_NEW, false);
    peer.send(unsubscribe(2, &["a"])).expect(unsuback(2, &[0]));
    let mut peer = Peer::connected(&broker, "new");
    peer.send(subscribe(1, &[], &[("a", RETAIN_IF_NEW)]));
    let mut received = [peer.receive(), peer.receive()];
    received.sort_unstable();
    assert_eq!(received, [publish(RETAIN, "a", 0, &[], "kept"), suback(1, &[0])]);
}

/// `[MQTT-3.3.4-3]` `[MQTT-3.3.4-4]`: one copy, with the identifiers of all that match.
#[test]
fn a_message_has_the_identifiers_of_all_subscriptions_that_match() {
    let broker = Broker::open();
    let mut peer = Peer::accepted(&broker, &Connect::resume("id", 60), false);
    peer.subscribe_as(7, "a/+", 1).subscribe_as(9, "a/b", 2).subscribe("#", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    let has_both = |packet: &[u8]| packet.windows(4).any(|ids| ids == [0x0b, 7, 0x0b, 9] || ids == [0x0b, 9, 0x0b, 7]);
    publisher.publish(0, "a/b", &[user("n", "v")], "both");
    let packet = peer.receive();
    assert!(packet[0] == 0x32 && has_both(&packet) && packet.ends_with(b"both"), "{packet:02x?}");
    peer.send(puback(1));
    publisher.publish(0, "a/x", &[], "one");
    let id = peer.expect_publish(Q1, "a/x", &[subscription_id(7)], "one");
    publisher.publish(0, "b", &[], "none");
    peer.expect_publish(Q0, "b", &[], "none");
    // They wait with the message, and are sent again with it.
    peer.send(puback(id)).send(DISCONNECT).expect_closed();
    publisher.publish(0, "a/b", &[user("n", "v")], "both").publish(0, "a/x", &[], "one");
    for first in [0x32, 0x3a] {
        let mut peer = Peer::accepted(&broker, &Connect::resume("id", 60), true);
        let packet = peer.receive();
        assert!(packet[0] == first && has_both(&packet) && packet.ends_with(b"both"), "{packet:02x?}");
        peer.expect_publish(first & 0xf, "a/x", &[subscription_id(7)], "one");
    }
}

/// `[MQTT-3.3.4-5]`: one copy for each, where a setting asks for that.
#[test]
fn with_one_message_for_each_subscription_each_has_its_identifier() {
    let broker = Broker::start("plugins: [auth_anonymous]\noverlapping-subscriptions: each\n");
    let mut peer = Peer::connected(&broker, "id");
    peer.subscribe_as(1, "a/#", 0).subscribe_as(2, "a/b", 0);
    Peer::connected(&broker, "publisher").publish(0, "a/b", &[], "x");
    let mut received = [peer.receive(), peer.receive()];
    received.sort_unstable();
    assert_eq!(received, [1, 2].map(|id| publish(Q0, "a/b", 0, &[subscription_id(id)], "x")));
}

/// 3.8.4: the same filter again replaces options and identifier.
#[test]
fn a_subscription_is_replaced_with_all_that_belongs_to_it() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    peer.subscribe_as(1, "a", NO_LOCAL).subscribe_as(2, "a", 0).subscribe("b", 0).subscribe_as(3, "b", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(0, "a", &[], "x").publish(0, "b", &[], "x");
    peer.expect_publish(Q0, "a", &[subscription_id(2)], "x");
    peer.expect_publish(Q0, "b", &[subscription_id(3)], "x");
}

/// A retained message that is sent for a subscription has its identifier.
#[test]
fn a_retained_message_has_the_identifier_of_its_subscription() {
    let broker = Broker::open();
    Peer::connected(&broker, "publisher").publish_to_any(RETAIN, "a", &[user("n", "v")], "kept");
    let mut peer = Peer::connected(&broker, "id");
    peer.send(subscribe(1, &[subscription_id(5)], &[("a", 0)]));
    let mut received = [peer.receive(), peer.receive()];
    received.sort_unstable();
    assert_eq!(received, [publish(RETAIN, "a", 0, &[subscription_id(5), user("n", "v")], "kept"), suback(1, &[0])]);
}

/// `[MQTT-3.8.4-6]` `[MQTT-3.9.3-1]` `[MQTT-3.9.3-2]` `[MQTT-3.11.3-1]` `[MQTT-3.11.3-2]`
#[test]
fn each_filter_has_its_reason() {
    let broker = Broker::start(
        "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  subscribe-acl: {anonymous: ['a', 'b', '+', 'long']}\n\
         limits: {topic-levels-max: 3}\n",
    );
    let mut peer = Peer::connected(&broker, "id");
    let filters = [("a", 0), ("b", 1), ("+", 2), ("secret/x", 2), ("1/2/3/4", 0)];
    peer.send(subscribe(7, &[], &filters)).expect(suback(7, &[0, 1, 2, 0x87, 0x97]));
    peer.send(unsubscribe(8, &["a", "x", "+"])).expect(unsuback(8, &[0, 0x11, 0]));
}

/// 3.2.2.3.11, 3.2.2.3.12: what the client was told there is not.
#[test]
fn what_there_is_not_is_refused() {
    let broker = Broker::start("plugins: [auth_anonymous]\nwildcard-subscriptions: no\nsubscription-identifiers: no\n");
    let mut peer = Peer::connected(&broker, "id");
    peer.send(subscribe(1, &[], &[("a", 0), ("a/#", 0), ("+", 0)])).expect(suback(1, &[0, 0xa2, 0xa2]));
    peer.send(subscribe(2, &[subscription_id(1)], &[("a", 0)])).expect(suback(2, &[0xa1]));
}
