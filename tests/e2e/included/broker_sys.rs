use std::collections::{BTreeMap, BTreeSet};

use rumqttc::QoS::{AtLeastOnce, AtMostOnce};

use crate::broker::Broker;
use crate::client::Client;

/// What a value looks like.
#[derive(Clone, Copy)]
enum Shape {
    Whole,
    /// With so many digits behind the point.
    Decimal(usize),
    Span,
    Version,
}
use Shape::{Decimal, Span, Version, Whole};

/// The README of the plugin, which lists the topics.
const README: &str = include_str!("../../../plugins/broker_sys/README.md");

/// Every topic of the README below `$SYS/broker/` that has a name of its own, and some of `counters/NAME`.
const TOPICS: [(&str, Shape); 45] = [
    ("version", Version),
    ("time", Whole),
    ("uptime", Whole),
    ("uptime/formatted", Span),
    ("clients/connected", Whole),
    ("clients/active", Whole),
    ("clients/disconnected", Whole),
    ("clients/inactive", Whole),
    ("clients/maximum", Whole),
    ("clients/total", Whole),
    ("clients/expired", Whole),
    ("messages/received", Whole),
    ("messages/sent", Whole),
    ("messages/publish/received", Whole),
    ("messages/publish/sent", Whole),
    ("publish/messages/received", Whole),
    ("publish/messages/sent", Whole),
    ("publish/messages/dropped", Whole),
    ("messages/inflight", Whole),
    ("messages/inflight/in", Whole),
    ("messages/inflight/out", Whole),
    ("messages/inflight/stored", Whole),
    ("messages/stored", Whole),
    ("store/messages/count", Whole),
    ("store/messages/bytes", Whole),
    ("messages/retained/count", Whole),
    ("retained messages/count", Whole),
    ("messages/subscriptions/count", Whole),
    ("subscriptions/count", Whole),
    ("shared_subscriptions/count", Whole),
    ("load/bytes/received", Whole),
    ("load/bytes/sent", Whole),
    ("bytes/received", Whole),
    ("bytes/sent", Whole),
    ("heap/size", Decimal(2)),
    ("heap/maximum", Decimal(2)),
    ("heap/current", Whole),
    ("cpu/percent", Decimal(1)),
    ("cpu/maximum", Decimal(1)),
    ("counters/plugin-faults", Whole),
    ("counters/plugin-faults/broker_sys", Whole),
    ("counters/plugin-log-lines-dropped/broker_sys", Whole),
    ("counters/plugin-publishes-refused/broker_sys", Whole),
    ("counters/events-dropped", Whole),
    ("counters/publish-denied", Whole),
];

/// What is averaged, and over which times: `load/NAME/SPAN`.
const AVERAGED: [&str; 8] = [
    "messages/received",
    "messages/sent",
    "bytes/received",
    "bytes/sent",
    "publish/received",
    "publish/sent",
    "publish/dropped",
    "connections",
];
const SPANS: [&str; 3] = ["1min", "5min", "15min"];

/// All of them.
fn topics() -> Vec<(String, Shape)> {
    let averages = AVERAGED.iter().flat_map(|name| SPANS.map(|span| (format!("load/{name}/{span}"), Decimal(2))));
    TOPICS.iter().map(|(topic, shape)| ((*topic).to_owned(), *shape)).chain(averages).collect()
}

impl Shape {
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Whole => text.parse::<u64>().is_ok(),
            Self::Decimal(digits) => {
                text.parse::<f64>().is_ok() && text.split_once('.').is_some_and(|(_, after)| after.len() == digits)
            }
            Self::Span => text.split(':').count() == 3 && text.starts_with("0:"),
            Self::Version => text == env!("CARGO_PKG_VERSION"),
        }
    }
}

/// What a client that subscribes now finds retained, below `$SYS/broker/`.
fn retained(broker: &Broker) -> BTreeMap<String, String> {
    let mut client = Client::connect(broker, "reader");
    client.subscribe("$SYS/broker/#", AtMostOnce);
    let words = client.receive_all().into_iter();
    let of_topic = |words: String| {
        let (topic, value) = words.strip_suffix(" r")?.strip_prefix("$SYS/broker/")?.rsplit_once(' ')?;
        Some((topic.to_owned(), value.to_owned()))
    };
    words.filter_map(of_topic).collect()
}

#[test]
fn every_topic_is_retained_and_has_its_shape() {
    let mut broker = Broker::start("sys_interval: 1\nplugins: [auth_anonymous, broker_sys]\n");
    let mut alice = Client::connect(&broker, "alice");
    alice.subscribe("$SYS/broker/load/connections/15min", AtMostOnce);
    // The last topic of a round, and the one of the round after it, so that everything above has been counted.
    alice.publish("kept", AtLeastOnce, true, "retained");
    for _ in 0..3 {
        alice.receive();
    }
    let found = retained(&broker);
    for (topic, shape) in topics() {
        let text = found.get(&topic).unwrap_or_else(|| panic!("no {topic} in {found:?}"));
        assert!(shape.fits(text), "{topic} {text}");
    }
    let value = |topic: &str| found[topic].parse::<f64>().expect("a number");
    assert!(value("clients/connected") >= 1.0 && value("clients/maximum") >= 1.0);
    assert!(value("messages/publish/received") >= 1.0 && value("messages/retained/count") >= 2.0);
    assert!(value("heap/current") > 1_000_000.0 && value("heap/size") > 1.0);
    assert!(value("load/connections/1min") > 0.0 && value("load/bytes/received/15min") > 0.0);
    assert!(value("time") > 1_700_000_000.0);
    broker.signal("TERM");
    assert!(broker.wait().success());
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The topics of the README's table: its first cells and its last ones, those of the averages with what the cell between
/// them says that NAME is.
fn documented() -> BTreeSet<String> {
    let mut topics = BTreeSet::new();
    for row in README.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').collect();
        let (first, between, last) = (cells[1], cells[2], cells[3]);
        if first.contains("load/NAME/") {
            let spans = quoted(first).filter_map(|topic| topic.rsplit('/').next());
            let of_span = |span| quoted(between).map(move |name| format!("load/{name}/{span}"));
            topics.extend(spans.flat_map(of_span));
        } else if !first.contains("counters/NAME") {
            topics.extend(quoted(first).chain(quoted(last)).map(str::to_owned));
        }
    }
    topics
}

#[test]
fn the_topics_are_those_of_the_readme() {
    let ours = topics().into_iter().map(|(topic, _)| topic).filter(|topic| !topic.starts_with("counters/"));
    assert_eq!(ours.collect::<BTreeSet<_>>(), documented());
}

#[test]
fn an_interval_of_0_turns_it_off() {
    let broker = Broker::start("sys_interval: 0\nplugins: [auth_anonymous, broker_sys]\n");
    let mut client = Client::connect(&broker, "client");
    client.subscribe("$SYS/#", AtMostOnce);
    assert!(client.receive_all().is_empty());
}
