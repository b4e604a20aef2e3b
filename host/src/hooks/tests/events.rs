//! What plugins are told of: each on a thread of its own, so that none waits for another.

use super::*;
use crate::hooks::limits::{OBSERVER_DEADLINE, STOP_DRAIN};

#[test]
fn events_reach_only_who_asked_and_faults_are_told_once() {
    let traps = Guest {
        events: Some(Does::Trap),
        kinds: vec![EventKind::ClientConnected, EventKind::PluginFault],
        ..Guest::default()
    };
    let fixture = fixture(traps);
    assert!(fixture.hooks.wants(EventKind::ClientConnected) && !fixture.hooks.wants(EventKind::ClientDisconnected));
    fixture.hooks.emit(event(EventKind::ClientDisconnected));
    fixture.hooks.emit(event(EventKind::ClientConnected));
    eventually("two faults: the event, and the event about it", || faults(&fixture.hooks) == 2);
    fixture.hooks.emit(event(EventKind::ClientConnected));
    fixture.hooks.stop();
    assert!(faults(&fixture.hooks) >= 3, "an event that waits at the end is still told");
}

#[test]
fn events_that_nobody_takes_out_are_dropped_and_counted() {
    let spins = Guest { events: Some(Does::Spin), kinds: vec![EventKind::PacketSent], ..Guest::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = guest_spec(folder.path(), &[spins]);
    spec.plugins[0].limits.deadline = Some(Duration::from_millis(20));
    let (hooks, _) = load(spec).expect("works");
    for _ in 0..2 * limits::EVENT_QUEUE_MAX {
        hooks.emit(event(EventKind::PacketSent));
    }
    assert!(hooks.events_dropped() > 0);
    let start = Instant::now();
    hooks.stop();
    assert!(start.elapsed() < 5 * STOP_DRAIN, "{:?}", start.elapsed());
}

/// Longer than everything else takes, and no longer than one waits for the end of a test.
const LONG: Duration = Duration::from_secs(3);

#[test]
fn a_plugin_is_told_while_another_one_is_in_a_call() {
    let kinds = vec![EventKind::PacketSent];
    let spins = Guest { events: Some(Does::Spin), kinds: kinds.clone(), ..Guest::default() };
    let publishes = Guest { events: Some(Does::Publish), kinds, ..Guest::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = guest_spec(folder.path(), &[spins, publishes]);
    spec.plugins[0].limits.deadline = Some(LONG);
    let (hooks, broker) = load(spec).expect("works");
    for count in 1..=3 {
        hooks.emit(event(EventKind::PacketSent));
        eventually("the other one is told", || broker.published.lock().len() == count);
    }
    assert_eq!(faults(&hooks), 0, "it is still in its first call");
    hooks.stop();
    assert!(faults(&hooks) > 0);
}

/// As are its lines in the log, and what it publishes.
#[test]
fn a_plugin_that_is_loaded_again_is_told_in_order() {
    let publishes = Guest { events: Some(Does::Publish), kinds: vec![EventKind::PacketSent], ..Guest::default() };
    let fixture = fixture(publishes.clone());
    let (hooks, publishing) = (&fixture.hooks, || fixture.broker.publishing.load(Ordering::Relaxed));
    let published = fixture.broker.published.lock();
    hooks.emit(event(EventKind::PacketSent));
    eventually("it is told", || publishing() == 1);
    hooks.reload(&guest_spec(fixture.folder.path(), &[publishes])).expect("works");
    hooks.emit(event(EventKind::PacketSent));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(publishing(), 1, "the one of before is not done");
    drop(published);
    eventually("both are told", || publishing() == 2);
    hooks.stop();
    assert_eq!((hooks.events_dropped(), faults(hooks)), (0, 0));
}

#[test]
fn a_plugin_that_is_gone_is_told_for_a_bounded_time() {
    const EVENTS: u64 = 200;
    let spins = Guest { events: Some(Does::Spin), kinds: vec![EventKind::PacketSent], ..Guest::default() };
    let fixture = fixture(spins);
    let hooks = &fixture.hooks;
    for _ in 0..EVENTS {
        hooks.emit(event(EventKind::PacketSent));
    }
    hooks.reload(&HookSpec::default()).expect("works");
    eventually("the rest is dropped", || hooks.events_dropped() == EVENTS);
    let told = STOP_DRAIN.as_nanos() / OBSERVER_DEADLINE.as_nanos();
    assert!(u128::from(faults(hooks)) <= told + 1, "{} calls", faults(hooks));
}

/// The threads that tell one plugin of events: their numbers, policies and how nice they are.
#[cfg(target_os = "linux")]
fn tellers(plugin: &str) -> Vec<(String, i32, i32)> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a process has threads");
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    let of_plugin = |stat: String| {
        let (head, fields) = stat.rsplit_once(") ")?;
        let (number, name) = head.split_once(" (")?;
        // The first of them is the third of proc_pid_stat(5).
        let field = |place: usize| fields.split(' ').nth(place - 3)?.parse::<i32>().ok();
        let is_it = name == format!("events-{plugin}");
        if is_it { Some((number.to_owned(), field(41)?, field(19)?)) } else { None }
    };
    stats.filter_map(of_plugin).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_call_that_takes_long_leaves_the_core_to_others_and_the_next_one_has_its_share() {
    const USUAL: i32 = 0;
    const IDLE: i32 = 5;
    let of = |name: &str| PluginSpec {
        path: Some(amqtt_tests::guests::EVENTS.into()),
        grants: Grants { publish: vec![TopicFilter::new("#").expect("valid")], ..Grants::default() },
        limits: PluginLimits { deadline: Some(LONG), ..PluginLimits::default() },
        ..embedded(name, json!({}))
    };
    let spec = HookSpec { plugins: vec![of("once")], ..HookSpec::default() };
    let (hooks, broker) = load(spec).expect("works");
    let told_of = |client_id: &str| {
        let (told, mut slow) = (broker.published.lock().len(), (*client(None)).clone());
        slow.client_id = ClientId::new(client_id);
        hooks.emit(Event::of_client(EventKind::ClientConnected, &Arc::new(slow)));
        eventually("it is told", || broker.published.lock().len() > told);
    };
    let one = |policy: i32, not: &str| {
        eventually("one thread tells it", || {
            let tellers = tellers("once");
            matches!(&tellers[..], [(number, is, 0)] if *is == policy && number != not)
        });
        tellers("once").remove(0).0
    };
    told_of("quick");
    let first = one(USUAL, "");
    told_of("slow, slow, slow");
    let second = one(USUAL, &first);
    // Often enough, and it stays so.
    (0..5).for_each(|_| told_of("slow, slow, slow"));
    let last = one(IDLE, &second);
    told_of("quick");
    assert_eq!(one(IDLE, &second), last);
    hooks.stop();
}
