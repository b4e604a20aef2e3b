//! Sections 3.15 and 4.12 of MQTT 5.0: AUTH, and what is proved with it.

use amqtt_tests::guests;

use super::packets::*;
use super::peer::Peer;
use crate::broker::{Broker, Setup};

const CONTINUE: u8 = 0x18;
const AGAIN: u8 = 0x19;

fn broker() -> Broker {
    broker_with("")
}

fn broker_with(config: &str) -> Broker {
    let config = format!("plugins: [guest_exchange, event_logger]\nlog-level: debug\n{config}");
    Setup::new(&config).plugin_dir_with(guests::EXCHANGE).start()
}

fn method() -> Vec<u8> {
    text(0x15, "STEPS")
}

fn data(data: &str) -> Vec<u8> {
    text(0x16, data)
}

/// A CONNECT that begins an exchange.
fn begin(client_id: &str, with: &str) -> Connect {
    Connect::clean(client_id).with(method()).with(data(with))
}

/// What the client and the broker say in between.
fn auth(reason: u8, with: &str) -> Vec<u8> {
    auth_with(reason, &[method(), data(with)])
}

fn auth_with(reason: u8, properties: &[Vec<u8>]) -> Vec<u8> {
    let properties = properties.concat();
    packet(0xf0, &[&[reason, properties.len() as u8], &properties[..]].concat())
}

/// A client that has proved to be a user, and what its CONNACK told beside method and data.
fn proven(broker: &Broker, client_id: &str, name: &str) -> Peer {
    let (peer, told) = Peer::told(broker, &begin(client_id, &format!("is:{name}")), false);
    let expected = [method(), data("welcome")].concat();
    assert!(told.ends_with(&expected), "{told:02x?}");
    peer
}

/// `[MQTT-4.12.0-2]` `[MQTT-4.12.0-3]` `[MQTT-4.12.0-5]`: as many steps as it takes; what the plugin keeps between them
/// comes back to it.
#[test]
fn an_exchange_goes_on_until_the_plugin_is_content() {
    let mut broker = broker();
    let mut peer = Peer::open(&broker);
    peer.send(begin("id", "ask:one").bytes()).expect(auth(CONTINUE, "one"));
    peer.send(auth(CONTINUE, "ask:two")).expect(auth(CONTINUE, "two"));
    peer.send(auth(CONTINUE, "tell")).expect(auth(CONTINUE, "one;two;"));
    peer.send(auth(CONTINUE, "is:alice"));
    let connack = peer.receive();
    assert_eq!((connack[0], connack[3]), (0x20, 0), "{connack:02x?}");
    assert!(connack.ends_with(&[method(), data("welcome")].concat()), "{connack:02x?}");
    peer.send([0xc0, 0]).expect([0xd0, 0]);
    broker.wait_for_log("client \"id\" connected");
    // Without data, and without a user.
    let mut peer = Peer::open(&broker);
    peer.send(Connect::clean("nobody").with(method()).bytes()).expect(auth(CONTINUE, ""));
    peer.send(auth(CONTINUE, "is:"));
    let connack = peer.receive();
    assert!(connack[3] == 0 && connack.ends_with(&method()), "{connack:02x?}");
}

/// `[MQTT-4.12.0-1]` `[MQTT-4.12.0-7]`
#[test]
fn a_method_that_nobody_serves_is_refused() {
    let broker = broker();
    Peer::refused(&broker, Connect::clean("id").with(text(0x15, "steps")).bytes(), 0x8c);
    Peer::refused(&broker, Connect::clean("id").with(data("is:alice")).bytes(), 0x82);
    // Who serves a method does not serve passwords.
    Peer::refused(&broker, Connect::clean("id").bytes(), 0x87);
}

