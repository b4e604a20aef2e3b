#![allow(clippy::panic, reason = "what is tested")]

mod retained;

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::aside::Asking;
use super::connection::{Client, Connected, End};
use super::core::Core;
use super::directory::Open;
use super::publish::Asks;
use super::revocation::review_all;
use super::session::{Link, SessionHandle};
use super::subscriptions::Wanted;
use super::turn::Turn;
use super::verdicts::VerdictCache;
use super::worker::Worker;
use crate::codec::{Packet, ProtocolVersion, decode, next_frame};
use crate::hooks::{Action, HookSpec, Hooks, PluginSpec, TopicFacts};
use crate::protocol::ClientTerms;
use crate::queue::Queued;
use crate::routing::{Progress, RetainedTree};
use crate::types::{
    Capabilities, ClientId, ClientInfo, ConnectFacts, Identity, Limits, Message, MessageProperties, Overlapping, Peer,
    QoS, SessionExpiry, SubscriptionOptions, TopicFilter, TopicName, visits,
};

/// Says whether it was woken.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A worker that nobody is connected to, and what it shares.
pub(super) fn worker() -> (Arc<Core>, Worker) {
    worker_with(Limits::default())
}

pub(super) fn worker_with(limits: Limits) -> (Arc<Core>, Worker) {
    worker_of(limits, &HookSpec::default())
}

fn worker_of(limits: Limits, spec: &HookSpec) -> (Arc<Core>, Worker) {
    let (internal, _) = mpsc::channel(1);
    let core = Arc::new(Core::new(limits, Capabilities::default(), Overlapping::Once, None, 1, internal));
    let hooks = Hooks::load(spec, Arc::clone(&core) as _).expect("it loads");
    let worker = Worker::new(Arc::clone(&core), hooks, 0);
    (core, worker)
}

/// A worker beside others.
fn another(core: &Arc<Core>) -> Worker {
    let hooks = Hooks::load(&HookSpec::default(), Arc::clone(core) as _).expect("nothing to load");
    Worker::new(Arc::clone(core), hooks, 0)
}

pub(super) fn client(client_id: &str) -> Arc<ClientInfo> {
    let peer = Peer::tcp(([127, 0, 0, 1], 1).into(), "default".into());
    let (client_id, connect) = (ClientId::new(client_id), ConnectFacts::default());
    Arc::new(ClientInfo { client_id, identity: Identity::Anonymous, peer, connect })
}

fn link(client: &Arc<ClientInfo>, id: u64) -> Link {
    let (client, terms, waker) = (Arc::clone(client), ClientTerms::default(), Waker::noop().clone());
    Link { id, client, terms, waker, will: None, woken: false, close: false }
}

/// A client of a session that lasts, which it takes over if there is one.
pub(super) fn open(core: &Arc<Core>, client_id: &str, link_id: u64) -> Client {
    let info = client(client_id);
    let (expiry, link) = (SessionExpiry::NEVER, link(&info, link_id));
    let open = Open { client: &info, clean_start: false, expiry, link, generation: 1 };
    let session = core.directory.open(open, &core.limits, Instant::now()).expect("has room").session;
    client_of(core, info, session, link_id)
}

fn client_of(core: &Arc<Core>, info: Arc<ClientInfo>, session: Arc<SessionHandle>, link_id: u64) -> Client {
    Client {
        info,
        session,
        link_id,
        terms: ClientTerms::default(),
        told: Arc::clone(core),
        verdicts: VerdictCache::default(),
        review: None,
        asking: None,
        owed: None,
        receiving: None,
        proven: None,
    }
}

/// Has a SUBSCRIBE of MQTT 5.0 dealt with, of some filters with their options.
pub(super) fn subscribe(worker: &mut Worker, client: &mut Client, filters: &[(&str, u8)]) {
    let filters = filters
        .iter()
        .flat_map(|(filter, options)| [&[0, filter.len() as u8], filter.as_bytes(), &[*options]].concat());
    let body: Vec<u8> = [0, 1, 0].into_iter().chain(filters).collect();
    let packet = [&[0x82, body.len() as u8], body.as_slice()].concat();
    let frame = next_frame(&packet, packet.len()).expect("valid").expect("whole");
    let Ok(Packet::Subscribe(subscribe)) = decode(ProtocolVersion::V5, frame) else { panic!("is a SUBSCRIBE") };
    worker.subscribe(client, &subscribe, &mut BytesMut::new()).expect("is its own");
}

