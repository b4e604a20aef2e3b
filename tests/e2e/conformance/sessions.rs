//! Sections 3.1.2.4, 3.1.2.5, 3.14 and 4.1 to 4.6: what outlives a connection, and wills.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;

/// `[MQTT-3.1.2-4]` `[MQTT-3.1.2-5]` `[MQTT-4.1.0-1]` `[MQTT-4.5.0-1]`: subscriptions stay, and QoS 1 and 2 wait.
#[test]
fn a_session_that_is_kept_collects_messages() {
    let broker = Broker::open();
    let mut peer = Peer::accepted(&broker, resume("id"), false);
    peer.subscribe("a", 2).send(DISCONNECT).expect_closed();
    let mut publisher = Peer::connected(&broker, "publisher");
    publisher.publish(0, "a", "1");
    publisher.send(publish(Q2, "a", 4, "2")).expect(pubrec(4));
    let mut peer = Peer::accepted(&broker, resume("id"), true);
    peer.expect_publish(Q1, "a", "1");
    peer.expect_publish(Q2, "a", "2");
    publisher.publish(0, "a", "3");
    peer.expect_publish(Q1, "a", "3");
}

/// `[MQTT-3.1.2-7]`: a retained message is not a part of the session that sent it.
#[test]
fn retained_messages_outlive_the_session() {
    let mut broker = Broker::open();
    Peer::connected(&broker, "id").publish(RETAIN, "a", "kept").send(DISCONNECT).expect_closed();
    // Said once the session is over.
    broker.wait_for_log("client \"id\" disconnected");
    Peer::accepted(&broker, resume("id"), false).subscribe("a", 0).expect_publish(Q0 | RETAIN, "a", "kept");
}

fn will(flags: u8) -> Vec<u8> {
    connect_with(CLEAN | WILL | flags, &[b"id", b"will", b"gone"])
}

/// `[MQTT-3.1.2-8]` `[MQTT-3.1.2-9]` `[MQTT-3.1.2-16]` `[MQTT-3.1.2-17]`: sent with the QoS and the RETAIN flag of the CONNECT.
#[test]
fn a_will_is_sent_as_the_connect_says() {
    let broker = Broker::open();
    let mut watcher = Peer::subscribed(&broker, "watcher", "will", 2);
    for (will_flags, flags, retained) in
        [(0, Q0, false), (WILL_Q1, Q1, false), (WILL_Q2, Q2, false), (WILL_RETAIN | WILL_Q1, Q1, true)]
    {
        drop(Peer::accepted(&broker, will(will_flags), false));
        watcher.expect_publish(flags, "will", "gone");
        let mut late = Peer::subscribed(&broker, "late", "will", 2);
        if retained {
            late.expect_publish(flags | RETAIN, "will", "gone");
        }
        late.expect_quiet();
    }
}

/// `[MQTT-3.1.2-10]` `[MQTT-3.1.2-12]` `[MQTT-3.14.4-3]`: once, and not after a DISCONNECT.
///
/// That a client with the same identifier is accepted means that all wills before it have been sent.
#[test]
fn a_will_is_sent_once_and_not_after_a_disconnect() {
    let broker = Broker::open();
    let mut watcher = Peer::subscribed(&broker, "watcher", "will", 0);
    Peer::accepted(&broker, will(0), false).send(DISCONNECT).expect_closed();
    let mut with_will = Peer::connected(&broker, "id");
    watcher.expect_quiet();
    let mut without = Peer::connected(&broker, "id");
    with_will.expect_closed();
    watcher.expect_quiet();
    let mut again = Peer::accepted(&broker, will(0), false);
    without.expect_closed();
    watcher.expect_quiet();
    let _last = Peer::connected(&broker, "id");
    again.expect_closed();
    watcher.expect_publish(Q0, "will", "gone");
    watcher.expect_quiet();
}

/// `[MQTT-4.1.0-2]`: without a keep-alive and without a packet, the session is there as long as the connection.
#[test]
fn a_clean_session_lasts_as_long_as_its_connection() {
    let broker = Broker::open();
    let mut peer = Peer::subscribed(&broker, "id", "a", 0);
    for round in 0..50 {
        Peer::connected(&broker, &format!("other-{round}")).publish(0, "a", "x");
        peer.expect_publish(Q0, "a", "x");
    }
}

