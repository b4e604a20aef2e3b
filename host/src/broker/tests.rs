#![allow(clippy::panic, reason = "what is tested")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::aside::Asking;
use super::connection::{Client, Connected, End};
use super::core::Core;
use super::directory::Open;
use super::publish::Asks;
use super::session::{Link, SessionHandle};
use super::subscriptions::Wanted;
use super::verdicts::VerdictCache;
use super::worker::Worker;
use crate::hooks::{Action, HookSpec, Hooks, PluginSpec, TopicFacts};
use crate::protocol::ClientTerms;
use crate::queue::Queued;
use crate::types::{
    Capabilities, ClientId, ClientInfo, ConnectFacts, Identity, Limits, Message, MessageProperties, Overlapping, Peer,
    QoS, SessionExpiry, SubscriptionOptions, TopicFilter, TopicName, visits,
};

/// A worker that nobody is connected to, and what it shares.
fn worker() -> (Arc<Core>, Worker) {
    worker_with(HookSpec::default())
}

fn worker_with(spec: HookSpec) -> (Arc<Core>, Worker) {
    let (internal, _) = mpsc::channel(1);
    let core = Arc::new(Core::new(Limits::default(), Capabilities::default(), Overlapping::Once, None, 1, internal));
    let hooks = Hooks::load(&spec, Arc::clone(&core) as _).expect("it loads");
    let worker = Worker::new(Arc::clone(&core), hooks, 0);
    (core, worker)
}

fn client(client_id: &str) -> Arc<ClientInfo> {
    let peer = Peer::tcp(([127, 0, 0, 1], 1).into(), "default".into());
    let (client_id, connect) = (ClientId::new(client_id), ConnectFacts::default());
    Arc::new(ClientInfo { client_id, identity: Identity::Anonymous, peer, connect })
}

fn link(client: &Arc<ClientInfo>, id: u64) -> Link {
    let (client, terms, waker) = (Arc::clone(client), ClientTerms::default(), Waker::noop().clone());
    Link { id, client, terms, waker, will: None, woken: false, close: false }
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
    for text in ["a", "b"] {
        let subscribed = session.subscribe(1, &filter(text), wanted(QoS::AtMostOnce), &core.limits, || ());
        assert!(subscribed.is_ok());
    }
    let owed = [("a", QoS::AtMostOnce), ("a", QoS::AtMostOnce), ("b", QoS::AtLeastOnce), ("gone", QoS::AtMostOnce)];
    for _ in 0..3 {
        session.leave_owed(owed.iter().map(|(text, qos)| (filter(text), wanted(*qos))).collect());
    }
    let turn = session.take_turn(1, Waker::noop(), &core.limits, now, 0).expect("is its own");
    assert_eq!(turn.owed.as_deref(), Some(&[(filter("a"), wanted(QoS::AtMostOnce))][..]));
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
    let client = Client {
        info: Arc::clone(&info),
        session: opened.session,
        link_id: 1,
        terms: ClientTerms::default(),
        told: Arc::clone(&core),
        verdicts: VerdictCache::default(),
        review: None,
        asking: None,
        owed: None,
        receiving: None,
        proven: None,
    };
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

/// Thousands of filters of one SUBSCRIBE would take the room that others need for one topic.
#[tokio::test]
async fn of_a_request_with_many_topics_a_few_wait_at_a_time() {
    let mut plugin = PluginSpec::new("guest_slow_check", serde_json::Map::new());
    plugin.path = Some(amqtt_tests::guests::SLOW_CHECK.into());
    plugin.limits.deadline = Some(Duration::from_secs(20));
    let (_, mut worker) = worker_with(HookSpec { plugins: vec![plugin], ..HookSpec::default() });
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
