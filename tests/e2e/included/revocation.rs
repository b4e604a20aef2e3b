//! What a permission allowed ends with it: subscriptions, what waits, what is retained, and what was remembered.

use rumqttc::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use rumqttc::SubscribeReasonCode;

use super::{connect_as, resume_as};
use crate::broker::{Broker, Setup};
use crate::client::Client;

const EVERYTHING: &str = "topic #\nuser alice\ntopic #\nuser bob\ntopic #\nuser carol\ntopic #\n";

/// Alice may do nothing with `secret/#` any more.
const ALICE_REVOKED: &str =
    "topic #\nuser alice\ntopic #\ntopic deny secret/#\nuser bob\ntopic #\nuser carol\ntopic #\n";

fn start() -> Broker {
    let config = "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  enabled: true\n  acl-file: rules\n";
    Setup::new(config).file("rules", EVERYTHING).start()
}

fn named(broker: &Broker, username: &str) -> Client {
    connect_as(broker, username, "").expect("accepted")
}

fn change_rules(broker: &mut Broker, rules: &str) {
    broker.replace_file("rules", rules);
    broker.wait_for_next_log("`acl-file` has changed and is in force");
}

/// CVE-2021-34434.
#[test]
fn a_session_that_waits_for_its_client_loses_what_is_not_allowed_any_more() {
    let mut broker = start();
    let mut alice = resume_as(&broker, "alice");
    assert_eq!(alice.subscribe("secret/#", AtLeastOnce), SubscribeReasonCode::Success(AtLeastOnce));
    assert_eq!(alice.subscribe("open/#", AtLeastOnce), SubscribeReasonCode::Success(AtLeastOnce));
    alice.disconnect();
    let mut bob = named(&broker, "bob");
    bob.publish("secret/1", AtLeastOnce, false, "queued");
    bob.publish("open/1", AtLeastOnce, false, "queued");
    change_rules(&mut broker, ALICE_REVOKED);
    broker.wait_for_log("client \"alice\": permissions have changed: 1 subscription ended, 1 message not");
    bob.publish("secret/2", AtLeastOnce, false, "later");
    bob.publish("open/2", AtLeastOnce, false, "later");
    let mut alice = resume_as(&broker, "alice");
    assert!(alice.session_present);
    assert_eq!(alice.receive_all(), ["open/1 queued", "open/2 later"]);
    bob.publish("secret/3", AtLeastOnce, false, "after");
    bob.publish("open/3", AtLeastOnce, false, "after");
    assert_eq!(alice.receive_all(), ["open/3 after"]);
}

#[test]
fn a_connected_client_is_sent_nothing_more_and_stays_connected() {
    let mut broker = start();
    let (mut alice, mut bob) = (named(&broker, "alice"), named(&broker, "bob"));
    // One is denied as a whole, of the other only some topics.
    alice.subscribe("secret/a", AtLeastOnce);
    alice.subscribe("#", AtLeastOnce);
    bob.publish("secret/a", AtLeastOnce, false, "before");
    assert_eq!(alice.receive_words(), "secret/a before");
    change_rules(&mut broker, ALICE_REVOKED);
    broker.wait_for_log("client \"alice\": permissions have changed: 1 subscription ended");
    for topic in ["secret/a", "secret/b", "open"] {
        bob.publish(topic, ExactlyOnce, false, "after");
    }
    assert_eq!(alice.receive_words(), "open after");
    // And back again, for what is still subscribed to.
    change_rules(&mut broker, EVERYTHING);
    bob.publish("secret/b", AtLeastOnce, false, "again");
    assert_eq!(alice.receive_words(), "secret/b again");
}

/// CVE-2018-12546.
#[test]
fn a_retained_message_is_not_delivered_once_its_publisher_may_not_publish_it() {
    let mut broker = start();
    let (mut alice, mut bob) = (named(&broker, "alice"), named(&broker, "bob"));
    alice.publish("secret/1", AtLeastOnce, true, "of alice");
    bob.publish("secret/2", AtLeastOnce, true, "of bob");
    alice.disconnect();
    let retained = |broker: &Broker| {
        let mut carol = named(broker, "carol");
        carol.subscribe("secret/+", AtMostOnce);
        let mut received = carol.receive_all();
        received.sort();
        received
    };
    assert_eq!(retained(&broker), ["secret/1 of alice r", "secret/2 of bob r"]);
    change_rules(&mut broker, ALICE_REVOKED);
    assert_eq!(retained(&broker), ["secret/2 of bob r"]);
    assert_eq!(retained(&broker), ["secret/2 of bob r"]);
    change_rules(&mut broker, EVERYTHING);
    assert_eq!(retained(&broker), ["secret/1 of alice r", "secret/2 of bob r"]);
}

#[test]
fn what_was_remembered_of_a_publisher_is_forgotten() {
    let mut broker = start();
    let (mut alice, mut bob) = (named(&broker, "alice"), named(&broker, "bob"));
    bob.subscribe("#", AtLeastOnce);
    for _ in 0..2 {
        alice.publish("secret/1", AtLeastOnce, false, "before");
        assert_eq!(bob.receive_words(), "secret/1 before");
    }
    change_rules(&mut broker, ALICE_REVOKED);
    alice.publish("secret/1", AtLeastOnce, false, "after");
    alice.publish("open", AtLeastOnce, false, "after");
    assert_eq!(bob.receive_words(), "open after");
}

#[test]
fn broken_rules_leave_those_before_in_force() {
    let mut broker = start();
    let (mut alice, mut bob) = (named(&broker, "alice"), named(&broker, "bob"));
    bob.subscribe("#", AtLeastOnce);
    change_rules(&mut broker, ALICE_REVOKED);
    broker.replace_file("rules", format!("{EVERYTHING}nonsense\n"));
    let line = broker.wait_for_next_log("`acl-file` has changed and is not used");
    assert!(line.contains("ERROR") && line.contains("line 8: `nonsense`"), "{line}");
    alice.publish("secret/1", AtLeastOnce, false, "still denied");
    alice.publish("open", AtLeastOnce, false, "still allowed");
    assert_eq!(bob.receive_words(), "open still allowed");
}

/// CVE-2017-7650: in a pattern, such a name would match what others have.
#[test]
fn users_named_like_wildcards_gain_nothing() {
    let config = "plugins: [auth_anonymous, topic_acl]\ntopic-check:\n  enabled: true\n  acl-file: rules\n";
    let broker = Setup::new(config).file("rules", "pattern home/%u/#\nuser alice\ntopic fence/#\n").start();
    let mut alice = named(&broker, "alice");
    assert_eq!(alice.subscribe("home/alice/#", AtLeastOnce), SubscribeReasonCode::Success(AtLeastOnce));
    for username in ["#", "+", "alice/", "alice/#"] {
        let mut other = named(&broker, username);
        for filter in ["#", "home/#", "home/+/#", "home/alice/#", "home/alice/lamp"] {
            assert_eq!(other.subscribe(filter, AtLeastOnce), SubscribeReasonCode::Failure, "{username}: {filter}");
        }
        other.publish("home/alice/lamp", AtLeastOnce, false, username);
    }
    assert!(alice.receive_all().is_empty());
}
