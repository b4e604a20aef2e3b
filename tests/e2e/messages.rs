use rumqttc::QoS::{self, AtLeastOnce, AtMostOnce, ExactlyOnce};
use rumqttc::SubscribeReasonCode;

use crate::broker::Broker;
use crate::client::Client;

/// `[MQTT-3.8.4-6]` `[MQTT-3.9.3-1]`: delivered at the lower of both QoS.
#[test]
fn messages_pass_at_every_qos() {
    let broker = Broker::open();
    let mut publisher = Client::connect(&broker, "publisher");
    for granted in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
        let mut subscriber = Client::connect(&broker, "subscriber");
        assert_eq!(subscriber.subscribe("a/b", granted), SubscribeReasonCode::Success(granted));
        for published in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
            publisher.publish("a/b", published, false, "hello");
            let message = subscriber.receive();
            let expected = if (published as u8) < granted as u8 { published } else { granted };
            assert_eq!((message.qos, &message.payload[..], message.retain), (expected, &b"hello"[..], false));
        }
        subscriber.disconnect();
    }
}

#[test]
fn wildcards_select_topics() {
    let broker = Broker::open();
    let mut publisher = Client::connect(&broker, "publisher");
    let check = |publisher: &mut Client, filter: &str, expected: &[&str]| {
        let mut subscriber = Client::connect(&broker, "subscriber");
        subscriber.subscribe(filter, AtMostOnce);
        for topic in ["a", "a/b", "a/b/c", "/b", "$x/b"] {
            publisher.publish(topic, AtMostOnce, false, "");
        }
        let expected: Vec<String> = expected.iter().map(|topic| format!("{topic} ")).collect();
        assert_eq!(subscriber.receive_all(), expected, "filter {filter}");
        subscriber.disconnect();
    };
    check(&mut publisher, "a/+", &["a/b"]);
    check(&mut publisher, "a/#", &["a", "a/b", "a/b/c"]);
    check(&mut publisher, "+/b", &["a/b", "/b"]);
    check(&mut publisher, "#", &["a", "a/b", "a/b/c", "/b"]);
    check(&mut publisher, "$x/#", &["$x/b"]);
}

/// `[MQTT-3.3.5-1]` allows one message for each or one for all: here it is one, at the highest QoS.
#[test]
fn overlapping_subscriptions_give_one_message() {
    let broker = Broker::open();
    let mut client = Client::connect(&broker, "client");
    client.subscribe("a/#", AtMostOnce);
    client.subscribe("a/+", ExactlyOnce);
    client.subscribe("a/b", AtLeastOnce);
    client.publish("a/b", ExactlyOnce, false, "once");
    assert_eq!(client.receive().qos, ExactlyOnce);
    assert!(client.receive_all().is_empty());
    // [MQTT-3.8.4-3]: a new request for the same filter replaces the old.
    client.subscribe("a/+", AtMostOnce);
    client.publish("a/b", ExactlyOnce, false, "once");
    assert_eq!(client.receive().qos, AtLeastOnce);
    // [MQTT-3.10.4-1]: the others stay.
    client.unsubscribe("a/b");
    client.unsubscribe("a/+");
    client.publish("a/b", ExactlyOnce, false, "once");
    assert_eq!(client.receive().qos, AtMostOnce);
    client.unsubscribe("a/#");
    client.publish("a/b", ExactlyOnce, false, "never");
    assert!(client.receive_all().is_empty());
}

/// `[MQTT-3.3.5-1]`: the other way that the standard allows, where it is configured.
#[test]
fn overlapping_subscriptions_give_one_message_each() {
    let broker = Broker::start("overlapping-subscriptions: each\nplugins: [auth_anonymous]\n");
    let mut client = Client::connect(&broker, "client");
    let mut other = Client::connect(&broker, "other");
    for (filter, granted) in [("a/#", AtMostOnce), ("a/+", ExactlyOnce), ("a/b", AtLeastOnce), ("b/#", ExactlyOnce)] {
        client.subscribe(filter, granted);
    }
    other.subscribe("+/b", AtLeastOnce);
    client.publish("a/b", ExactlyOnce, false, "each");
    let mut at = [(); 3].map(|()| client.receive().qos as u8);
    at.sort_unstable();
    assert_eq!(at, [0, 1, 2]);
    assert!(client.receive_all().is_empty());
    assert_eq!(other.receive_all(), ["a/b each"]);
    // [MQTT-3.8.4-3]: the same filter again is the same subscription.
    client.subscribe("a/b", AtMostOnce);
    client.unsubscribe("a/#");
    client.publish("a/b", AtLeastOnce, false, "each");
    assert_eq!(client.receive_all(), ["a/b each", "a/b each"]);
}