fn unsubscribe(worker: &mut Worker, client: &mut Client, filter: &str) {
    let body = [&[0, 1, 0, 0, filter.len() as u8], filter.as_bytes()].concat();
    let packet = [&[0xa2, body.len() as u8], body.as_slice()].concat();
    let frame = next_frame(&packet, packet.len()).expect("valid").expect("whole");
    let Ok(Packet::Unsubscribe(unsubscribe)) = decode(ProtocolVersion::V5, frame) else { panic!("is an UNSUBSCRIBE") };
    worker.unsubscribe(client, &unsubscribe, &mut BytesMut::new()).expect("is its own");
}

pub(super) fn publish(worker: &mut Worker, topic: &str, payload: &str, retain: bool) {
    let topic = TopicName::new(topic).expect("valid topic");
    worker.publish_unasked(Message::new(topic, Bytes::copy_from_slice(payload.as_bytes()), QoS::AtMostOnce, retain));
}

/// Sends what a client is owed, in as many turns as it takes.
pub(super) fn send_owed(worker: &mut Worker, client: &mut Client) {
    let (mut cx, mut turns) = (Context::from_waker(Waker::noop()), 0);
    while client.owed.is_some() {
        turns += 1;
        assert!(turns < 1_000, "it does not wait for others");
        (worker.now, worker.turn) = (Instant::now(), Turn::default());
        if let Poll::Ready(sent) = worker.poll_owed(client, &mut cx) {
            sent.expect("is its own");
        }
    }
}

/// The messages that have come for a client, in words: topic, payload, and `r` for retained ones.
fn received(core: &Core, client: &Client) -> Vec<String> {
    let mut bytes = Vec::new();
    loop {
        let turn = client.session.take_turn(client.link_id, Waker::noop(), &core.limits, Instant::now(), 0);
        let turn = turn.expect("is its own");
        turn.outgoing.chunks().for_each(|chunk| bytes.extend_from_slice(chunk));
        if !turn.more {
            break;
        }
    }
    let (mut words, mut rest) = (Vec::new(), bytes.as_slice());
    while let Some(frame) = next_frame(rest, rest.len()).expect("valid") {
        let Ok(Packet::Publish(message)) = decode(ProtocolVersion::V311, frame) else { panic!("is a PUBLISH") };
        let payload = String::from_utf8_lossy(message.payload);
        words.push(format!("{} {payload}{}", message.topic, if message.retain { " r" } else { "" }));
        rest = &rest[frame.header.packet_len()..];
    }
    words
}

/// Each of many connections that take over from the one before leaves what that has left, and its own.
#[test]
fn what_connections_leave_to_the_next_is_bounded_by_the_subscriptions() {
    let (core, info, now) = (worker().0, client("c"), Instant::now());
    let open =
        Open { client: &info, clean_start: true, expiry: SessionExpiry::NEVER, link: link(&info, 1), generation: 1 };
    let session = core.directory.open(open, &core.limits, now).expect("has room").session;
    let wanted = |qos| Wanted { options: SubscriptionOptions::new(qos), id: None };
    let filter = |text| TopicFilter::new(text).expect("valid filter");
    for text in ["a", "b", "c"] {
        let subscribed = session.subscribe(1, &filter(text), wanted(QoS::AtMostOnce), &core.limits, || ());
        assert!(subscribed.is_ok());
    }
    let mut tree = RetainedTree::new();
    for topic in ["1", "2"] {
        tree.insert(&TopicName::new(topic).expect("valid topic"), topic);
    }
    let begun = tree.matches_on(&filter("#"), Progress::default(), 1, |_| 0).expect("there is more");
    for _ in 0..3 {
        session.leave_owed(["a", "a", "b", "gone"].map(|text| (filter(text), begun.clone())).into());
    }
    session.leave_owed([(filter("c"), begun.clone())].into());
    // As it is wanted by now [MQTT-3.8.4-3].
    assert!(session.subscribe(1, &filter("b"), wanted(QoS::AtLeastOnce), &core.limits, || ()).is_ok());
    let turn = session.take_turn(1, Waker::noop(), &core.limits, now, 0).expect("is its own");
    // What several have left is begun anew.
    let anew = Progress::default();
    let expected = [("a", &anew, QoS::AtMostOnce), ("b", &anew, QoS::AtLeastOnce), ("c", &begun, QoS::AtMostOnce)];
    let expected = expected.map(|(text, progress, qos)| (filter(text), progress.clone(), wanted(qos)));
    assert_eq!(turn.owed.as_deref(), Some(&expected[..]));
}