/// `[MQTT-4.12.0-4]`: a refusal at any step, with the reason of the plugin; a fault is one as well.
#[test]
fn a_failure_at_any_step_ends_the_connection() {
    let mut broker = broker();
    Peer::refused(&broker, begin("id", "no").bytes(), 0x87);
    let mut explained = vec![0x20, 0, 0, 0x8a, 0];
    explained.extend([text(0x1f, "no"), user("retry", "never")].concat());
    explained[1] = explained.len() as u8 - 2;
    explained[4] = explained.len() as u8 - 5;
    Peer::open(&broker).send(begin("id", "explain").bytes()).expect(explained).expect_closed();
    let refused_later = |answer: &str, reason: u8| {
        let mut peer = Peer::open(&broker);
        peer.send(begin("id", "ask:x").bytes()).expect(auth(CONTINUE, "x"));
        peer.send(auth(CONTINUE, answer)).expect([0x20, 3, 0, reason, 0]).expect_closed();
    };
    refused_later("no", 0x87);
    refused_later("fat", 0x88);
    // What no packet could say [MQTT-1.5.4-2], MQTT 5.0, 1.5.6.
    for answer in ["long:data", "long:proof", "long:name", "nul"] {
        refused_later(answer, 0x88);
    }
    refused_later("trap", 0x88);
    broker.wait_for_log("trapped in enhanced-auth");
}

/// A later step of somebody else goes on, whatever has become of the instance.
#[test]
fn a_fault_costs_nobody_else_the_exchange() {
    let broker = broker();
    let mut peer = Peer::open(&broker);
    peer.send(begin("id", "ask:x").bytes()).expect(auth(CONTINUE, "x"));
    Peer::refused(&broker, begin("bad", "trap").bytes(), 0x88);
    peer.send(auth(CONTINUE, "tell")).expect(auth(CONTINUE, "x;"));
}

/// What was kept between the steps means nothing to plugins that were loaded anew.
#[test]
fn an_exchange_does_not_outlive_its_plugins() {
    let mut broker = broker();
    let mut peer = Peer::open(&broker);
    peer.send(begin("id", "ask:x").bytes()).expect(auth(CONTINUE, "x"));
    broker.signal("HUP");
    broker.wait_for_log("loaded anew");
    peer.send(auth(CONTINUE, "is:alice")).expect([0x20, 3, 0, 0x88, 0]).expect_closed();
    proven(&broker, "id", "alice");
}

/// `[MQTT-3.1.2-30]` `[MQTT-4.12.0-5]`: AUTH of the same method, or DISCONNECT, and nothing else.
#[test]
fn nothing_else_may_come_in_between() {
    let broker = broker();
    let ended_by = |packet: Vec<u8>, reason: u8| {
        let mut peer = Peer::open(&broker);
        peer.send(begin("id", "ask:x").bytes()).expect(auth(CONTINUE, "x"));
        peer.send(packet).expect([0x20, 3, 0, reason, 0]).expect_closed();
    };
    ended_by(vec![0xc0, 0], 0x82);
    ended_by(publish(Q0, "a", 0, &[], "x"), 0x82);
    ended_by(Connect::clean("id").bytes(), 0x82);
    ended_by(auth_with(CONTINUE, &[text(0x15, "OTHER-STEPS"), data("is:alice")]), 0x82);
    ended_by(auth_with(CONTINUE, &[data("is:alice")]), 0x82);
    ended_by(auth(AGAIN, "is:alice"), 0x82);
    ended_by(vec![0xf0, 0], 0x82);
    ended_by(auth(0x17, "is:alice"), 0x82);
    ended_by([&[0xf1], &auth(CONTINUE, "is:alice")[1..]].concat(), 0x81); // [MQTT-3.15.1-1]
    let mut peer = Peer::open(&broker);
    peer.send(begin("id", "ask:x").bytes()).expect(auth(CONTINUE, "x")).send(DISCONNECT).expect_closed();
}

/// The name that was proved is the name; another one in the CONNECT is a lie.
#[test]
fn the_user_is_the_one_that_was_proved() {
    let config = "topic-check: {acl: {alice: ['alice/#'], bob: ['bob/#']}}\n";
    let config = format!("plugins: [guest_exchange, topic_acl]\n{config}");
    let broker = Setup::new(&config).plugin_dir_with(guests::EXCHANGE).start();
    let mut peer = proven(&broker, "id", "alice");
    peer.send(subscribe(1, &[], &[("alice/#", 0), ("bob/#", 0)])).expect(suback(1, &[0, 0x87]));
    let claims = |name: &str| {
        let mut connect = begin("other", "is:alice");
        connect.flags |= USER;
        connect.credentials = vec![name.to_owned()];
        connect
    };
    Peer::refused(&broker, claims("bob").bytes(), 0x86);
    Peer::accepted(&broker, &claims("alice"), false);
}