#[test]
fn retained_messages_are_kept_replaced_and_deleted() {
    let broker = Broker::open();
    let mut publisher = Client::connect(&broker, "publisher");
    let mut live = Client::connect(&broker, "live");
    live.subscribe("a/#", AtLeastOnce);
    publisher.publish("a/1", AtLeastOnce, true, "old");
    publisher.publish("a/1", AtMostOnce, true, "new");
    publisher.publish("a/2", ExactlyOnce, true, "two");
    // [MQTT-3.3.1-9]: whoever was subscribed before sees an ordinary message.
    assert_eq!(live.receive_all(), ["a/1 old", "a/1 new", "a/2 two"]);
    let stored = |filter: &str| {
        let mut client = Client::connect(&broker, "late");
        client.subscribe(filter, AtLeastOnce);
        let mut messages = client.receive_all();
        messages.sort();
        client.disconnect();
        messages
    };
    // [MQTT-3.3.1-6] [MQTT-3.3.1-8]
    assert_eq!(stored("a/+"), ["a/1 new r", "a/2 two r"]);
    assert_eq!(stored("a/2"), ["a/2 two r"]);
    assert!(stored("b/#").is_empty());
    // [MQTT-3.3.1-10] [MQTT-3.3.1-11]: delivered as a message, and kept no more.
    publisher.publish("a/1", AtLeastOnce, true, "");
    assert_eq!(live.receive_words(), "a/1 ");
    assert_eq!(stored("#"), ["a/2 two r"]);
    // [MQTT-3.3.1-12]: a message without the flag changes nothing.
    publisher.publish("a/2", AtLeastOnce, false, "live");
    assert_eq!(stored("#"), ["a/2 two r"]);
}

/// `[MQTT-3.8.4-3]`: a subscription that is made again sends its retained messages again.
#[test]
fn subscribing_again_sends_retained_messages_again() {
    let broker = Broker::open();
    let mut client = Client::connect(&broker, "client");
    client.publish("a", AtLeastOnce, true, "kept");
    for _ in 0..2 {
        client.subscribe("a", AtMostOnce);
        assert_eq!(client.receive_words(), "a kept r");
    }
}

#[test]
fn large_and_empty_payloads_arrive_whole() {
    let broker = Broker::open();
    let mut subscriber = Client::connect(&broker, "subscriber");
    subscriber.subscribe("big", ExactlyOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    for len in [0, 1, 4_095, 4_096, 16_383, 16_384, 70_000, 1 << 20, 10 << 20] {
        let payload: Vec<u8> = (0..len).map(|index| (index * 7 % 251) as u8).collect();
        for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
            publisher.publish("big", qos, false, payload.clone());
            assert!(subscriber.receive().payload == payload, "{len} bytes at {qos:?}");
        }
    }
}

#[test]
fn messages_of_one_publisher_stay_in_order() {
    let broker = Broker::open();
    let mut subscriber = Client::connect(&broker, "subscriber");
    subscriber.subscribe("n", ExactlyOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    for number in 0..2_000 {
        let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][number / 1_000];
        publisher.publish("n", qos, false, number.to_string());
    }
    for number in 0..2_000 {
        assert_eq!(subscriber.receive_words(), format!("n {number}"));
    }
}

/// Only the broker and its plugins publish there.
#[test]
fn clients_do_not_publish_under_sys() {
    let broker = Broker::open();
    let mut client = Client::connect(&broker, "client");
    client.subscribe("$SYS/#", AtMostOnce);
    client.publish("$SYS/broker/version", ExactlyOnce, true, "forged");
    client.publish("$SYS", AtLeastOnce, true, "forged");
    assert!(client.receive_all().is_empty());
}
