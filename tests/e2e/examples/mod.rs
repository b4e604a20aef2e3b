//! The plugins of `plugins/examples`: one list of topics for each user, in several languages. All of them decide alike.

mod built;
mod faults;
pub(crate) mod wasip2;

use std::path::Path;

use rumqttc::QoS::{AtLeastOnce, AtMostOnce};
use rumqttc::SubscribeReasonCode;

use crate::broker::{Broker, Setup};
use crate::client::{Client, options};
use crate::conformance::packets::{Q0, publish};
use crate::conformance::peer::Peer;

use self::built::{c, examples, javascript, python};

/// The settings that the cases are about.
const ACL: &str = "{watcher: ['#'], alice: [plant/+/state, plant/7/#, log], bob: [], anonymous: ['news/#']}";

/// Who publishes to which topic, and whether it is allowed.
const PUBLISH: [(Option<&str>, &str, bool); 15] = [
    (Some("alice"), "plant/1/state", true),
    (Some("alice"), "plant//state", true),
    (Some("alice"), "plant/1/key", false),
    (Some("alice"), "plant/1/state/x", false),
    (Some("alice"), "plant/7", true),
    (Some("alice"), "plant/7/a/b", true),
    (Some("alice"), "plant/77", false),
    (Some("alice"), "log", true),
    (Some("alice"), "Log", false),
    (Some("alice"), "/log", false),
    (Some("bob"), "log", false),
    (Some("mallory"), "log", false),
    (None, "news/1", true),
    (None, "log", false),
    (Some("anonymous"), "news/1", false),
];

/// Who subscribes to which filter, and whether it is allowed: if one rule covers all that the filter can match.
const SUBSCRIBE: [(Option<&str>, &str, bool); 13] = [
    (Some("alice"), "plant/+/state", true),
    (Some("alice"), "plant/7/#", true),
    (Some("alice"), "plant/7/+/x", true),
    (Some("alice"), "plant/#", false),
    (Some("alice"), "+/+/state", false),
    (Some("alice"), "#", false),
    (None, "news/#", true),
    (None, "news", true),
    (None, "+", false),
    (Some("anonymous"), "news/#", false),
    (Some("watcher"), "+/x", true),
    (Some("watcher"), "$SYS/#", false),
    (Some("bob"), "log", false),
];

/// Settings with a mistake, and what is said of them.
const MISTAKES: [(&str, &str); 7] = [
    ("{}", "`acl`: not a map of user names to lists of topic filters"),
    ("{acl: [a]}", "`acl`: not a map of user names to lists of topic filters"),
    ("{acl: {bob: a}}", "`acl.bob`: not a list of topic filters"),
    ("{acl: {bob: [a, 1]}}", "`acl.bob[1]`: not a topic filter"),
    ("{acl: {bob: [a/#/b]}}", "`acl.bob[0]`: `#` stands alone in the last level: `a/#/b`"),
    ("{acl: {bob: [a, b+/c]}}", "`acl.bob[1]`: `+` stands alone in its level: `b+/c`"),
    ("{acl: {}, role: []}", "`role`: there is no such setting, but `acl`"),
];

/// A client of this user, or of none.
pub(super) fn connect(broker: &Broker, username: Option<&str>) -> Client {
    let mut options = options(broker, &format!("{username:?}"));
    if let Some(username) = username {
        options.set_credentials(username, "");
    }
    Client::connect_with(options).expect("everyone may connect")
}

/// The cases by a broker with the plugin that is asked.
fn decides(broker: &Broker) {
    let mut watcher = connect(broker, Some("watcher"));
    assert_eq!(watcher.subscribe("#", AtMostOnce), SubscribeReasonCode::Success(AtMostOnce));
    let mut expected = Vec::new();
    for (place, (username, topic, allowed)) in PUBLISH.into_iter().enumerate() {
        connect(broker, username).publish(topic, AtLeastOnce, false, place.to_string());
        if allowed {
            expected.push(format!("{topic} {place}"));
        }
    }
    assert_eq!(watcher.receive_all(), expected);
    for (username, filter, allowed) in SUBSCRIBE {
        let granted = connect(broker, username).subscribe(filter, AtMostOnce);
        let expected = if allowed { SubscribeReasonCode::Success(AtMostOnce) } else { SubscribeReasonCode::Failure };
        assert_eq!(granted, expected, "{username:?} subscribes to {filter}");
    }
}

