//! Section 4.8.2 of MQTT 5.0: shared subscriptions, for clients of all versions.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;
use crate::conformance::packets as old;
use crate::conformance::peer::Peer as OldPeer;

const SHARED: &str = "$share/group/work/+";

fn broker(strategy: &str) -> Broker {
    Broker::start(&format!("plugins: [auth_anonymous]\nshare-strategy: {strategy}\n"))
}

/// Two members and a publisher.
fn group(broker: &Broker) -> (Peer, Peer, Peer) {
    let [one, two] = ["one", "two"].map(|name| {
        let mut member = Peer::connected(broker, name);
        member.subscribe(SHARED, 1);
        member
    });
    (one, two, Peer::connected(broker, "publisher"))
}

/// `[MQTT-4.8.2-3]`: each message goes to one member, at the QoS that it was granted; to others as always.
#[test]
fn each_message_goes_to_one_member() {
    let broker = Broker::open();
    let mut one = Peer::connected(&broker, "one");
    one.subscribe_as(9, SHARED, 1);
    let mut two = OldPeer::connected(&broker, "two");
    two.send(old::subscribe(1, &[(SHARED, 0)])).expect(old::suback(1, &[0]));
    let mut other_group = Peer::connected(&broker, "other group");
    other_group.subscribe("$share/other/#", 0);
    let mut alone = Peer::connected(&broker, "alone");
    alone.subscribe("work/+", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    for payload in ["1", "2", "3", "4"] {
        publisher.publish(0, "work/x", &[user("n", "v")], payload);
        other_group.expect_publish(Q0, "work/x", &[user("n", "v")], payload);
        alone.expect_publish(Q0, "work/x", &[user("n", "v")], payload);
    }
    for (mine, other) in [("1", "2"), ("3", "4")] {
        one.expect_publish(Q1, "work/x", &[subscription_id(9), user("n", "v")], mine);
        two.expect_publish(Q0, "work/x", other);
    }
    // One who has a subscription of its own beside gets that as well.
    one.subscribe("work/#", 0);
    publisher.publish(0, "work/x", &[], "5");
    let mut both = [one.receive(), one.receive()];
    both.sort_unstable();
    assert!(both[0][0] == 0x30 && both[1][0] == 0x32, "{both:02x?}");
    one.send(unsubscribe(2, &["work/#"])).expect(unsuback(2, &[0]));
    one.send(unsubscribe(3, &[SHARED, SHARED])).expect(unsuback(3, &[0, 0x11]));
    publisher.publish(0, "work/x", &[], "5");
    two.expect_publish(Q0, "work/x", "5");
    one.expect_quiet();
}

/// `[MQTT-4.8.2-1]` `[MQTT-4.8.2-2]`
#[test]
fn a_shared_subscription_has_a_group_and_a_filter() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    let filters = [("$share/g", 0), ("$share//a", 0), ("$share/g/", 0), ("$share/+/a", 0), ("$share/g/a/#", 1)];
    peer.send(subscribe(1, &[], &filters)).expect(suback(1, &[0x8f, 0x8f, 0x8f, 0x8f, 1]));
    let mut old_peer = OldPeer::connected(&broker, "old");
    old_peer.send(old::subscribe(1, &[("$share//a", 0)])).expect(old::suback(1, &[0x80]));
}

/// Retained messages are not work that comes.
#[test]
fn retained_messages_are_not_sent_for_shared_subscriptions() {
    let broker = Broker::open();
    Peer::connected(&broker, "publisher").publish_to_any(RETAIN, "work/x", &[], "kept");
    Peer::connected(&broker, "one").subscribe(SHARED, 1).expect_quiet();
}

