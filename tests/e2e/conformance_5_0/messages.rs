//! Sections 3.3.2.3 and 3.4 of MQTT 5.0: properties of messages, and what their publisher is told.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;

/// All properties that a message may have for its receivers, in an order of its own.
fn properties() -> Vec<Vec<u8>> {
    vec![
        user("b", "1"),
        text(0x08, "answers/here"),
        user("a", "2"),
        text(0x09, "correlation"),
        vec![0x01, 1],
        user("b", "1"),
        text(0x03, "text/plain"),
    ]
}

/// `[MQTT-3.3.2-4]` `[MQTT-3.3.2-15]` `[MQTT-3.3.2-16]` `[MQTT-3.3.2-17]` `[MQTT-3.3.2-18]` `[MQTT-3.3.2-20]`: unaltered,
/// user properties in their order; at once, after a wait, and retained.
#[test]
fn properties_are_passed_on_unaltered() {
    let broker = Broker::open();
    let mut now = Peer::connected(&broker, "now");
    now.subscribe("a", 2);
    let mut later = Peer::accepted(&broker, &Connect::resume("later", 60), false);
    later.subscribe("a", 1).send(DISCONNECT).expect_closed();
    let mut publisher = Peer::connected(&broker, "publisher");
    for flags in [0, RETAIN] {
        publisher.publish(flags, "a", &properties(), "x");
        now.expect_publish(Q1, "a", &properties(), "x");
        let mut later = Peer::accepted(&broker, &Connect::resume("later", 60), true);
        let id = later.expect_publish(Q1, "a", &properties(), "x");
        later.send(puback(id)).send(DISCONNECT).expect_closed();
    }
    // An expiry stands before them, wherever it stood.
    let mut with_expiry = properties();
    with_expiry.insert(3, message_expiry(1_000));
    publisher.publish(0, "a", &with_expiry, "x");
    let expected = [vec![message_expiry(1_000)], properties()].concat();
    now.expect_publish(Q1, "a", &expected, "x");
    let mut new = Peer::connected(&broker, "new");
    new.send(subscribe(1, &[], &[("a", 0)]));
    let mut received = [new.receive(), new.receive()];
    received.sort_unstable();
    assert_eq!(received, [publish(RETAIN, "a", 0, &properties(), "x"), suback(1, &[0])]);
}

/// Large ones, which are shared between receivers, are no different.
#[test]
fn properties_of_large_messages_are_passed_on() {
    let broker = Broker::open();
    let mut peer = Peer::connected(&broker, "id");
    peer.subscribe_as(3, "a", 1);
    let payload = "x".repeat(100_000);
    Peer::connected(&broker, "publisher").publish(0, "a", &properties(), &payload);
    let expected = [vec![subscription_id(3)], properties()].concat();
    assert_eq!(peer.receive(), publish(Q1, "a", 1, &expected, &payload));
}

/// `[MQTT-3.3.2-6]` `[MQTT-3.3.2-5]`: the time that is left is sent on, and what is too old is not.
#[test]
fn messages_expire_while_they_wait() {
    let mut broker = Broker::open();
    let mut away = Peer::accepted(&broker, &Connect::resume("away", 60), false);
    away.subscribe("a", 1).send(DISCONNECT).expect_closed();
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(RETAIN, "a", &[message_expiry(1)], "soon");
    publisher.publish(0, "a", &[message_expiry(1_000), user("n", "v")], "later");
    publisher.publish(0, "a", &[], "never");
    // A second has passed when the session of another has expired that was to last for one.
    Peer::accepted(&broker, &Connect::resume("clock", 1), false).send(DISCONNECT).expect_closed();
    broker.wait_for_log("the session of client \"clock\" has expired");
    let mut back = Peer::accepted(&broker, &Connect::resume("away", 60), true);
    let packet = back.receive();
    let at = packet.windows(2).position(|bytes| bytes == [0x02, 0]).expect("has an expiry") + 1;
    let left = u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
    assert!((900..1_000).contains(&left), "{left} s are left");
    assert!(packet.ends_with(b"later") && packet.windows(7).any(|bytes| bytes == user("n", "v")), "{packet:02x?}");
    back.expect_publish(Q1, "a", &[], "never");
    // Nor is it retained any more.
    let mut new = Peer::connected(&broker, "new");
    new.subscribe("a", 0).expect_quiet();
}

