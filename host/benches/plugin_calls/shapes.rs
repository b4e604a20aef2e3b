//! What the shape of an interface costs. `check` has the parameters of the plugin interface as it is; the others leave out
//! or put in parts of it.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use wasmtime::component::{ComponentType, Lift, Lower, Resource};

use crate::guest::{Action, Answer, CHECK, Check, Does, Guest, Handle, Verdict, check};
use crate::{CLIENT_ID, TOPIC, USERNAME};

/// What the request handle tells, by value.
#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
struct Facts {
    qos: u8,
    retain: bool,
    #[component(name = "payload-length")]
    payload_length: Option<u64>,
}

/// All of a request by value.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
struct Request {
    #[component(name = "client-id")]
    client_id: &'static str,
    username: Option<&'static str>,
    action: Action,
    topic: &'static str,
    qos: u8,
    retain: bool,
    #[component(name = "payload-length")]
    payload_length: u64,
    #[component(name = "keep-alive-seconds")]
    keep_alive_seconds: u16,
}

/// The same with user properties, eight fields as well.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
struct RequestWithProperties {
    #[component(name = "client-id")]
    client_id: &'static str,
    username: Option<&'static str>,
    action: Action,
    topic: &'static str,
    qos: u8,
    retain: bool,
    #[component(name = "payload-length")]
    payload_length: u64,
    #[component(name = "user-properties")]
    user_properties: &'static [(&'static str, &'static str)],
}

const REQUEST: Request = Request {
    client_id: CLIENT_ID,
    username: Some(USERNAME),
    action: Action::Publish,
    topic: TOPIC,
    qos: 0,
    retain: false,
    payload_length: 64,
    keep_alive_seconds: 60,
};

const REQUEST_WITH_PROPERTIES: RequestWithProperties = RequestWithProperties {
    client_id: CLIENT_ID,
    username: Some(USERNAME),
    action: Action::Publish,
    topic: TOPIC,
    qos: 0,
    retain: false,
    payload_length: 64,
    user_properties: &[
        ("one", "a value of some length"),
        ("two", "a value of some length"),
        ("three", "a value of some length"),
        ("four", "a value of some length"),
    ],
};

