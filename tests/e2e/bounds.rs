//! Every bound on what a client may make the broker hold: what happens past it, and that it is counted.

use std::collections::HashSet;
use std::io::{Read, Write};

use rumqttc::QoS::{AtLeastOnce, AtMostOnce};
use rumqttc::{ConnectReturnCode, LastWill, SubscribeReasonCode};

use crate::broker::{Broker, Setup};
use crate::carrier::{binary, read, websocket};
use crate::client::{Client, options};
use crate::protocol::{CONNACK, CONNECT, answer_until_close, open};

/// A broker with these limits, lines of the section `limits`, that tells its counters every second.
fn setup(limits: &[&str]) -> Setup {
    let lines: String = limits.iter().map(|line| format!("  {line}\n")).collect();
    Setup::new(&format!("sys_interval: 1\nplugins: [auth_anonymous, broker_sys]\nlimits:\n{lines}"))
}

/// Waits until a topic below `$SYS/broker/` tells this value.
pub(crate) fn wait_for_counter(broker: &Broker, topic: &str, expected: u64) {
    let mut client = Client::connect(broker, "counter-watcher");
    client.subscribe(&format!("$SYS/broker/{topic}"), AtMostOnce);
    // One comes every second.
    let told: Vec<_> =
        (0..15).map(|_| client.receive().payload).take_while(|value| *value != expected.to_string()).collect();
    assert!(told.len() < 15, "{topic} is never {expected} but {told:?}");
}

fn persistent(broker: &Broker, client_id: &str) -> Client {
    let mut options = options(broker, client_id);
    options.set_clean_session(false);
    Client::connect_with(options).expect("accepted")
}

/// Leaves a persistent session behind that is subscribed to `topic`.
fn leave_subscribed(broker: &Broker, client_id: &str, topic: &str) {
    let mut client = persistent(broker, client_id);
    client.subscribe(topic, AtLeastOnce);
    client.disconnect();
}

#[test]
fn packet_bytes() {
    let broker = setup(&["packet-bytes-max: 1000"]).start();
    let mut client = Client::connect(&broker, "client");
    client.subscribe("a", AtMostOnce);
    client.publish("a", AtLeastOnce, false, "x".repeat(900));
    assert_eq!(client.receive().payload.len(), 900);
    // It is enough to announce it.
    let announced = [CONNECT, &[0x30, 0xe8, 0x07]].concat();
    assert_eq!(answer_until_close(&mut open(&broker), &announced), CONNACK);
    wait_for_counter(&broker, "counters/packets-too-large", 1);
}

/// Nobody is known yet: it is not waited for what cannot be a CONNECT that is accepted.
#[test]
fn bytes_before_a_connect() {
    let broker = setup(&["connect-timeout-secs: 3600"]).start();
    // [MQTT-3.1.0-1]: the first byte of another packet is enough, and so is the length of one that is too large.
    assert!(answer_until_close(&mut open(&broker), &[0x30]).is_empty());
    assert!(answer_until_close(&mut open(&broker), &[0x10, 0xff, 0xff, 0x3f]).is_empty());
    wait_for_counter(&broker, "counters/packets-too-large", 1);
    // The largest will that there can be.
    let mut options = options(&broker, "client");
    options.set_last_will(LastWill::new("a", vec![b'x'; 65_535], AtMostOnce, false));
    assert!(Client::connect_with(options).is_ok());
}

#[test]
fn topic_bytes_and_levels() {
    let mut broker = setup(&["topic-levels-max: 4", "topic-bytes-max: 40"]).debug().start();
    let mut client = Client::connect(&broker, "client");
    client.subscribe("#", AtLeastOnce);
    client.publish("a/b/c/d", AtLeastOnce, false, "as deep as may be");
    client.publish("a/b/c/d/e", AtLeastOnce, false, "too deep");
    client.publish(&"x".repeat(40), AtLeastOnce, false, "as long as may be");
    client.publish(&"x".repeat(41), AtLeastOnce, false, "too long");
    assert_eq!(client.receive_words(), "a/b/c/d as deep as may be");
    assert_eq!(client.receive_words(), format!("{} as long as may be", "x".repeat(40)));
    assert_eq!(client.subscribe("+/+/+/+/#", AtMostOnce), SubscribeReasonCode::Failure);
    assert_eq!(client.subscribe(&"x".repeat(41), AtMostOnce), SubscribeReasonCode::Failure);
    broker.wait_for_log(
        "client \"client\" may not publish to \"a/b/c/d/e\": it has more than 4 levels, `topic-levels-max`",
    );
    broker.wait_for_log("may not subscribe to \"+/+/+/+/#\": it has more than 4 levels, `topic-levels-max`");
    wait_for_counter(&broker, "counters/topics-refused", 4);
}

