//! The faults of amqtt, hbmqtt and moat-mqtt that people know, and what would fail here with each of them.

use std::io::{Read, Write};

use amqtt_tests::guests;
use rumqttc::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

use crate::bounds::wait_for_counter;
use crate::broker::{Broker, Setup};
use crate::client::{Client, options};
use crate::conformance::statements::check_tests;
use crate::protocol::{CONNECT, open};

/// A fault a line: its number, what happens there, and the tests that would fail if it happened here.
const FAULTS: &str = "
1 | CONNECT sends retained messages that other clients' filters match | faults::a_connect_sends_nothing_that_others_subscribed_to
2 | a CONNECT that fails auth closes or deafens the client whose identifier it names | faults::a_refused_connect_leaves_the_client_of_that_name_alone auth::a_password_file_decides_who_connects connect::a_refusal_tells_nothing_of_the_session
3 | a takeover leaves the old connection open, or closes the new one too | connect::a_client_that_connects_twice_is_closed_once sessions_of_rumqttc::a_second_connection_takes_over
4 | a will passes the publish ACL by | auth::a_will_does_not_pass_the_acl_by auth::a_will_is_judged_again_when_it_is_sent
5 | keep-alives are not kept; a connection that sends nothing stays | raw::a_silent_client_is_closed_after_its_keep_alive connect::silence_past_the_keep_alive_sends_the_will bounds::time_for_a_connect bounds::time_for_a_packet
6 | messages are delivered above the QoS they were published with; subscribing again keeps the old QoS | subscribe::the_lower_qos_is_used subscribe::the_same_filter_again_replaces_the_subscription
7 | unacknowledged messages are lost, stall SUBSCRIBEs, or come with RETAIN | sessions::what_is_not_acknowledged_is_sent_again_in_order faults::a_client_that_acknowledges_nothing_may_subscribe sessions::a_session_that_is_kept_collects_messages
8 | sessions of anonymous clients vanish | faults::a_session_of_an_anonymous_client_is_kept
9 | publishing to a topic with $ leaves a half-dead connection | faults::publishing_to_dollar_topics_leaves_the_connection_alive messages::clients_do_not_publish_under_sys
10 | malformed SUBSCRIBEs, filters and packet identifiers are accepted | subscribe::a_malformed_subscribe_or_unsubscribe_closes_the_connection fields::packet_identifier_0_closes_the_connection fields::u0000_closes_the_connection fields::reserved_flags_close_the_connection
11 | memory grows without limit | faults::connections_leave_nothing_behind bounds::a_subscriber_that_takes_nothing_slows_nobody bounds::messages_that_wait_in_a_session bounds::bytes_that_wait_in_a_session bounds::bytes_that_wait_in_all_sessions bounds::bytes_in_flight bounds::retained_messages_that_wait_in_a_session bounds::retained_messages_and_bytes bounds::sessions bounds::packet_bytes bounds::time_that_a_session_waits
12 | a failing plugin ends the broker, one that is not listed is loaded, a missing one opens the broker | plugins::a_plugin_that_traps_in_auth_refuses_and_the_broker_lives_on plugins::a_plugin_that_never_returns_is_stopped_and_denies faults::a_plugin_that_is_not_listed_is_not_loaded plugins::an_unknown_plugin_is_an_error_that_says_what_there_is auth::without_an_auth_plugin_nobody_connects
13 | delivery walks every filter of every client; one filter could take exponential time | tree::the_cost_of_one_topic_does_not_grow_with_other_subscriptions tree::no_pattern_costs_more_than_its_nodes retained::a_lookup_does_not_visit_what_the_filter_excludes
";

#[test]
fn every_fault_has_a_test() {
    let mut numbers: Vec<u8> = Vec::new();
    for line in FAULTS.trim().lines() {
        let fields: Vec<&str> = line.split(" | ").collect();
        let [number, _, tests] = fields[..] else { panic!("three fields are wanted: {line}") };
        check_tests(number, tests);
        numbers.push(number.parse().expect("a number"));
    }
    assert_eq!(numbers, (1..=13).collect::<Vec<_>>());
}

fn persistent(broker: &Broker, client_id: &str) -> Client {
    let mut options = options(broker, client_id);
    options.set_clean_session(false);
    Client::connect_with(options).expect("accepted")
}

#[test]
fn a_connect_sends_nothing_that_others_subscribed_to() {
    let broker = Broker::open();
    let mut other = Client::connect(&broker, "other");
    other.publish("kept/a", AtLeastOnce, true, "x");
    other.subscribe("#", AtLeastOnce);
    assert_eq!(other.receive_all(), ["kept/a x r"]);
    assert!(Client::connect(&broker, "new").receive_all().is_empty());
    // Not even what it is subscribed to itself: a retained message is for a new subscription.
    let mut client = persistent(&broker, "returning");
    client.subscribe("kept/+", AtLeastOnce);
    assert_eq!(client.receive_all(), ["kept/a x r"]);
    client.disconnect();
    let mut client = persistent(&broker, "returning");
    assert!(client.session_present && client.receive_all().is_empty());
}