/// What comes for a connected client goes out until its connection hears of it.
#[test]
fn connected_sessions_hear_of_changed_permissions_before_those_away_are_judged() {
    const AWAY: usize = 1_000;
    const CONNECTED: usize = 16;
    let (core, worker) = worker();
    let (hooks, worker, now) = (Arc::clone(&worker.hooks), Rc::new(RefCell::new(worker)), Instant::now());
    let generation = hooks.verdict_number();
    let open = |name: String, waker| {
        let info = client(&name);
        let link = Link { waker, ..link(&info, 1) };
        let open = Open { client: &info, clean_start: true, expiry: SessionExpiry::NEVER, link, generation };
        core.directory.open(open, &core.limits, now).expect("has room").session
    };
    let away: Vec<_> = (0..AWAY).map(|number| open(format!("away-{number}"), Waker::noop().clone())).collect();
    away.iter().for_each(|session| assert!(core.directory.left(session, 1, false, now).is_some()));
    let wakers: Vec<Arc<Woken>> = (0..CONNECTED).map(|_| Arc::default()).collect();
    let connected = wakers.iter().enumerate();
    let _connected: Vec<_> =
        connected.map(|(number, woken)| open(format!("here-{number}"), Arc::clone(woken).into())).collect();
    let (mut reviews, mut cx) = (pin!(review_all(worker)), Context::from_waker(Waker::noop()));
    assert!(reviews.as_mut().poll(&mut cx).is_pending());
    hooks.forget_verdicts();
    let mut polls = 0;
    while !wakers.iter().all(|woken| woken.0.load(Ordering::Relaxed)) {
        assert!(reviews.as_mut().poll(&mut cx).is_pending());
        polls += 1;
        assert!(polls < 10 * AWAY, "they are woken");
    }
    let judged = |session: &&Arc<SessionHandle>| session.is_judged(hooks.verdict_number());
    assert!(away.iter().filter(judged).count() <= AWAY / 4);
    while !away.iter().all(|session| judged(&session)) {
        assert!(reviews.as_mut().poll(&mut cx).is_pending());
        polls += 1;
        assert!(polls < 10 * AWAY, "they are judged");
    }
}

/// However many there are, the members are looked up once.
#[test]
fn messages_that_are_passed_on_do_not_copy_the_members_for_each() {
    let (core, mut worker) = worker();
    let filter = TopicFilter::new("$share/g/#").expect("valid filter");
    let members: Vec<_> = (0..10)
        .map(|key| {
            let session = Arc::new(SessionHandle::new(key, &client(&format!("c{key}")), 0, Arc::default()));
            let wanted = Wanted { options: SubscriptionOptions::new(QoS::AtLeastOnce), id: None };
            core.subscriptions.insert(&filter, &session, wanted);
            session
        })
        .collect();
    let orphan = |number: usize| {
        let topic = TopicName::new(["a", "b"][number % 2]).expect("valid topic");
        let mut message = Message::new(topic, Bytes::new(), QoS::AtLeastOnce, false);
        let share = Some(filter.clone());
        message.properties = Some(Arc::new(MessageProperties { passed_on: Bytes::new(), expires: None, share }));
        Queued { message: Arc::new(message), qos: QoS::AtLeastOnce, retain: false, subscription_id: None }
    };
    let looked_at = visits::of(|| worker.pass_on((0..100).map(orphan).collect(), Asks::Aside));
    assert_eq!(looked_at, members.len());
    let waiting: Vec<_> = members.iter().map(|session| session.message_counts().queued).collect();
    assert_eq!(waiting, [10; 10]);
}

