use rumqttc::QoS::{AtLeastOnce, AtMostOnce};
use rumqttc::SubscribeReasonCode;

use crate::broker::Broker;
use crate::client::{Client, options};

fn connect_as(broker: &Broker, username: &str) -> Client {
    let mut options = options(broker, username);
    options.set_credentials(username, "");
    Client::connect_with(options).expect("accepted")
}

fn start(settings: &str) -> Broker {
    Broker::start(&format!("plugins:\n  - auth_anonymous\n  - topic_taboo\ntopic-check:\n  enabled: true\n{settings}"))
}

/// What a client has received, but for the fences of the others, which `#` matches as well.
fn received(client: &mut Client) -> Vec<String> {
    let mut words = client.receive_all();
    words.retain(|words| !words.starts_with("fence/"));
    words
}

const GRANTED: SubscribeReasonCode = SubscribeReasonCode::Success(AtLeastOnce);

#[test]
fn taboo_topics_are_kept_from_everyone_but_the_exempt() {
    let broker = start("");
    let (mut alice, mut admin) = (connect_as(&broker, "alice"), connect_as(&broker, "admin"));
    assert_eq!(alice.subscribe("#", AtLeastOnce), GRANTED);
    assert_eq!(admin.subscribe("#", AtLeastOnce), GRANTED);
    for topic in ["prohibited", "top-secret", "data/classified"] {
        assert_eq!(alice.subscribe(topic, AtLeastOnce), SubscribeReasonCode::Failure, "{topic}");
        assert_eq!(admin.subscribe(topic, AtLeastOnce), GRANTED, "{topic}");
        alice.publish(topic, AtLeastOnce, true, "from alice");
    }
    alice.publish("data/open", AtLeastOnce, false, "from alice");
    admin.publish("top-secret", AtLeastOnce, true, "from admin");
    admin.publish("top-secret", AtMostOnce, false, "again");
    assert_eq!(received(&mut alice), ["data/open from alice"]);
    assert_eq!(received(&mut admin), ["data/open from alice", "top-secret from admin", "top-secret again"]);
    // Nor is what was kept before somebody subscribed.
    let mut late = Client::connect(&broker, "late");
    assert_eq!(late.subscribe("#", AtLeastOnce), GRANTED);
    assert!(received(&mut late).is_empty());
}

#[test]
fn settings_name_other_taboos_and_other_exempt_users() {
    let broker = start("  taboo: ['plant/+/keys/#']\n  taboo-exempt: [auditor]\n");
    let (mut alice, mut auditor) = (connect_as(&broker, "alice"), connect_as(&broker, "auditor"));
    for client in [&mut alice, &mut auditor] {
        client.subscribe("plant/#", AtLeastOnce);
        client.subscribe("prohibited", AtLeastOnce);
    }
    let mut admin = connect_as(&broker, "admin");
    admin.publish("plant/1/keys", AtLeastOnce, false, "not exempt any more");
    admin.publish("prohibited", AtLeastOnce, false, "no taboo any more");
    auditor.publish("plant/1/keys/a", AtLeastOnce, false, "exempt");
    assert_eq!(received(&mut alice), ["prohibited no taboo any more"]);
    assert_eq!(received(&mut auditor), ["prohibited no taboo any more", "plant/1/keys/a exempt"]);
}