#[test]
fn client_id_bytes() {
    let mut broker = setup(&["client-id-bytes-max: 23"]).debug().start();
    assert!(Client::connect_with(options(&broker, &"x".repeat(23))).is_ok());
    let refused = Client::connect_with(options(&broker, &"x".repeat(24))).map(drop);
    assert_eq!(refused, Err(ConnectReturnCode::BadClientId));
    broker.wait_for_log("its client identifier has 24 bytes, and `client-id-bytes-max` is 23");
    wait_for_counter(&broker, "counters/client-ids-refused", 1);
}

#[test]
fn subscriptions() {
    let broker = setup(&["subscriptions-max: 2"]).start();
    let mut client = Client::connect(&broker, "client");
    let granted = SubscribeReasonCode::Success(AtMostOnce);
    assert_eq!(client.subscribe("a", AtMostOnce), granted);
    assert_eq!(client.subscribe("b", AtMostOnce), granted);
    assert_eq!(client.subscribe("c", AtMostOnce), SubscribeReasonCode::Failure);
    // Another QoS for one that it has is no further subscription.
    assert_eq!(client.subscribe("b", AtLeastOnce), SubscribeReasonCode::Success(AtLeastOnce));
    client.unsubscribe("a");
    assert_eq!(client.subscribe("c", AtMostOnce), granted);
    wait_for_counter(&broker, "counters/subscriptions-refused", 1);
}

/// Each level takes more room than its text.
#[test]
fn levels_of_subscriptions() {
    let broker = setup(&["subscriptions-max: 3", "topic-levels-max: 60"]).start();
    let mut client = Client::connect(&broker, "client");
    let granted = SubscribeReasonCode::Success(AtMostOnce);
    let with_levels = |levels: usize| "/".repeat(levels - 1);
    let mut subscribe = |levels| client.subscribe(&with_levels(levels), AtMostOnce);
    assert_eq!([subscribe(50), subscribe(50), subscribe(11)], [granted, granted, SubscribeReasonCode::Failure]);
    assert_eq!(subscribe(10), granted);
    client.unsubscribe(&with_levels(50));
    assert_eq!(client.subscribe(&with_levels(50), AtMostOnce), granted);
    wait_for_counter(&broker, "counters/subscriptions-refused", 1);
}

#[test]
fn bytes_of_subscriptions() {
    let mut broker = setup(&["subscriptions-max: 10", "topic-bytes-max: 2000"]).start();
    let mut client = Client::connect(&broker, "client");
    let granted = SubscribeReasonCode::Success(AtMostOnce);
    let mut subscribe = |name: &str, bytes| client.subscribe(&name.repeat(bytes), AtMostOnce);
    assert_eq!([subscribe("a", 2_000), subscribe("b", 561)], [granted, SubscribeReasonCode::Failure]);
    assert_eq!(subscribe("b", 560), granted);
    client.unsubscribe(&"b".repeat(560));
    assert_eq!(client.subscribe(&"c".repeat(560), AtMostOnce), granted);
    // What clients choose is cut in the log.
    broker.wait_for_log(&format!("levels and 2560 bytes in all: refused \"{}\"", "b".repeat(100)));
    wait_for_counter(&broker, "counters/subscriptions-refused", 1);
}