#[test]
fn a_refused_connect_leaves_the_client_of_that_name_alone() {
    let broker =
        Setup::new("plugins: [guest_refuse_mallory, auth_anonymous]\n").plugin_dir_with(guests::REFUSE_MALLORY).start();
    let connect = |username: &str, clean: bool| {
        let mut options = options(&broker, "shared-name");
        options.set_credentials(username, "any").set_clean_session(clean);
        Client::connect_with(options)
    };
    let mut alice = connect("alice", false).expect("accepted");
    alice.subscribe("for/alice", AtLeastOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    for clean in [true, false] {
        assert!(connect("mallory", clean).is_err());
        publisher.publish("for/alice", AtLeastOnce, false, "still here");
        assert_eq!(alice.receive_words(), "for/alice still here");
    }
    alice.disconnect();
    assert!(connect("mallory", true).is_err());
    publisher.publish("for/alice", AtLeastOnce, false, "kept");
    let mut alice = connect("alice", false).expect("accepted");
    assert!(alice.session_present);
    assert_eq!(alice.receive_all(), ["for/alice kept"]);
}

/// It has as many messages in flight as it may, and more that wait.
#[test]
fn a_client_that_acknowledges_nothing_may_subscribe() {
    let broker = Broker::start("plugins: [auth_anonymous]\nlimits: {inflight-max: 2}\n");
    let mut stubborn = open(&broker);
    stubborn.write_all(&[CONNECT, b"\x82\x06\0\x01\0\x01a\x01"].concat()).expect("is open");
    let mut answer = [0; 4 + 5];
    stubborn.read_exact(&mut answer).expect("is answered");
    let mut publisher = Client::connect(&broker, "publisher");
    for _ in 0..5 {
        publisher.publish("a", AtLeastOnce, false, "x");
    }
    let mut messages = [0; 2 * 8];
    stubborn.read_exact(&mut messages).expect("two come");
    for packet_id in 2..10 {
        stubborn.write_all(&[0x82, 6, 0, packet_id, 0, 1, b'b', 0]).expect("is open");
        let mut suback = [0; 5];
        stubborn.read_exact(&mut suback).expect("is answered");
        assert_eq!(suback, [0x90, 3, 0, packet_id, 0]);
    }
    publisher.publish("b", AtMostOnce, false, "behind what waits");
    stubborn.write_all(&[0x40, 2, 0, 1, 0x40, 2, 0, 2]).expect("is open");
    stubborn.read_exact(&mut messages).expect("two more come");
}

#[test]
fn a_session_of_an_anonymous_client_is_kept() {
    let broker = Broker::open();
    for round in 0..3 {
        let mut client = persistent(&broker, "nameless");
        assert_eq!(client.session_present, round > 0);
        client.subscribe(&format!("a/{round}"), ExactlyOnce);
        client.disconnect();
        let mut publisher = Client::connect(&broker, "publisher");
        publisher.publish("a/0", AtLeastOnce, false, "waits");
        assert_eq!(persistent(&broker, "nameless").receive_all(), ["a/0 waits"]);
    }
}

#[test]
fn publishing_to_dollar_topics_leaves_the_connection_alive() {
    let broker = Broker::open();
    let mut client = Client::connect(&broker, "client");
    client.subscribe("$mine/#", AtMostOnce);
    client.subscribe("after", AtMostOnce);
    for topic in ["$mine/a", "$SYS/broker/version", "$", "$share/x/y", "$SYS", "$other"] {
        for qos in [AtMostOnce, AtLeastOnce, ExactlyOnce] {
            client.publish(topic, qos, false, "x");
        }
    }
    client.publish("after", AtLeastOnce, false, "alive");
    let received = client.receive_all();
    assert_eq!(received, ["$mine/a x", "$mine/a x", "$mine/a x", "after alive"]);
}

/// Subscriptions, messages that waited, wills: with its last connection a client is forgotten.
#[test]
fn connections_leave_nothing_behind() {
    let broker = Broker::start("sys_interval: 1\nplugins: [auth_anonymous, broker_sys]\n");
    let come_and_go = |count: usize| {
        for number in 0..count {
            let mut peer = open(&broker);
            let id = format!("{number:06}");
            let connect = [b"\x10\x1a\0\x04MQTT\x04\x06\0\0\0\x06", id.as_bytes(), b"\0\x01w\0\x03die"].concat();
            let subscribe = [b"\x82\x0d\0\x01\0\x08a/", id.as_bytes(), b"\x01"].concat();
            let publish = [b"\x32\x0d\0\x08a/", id.as_bytes(), b"\0\x01x"].concat();
            peer.write_all(&[connect, subscribe, publish].concat()).expect("is open");
            let mut answer = [0; 4 + 5];
            peer.read_exact(&mut answer).expect("is answered");
        }
    };
    come_and_go(1_000);
    wait_for_counter(&broker, "clients/connected", 1);
    let before = broker.resident_bytes();
    come_and_go(3_000);
    wait_for_counter(&broker, "clients/connected", 1);
    if let (Some(before), Some(after)) = (before, broker.resident_bytes()) {
        assert!(after < before + (3 << 20), "3,000 connections left {} KiB", (after - before) >> 10);
    }
    // The one that asks, and its subscription.
    wait_for_counter(&broker, "clients/total", 1);
    wait_for_counter(&broker, "messages/subscriptions/count", 1);
    wait_for_counter(&broker, "messages/inflight", 0);
}

/// It would keep the broker from starting.
#[test]
fn a_plugin_that_is_not_listed_is_not_loaded() {
    let mut broker = Setup::new("plugins: [auth_anonymous]\n").plugin_dir_with(guests::TRAP_INIT).start();
    Client::connect(&broker, "client").disconnect();
    assert!(broker.is_running());
}
