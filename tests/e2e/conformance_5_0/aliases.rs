//! Section 3.3.2.3.4 of MQTT 5.0: topic aliases, in both directions.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;

/// `[MQTT-3.3.2-12]`: an alias stands for the topic that it was last sent with, and receivers see the topic.
#[test]
fn a_client_may_use_aliases() {
    let broker = Broker::open();
    let mut subscriber = Peer::connected(&broker, "subscriber");
    subscriber.subscribe("#", 1);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(0, "a", &[topic_alias(1)], "1");
    publisher.publish(0, "", &[user("n", "v"), topic_alias(1)], "2");
    publisher.publish(0, "b", &[topic_alias(16)], "3");
    publisher.publish(0, "", &[topic_alias(16), message_expiry(9)], "4");
    publisher.publish(0, "b", &[topic_alias(1)], "5");
    publisher.publish(RETAIN, "", &[topic_alias(1)], "6");
    subscriber.expect_publish(Q1, "a", &[], "1");
    subscriber.expect_publish(Q1, "a", &[user("n", "v")], "2");
    subscriber.expect_publish(Q1, "b", &[], "3");
    subscriber.expect_publish(Q1, "b", &[message_expiry(9)], "4");
    subscriber.expect_publish(Q1, "b", &[], "5");
    subscriber.expect_publish(Q1, "b", &[], "6");
    // [MQTT-3.3.2-7]: they end with the connection.
    let mut again = Peer::connected(&broker, "publisher");
    again.send(publish(Q0, "", 0, &[topic_alias(1)], "")).expect_disconnect(0x82);
}

/// `[MQTT-3.3.2-8]` `[MQTT-3.3.2-9]`: not 0, and not above what the client was told.
#[test]
fn an_alias_out_of_range_is_refused() {
    let broker = Broker::open();
    for alias in [0, 17, u16::MAX] {
        Peer::connected(&broker, "id").send(publish(Q0, "a", 0, &[topic_alias(alias)], "")).expect_disconnect(0x94);
    }
}

/// Permissions are about the topic, not about what stands for it.
#[test]
fn an_alias_is_no_way_around_permissions() {
    let broker = Broker::start(
        "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  publish-acl: {anonymous: ['a']}\n\
         \x20 subscribe-acl: {anonymous: ['#']}\n",
    );
    let mut subscriber = Peer::connected(&broker, "subscriber");
    subscriber.subscribe("#", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.send(publish(Q1, "secret", 1, &[topic_alias(1)], "")).expect(with_reason(&puback(1), 0x87));
    publisher.send(publish(Q1, "", 1, &[topic_alias(1)], "")).expect(with_reason(&puback(1), 0x87));
    subscriber.expect_quiet();
}

/// `[MQTT-3.1.2-26]` `[MQTT-3.1.2-27]` `[MQTT-3.3.2-11]`: aliases of the broker, as many as the client takes.
#[test]
fn the_broker_uses_aliases_that_the_client_takes() {
    let broker = Broker::open();
    let connect = Connect::resume("id", 60).with(two(0x22, 1));
    let mut peer = Peer::accepted(&broker, &connect, false);
    let mut without = Peer::connected(&broker, "without");
    peer.subscribe("#", 1);
    without.subscribe("#", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    for _ in 0..3 {
        publisher.publish(0, "a/long/topic", &[user("n", "v")], "x");
        without.expect_publish(Q0, "a/long/topic", &[user("n", "v")], "x");
    }
    let alias = || vec![topic_alias(1), user("n", "v")];
    let first = peer.expect_publish(Q1, "a/long/topic", &alias(), "x");
    peer.expect_publish(Q1, "", &alias(), "x");
    peer.expect_publish(Q1, "", &alias(), "x");
    peer.send(puback(first));
    // Another topic is sent in full, and the one that is sent often keeps the alias.
    publisher.publish(0, "other", &[], "y").publish(0, "a/long/topic", &[user("n", "v")], "x");
    peer.expect_publish(Q1, "other", &[], "y");
    peer.expect_publish(Q1, "", &alias(), "x");
    drop(peer);
    // On a new connection nothing is known of them.
    let mut peer = Peer::accepted(&broker, &connect, true);
    peer.expect_publish(Q1 | DUP, "a/long/topic", &[user("n", "v")], "x");
}