/// What a member has not acknowledged goes to others when it will not come back, in order; but for what it began at QoS 2
/// `[MQTT-4.8.2-5]`. Until then it waits for the member `[MQTT-4.8.2-4]`.
#[test]
fn what_a_member_leaves_goes_to_others() {
    let broker = broker("sticky");
    let mut one = Peer::accepted(&broker, &Connect::resume("one", 60).with(two(0x21, 3)), false);
    one.subscribe(SHARED, 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    for (id, (qos, payload)) in (1..).zip([(Q1, "1"), (Q2, "2"), (Q1, "3"), (Q1, "4"), (Q2, "5"), (Q0, "lost")]) {
        publisher.send(publish(qos, "work/x", id, &[user("n", "v")], payload));
        match qos {
            Q1 => publisher.expect(puback(id)),
            Q2 => publisher.expect(pubrec(id)).send(pubrel(id)).expect(pubcomp(id)),
            _ => publisher.expect_quiet(),
        };
    }
    one.expect_publish(Q1, "work/x", &[user("n", "v")], "1");
    let begun = one.expect_publish(Q2, "work/x", &[user("n", "v")], "2");
    one.expect_publish(Q1, "work/x", &[user("n", "v")], "3");
    let mut other = Peer::connected(&broker, "two");
    other.subscribe(SHARED, 2);
    drop(one);
    let mut one = Peer::accepted(&broker, &Connect::resume("one", 60).with(two(0x21, 3)), true);
    one.expect_publish(Q1 | DUP, "work/x", &[user("n", "v")], "1");
    assert_eq!(one.expect_publish(Q2 | DUP, "work/x", &[user("n", "v")], "2"), begun);
    other.expect_quiet();
    one.send(disconnect(0, &[session_expiry(0)])).expect_closed_after_messages();
    for (qos, payload) in [(Q1, "1"), (Q1, "3"), (Q1, "4"), (Q2, "5")] {
        other.expect_publish(qos, "work/x", &[user("n", "v")], payload);
    }
    other.expect_quiet();
}

/// `[MQTT-4.8.2-6]`: refused by one is refused.
#[test]
fn what_a_member_refuses_goes_to_nobody_else() {
    let broker = Broker::open();
    let (mut one, mut two, mut publisher) = group(&broker);
    publisher.publish(0, "work/x", &[], "1");
    let id = one.expect_publish(Q1, "work/x", &[], "1");
    one.send(with_reason(&puback(id), 0x97)).expect_quiet().send(DISCONNECT).expect_closed();
    two.expect_quiet();
}

/// Members that are connected come first; a message waits for one that is not only if there is no other.
#[test]
fn members_that_are_connected_come_first() {
    let broker = Broker::open();
    let mut away = Peer::accepted(&broker, &Connect::resume("away", 60), false);
    away.subscribe(SHARED, 1).send(DISCONNECT).expect_closed();
    let mut here = Peer::connected(&broker, "here");
    here.subscribe(SHARED, 1);
    let mut publisher = Peer::connected(&broker, "publisher");
    for payload in ["1", "2", "3"] {
        publisher.publish(0, "work/x", &[], payload);
        here.expect_publish(Q1, "work/x", &[], payload);
    }
    here.send(disconnect(0, &[])).expect_closed();
    // Its unacknowledged ones, and one that comes now.
    publisher.publish(0, "work/x", &[], "4");
    let mut away = Peer::accepted(&broker, &Connect::resume("away", 60), true);
    for payload in ["1", "2", "3", "4"] {
        away.expect_publish(Q1, "work/x", &[], payload);
    }
}

#[test]
fn a_sticky_group_stays_with_one_member() {
    let broker = broker("sticky");
    let (mut one, mut two, mut publisher) = group(&broker);
    for payload in ["1", "2", "3"] {
        publisher.publish(0, "work/x", &[], payload);
        let id = one.expect_publish(Q1, "work/x", &[], payload);
        one.send(puback(id));
    }
    two.expect_quiet();
    one.send(DISCONNECT).expect_closed();
    publisher.publish(0, "work/x", &[], "4");
    two.expect_publish(Q1, "work/x", &[], "4");
}

#[test]
fn the_member_with_the_fewest_messages_gets_the_next() {
    let broker = broker("least-queued");
    let (mut one, mut two, mut publisher) = group(&broker);
    publisher.publish(0, "work/x", &[], "1").publish(0, "work/x", &[], "2").publish(0, "work/x", &[], "3");
    let first = one.expect_publish(Q1, "work/x", &[], "1");
    let second = two.expect_publish(Q1, "work/x", &[], "2");
    let third = one.expect_publish(Q1, "work/x", &[], "3");
    one.send(puback(first)).send(puback(third)).expect_quiet();
    publisher.publish(0, "work/x", &[], "4");
    one.expect_publish(Q1, "work/x", &[], "4");
    two.send(puback(second)).expect_quiet();
    publisher.publish(0, "work/x", &[], "5");
    two.expect_publish(Q1, "work/x", &[], "5");
}

#[test]
fn a_random_member_gets_each_message() {
    let broker = broker("random");
    let (mut one, mut two, mut publisher) = group(&broker);
    for _ in 0..60 {
        publisher.publish(0, "work/x", &[], "x");
    }
    let (one, two) = (one.count_messages(), two.count_messages());
    assert!(one + two == 60 && one > 5 && two > 5, "{one} and {two}");
}

/// `$share/group/filter` is allowed to whom `filter` is.
#[test]
fn permissions_are_about_the_filter() {
    let broker = Broker::start(
        "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  publish-acl: {anonymous: ['#']}\n\
         \x20 subscribe-acl: {anonymous: ['work/+']}\n",
    );
    let mut peer = Peer::connected(&broker, "id");
    peer.send(subscribe(1, &[], &[(SHARED, 1), ("$share/group/other", 1)])).expect(suback(1, &[1, 0x87]));
}

#[test]
fn sharing_may_be_turned_off() {
    let broker = Broker::start("plugins: [auth_anonymous]\nshared-subscriptions: off\n");
    let (mut peer, told) = Peer::told(&broker, &Connect::clean("id"), false);
    assert!(told.ends_with(&[0x2a, 0]), "{told:02x?}");
    peer.send(subscribe(1, &[], &[(SHARED, 1), ("a", 0)])).expect(suback(1, &[0x9e, 0]));
}
