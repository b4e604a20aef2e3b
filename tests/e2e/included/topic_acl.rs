use rumqttc::QoS::AtLeastOnce;
use rumqttc::SubscribeReasonCode;

use super::connect_as;
use crate::broker::{Broker, Setup};
use crate::client::Client;

const GRANTED: SubscribeReasonCode = SubscribeReasonCode::Success(AtLeastOnce);

const PLUGINS: &str = "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  enabled: true\n";

fn named(broker: &Broker, username: &str) -> Client {
    connect_as(broker, username, "").expect("accepted")
}

#[test]
fn each_action_may_have_a_list_of_its_own() {
    let lists = "  acl:\n    alice: [all, fence/#]\n    bob: ['#']\n\
                 \x20 publish-acl:\n    alice: [in]\n    bob: ['#']\n\
                 \x20 subscribe-acl:\n    alice: ['#']\n\
                 \x20 receive-acl:\n    alice: [out, fence/#]\n";
    let broker = Broker::start(&format!("{PLUGINS}{lists}"));
    let (mut alice, mut bob) = (named(&broker, "alice"), named(&broker, "bob"));
    assert_eq!(alice.subscribe("#", AtLeastOnce), GRANTED);
    assert_eq!(bob.subscribe("#", AtLeastOnce), SubscribeReasonCode::Failure);
    for topic in ["all", "in", "out"] {
        bob.publish(topic, AtLeastOnce, true, "from bob");
        alice.publish(topic, AtLeastOnce, true, "from alice");
    }
    assert_eq!(alice.receive(), alice_hears("out from bob"));
}

/// A message at QoS 1 as `rumqttc` shows it, but for its identifier.
fn alice_hears(words: &str) -> rumqttc::Publish {
    let (topic, payload) = words.split_once(' ').expect("two words");
    let mut publish = rumqttc::Publish::new(topic, AtLeastOnce, payload);
    publish.pkid = 1;
    publish
}

#[test]
fn rules_may_be_in_a_file_of_mosquitto() {
    let rules = "topic read news/#\nuser alice\ntopic plant/#\ntopic deny plant/keys\npattern write by/%u\n";
    let setup = Setup::new(&format!("{PLUGINS}  acl-file: rules\n")).file("rules", rules);
    let broker = setup.start();
    let (mut alice, mut nameless) = (named(&broker, "alice"), Client::connect(&broker, "nameless"));
    assert_eq!(nameless.subscribe("news/#", AtLeastOnce), GRANTED);
    assert_eq!(nameless.subscribe("plant/#", AtLeastOnce), SubscribeReasonCode::Failure);
    assert_eq!(alice.subscribe("plant/#", AtLeastOnce), GRANTED);
    assert_eq!(alice.subscribe("plant/keys", AtLeastOnce), SubscribeReasonCode::Failure);
    assert_eq!(alice.subscribe("by/alice", AtLeastOnce), SubscribeReasonCode::Failure);
    for topic in ["plant/keys", "by/bob", "news/1", "plant/1"] {
        alice.publish(topic, AtLeastOnce, false, topic);
    }
    assert_eq!(alice.receive_words(), "plant/1 plant/1");
}

#[test]
fn a_wrong_file_keeps_the_broker_from_starting() {
    let config = format!("{PLUGINS}  acl-file: rules\n");
    for (rules, expected) in [("user alice\nevery thing\n", "line 2: `every`"), ("topic a/#/b\n", "line 1: `#`")] {
        let (status, stderr) = Setup::new(&config).file("rules", rules).fail();
        assert_eq!(status.code(), Some(1));
        assert!(stderr.contains("acl-file") && stderr.contains(expected), "{stderr}");
    }
    let (status, stderr) = Setup::new(&config).fail();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("acl-file") && stderr.contains("rules"), "{stderr}");
    let both = format!("{config}  acl: {{alice: [a]}}\n");
    let (status, stderr) = Setup::new(&both).file("rules", "topic a\n").fail();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("`acl-file` and `acl`"), "{stderr}");
}
