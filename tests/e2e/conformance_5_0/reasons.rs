//! Reasons of plugins in acknowledgements and events, and what settings tell: other servers, response information.

use amqtt_tests::guests;

use super::packets::*;
use super::peer::Peer;
use crate::broker::{Broker, Setup};
use crate::conformance::packets as v3;
use crate::conformance::peer::Peer as V3Peer;

/// With a plugin that says why it refuses, and tells of events.
fn with_reasons(settings: &str) -> Broker {
    let config = "topic-check: {enabled: true}\nplugins:\n  - guest_reasons: {grants: {publish: ['told/#']}}\n";
    Setup::new(&format!("{settings}{config}")).plugin_dir_with(guests::REASONS).start()
}

/// What the plugin says of the nth refusal of a topic that it was asked about.
fn said(topic: &str, asked: usize) -> [Vec<u8>; 2] {
    [text(0x1f, &format!("not {topic}")), user("asked", &asked.to_string())]
}

/// `[MQTT-3.4.2-1]` `[MQTT-3.5.2-1]`: the plugin's code, where the packet has it, and its words.
#[test]
fn a_refused_message_is_told_why() {
    let broker = with_reasons("");
    let mut peer = Peer::connected(&broker, "id");
    for (id, topic, code) in [(1, "refused/97/a", 0x97), (2, "refused/96/a", 0x87), (3, "refused/00/a", 0x87)] {
        let mut check = |flags: u8, answer: Vec<u8>, asked: usize| {
            peer.send(publish(flags, topic, id, &[], "x")).expect(with_words(&answer, code, &said(topic, asked)));
        };
        check(Q1, puback(id), 1);
        check(Q2, pubrec(id), 2);
    }
    peer.send(publish(Q1, "refused/silent", 4, &[], "x")).expect(with_reason(&puback(4), 0x87));
    // At QoS 0 there is no packet for it, and a refused identifier of QoS 2 is free.
    peer.send(publish(Q0, "refused/97/a", 0, &[], "x")).expect_quiet();
    peer.send(publish(Q2, "a", 1, &[], "x")).expect(with_reason(&pubrec(1), 0x10));
}

/// A refusal that is remembered has the reason that it had.
#[test]
fn a_refusal_that_is_remembered_keeps_its_reason() {
    let broker = with_reasons("");
    let mut peer = Peer::connected(&broker, "id");
    let topic = "refused/99/kept";
    for id in 1..4 {
        peer.send(publish(Q1, topic, id, &[], "x")).expect(with_words(&puback(id), 0x99, &said(topic, 1)));
    }
}

/// A plugin that says that its answer holds for a topic filter is not asked about every topic that it matches; another client
/// is another question.
#[test]
fn a_refusal_may_hold_for_a_topic_filter() {
    let broker = with_reasons("");
    for first in ["1", "5"] {
        let mut peer = Peer::connected(&broker, first);
        let words = said(&format!("refused/97/wide/{first}"), 1);
        for (id, topic) in [(1, first), (2, "2"), (3, "3/4")] {
            let topic = format!("refused/97/wide/{topic}");
            peer.send(publish(Q1, &topic, id, &[], "x")).expect(with_words(&puback(id), 0x97, &words));
        }
        // To publish is not to subscribe.
        let filter = "refused/97/wide/same";
        peer.send(subscribe(5, &[], &[(filter, 0)])).expect(suback_with_words(5, &[0x97], &said(filter, 1)));
    }
}

/// `[MQTT-3.9.3-1]` `[MQTT-3.9.3-2]`: a code for each filter, and the words of the first refusal that has some.
#[test]
fn a_refused_subscription_is_told_why() {
    let broker = with_reasons("");
    let mut peer = Peer::connected(&broker, "id");
    let filters = [("a", 0), ("refused/silent", 0), ("refused/a1/b", 1), ("refused/97/c", 0), ("refused/99/d", 0)];
    let words = said("refused/a1/b", 1);
    peer.send(subscribe(1, &[], &filters)).expect(suback_with_words(1, &[0, 0x87, 0xa1, 0x97, 0x87], &words));
    // The end of a subscription is nobody's to refuse.
    peer.send(unsubscribe(2, &["a", "refused/97/c"])).expect(unsuback(2, &[0, 0x11]));
}

/// `[MQTT-3.1.2-29]`: who asks for no problem information gets codes.
#[test]
fn without_problem_information_there_are_codes_only() {
    let broker = with_reasons("");
    let mut peer = Peer::accepted(&broker, &Connect::clean("id").with(vec![0x17, 0]), false);
    peer.send(publish(Q1, "refused/97/a", 1, &[], "x")).expect(with_reason(&puback(1), 0x97));
    peer.send(publish(Q2, "refused/97/a", 2, &[], "x")).expect(with_reason(&pubrec(2), 0x97));
    peer.send(subscribe(3, &[], &[("refused/97/a", 0)])).expect(suback(3, &[0x97]));
}