/// A configuration with one plugin of a file, as the only one that decides topics. Its compiled code is kept for the next
/// time: an interpreter takes all cores some ten seconds.
pub(super) fn config(component: &Path, settings: &str) -> String {
    let name = component.file_stem().and_then(|stem| stem.to_str()).expect("is text");
    let (path, settings) = (component.display(), settings.trim_start_matches('{'));
    let cache = cache();
    format!(
        "{cache}sys-interval: 1\nplugins:\n  - auth_anonymous\n  - broker_sys\n  \
         - {name}: {{path: '{path}', {settings}\n"
    )
}

fn cache() -> String {
    format!("plugin-cache: '{}'\n", concat!(env!("CARGO_TARGET_TMPDIR"), "/compiled"))
}

/// A figure of the broker, as it is from now on: the retained one may be of a moment ago.
pub(super) fn counter(broker: &Broker, name: &str) -> String {
    let mut client = connect(broker, Some("counters"));
    client.subscribe(&format!("$SYS/broker/counters/{name}"), AtMostOnce);
    loop {
        let figure = client.receive();
        if !figure.retain {
            return figure.payload.escape_ascii().to_string();
        }
    }
}

/// All that is asked of an example: the cases; that it is asked in place, once for a topic that comes again; mistakes in
/// its settings, which change nothing; other settings.
fn check(component: &Path) {
    let settings = |acl: &str| format!("{{acl: {acl}}}");
    let counters = ACL.replace("{watcher", "{counters: ['$SYS/#'], watcher");
    let mut broker = Setup::new(&config(component, &settings(&counters))).slow_to_start().start();
    decides(&broker);
    assert_eq!(counter(&broker, "topic-checks-aside"), "0");

    let whole = broker.config();
    for (mistake, said) in MISTAKES {
        let broken = whole.replace(settings(&counters).trim_start_matches('{'), mistake.trim_start_matches('{'));
        broker.rewrite("broker.yaml", broken);
        broker.signal("HUP");
        let line = broker.wait_for_next_log("refused to start: ");
        assert!(line.contains(said), "{mistake}: {line}");
    }
    let mut alice = connect(&broker, Some("alice"));
    assert_eq!(alice.subscribe("log", AtMostOnce), SubscribeReasonCode::Success(AtMostOnce));

    broker.rewrite("broker.yaml", whole.replace("plant/7/#, log]", "plant/7/#]"));
    broker.signal("HUP");
    broker.wait_for_next_log("the configuration was taken anew");
    assert_eq!(alice.subscribe("log", AtMostOnce), SubscribeReasonCode::Failure);
    assert_eq!(alice.subscribe("plant/7/#", AtMostOnce), SubscribeReasonCode::Success(AtMostOnce));
}

/// That with the example's own configuration so many checks, none of which is remembered, do not make it fail: with less
/// memory than is set there, the one in JavaScript does.
fn stands(component: &Path, checks: u32) {
    let name = component.file_stem().and_then(|stem| stem.to_str()).expect("is text");
    let folder = examples().join(name.trim_start_matches("acl_"));
    let own = std::fs::read_to_string(folder.join("broker.yaml")).expect("is there");
    let entry = format!("  - {name}:\n");
    assert!(own.contains(&entry), "{own}");
    let config = own.replace(&entry, &format!("{entry}      path: '{}'\n", component.display()));
    let config = config.replace("127.0.0.1:1883", "127.0.0.1:0").replace("plugin-cache: cache\n", "") + &cache();
    let mut broker = Setup::whole(&config).slow_to_start().start();
    let mut peer = Peer::connected(&broker, "busy");
    for first in (0..checks).step_by(500) {
        let packets = (first..first + 500).flat_map(|number| publish(Q0, format!("news/{number}"), 0, ""));
        peer.send(packets.collect::<Vec<u8>>()).publish(0, "news/all", "");
    }
    assert!(!broker.log_so_far().contains(" in topic-check"), "{}", broker.log_so_far());
}

/// What the others are measured by.
#[test]
fn the_plugin_that_comes_with_the_broker_decides_these_cases() {
    decides(&Broker::start(&format!("plugins: [auth_anonymous, topic_acl: {{acl: {ACL}}}]\n")));
}

#[test]
fn an_example_in_python_decides_alike() {
    let component = python("acl_python", &[&examples().join("python")], false);
    check(&component);
    stands(&component, 5_000);
}

#[test]
fn an_example_in_javascript_decides_alike() {
    let component = javascript(&examples().join("javascript/acl_javascript.js"), false);
    check(&component);
    stands(&component, 20_000);
}

#[test]
fn an_example_in_c_decides_alike() {
    let component = c(&examples().join("c/acl_c.c"));
    check(&component);
    stands(&component, 20_000);
}
