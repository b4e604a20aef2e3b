//! Plugins in other languages that fail, and what there is of a system for them.

use std::fs;
use std::path::Path;

use rumqttc::QoS::{AtLeastOnce, AtMostOnce};

use super::built::{examples, javascript, python};
use super::{config, connect, counter};
use crate::broker::{Broker, Setup};

/// Everyone may use these topics, as far as the rules go.
const ACL: &str = "{acl: {alice: ['#', fence/#], counters: ['$SYS/#']}}";

/// A broker with a plugin that imports WASI and is told to fail.
fn start(component: &Path) -> Broker {
    Setup::new(&config(component, ACL)).slow_to_start().start()
}

/// Publishes to a topic; whether that was allowed.
fn publish(broker: &Broker, topic: &str) -> bool {
    let mut alice = connect(broker, Some("alice"));
    alice.subscribe("#", AtMostOnce);
    alice.publish(topic, AtLeastOnce, false, "");
    !alice.receive_all().is_empty()
}

/// Publishes until it is allowed: a fresh instance takes its time, and questions of who made one fail wait.
fn publishes_again(broker: &Broker, topic: &str) {
    assert!((0..20).any(|_| publish(broker, topic)), "{topic} stays refused");
}

#[test]
fn a_plugin_in_python_fails_with_words_and_finds_nothing_of_the_system() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/examples");
    let component = python("acl_python_faulty", &[&examples().join("python"), &folder], true);
    let mut broker = start(&component);
    let plugin = "acl_python_faulty";
    assert!(publish(&broker, "faulty/look"));

    // With WASI it is asked aside, and once where the answer may be kept.
    let mut alice = connect(&broker, Some("alice"));
    for _ in 0..3 {
        alice.publish("again", AtLeastOnce, false, "");
    }
    assert!(counter(&broker, "topic-checks-aside").parse::<u32>().is_ok_and(|asked| asked > 0));
    let asked = broker.log_so_far().matches("asked about again").count();
    assert_eq!(asked, 1, "{}", broker.log_so_far());

    for (topic, fault) in [
        ("faulty/raise", "trapped in topic-check: "),
        ("faulty/exit", "trapped in topic-check: it called `exit` with status"),
        ("faulty/spin", "timed out after 10ms in topic-check"),
    ] {
        broker.forget_log();
        assert!(!publish(&broker, topic));
        let line = broker.wait_for_log(fault);
        assert!(line.contains(&format!("plugin \"{plugin}\"")) && line.contains("for client"), "{line}");
        if topic == "faulty/raise" {
            let told = broker.wait_for_log("LookupError: no such rule");
            assert!(told.contains(plugin), "{told}");
        }
        publishes_again(&broker, "after");
    }
}

#[test]
fn a_plugin_in_javascript_fails_with_words() {
    let source = fs::read_to_string(examples().join("javascript/acl_javascript.js")).expect("is there");
    let vote = "function vote(username, topic) {\n";
    assert!(source.contains(vote));
    let faulty = "    console.log(`asked about ${topic}`);\n    if (topic === \"faulty/raise\") throw that;\n";
    let folder = tempfile::tempdir().expect("a folder");
    let module = folder.path().join("acl_javascript_faulty.js");
    fs::write(&module, source.replace(vote, &format!("{vote}{faulty}"))).expect("can write");
    let mut broker = start(&javascript(&module, true));
    assert!(publish(&broker, "fine"));
    broker.wait_for_log("asked about fine");
    assert!(!publish(&broker, "faulty/raise"));
    let line = broker.wait_for_log("trapped in topic-check: ");
    assert!(line.contains("plugin \"acl_javascript_faulty\""), "{line}");
    broker.wait_for_log("ReferenceError: that is not defined");
    publishes_again(&broker, "after");
}
