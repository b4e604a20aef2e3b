//! Clients of MQTT 3.1, 3.1.1 and 5.0 on one broker: what one says and another cannot hear. The table is in README.md.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;
use crate::conformance::packets as old;
use crate::conformance::peer::Peer as OldPeer;

/// The message is the same to both; properties are for who can read them.
#[test]
fn messages_pass_between_versions() {
    let broker = Broker::open();
    let mut old_peer = OldPeer::subscribed(&broker, "old", "#", 2);
    let mut new_peer = Peer::connected(&broker, "new");
    new_peer.subscribe("#", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(0, "a", &[user("n", "v"), message_expiry(9), topic_alias(1)], "from new");
    old_peer.expect_publish(Q1, "a", "from new");
    new_peer.expect_publish(Q1, "a", &[message_expiry(9), user("n", "v")], "from new");
    OldPeer::connected(&broker, "old publisher").publish(0, "a", "from old");
    old_peer.expect_publish(Q1, "a", "from old");
    new_peer.expect_publish(Q1, "a", &[], "from old");
}

/// Retained messages and wills cross too.
#[test]
fn retained_messages_and_wills_pass_between_versions() {
    let broker = Broker::open();
    Peer::connected(&broker, "publisher").publish_to_any(RETAIN, "kept", &[user("n", "v")], "new");
    let mut old_peer = OldPeer::connected(&broker, "old");
    old_peer.send(old::subscribe(1, &[("#", 0)]));
    let mut received = [old_peer.next(), old_peer.next()];
    received.sort_unstable();
    assert_eq!(received, [old::publish(RETAIN, "kept", 0, "new"), old::suback(1, &[0])]);
    drop(Peer::accepted(&broker, &Connect::clean("id").will(0, &[user("n", "v")], "gone"), false));
    old_peer.expect_publish(Q0, "will", "gone");
}

/// A session may be resumed by a client of another version: what waits is sent as that one reads it.
#[test]
fn a_session_may_change_its_version() {
    let broker = Broker::open();
    let mut peer = Peer::accepted(&broker, &Connect::resume("id", 60), false);
    peer.subscribe_as(5, "a", 1).send(DISCONNECT).expect_closed();
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(0, "a", &[user("n", "v")], "waits");
    let mut old_peer = OldPeer::accepted(&broker, old::resume("id"), true);
    let id = old_peer.expect_publish(Q1, "a", "waits");
    drop(old_peer);
    let mut again = Peer::accepted(&broker, &Connect::resume("id", 60), true);
    assert_eq!(again.expect_publish(Q1 | DUP, "a", &[subscription_id(5), user("n", "v")], "waits"), id);
    again.send(puback(id)).send(DISCONNECT).expect_closed();
    // And one of 3.1.1 waits for as long as the settings say, until a client of 5.0 says otherwise.
    OldPeer::accepted(&broker, old::resume("old"), false).send(old::DISCONNECT).expect_closed();
    Peer::accepted(&broker, &Connect::resume("old", 0), true).send(DISCONNECT).expect_closed();
    Peer::accepted(&broker, &Connect::resume("old", 0), false);
}

/// What a client of 3.1.1 is refused it is not told the reason of: it is acknowledged, or 0x80.
#[test]
fn reasons_are_for_who_can_read_them() {
    let broker = Broker::start(
        "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  publish-acl: {anonymous: ['a']}\n\
         \x20 subscribe-acl: {anonymous: ['a']}\n",
    );
    let mut peer = OldPeer::connected(&broker, "old");
    peer.send(old::publish(Q1, "secret", 1, "x")).expect(old::puback(1));
    peer.send(old::publish(Q2, "secret", 2, "x")).expect(old::pubrec(2));
    peer.send(old::pubrel(2)).expect(old::pubcomp(2)).send(old::pubrel(2)).expect(old::pubcomp(2));
    peer.send(old::subscribe(3, &[("secret", 1)])).expect(old::suback(3, &[0x80]));
    peer.send(old::unsubscribe(4, &["nothing"])).expect(old::unsuback(4));
    // Taken over without a word.
    let _new = Peer::connected(&broker, "old");
    peer.expect_closed();
}

/// No Local of a client of 5.0 is about its own messages, whoever else gets them.
#[test]
fn no_local_does_not_concern_others() {
    let broker = Broker::open();
    let mut old_peer = OldPeer::subscribed(&broker, "old", "a", 0);
    let mut peer = Peer::connected(&broker, "new");
    peer.subscribe("a", NO_LOCAL).publish(0, "a", &[], "x").expect_quiet();
    old_peer.expect_publish(Q0, "a", "x");
}