/// However often a filter stands in a SUBSCRIBE: each time is a lookup of retained messages.
#[test]
fn filters_of_one_subscribe() {
    let broker = setup(&["subscriptions-max: 3"]).start();
    let mut peer = open(&broker);
    let filters = b"\0\x01a\0".repeat(5);
    let subscribe = [&[0x82, 2 + filters.len() as u8, 0, 1], &filters[..]].concat();
    peer.write_all(&[CONNECT, &subscribe].concat()).expect("is open");
    let mut answer = [0; 4 + 9];
    peer.read_exact(&mut answer).expect("is answered");
    assert_eq!(answer[4..], [0x90, 7, 0, 1, 0, 0, 0, 0x80, 0x80]);
    wait_for_counter(&broker, "counters/subscriptions-refused", 2);
}

/// Each is a lookup, and a packet has room for millions. Those behind are not looked up, which is no success.
#[test]
fn filters_of_one_unsubscribe() {
    let broker = setup(&["subscriptions-max: 2"]).start();
    let mut peer = open(&broker);
    let connect = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01x";
    let subscribe = b"\x82\x0b\0\x01\0\0\x01a\0\0\x01b\0";
    let unsubscribe = b"\xa2\x0c\0\x02\0\0\x01a\0\x01c\0\x01b";
    peer.write_all(&[&connect[..], subscribe, unsubscribe].concat()).expect("is open");
    let mut header = [0; 2];
    peer.read_exact(&mut header).expect("is answered");
    peer.read_exact(&mut vec![0; header[1].into()]).expect("is a CONNACK");
    let mut answer = [0; 7 + 8];
    peer.read_exact(&mut answer).expect("is answered");
    assert_eq!(answer[..7], [0x90, 5, 0, 1, 0, 0, 0]);
    assert_eq!(answer[7..], [0xb0, 6, 0, 2, 0, 0, 0x11, 0x80]);
    wait_for_counter(&broker, "subscriptions/count", 2);
}

/// Of large messages, as many bytes may be in flight as may wait.
#[test]
fn bytes_in_flight() {
    let broker = setup(&["queue-bytes-max: 25000"]).start();
    let mut subscriber = open(&broker);
    subscriber.write_all(&[CONNECT, b"\x82\x06\0\x01\0\x01a\x01"].concat()).expect("is open");
    let mut answer = [0; 4 + 5];
    subscriber.read_exact(&mut answer).expect("is answered");
    let mut publisher = Client::connect(&broker, "publisher");
    for _ in 0..6 {
        publisher.publish("a", AtLeastOnce, false, "x".repeat(10_000));
    }
    // Two are on their way to a client that acknowledges nothing, and two wait.
    wait_for_counter(&broker, "messages/inflight", 2);
    wait_for_counter(&broker, "publish/messages/dropped", 2);
    wait_for_counter(&broker, "counters/queue-bytes", 4 * (64 + 1 + 10_000));
}

/// Whoever subscribes again and again and reads nothing does not hold what is retained many times over.
#[test]
fn retained_messages_that_wait_in_a_session() {
    let mut broker = setup(&["queue-bytes-max: 100000", "queue-messages-max: 5", "outgoing-bytes-max: 1000"]).start();
    let mut publisher = Client::connect(&broker, "publisher");
    for topic in 0..500 {
        publisher.publish(&format!("kept/{topic}"), AtLeastOnce, true, "x".repeat(1_000));
    }
    let mut stuck = open(&broker);
    let subscribe = b"\x82\x0b\0\x01\0\x06kept/#\0";
    stuck.write_all(&[CONNECT, &subscribe.repeat(20)].concat()).expect("is open");
    // All of them come as the client takes them, although only five other messages might wait, and a fifth of these bytes.
    for qos in [AtMostOnce, AtLeastOnce] {
        let mut late = Client::connect(&broker, "late");
        late.subscribe("kept/#", qos);
        let topics: HashSet<_> = (0..500).map(|_| late.receive().topic).collect();
        assert_eq!(topics.len(), 500);
    }
    // Meanwhile nothing was dropped for the other one, whose last subscription gets all of them.
    let mut rest: usize = 500 * (2 + 2 + 1 + 1_000);
    let mut read = [0; 65_536];
    while rest > 0 {
        rest = rest.saturating_sub(stuck.read(&mut read).expect("they come"));
    }
    let log = broker.log_so_far();
    assert!(!log.contains("is full"), "{log}");
}