/// A fault of the broker while a client is served ends that client's connection, and nothing else.
#[test]
fn a_panic_in_a_turn_leaves_the_session_and_the_worker_in_order() {
    let (core, worker) = worker();
    let worker = Rc::new(RefCell::new(worker));
    let info = client("c");
    let expiry = SessionExpiry::WITH_CONNECTION;
    let open = |id| Open { client: &info, clean_start: true, expiry, link: link(&info, id), generation: 1 };
    let opened = core.directory.open(open(1), &core.limits, Instant::now()).expect("has room");
    core.totals.connect();
    let client = client_of(&core, Arc::clone(&info), opened.session, 1);
    let connected = Connected { worker: Rc::clone(&worker), client, end: End::Panic };
    let turn = catch_unwind(AssertUnwindSafe(move || {
        let mut worker = connected.worker.borrow_mut();
        drop(std::mem::take(&mut worker.read_buffer));
        panic!("a fault of the broker");
    }));
    assert!(turn.is_err());
    assert_eq!(core.totals.connected(), 0);
    assert!(!worker.borrow().read_buffer.is_empty(), "others read into it");
    let opened = core.directory.open(open(2), &core.limits, Instant::now()).expect("has room");
    assert!(!opened.present && opened.will.is_none() && opened.ended.is_none(), "the session is gone");
}

/// With little for each of those that it wakes, most of the time would go by in system calls.
#[test]
fn the_turn_of_a_connection_that_wakes_many_is_longer() {
    let (_, mut worker) = worker();
    let mut is_over = || {
        worker.now = Instant::now().checked_sub(Duration::from_millis(3)).expect("the machine runs");
        worker.turn = Turn::default();
        worker.turn.spend_much();
        let alone = worker.is_turn_over();
        worker.turn = Turn::default();
        worker.turn.spend_much();
        worker.wakes = vec![Waker::noop().clone(); 10_000];
        let waking = worker.is_turn_over();
        worker.wake_all();
        (alone, waking)
    };
    // More often than once where something else has the core for that long.
    assert!((0..100).any(|_| is_over() == (true, false)));
    assert!(is_over().0, "who wakes nobody");
}

/// Thousands of filters of one SUBSCRIBE would take the room that others need for one topic.
#[tokio::test]
async fn of_a_request_with_many_topics_a_few_wait_at_a_time() {
    let mut plugin = PluginSpec::new("guest_slow_check", serde_json::Map::new());
    plugin.path = Some(amqtt_tests::guests::SLOW_CHECK.into());
    plugin.limits.deadline = Some(Duration::from_secs(20));
    let (_, mut worker) = worker_of(Limits::default(), &HookSpec { plugins: vec![plugin], ..HookSpec::default() });
    let client = client("c");
    let facts = TopicFacts::subscription(QoS::AtMostOnce);
    while !worker.checker.holds_up(&client, Action::Subscribe) {
        worker.checker.check(&client, Action::Subscribe, "slow-subscribe/x", facts);
    }
    let asked_aside = |worker: &Worker| {
        let counters = worker.hooks.counters().into_iter();
        counters.filter(|(name, _)| name == "topic-checks-aside").map(|(_, count)| count).sum::<u64>()
    };
    let before = asked_aside(&worker);
    let mut asking = Asking::begin(&mut worker, &client, Action::Subscribe, [("a", facts); 1_000].into_iter());
    let asking = asking.as_mut().expect("it would hold up the worker");
    let mut verdicts = VerdictCache::default();
    poll_fn(|cx| Poll::Ready(asking.poll_answer(&mut worker, &mut verdicts, cx).is_ready())).await;
    // More than once where the other thread is quick.
    let asked = asked_aside(&worker) - before;
    assert!((64..1_000).contains(&asked) && asked.is_multiple_of(64), "{asked}");
    poll_fn(|cx| asking.poll_answer(&mut worker, &mut verdicts, cx)).await;
    assert_eq!(asked_aside(&worker) - before, 1_000);
}
