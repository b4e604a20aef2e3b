//! The real thing: plugins that the broker's loader has loaded, asked as the broker asks them.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use amqtt::hooks::{Action, Event, EventKind, Grants, HookSpec, Hooks, PluginSpec, TopicChecker, TopicFacts};
use amqtt::types::{ClientInfo, ConnectFacts, Message, QoS, TopicFilter, UserProperty};
use criterion::{BenchmarkId, Criterion};
use serde_json::json;

use crate::stand_in::{self, Broker, plugin, resident_bytes};
use crate::{CLIENT_ID, TOPIC, USERNAME};

/// Events between two looks at the clock, and bytes of their payloads: fewer than may wait, and so many that the guest, which
/// publishes once in between, does not come to its limit of messages a second.
const EVENTS_MAX: usize = 5_000;
const EVENT_BYTES_MAX: usize = 16_000 << 10;

/// Instances whose memory is looked at.
const INSTANCES: usize = 200;

pub(crate) fn bench(criterion: &mut Criterion) {
    topic_checks(criterion);
    events(criterion);
    starts(criterion);
    memory();
}

fn topic_checks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("topic-check");
    let client = client();
    let ask = |checker: &mut TopicChecker, topic: &str| {
        let verdict = checker.check(black_box(&client), Action::Publish, black_box(topic), FACTS);
        assert!(verdict.allowed, "{topic}");
    };
    let (acl, _) = load(topic_acl());
    let mut checker = acl.topic_checker();
    group.bench_function("topic_acl", |bencher| bencher.iter(|| ask(&mut checker, TOPIC)));
    let topics = [(TOPIC, FACTS); 8];
    group.bench_function("topic_acl, eight topics at once", |bencher| {
        bencher.iter(|| checker.check_many(&client, Action::Publish, black_box(&topics)));
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    group.bench_function("topic_acl on another thread", |bencher| {
        bencher.iter(|| {
            let asked = checker.ask(Arc::clone(&client), Action::Publish, vec![(TOPIC.into(), FACTS)]);
            runtime.block_on(asked)
        });
    });

    let (everything, _) = load(everything());
    let mut checker = everything.topic_checker();
    for (name, topic) in [
        ("a guest that allows all", "free/7/floors/3/rooms/123/temperature"),
        ("with a getter", "address/192.0.2."),
        ("with four user properties", "properties/four"),
        ("with the QoS and length of the request", "short/7/floors/3/rooms/123/temperature"),
        ("with a call of the log", "logged/7/floors/3/rooms/123/temperature"),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| ask(&mut checker, topic)));
    }
    group.bench_function("new instance", |bencher| bencher.iter_with_large_drop(|| acl.topic_checker()));
}

fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event with a payload");
    let (payloads, told) = load(payloads());
    payloads.start();
    let client = client();
    for bytes in [64, 1 << 10, 16 << 10] {
        let payload = bytes::Bytes::from(vec![b'x'; bytes]);
        let events = EVENTS_MAX.min(EVENT_BYTES_MAX / bytes);
        let topic: Arc<str> = TOPIC.into();
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                let rounds = iterations.div_ceil(events as u64);
                for _ in 0..rounds {
                    let start = Instant::now();
                    for _ in 0..events {
                        payloads.emit(Event {
                            topic: Some(Arc::clone(&topic)),
                            payload_len: Some(payload.len()),
                            payload: Some(payload.clone()),
                            ..Event::of_client(EventKind::MessageReceived, &client)
                        });
                    }
                    payloads.emit(Event::of_client(EventKind::ClientDisconnected, &client));
                    let count = told.recv_timeout(Duration::from_secs(10)).unwrap().payload;
                    time += start.elapsed();
                    assert_eq!(count, (events * bytes).to_string());
                }
                time.mul_f64(iterations as f64 / (rounds * events as u64) as f64)
            });
        });
    }
    payloads.stop();
}

fn starts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load and start");
    group.sample_size(20);
    group.bench_function("topic_acl, compiled before", |bencher| bencher.iter(|| load(topic_acl())));
    group.bench_function("guest_everything, compiled now", |bencher| bencher.iter(|| load(everything())));
    let names =
        ["auth_anonymous", "auth_file", "broker_sys", "event_logger", "packet_logger", "topic_acl", "topic_taboo"];
    group.bench_function("all that come with the broker", |bencher| {
        bencher.iter(|| {
            let plugins = names.map(|name| plugin(name, json!({}))).to_vec();
            Hooks::load(&HookSpec { plugins, ..HookSpec::default() }, Arc::<Broker>::default()).unwrap()
        });
    });
}

/// Resident memory of instances, which criterion does not measure.
fn memory() {
    for spec in [topic_acl(), everything()] {
        let name = spec.name.clone();
        let (hooks, _) = load(spec);
        let before = resident_bytes();
        let checkers: Vec<_> = (0..INSTANCES).map(|_| hooks.topic_checker()).collect();
        let bytes = resident_bytes().saturating_sub(before) / INSTANCES as u64;
        println!("instance of {name}: {} KiB resident, mean of {INSTANCES}", bytes >> 10);
        drop(checkers);
    }
}

const FACTS: TopicFacts = TopicFacts { qos: QoS::AtMostOnce, retain: false, payload_len: Some(64) };

fn client() -> Arc<ClientInfo> {
    let user_properties = ["one", "two", "three", "four"]
        .map(|name| UserProperty { name: name.into(), value: "a value of some length".into() })
        .into_iter()
        .collect();
    stand_in::client(CLIENT_ID, USERNAME, ConnectFacts { user_properties, ..ConnectFacts::default() })
}

/// As in the broker's documentation, with a rule for the topic that is asked about.
fn topic_acl() -> PluginSpec {
    let rules = ["repositories/+/master", "calendar/#", "data/memes", "buildings/+/floors/#"];
    plugin("topic_acl", json!({ "acl": { USERNAME: rules, "anonymous": [] } }))
}

fn everything() -> PluginSpec {
    let grants = Grants {
        files: vec!["file".into()],
        publish: vec![TopicFilter::new("everything/#").unwrap()],
        broker_info: true,
        sessions: true,
        invalidate: true,
    };
    let path = Some(amqtt_tests::guests::EVERYTHING.into());
    PluginSpec { path, grants, ..plugin("guest_everything", json!({})) }
}

fn payloads() -> PluginSpec {
    let grants = Grants { publish: vec![TopicFilter::new("test/#").unwrap()], ..Grants::default() };
    let path = Some(amqtt_tests::guests::PAYLOADS.into());
    PluginSpec { path, grants, ..plugin("guest_payloads", json!({})) }
}

fn load(plugin: PluginSpec) -> (Arc<Hooks>, Receiver<Message>) {
    let (sender, published) = sync_channel(EVENTS_MAX);
    let spec = HookSpec { plugins: vec![plugin], ..HookSpec::default() };
    (Hooks::load(&spec, Arc::new(Broker { published: Some(sender) })).unwrap(), published)
}