/// Parameters of the interface that are no handles.
const STRINGS: &str = "client-id: string, username: option<string>, action: action, topic: string";
type Strings = (&'static str, Option<&'static str>, Action, &'static str);

fn given() -> Strings {
    black_box((CLIENT_ID, Some(USERNAME), Action::Publish, TOPIC))
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("interface");
    by_value(&mut group);
    records(&mut group);
    lists(&mut group);
    handles(&mut group);
}

fn by_value(group: &mut BenchmarkGroup<'_, WallTime>) {
    let (mut store, call) = Guest::default().start::<(), ()>();
    group.bench_function("empty", |bencher| bencher.iter(|| call.call(&mut store, ()).unwrap()));

    let guest = Guest { params: "a: u32, b: u32, c: action", result: "action", ..Guest::default() };
    let (mut store, call) = guest.start::<(u32, u32, Action), (Action,)>();
    group.bench_function("two integers, an enum", |bencher| {
        bencher.iter(|| call.call(&mut store, black_box((1, 2, Action::Publish))).unwrap());
    });

    let (mut store, call) = CHECK.start::<Check, (bool,)>();
    group.bench_function("two strings, an enum", |bencher| {
        bencher.iter(|| call.call(&mut store, check()).unwrap());
    });

    let guest = Guest { params: STRINGS, result: "verdict", answer: Answer::Zeros, ..Guest::default() };
    let (mut store, call) = guest.start::<Strings, (Verdict,)>();
    group.bench_function("check without handles", |bencher| bencher.iter(|| call.call(&mut store, given()).unwrap()));
}

fn records(group: &mut BenchmarkGroup<'_, WallTime>) {
    type WithFacts = (Facts, &'static str, Option<&'static str>, Action, &'static str);
    let params = format!("facts: facts, {STRINGS}");
    let guest = Guest { params: &params, result: "verdict", answer: Answer::Zeros, ..Guest::default() };
    let (mut store, call) = guest.start::<WithFacts, (Verdict,)>();
    group.bench_function("check with a record in place of handles", |bencher| {
        bencher.iter(|| {
            let (client_id, username, action, topic) = given();
            let facts = Facts { qos: 0, retain: false, payload_length: Some(64) };
            call.call(&mut store, (facts, client_id, username, action, topic)).unwrap()
        });
    });

    let guest = Guest { params: "request: request", result: "bool", ..Guest::default() };
    let (mut store, call) = guest.start::<(Request,), (bool,)>();
    group.bench_function("a record of eight fields", |bencher| {
        bencher.iter(|| call.call(&mut store, (black_box(REQUEST),)).unwrap());
    });

    let guest = Guest { params: "request: request-with-properties", result: "bool", ..Guest::default() };
    let (mut store, call) = guest.start::<(RequestWithProperties,), (bool,)>();
    group.bench_function("a record of eight fields, one of them four user properties", |bencher| {
        bencher.iter(|| call.call(&mut store, (black_box(REQUEST_WITH_PROPERTIES),)).unwrap());
    });
}

fn lists(group: &mut BenchmarkGroup<'_, WallTime>) {
    let params = "client-id: string, action: action, topics: list<string>";
    let guest = Guest { params, result: "list<bool>", answer: Answer::EightZeros, ..Guest::default() };
    let (mut store, call) = guest.start::<(&str, Action, &[&str]), (Vec<bool>,)>();
    let topics: &[&str] = &[TOPIC; 8];
    group.bench_function("a list of eight topics, a list of eight answers", |bencher| {
        bencher.iter(|| call.call(&mut store, black_box((CLIENT_ID, Action::Publish, topics))).unwrap());
    });

    let guest = Guest { params: "payload: list<u8>", result: "bool", ..Guest::default() };
    let (mut store, call) = guest.start::<(&[u8],), (bool,)>();
    for bytes in [64, 1 << 10, 16 << 10] {
        let payload = vec![b'x'; bytes];
        group.bench_function(format!("a payload of {bytes} bytes"), |bencher| {
            bencher.iter(|| call.call(&mut store, (black_box(&payload),)).unwrap());
        });
    }
}

fn handles(group: &mut BenchmarkGroup<'_, WallTime>) {
    type OneHandle = (Resource<Handle>, &'static str, Option<&'static str>, Action, &'static str);
    let params = format!("client: borrow<handle>, {STRINGS}");
    let guest = Guest { params: &params, result: "verdict", answer: Answer::Zeros, does: Does::Drops(1) };
    let (mut store, call) = guest.start::<OneHandle, (Verdict,)>();
    group.bench_function("check with one handle", |bencher| {
        bencher.iter(|| {
            let (client_id, username, action, topic) = given();
            call.call(&mut store, (Resource::new_borrow(0), client_id, username, action, topic)).unwrap()
        });
    });

    type TwoHandles = (Resource<Handle>, Resource<Handle>, &'static str, Option<&'static str>, Action, &'static str);
    let params = format!("client: borrow<handle>, request: borrow<handle>, {STRINGS}");
    let guest = Guest { params: &params, result: "verdict", answer: Answer::Zeros, does: Does::Drops(2) };
    let (mut store, call) = guest.start::<TwoHandles, (Verdict,)>();
    group.bench_function("check with two handles", |bencher| {
        bencher.iter(|| {
            let (client_id, username, action, topic) = given();
            let handles = (Resource::new_borrow(0), Resource::new_borrow(0));
            call.call(&mut store, (handles.0, handles.1, client_id, username, action, topic)).unwrap()
        });
    });

    type HandlesOnly = (Resource<Handle>, Resource<Handle>);
    let params = "client: borrow<handle>, request: borrow<handle>";
    let guest = Guest { params, result: "bool", does: Does::Drops(2), ..Guest::default() };
    let (mut store, call) = guest.start::<HandlesOnly, (bool,)>();
    group.bench_function("two handles and nothing else", |bencher| {
        bencher.iter(|| call.call(&mut store, (Resource::new_borrow(0), Resource::new_borrow(0))).unwrap());
    });
}
