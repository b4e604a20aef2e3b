//! Sections 3.1.2.11.3, 3.1.2.11.4, 3.3.4 and 4.9 of MQTT 5.0: receive maximum and maximum packet size.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;
use crate::client::Client;

/// `[MQTT-3.3.4-9]` `[MQTT-4.9.0-1]` `[MQTT-4.9.0-2]`: no more than the client takes; QoS 0 does not count.
#[test]
fn the_receive_maximum_of_a_client_is_kept() {
    let broker = Broker::open();
    let connect = Connect::resume("id", 60).with(two(0x21, 2));
    let mut peer = Peer::accepted(&broker, &connect, false);
    peer.subscribe("a", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    for payload in ["1", "2", "3", "4"] {
        publisher.publish(0, "a", &[], payload);
    }
    let first = peer.expect_publish(Q1, "a", &[], "1");
    let second = peer.expect_publish(Q1, "a", &[], "2");
    peer.expect_quiet().send(puback(second));
    let third = peer.expect_publish(Q1, "a", &[], "3");
    peer.expect_quiet();
    drop(peer);
    // On a new connection as well, where it may be less: what was sent before comes first.
    let mut peer = Peer::accepted(&broker, &Connect::resume("id", 60).with(two(0x21, 1)), true);
    assert_eq!(peer.expect_publish(Q1 | DUP, "a", &[], "1"), first);
    peer.expect_quiet().send(puback(first));
    assert_eq!(peer.expect_publish(Q1 | DUP, "a", &[], "3"), third);
    peer.expect_quiet().send(puback(third));
    let fourth = peer.expect_publish(Q1, "a", &[], "4");
    peer.send(puback(fourth)).expect_quiet();
}

/// 4.3.3 of the sender: a PUBREC with a failure makes room for the next.
#[test]
fn a_failed_pubrec_makes_room() {
    let broker = Broker::open();
    let mut peer = Peer::accepted(&broker, &Connect::clean("id").with(two(0x21, 1)), false);
    peer.subscribe("a", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    for id in [1, 2] {
        publisher.send(publish(Q2, "a", id, &[], "x")).expect(pubrec(id)).send(pubrel(id)).expect(pubcomp(id));
    }
    let first = peer.expect_publish(Q2, "a", &[], "x");
    peer.expect_quiet().send(with_reason(&pubrec(first), 0x97));
    let second = peer.expect_publish(Q2, "a", &[], "x");
    assert_ne!(first, second);
    peer.send(pubrec(second)).expect(pubrel(second)).send(pubcomp(second)).expect_quiet();
}

/// `[MQTT-3.3.4-7]` `[MQTT-3.3.4-8]`: the client was told how many it may send.
#[test]
fn the_receive_maximum_of_the_broker_is_held_to() {
    let broker = Broker::start("plugins: [auth_anonymous]\nlimits: {receive-max: 2}\n");
    let mut peer = Peer::connected(&broker, "id");
    for id in [1, 2] {
        peer.send(publish(Q2, "a", id, &[], "")).expect(with_reason(&pubrec(id), 0x10));
    }
    // Sent again, it is none more; QoS 0 is none at all.
    peer.send(publish(Q2 | DUP, "a", 1, &[], "")).expect(pubrec(1));
    peer.send(publish(Q0, "a", 0, &[], "")).expect_quiet();
    peer.send(pubrel(1)).expect(pubcomp(1));
    peer.send(publish(Q2, "a", 3, &[], "")).expect(with_reason(&pubrec(3), 0x10));
    peer.send(publish(Q1, "a", 4, &[], "")).expect_disconnect(0x93);
}

/// `[MQTT-3.1.2-24]` `[MQTT-3.1.2-25]`: what is too large for one client is not sent to it, and counts as sent.
#[test]
fn a_message_too_large_for_a_client_is_left_out() {
    let broker = Broker::start("plugins: [auth_anonymous, broker_sys]\nsys_interval: 1\n");
    let connect = || Connect::resume("small", 60).with(four(0x27, 60));
    let mut small = Peer::accepted(&broker, &connect(), false);
    small.subscribe("a", 1);
    let mut large = Peer::connected(&broker, "large");
    large.subscribe("a", 1);
    let mut publisher = Peer::connected(&broker, "publisher");
    let payload = "x".repeat(60);
    publisher.publish(0, "a", &[], &payload).publish(0, "a", &[], "fits");
    large.expect_publish(Q1, "a", &[], &payload);
    let id = small.expect_publish(Q1, "a", &[], "fits");
    small.send(puback(id)).expect_quiet().send(DISCONNECT).expect_closed();
    // While it is away too.
    publisher.publish(0, "a", &[user("n", &payload)], "").publish(0, "a", &[], "fits");
    let mut small = Peer::accepted(&broker, &connect(), true);
    small.expect_publish(Q1, "a", &[], "fits");
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("$SYS/broker/counters/publish-too-large", rumqttc::QoS::AtMostOnce);
    let told: Vec<_> = (0..15).map(|_| watcher.receive().payload).take_while(|told| told != "2").collect();
    assert!(told.len() < 15, "{told:?}");
}

/// `[MQTT-3.1.2-24]`: also of answers, which cannot be left out.
#[test]
fn an_answer_too_large_for_a_client_closes() {
    let broker = Broker::open();
    let mut peer = Peer::accepted(&broker, &Connect::clean("id").with(four(0x27, 20)), false);
    let filters: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let filters: Vec<(&str, u8)> = filters.iter().map(|filter| (filter.as_str(), 0)).collect();
    peer.send(subscribe(1, &[], &filters[..10])).expect(suback(1, &[0; 10]));
    peer.send(subscribe(1, &[], &filters)).expect_disconnect(0x95);
}