#[test]
fn messages_in_flight() {
    let broker = setup(&["inflight-max: 2"]).start();
    let mut subscriber = open(&broker);
    subscriber.write_all(&[CONNECT, b"\x82\x06\0\x01\0\x01a\x01"].concat()).expect("is open");
    let mut answer = [0; 4 + 5];
    subscriber.read_exact(&mut answer).expect("is answered");
    let mut publisher = Client::connect(&broker, "publisher");
    for payload in ["1", "2", "3"] {
        publisher.publish("a", AtLeastOnce, false, payload);
    }
    let mut messages = [0; 2 * 8];
    subscriber.read_exact(&mut messages).expect("two come");
    assert_eq!([messages[7], messages[15]], [b'1', b'2']);
    wait_for_counter(&broker, "messages/inflight", 2);
    // The answer to the PINGREQ comes before the third message, which waits for a PUBACK.
    let mut pong = [0; 2];
    subscriber.write_all(&[0xc0, 0]).expect("is open");
    subscriber.read_exact(&mut pong).expect("is answered");
    assert_eq!(pong, [0xd0, 0]);
    subscriber.write_all(&[0x40, 2, 0, 1]).expect("is open");
    let mut message = [0; 8];
    subscriber.read_exact(&mut message).expect("comes");
    assert_eq!(message[7], b'3');
}

/// The newest are dropped, counted and logged; the publisher is acknowledged.
#[test]
fn messages_that_wait_in_a_session() {
    let mut broker = setup(&["queue-messages-max: 3"]).start();
    leave_subscribed(&broker, "away", "a");
    let mut publisher = Client::connect(&broker, "publisher");
    for payload in ["1", "2", "3", "4", "5"] {
        publisher.publish("a", AtLeastOnce, false, payload);
    }
    broker.wait_for_log("the queue of client \"away\" is full");
    wait_for_counter(&broker, "publish/messages/dropped", 2);
    assert_eq!(persistent(&broker, "away").receive_all(), ["a 1", "a 2", "a 3"]);
}

#[test]
fn bytes_that_wait_in_a_session() {
    let broker = setup(&["queue-bytes-max: 2500"]).start();
    leave_subscribed(&broker, "away", "a");
    let mut publisher = Client::connect(&broker, "publisher");
    for _ in 0..5 {
        publisher.publish("a", AtLeastOnce, false, "x".repeat(1_000));
    }
    wait_for_counter(&broker, "publish/messages/dropped", 3);
    assert_eq!(persistent(&broker, "away").receive_all().len(), 2);
}

#[test]
fn bytes_that_wait_in_all_sessions() {
    let broker = setup(&["queue-total-bytes-max: 300000"]).start();
    for client_id in ["one", "two", "three"] {
        leave_subscribed(&broker, client_id, client_id);
    }
    leave_subscribed(&broker, "other", "other");
    let mut publisher = Client::connect(&broker, "publisher");
    for topic in ["one", "two", "three", "one", "two", "three"] {
        publisher.publish(topic, AtLeastOnce, false, "x".repeat(100_000));
    }
    wait_for_counter(&broker, "publish/messages/dropped", 3);
    // Who holds little is not shut out by those who hold much.
    for _ in 0..3 {
        publisher.publish("other", AtLeastOnce, false, "x".repeat(30_000));
    }
    wait_for_counter(&broker, "publish/messages/dropped", 4);
    assert_eq!(persistent(&broker, "other").receive_all().len(), 2);
    // Who comes back makes room for others.
    assert_eq!(persistent(&broker, "one").receive_all().len(), 1);
    publisher.publish("two", AtLeastOnce, false, "fits again");
    assert_eq!(persistent(&broker, "two").receive_all().len(), 2);
    wait_for_counter(&broker, "counters/queue-bytes", 100_000 + 5 + 64);
}