/// Bytes of a CONNACK that tells of receive maximum, packet size and topic aliases.
const CONNACK_BYTES: usize = 16;

/// `[MQTT-3.4.2-2]` `[MQTT-3.4.2-3]` `[MQTT-3.5.2-2]` `[MQTT-3.5.2-3]` `[MQTT-3.9.2-1]` `[MQTT-3.9.2-2]`: what makes a
/// packet too large for the client is left out, user properties first.
#[test]
fn words_that_a_client_does_not_take_are_left_out() {
    let broker = with_reasons("");
    let topic = "refused/97/same";
    let words = said(topic, 1);
    let check = |request: Vec<u8>, answers: [Vec<u8>; 3]| {
        for (index, fitting) in answers.iter().enumerate() {
            // One byte less than what is larger, and just what is needed.
            let sizes = index.checked_sub(1).map(|larger| answers[larger].len() - 1).into_iter().chain([fitting.len()]);
            // Who takes no CONNACK is not let in.
            for size in sizes.map(|size| size.max(CONNACK_BYTES)) {
                let connect = Connect::clean("id").with(four(0x27, size as u32));
                Peer::accepted(&broker, &connect, false).send(&request).expect(fitting);
            }
        }
    };
    let acks =
        |ack: Vec<u8>| [with_words(&ack, 0x97, &words), with_words(&ack, 0x97, &words[..1]), with_reason(&ack, 0x97)];
    let reasons = [0x97];
    let subacks =
        [suback_with_words(1, &reasons, &words), suback_with_words(1, &reasons, &words[..1]), suback(1, &reasons)];
    check(publish(Q1, topic, 1, &[], "x"), acks(puback(1)));
    check(publish(Q2, topic, 1, &[], "x"), acks(pubrec(1)));
    check(subscribe(1, &[], &[(topic, 0)]), subacks);
}

/// Earlier versions have no words for it.
#[test]
fn clients_of_earlier_versions_see_what_they_always_saw() {
    let broker = with_reasons("");
    let mut peer = V3Peer::connected(&broker, "id");
    peer.send(v3::publish(Q1, "refused/97/a", 1, "x")).expect(v3::puback(1));
    peer.send(v3::publish(Q2, "refused/97/a", 2, "x")).expect(v3::pubrec(2));
    peer.send(v3::subscribe(3, &[("refused/97/a", 0)])).expect(v3::suback(3, &[0x80]));
}

/// A CONNECT whose will is refused is told why.
#[test]
fn a_refused_will_is_told_why() {
    let broker = with_reasons("");
    let connect = |code: &str| Connect::clean("id").will(0, &[], "x").with(user("refuse-will", code));
    let check = |code: &str, expected: u8| {
        let mut peer = Peer::open(&broker);
        let connack = peer.send(connect(code).bytes()).receive();
        assert_eq!(connack[..4], [0x20, connack.len() as u8 - 2, 0, expected], "{connack:02x?}");
        assert!(connack[5..].starts_with(&text(0x1f, "not will")), "{connack:02x?}");
        peer.expect_closed();
    };
    check("97", 0x97);
    // A CONNACK has no such code.
    check("91", 0x87);
}

/// What the plugin is told of, told to a client.
fn expect_told(watcher: &mut Peer, kind: &str, client_id: &str, told: &str) {
    watcher.expect_publish(Q0, &format!("told/{kind}/{client_id}"), &[], told);
}

/// The reason code of `client-disconnected`: what the client has said, or what it was told.
#[test]
fn plugins_are_told_why_a_connection_ended() {
    let broker = with_reasons("");
    let mut watcher = Peer::connected(&broker, "watcher");
    watcher.subscribe("told/client-disconnected/+", 0);
    Peer::connected(&broker, "done").send(DISCONNECT).expect_closed();
    expect_told(&mut watcher, "client-disconnected", "done", "00");
    Peer::connected(&broker, "will").send(disconnect(0x04, &[])).expect_closed();
    expect_told(&mut watcher, "client-disconnected", "will", "04");
    Peer::connected(&broker, "wrong").send(publish(Q1, "a", 0, &[], "")).expect_disconnect(0x82);
    expect_told(&mut watcher, "client-disconnected", "wrong", "82");
    drop(Peer::connected(&broker, "gone"));
    expect_told(&mut watcher, "client-disconnected", "gone", "");
    let mut first = Peer::connected(&broker, "taken");
    let second = Peer::connected(&broker, "taken");
    first.expect_disconnect(0x8e);
    expect_told(&mut watcher, "client-disconnected", "taken", "8e");
    drop(second);
}

