//! Sections 4.7 and 4.8: matching.

use super::packets::*;
use super::peer::Peer;
use crate::broker::Broker;

/// Publishes to each topic, live and retained, and checks which of them a filter asks for.
fn check(filter: &str, topics: &[&str], expected: &[&str]) {
    let broker = Broker::open();
    let mut live = Peer::subscribed(&broker, "live", filter, 0);
    let mut publisher = Peer::connected(&broker, "publisher");
    for topic in topics {
        publisher.publish(RETAIN, topic, "x");
        if expected.contains(topic) {
            live.expect_publish(Q0, topic, "x");
        }
        live.expect_quiet();
        let mut late = Peer::subscribed(&broker, "late", filter, 0);
        if expected.contains(topic) {
            late.expect_publish(Q0 | RETAIN, topic, "x");
        }
        late.expect_quiet();
        publisher.publish(RETAIN, topic, "");
        if expected.contains(topic) {
            live.expect_publish(Q0, topic, "");
        }
    }
}

/// `[MQTT-3.3.2-3]` `[MQTT-4.7.1-2]` `[MQTT-4.7.1-3]`: live and stored messages are matched alike.
#[test]
fn wildcards_match_levels() {
    let topics = ["a", "a/", "a/b", "a/b/c", "/a", "/", "b"];
    check("a/#", &topics, &["a", "a/", "a/b", "a/b/c"]);
    check("a/+", &topics, &["a/", "a/b"]);
    check("+", &topics, &["a", "b"]);
    check("+/+", &topics, &["a/", "a/b", "/a", "/"]);
    check("+/b/#", &topics, &["a/b", "a/b/c"]);
}

/// `[MQTT-4.7.2-1]`
#[test]
fn leading_wildcards_do_not_match_dollar_topics() {
    let topics = ["$x", "$x/a", "a/$x"];
    check("#", &topics, &["a/$x"]);
    check("+/a", &topics, &[]);
    check("+", &topics, &[]);
    check("+/#", &topics, &["a/$x"]);
    check("$x/#", &topics, &["$x", "$x/a"]);
    check("$x/+", &topics, &["$x/a"]);
}

/// `[MQTT-4.7.3-4]`: case, spaces, empty levels, composed and decomposed letters are all different.
#[test]
fn nothing_is_normalized() {
    let topics = ["a", "A", " a", "a ", "/a", "a/", "//a", "\u{e9}", "e\u{301}", "./a", "%61", "*", "a*", "?"];
    for filter in topics {
        check(filter, &topics, &[filter]);
    }
}

/// `[MQTT-4.7.3-3]`: the longest topic that there can be, as a name and as a filter.
#[test]
fn a_topic_of_65535_bytes_passes() {
    let broker = Broker::open();
    let topic = "x".repeat(65_535);
    let mut subscriber = Peer::subscribed(&broker, "subscriber", &topic, 0);
    Peer::connected(&broker, "publisher").publish(0, &topic, "x");
    subscriber.expect(publish(Q0, &topic, 0, "x"));
}