/// The time for the CONNECT is the time for all of it.
#[test]
fn an_exchange_that_takes_too_long_is_ended() {
    let mut broker = broker_with("limits: {connect-timeout-secs: 1}\n");
    let mut peer = Peer::open(&broker);
    peer.send(begin("id", "ask:x").bytes()).expect(auth(CONTINUE, "x")).expect_closed();
    broker.wait_for_log("no CONNECT in time");
}

/// A client that never comes to an end has one.
#[test]
fn an_exchange_has_a_bounded_number_of_steps() {
    let broker = broker();
    let mut peer = Peer::open(&broker);
    peer.send(begin("id", "tell").bytes());
    for _ in 0..15 {
        peer.expect(auth(CONTINUE, "")).send(auth(CONTINUE, "tell"));
    }
    peer.expect([0x20, 3, 0, 0x87, 0]).expect_closed();
}

/// `[MQTT-3.1.2-24]`: no AUTH that is larger than what the client takes.
#[test]
fn a_challenge_may_be_too_large_for_the_client() {
    let broker = broker();
    let connect = begin("id", &format!("ask:{}", "x".repeat(60))).with(four(0x27, 40));
    Peer::refused(&broker, connect.bytes(), 0x95);
}

/// Who is being asked has no session yet, and takes none over.
#[test]
fn a_session_is_not_taken_over_before_the_proof() {
    let broker = broker();
    let mut first = proven(&broker, "id", "alice");
    let mut second = Peer::open(&broker);
    second.send(begin("id", "ask:x").bytes()).expect(auth(CONTINUE, "x"));
    first.send([0xc0, 0]).expect([0xd0, 0]);
    second.send(auth(CONTINUE, "is:alice"));
    assert_eq!(second.receive()[3], 0);
    first.expect_disconnect(0x8e);
}

/// `[MQTT-4.12.1-1]`: a client may prove again who it is, while messages come and go.
#[test]
fn a_client_proves_again_who_it_is() {
    let broker = broker();
    let mut peer = proven(&broker, "id", "alice");
    peer.subscribe("a", 0);
    peer.send(auth(AGAIN, "ask:x")).expect(auth(CONTINUE, "x"));
    peer.send(publish(Q0, "a", 0, &[], "in between")).expect_publish(Q0, "a", &[], "in between");
    peer.send(auth(CONTINUE, "is:alice")).expect(auth_with(0, &[method(), data("welcome")]));
    peer.send(auth(AGAIN, "is:alice")).expect(auth_with(0, &[method(), data("welcome")]));
    peer.send(publish(Q0, "a", 0, &[], "after")).expect_publish(Q0, "a", &[], "after");
}

/// `[MQTT-4.12.1-2]` `[MQTT-4.12.1-1]`: who fails, or breaks the rules, is disconnected.
#[test]
fn who_does_not_prove_it_again_is_disconnected() {
    let broker = broker();
    let ended_by = |packet: Vec<u8>, reason: u8| proven(&broker, "id", "alice").send(packet).expect_disconnect(reason);
    ended_by(auth(AGAIN, "no"), 0x87);
    ended_by(auth(AGAIN, "explain"), 0x87); // A DISCONNECT does not have 0x8A.
    ended_by(auth(AGAIN, "trap"), 0x89);
    ended_by(auth(AGAIN, "is:bob"), 0x87); // Its session is alice's.
    ended_by(auth(AGAIN, "is:"), 0x87);
    ended_by(auth_with(AGAIN, &[text(0x15, "OTHER-STEPS"), data("is:alice")]), 0x82);
    ended_by(auth_with(AGAIN, &[data("is:alice")]), 0x82);
    ended_by(auth(CONTINUE, "is:alice"), 0x82);
    ended_by([auth(AGAIN, "ask:x"), auth(AGAIN, "ask:x")].concat(), 0x82);
    let mut peer = proven(&broker, "id", "alice");
    peer.send(auth(AGAIN, "ask:x")).expect(auth(CONTINUE, "x")).send(auth(CONTINUE, "no")).expect_disconnect(0x87);
}