/// `[MQTT-4.3.3-7]`: once it was sent, it is sent again, however old it is.
#[test]
fn what_was_sent_does_not_expire() {
    let mut broker = Broker::open();
    let mut peer = Peer::accepted(&broker, &Connect::resume("id", 60), false);
    peer.subscribe("a", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.send(publish(Q2, "a", 1, &[message_expiry(1)], "x")).expect(pubrec(1));
    let id = peer.expect_publish(Q2, "a", &[message_expiry(1)], "x");
    drop(peer);
    Peer::accepted(&broker, &Connect::resume("clock", 1), false).send(DISCONNECT).expect_closed();
    broker.wait_for_log("the session of client \"clock\" has expired");
    let mut peer = Peer::accepted(&broker, &Connect::resume("id", 60), true);
    assert_eq!(peer.expect_publish(Q2 | DUP, "a", &[message_expiry(0)], "x"), id);
}

/// 3.4.2.1, 3.5.2.1: whether anybody has it, and whether it may be sent.
#[test]
fn a_publisher_is_told_what_became_of_its_message() {
    let broker = Broker::start(
        "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  publish-acl: {anonymous: ['a']}\n\
         \x20 subscribe-acl: {anonymous: ['#']}\nlimits: {topic-levels-max: 3}\n",
    );
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.send(publish(Q1, "a", 1, &[], "")).expect(with_reason(&puback(1), 0x10));
    publisher.send(publish(Q2, "a", 2, &[], "")).expect(with_reason(&pubrec(2), 0x10));
    publisher.send(pubrel(2)).expect(pubcomp(2));
    publisher.send(publish(Q1, "secret", 3, &[], "")).expect(with_reason(&puback(3), 0x87));
    publisher.send(publish(Q1, "$SYS/x", 4, &[], "")).expect(with_reason(&puback(4), 0x87));
    let levels = [text(0x1f, "it has more than 3 levels, `topic-levels-max`")];
    publisher.send(publish(Q1, "1/2/3/4", 6, &[], "")).expect(with_words(&puback(6), 0x90, &levels));
    Peer::connected(&broker, "subscriber").subscribe("a", 0);
    let mut subscriber = Peer::connected(&broker, "other");
    subscriber.subscribe("a", 0);
    publisher.send(publish(Q1, "a", 5, &[], "")).expect(puback(5));
}

/// `[MQTT-4.3.3-9]` and 4.3.3: a PUBREC with a failure is the end of it, and the identifier is free.
#[test]
fn a_refused_qos_2_message_leaves_its_identifier_free() {
    let broker = Broker::start(
        "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  publish-acl: {anonymous: ['a']}\n\
         \x20 subscribe-acl: {anonymous: ['#']}\nlimits: {receive-max: 1}\n",
    );
    let mut subscriber = Peer::connected(&broker, "subscriber");
    subscriber.subscribe("a", 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.send(publish(Q2, "secret", 1, &[], "")).expect(with_reason(&pubrec(1), 0x87));
    publisher.send(publish(Q2, "a", 1, &[], "x")).expect(pubrec(1));
    subscriber.expect_publish(Q0, "a", &[], "x");
    publisher.send(pubrel(1)).expect(pubcomp(1));
    // 3.7.2.1: of an identifier that is not in use.
    publisher.send(pubrel(1)).expect(with_reason(&pubcomp(1), 0x92));
    publisher.send(pubrec(9)).expect(with_reason(&pubrel(9), 0x92));
}

/// 3.3.2.3.2: looked at where a setting asks for it.
#[test]
fn a_payload_that_claims_to_be_text_may_be_checked() {
    let text_or_not = |broker: &Broker, expected: &[Vec<u8>]| {
        let mut subscriber = Peer::connected(broker, "subscriber");
        subscriber.subscribe("a", 0);
        let mut publisher = Peer::connected(broker, "publisher");
        for (id, (claim, payload)) in (1..).zip([(1, &b"\xff"[..]), (0, b"\xff"), (1, "ü".as_bytes())]) {
            let mut bytes = publish(Q1, "a", id, &[vec![0x01, claim]], "");
            bytes.extend_from_slice(payload);
            bytes[1] += payload.len() as u8;
            publisher.send(bytes).expect(&expected[usize::from(id) - 1]);
        }
    };
    text_or_not(&Broker::open(), &[puback(1), puback(2), puback(3)]);
    let strict = Broker::start("plugins: [auth_anonymous]\ncheck-payload-format: true\n");
    text_or_not(&strict, &[with_reason(&puback(1), 0x99), puback(2), puback(3)]);
    // That of a will ends the CONNECT.
    let mut connect = Connect::clean("id").will(0, &[vec![0x01, 1]], "x").bytes();
    *connect.last_mut().expect("has a payload") = 0xff;
    Peer::refused(&strict, connect, 0x99);
}