/// `[MQTT-4.4.0-1]` `[MQTT-4.6.0-1]` `[MQTT-2.3.1-4]`: in the order of the first time, with the identifiers of the first time.
#[test]
fn what_is_not_acknowledged_is_sent_again_in_order() {
    let broker = Broker::open();
    let mut peer = Peer::accepted(&broker, resume("id"), false);
    peer.subscribe("#", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    let sent: Vec<(u8, String)> =
        (0..20_u8).map(|number| ([Q1, Q2][usize::from(number % 3 == 0)], number.to_string())).collect();
    for (qos, number) in &sent {
        publisher.send(publish(*qos, "a", 1, number));
        match *qos {
            Q1 => publisher.expect(puback(1)),
            _ => publisher.expect(pubrec(1)).send(pubrel(1)).expect(pubcomp(1)),
        };
    }
    let ids: Vec<u16> = sent.iter().map(|(qos, number)| peer.expect_publish(*qos, "a", number)).collect();
    for _ in 0..2 {
        let mut peer = Peer::accepted(&broker, resume("id"), true);
        for ((qos, number), id) in sent.iter().zip(&ids) {
            assert_eq!(peer.expect_publish(qos | DUP, "a", number), *id);
        }
        peer.expect_quiet();
    }
}

/// `[MQTT-4.6.0-5]` `[MQTT-4.6.0-6]`: every topic is ordered, for each subscriber, also where messages have to wait.
#[test]
fn messages_of_one_client_are_sent_in_their_order() {
    let broker = Broker::start("plugins: [auth_anonymous]\nlimits: {inflight-max: 3, outgoing-bytes-max: 50}\n");
    let mut subscribers =
        [0, 1, 2].map(|granted| (granted, Peer::subscribed(&broker, &format!("subscriber-{granted}"), "a", granted)));
    let mut publisher = Peer::connected(&broker, "publisher");
    let bytes: Vec<u8> = (1..=200).flat_map(|id| publish(Q1, "a", id, &id.to_string())).collect();
    publisher.send(bytes);
    for id in 1..=200 {
        publisher.expect(puback(id));
    }
    for (granted, subscriber) in &mut subscribers {
        for id in 1..=200 {
            let packet_id = subscriber.expect_publish([Q0, Q1, Q1][usize::from(*granted)], "a", &id.to_string());
            if *granted != 0 {
                subscriber.send(puback(packet_id));
            }
        }
    }
}

/// Section 3.14.4: after a DISCONNECT the broker closes, and deals with nothing that follows it.
#[test]
fn nothing_is_done_after_a_disconnect() {
    let broker = Broker::open();
    let mut watcher = Peer::subscribed(&broker, "watcher", "a", 0);
    Peer::connected(&broker, "id").send([DISCONNECT.to_vec(), publish(Q0, "a", 0, "x")].concat()).expect_closed();
    Peer::connected(&broker, "id");
    watcher.expect_quiet();
}

/// `[MQTT-4.6.0-3]` `[MQTT-4.6.0-4]`: the server is a receiver and a sender too, and answers in order as a client has to.
#[test]
fn qos_2_is_answered_in_order() {
    let broker = Broker::open();
    let mut subscriber = Peer::subscribed(&broker, "subscriber", "a", 2);
    let mut publisher = Peer::connected(&broker, "publisher");
    let sent = [9, 3, 7, 1];
    publisher.send(sent.map(|id| publish(Q2, "a", id, "x")).concat());
    for id in sent {
        publisher.expect(pubrec(id));
    }
    let ids: Vec<u16> = sent.iter().map(|_| subscriber.expect_publish(Q2, "a", "x")).collect();
    subscriber.send(ids.iter().rev().flat_map(|id| pubrec(*id)).collect::<Vec<u8>>());
    for id in ids.iter().rev() {
        subscriber.expect(pubrel(*id));
    }
}