/// User properties of messages, and of packets that were read, in their order.
#[test]
fn plugins_are_told_user_properties() {
    let broker = with_reasons("");
    let mut watcher = Peer::connected(&broker, "watcher");
    watcher.subscribe("told/message-received/id", 0);
    let properties = [user("b", "1"), user("a", "2"), user("b", "3")];
    let mut peer = Peer::accepted(&broker, &Connect::clean("id").with(user("c", "4")), false);
    peer.publish_to_any(0, "a", &properties, "x");
    expect_told(&mut watcher, "message-received", "id", "b=1 a=2 b=3");
    let mut watcher = Peer::connected(&broker, "watcher");
    watcher.subscribe("told/packet-received/other", 0);
    let mut peer = Peer::accepted(&broker, &Connect::clean("other").with(user("c", "4")), false);
    expect_told(&mut watcher, "packet-received", "other", "packet 1 c=4");
    peer.publish_to_any(0, "a", &properties, "x");
    expect_told(&mut watcher, "packet-received", "other", "packet 3 b=1 a=2 b=3");
    peer.send(subscribe(1, &properties, &[("b", 0)])).expect(suback(1, &[0]));
    expect_told(&mut watcher, "packet-received", "other", "packet 8 b=1 a=2 b=3");
    let last = disconnect(0x04, &[user("d", "5")]);
    peer.send(last).expect_closed();
    expect_told(&mut watcher, "packet-received", "other", "packet 14 04 d=5");
}

/// 4.11: a broker that ends names another server, unless that makes the packet too large.
#[test]
fn a_shutdown_names_another_server() {
    let mut broker = Broker::start("plugins: [auth_anonymous]\nserver-reference: 'other:1883'\n");
    let farewell = disconnect(0x9c, &[text(0x1c, "other:1883")]);
    let mut peers: Vec<_> = [farewell.len(), farewell.len() - 1]
        .map(|size| Peer::accepted(&broker, &Connect::clean(&size.to_string()).with(four(0x27, size as u32)), false))
        .into();
    broker.signal("TERM");
    peers[0].expect(&farewell).expect_closed();
    peers[1].expect_disconnect(0x9c);
    assert!(broker.wait().success());
}

/// 4.11: every client that comes is sent away, for now or for good.
#[test]
fn clients_are_sent_to_another_server() {
    for (word, code) in [("use-another-server", 0x9c), ("server-moved", 0x9d)] {
        let settings = format!("plugins: [auth_anonymous]\nserver-reference: 'other:1883'\nredirect: {word}\n");
        let broker = Broker::start(&settings);
        let reference = text(0x1c, "other:1883");
        let connack = packet(0x20, &[&[0, code, reference.len() as u8], &reference[..]].concat());
        Peer::open(&broker).send(Connect::clean("id").bytes()).expect(&connack).expect_closed();
        Peer::refused(&broker, Connect::clean("id").with(four(0x27, connack.len() as u32 - 1)).bytes(), code);
        V3Peer::open(&broker).send(v3::connect("id")).expect(v3::connack(false, 3)).expect_closed();
    }
}

/// A plugin that sends a client away has the broker name the other server.
#[test]
fn a_plugin_may_send_a_client_away() {
    let broker = with_reasons("server-reference: 'other:1883'\n");
    let check = |code: &str, properties: &[Vec<u8>]| {
        let (properties, code) = (properties.concat(), u8::from_str_radix(code, 16).expect("is a number"));
        let connect = Connect::clean("id").with(user("refuse", &format!("{code:02x}")));
        let connack = packet(0x20, &[&[0, code, properties.len() as u8], &properties[..]].concat());
        Peer::open(&broker).send(connect.bytes()).expect(&connack).expect_closed();
    };
    let (reference, words) = (text(0x1c, "other:1883"), [text(0x1f, "go away"), user("n", "v")].concat());
    check("9c", &[reference.clone(), words.clone()]);
    check("9d", &[reference, words.clone()]);
    check("97", &[words]);
}

/// `[MQTT-3.1.2-28]`: who asks is told what response topics begin with; nobody else is.
#[test]
fn response_information_is_given_to_who_asks() {
    let broker = Broker::start("plugins: [auth_anonymous]\nresponse-information: 'responses/{client-id}/'\n");
    let told = |connect: &Connect| Peer::told(&broker, connect, false).1;
    let information = |client_id: &str| text(0x1a, &format!("responses/{client_id}/"));
    let asks = |client_id: &str| Connect::clean(client_id).with(vec![0x19, 1]);
    let without = told(&Connect::clean("id"));
    assert_eq!(told(&asks("id")), [&without[..], &information("id")[..]].concat());
    assert_eq!(told(&Connect::clean("id").with(vec![0x19, 0])), without);
    // One that would not be a part of a topic name.
    assert_eq!(told(&asks("a/+")), without);
    // It is left out where it makes the CONNACK too large.
    let size = 5 + without.len() + information("id").len();
    assert!(told(&asks("id").with(four(0x27, size as u32))).ends_with(&information("id")));
    assert_eq!(told(&asks("id").with(four(0x27, size as u32 - 1))), without);
    // Without the setting there is none.
    assert_eq!(Peer::told(&Broker::open(), &asks("id"), false).1, without);
}