/// A session that waits for its client keeps its user name and will, and those are bounded in all.
#[test]
fn what_large_connects_leave_behind() {
    let mut broker = setup(&["queue-total-bytes-max: 100000"]).start();
    let with_will = |client_id: &str, bytes: usize| {
        let mut options = options(&broker, client_id);
        options.set_clean_session(false);
        options.set_last_will(LastWill::new("will", vec![b'x'; bytes], AtLeastOnce, false));
        Client::connect_with(options)
    };
    let (one, two) = (with_will("one", 60_000), with_will("two", 60_000));
    let refused = with_will("three", 65_535).map(drop);
    assert_eq!(refused, Err(ConnectReturnCode::ServiceUnavailable));
    drop(with_will("four", 50_000).expect("takes little"));
    [one, two].into_iter().for_each(|client| client.expect("is accepted").disconnect());
    // A will that will not be published takes nobody's room.
    while with_will("three", 65_535).is_err() {}
    broker.wait_for_log("client \"three\" refused: its will, user name and user properties take 65544 bytes");
}

#[test]
fn retained_messages_and_bytes() {
    // Without statistics, which are retained too.
    let limits = "limits: {retained-messages-max: 60, retained-bytes-max: 5000}";
    let mut broker = Broker::start(&format!("plugins: [auth_anonymous]\n{limits}\n"));
    let mut client = Client::connect(&broker, "client");
    client.publish("big", AtLeastOnce, true, "x".repeat(5_000));
    broker.wait_for_log("no room for the retained message of \"big\"");
    for number in 0..61 {
        client.publish(&format!("kept/{number}"), AtLeastOnce, true, "x");
    }
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("#", AtMostOnce);
    let kept = watcher.receive_all();
    assert_eq!(kept.len(), 60);
    assert!(!kept.iter().any(|message| message.starts_with("big") || message.starts_with("kept/60")), "{kept:?}");
    // A topic that has one may have another, and one that is deleted makes room.
    client.publish("kept/0", AtLeastOnce, true, "y");
    client.publish("kept/1", AtLeastOnce, true, "");
    watcher.receive_all();
    watcher.subscribe("kept/+", AtMostOnce);
    let kept = watcher.receive_all();
    assert!(kept.contains(&"kept/0 y r".to_owned()) && !kept.iter().any(|message| message.starts_with("kept/1 ")));
    let broker = setup(&["retained-messages-max: 0"]).start();
    let mut client = Client::connect(&broker, "client");
    client.subscribe("$SYS/broker/counters/retained-refused", AtMostOnce);
    client.publish("big", AtLeastOnce, true, "x");
    while client.receive().payload == "0" {}
}

#[test]
fn sessions() {
    let mut broker = setup(&["sessions-max: 2"]).start();
    leave_subscribed(&broker, "away", "a");
    let first = Client::connect(&broker, "first");
    let refused = Client::connect_with(options(&broker, "second")).map(drop);
    assert_eq!(refused, Err(ConnectReturnCode::ServiceUnavailable));
    // Neither a session that is there nor a place that was given back is refused.
    drop(persistent(&broker, "away"));
    first.disconnect();
    while Client::connect_with(options(&broker, "second")).is_err() {}
    broker.wait_for_log("there are 2 sessions, which is the maximum");
}

#[test]
fn connections_of_a_listener() {
    let mut broker = setup(&[]).listener("max-connections: 2").start();
    let first = Client::connect(&broker, "first");
    let mut second = open(&broker);
    second.write_all(CONNECT).expect("is open");
    let mut connack = [0; 4];
    second.read_exact(&mut connack).expect("is answered");
    assert!(answer_until_close(&mut open(&broker), CONNECT).is_empty());
    broker.wait_for_log("has as many connections as `max-connections` says: refused 1 since");
    drop(second);
    first.disconnect();
    // A place is given back when the broker has seen the end.
    let mut refused = 1;
    while answer_until_close(&mut open(&broker), &[CONNECT, &[0xe0, 0]].concat()).is_empty() {
        refused += 1;
    }
    wait_for_counter(&broker, "counters/connections-refused", refused);
}

/// Others wait in the kernel's queue: none is refused.
#[test]
fn connections_in_a_second() {
    let broker = setup(&["connect-rate-max: 5"]).start();
    for number in 0..8 {
        let connection = format!("client-{number}");
        assert!(Client::connect_with(options(&broker, &connection)).is_ok());
    }
    let mut client = Client::connect(&broker, "counter-watcher");
    client.subscribe("$SYS/broker/counters/accepts-paused", AtMostOnce);
    while client.receive().payload == "0" {}
}

/// Who says nothing takes no place, and who waits for one loses none of its own time.
#[test]
fn handshakes_of_those_who_say_nothing() {
    let broker = setup(&["handshakes-max: 1", "connect-timeout-secs: 3600"]).websocket().start();
    let _silent = [(); 3].map(|()| open(&broker));
    let mut socket = websocket(open(&broker), "/").expect("is taken");
    socket.send(binary(CONNECT)).expect("is open");
    assert_eq!(read(&mut socket, 4), CONNACK);
}

#[test]
fn time_for_a_connect() {
    let broker = setup(&["connect-timeout-secs: 1"]).start();
    assert!(answer_until_close(&mut open(&broker), b"").is_empty());
    // Bytes do not buy time.
    assert!(answer_until_close(&mut open(&broker), &CONNECT[..5]).is_empty());
    wait_for_counter(&broker, "counters/connect-timeouts", 2);
}

/// Also without a keep-alive, and however small the part is.
#[test]
fn time_for_a_packet() {
    let broker = setup(&["packet-timeout-secs: 1"]).start();
    assert_eq!(answer_until_close(&mut open(&broker), &[CONNECT, &[0x30]].concat()), CONNACK);
    assert_eq!(answer_until_close(&mut open(&broker), &[CONNECT, &[0x30, 0xff, 0xff, 0x03, 0]].concat()), CONNACK);
    wait_for_counter(&broker, "counters/packet-timeouts", 2);
    // The key of amqtt's configuration is the limit where there is no keep-alive.
    let broker = Setup::new("timeout-disconnect-delay: 1\nplugins: [auth_anonymous]\n").start();
    assert_eq!(answer_until_close(&mut open(&broker), &[CONNECT, &[0x30]].concat()), CONNACK);
}

#[test]
fn time_that_a_session_waits() {
    let mut broker = setup(&["session-expiry-secs: 1"]).start();
    leave_subscribed(&broker, "away", "a");
    broker.wait_for_log("the session of client \"away\" has expired");
    let client = persistent(&broker, "away");
    assert!(!client.session_present);
    wait_for_counter(&broker, "clients/expired", 1);
}

/// One that takes nothing, one that never acknowledges and one that is away lose their own messages and nobody else's, and
/// the process does not grow with what they do not take.
#[test]
fn a_subscriber_that_takes_nothing_slows_nobody() {
    let mut broker = setup(&["queue-bytes-max: 2000000", "outgoing-bytes-max: 20000"]).start();
    let subscribe = |connect: &[u8]| {
        let mut peer = open(&broker);
        peer.write_all(&[connect, b"\x82\x06\0\x01\0\x01a\x01"].concat()).expect("is open");
        let mut answer = [0; 4 + 5];
        peer.read_exact(&mut answer).expect("is answered");
        peer
    };
    let _reads_nothing = subscribe(CONNECT);
    let mut never_acknowledges = subscribe(b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01y");
    std::thread::spawn(move || std::io::copy(&mut never_acknowledges, &mut std::io::sink()));
    leave_subscribed(&broker, "away", "a");
    let mut reader = Client::connect(&broker, "reader");
    reader.subscribe("a", AtLeastOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    let payload = "x".repeat(100_000);
    let mut pass_on = |count| {
        for _ in 0..count {
            publisher.publish("a", AtLeastOnce, false, payload.clone());
            assert_eq!(reader.receive().payload.len(), payload.len());
        }
    };
    // Until everyone has what fits, and the kernel's buffers are full.
    pass_on(150);
    let before = broker.resident_bytes();
    pass_on(450);
    if let (Some(before), Some(after)) = (before, broker.resident_bytes()) {
        assert!(after < before + (10 << 20), "45 MB took {} KiB", (after - before) >> 10);
    }
    broker.wait_for_log("is full: a message to \"a\" was dropped");
}
