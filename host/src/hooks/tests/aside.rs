//! The threads that ask plugins aside.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::thread;

use tokio::time::timeout;

use super::*;
use crate::hooks::aside::{Aside, Room};
use crate::hooks::generation::Generation;
use crate::hooks::queue::Closed;
use crate::hooks::suspects::NotPut;

/// Running time of the longest question: of a thread that gives way to those of all other tests.
const ENDLESS: Duration = Duration::from_secs(2);

/// How long an answer may take on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One plugin with a question that takes as long as it may.
fn slow() -> PluginSpec {
    let path = Some(amqtt_tests::guests::SLOW_CHECK.into());
    let mut plugin = PluginSpec { path, ..embedded("guest_slow_check", json!({})) };
    plugin.limits.deadline = Some(ENDLESS);
    plugin
}

/// Whether plugins are asked, by whichever thread: other tests may leave the first one no core.
fn is_put(aside: &Aside) -> bool {
    aside.is_asking() || aside.is_helped()
}

/// Where the thread does not get on, here with an endless question, another one answers what else is asked.
#[test]
fn a_thread_that_does_not_get_on_is_helped() {
    let (hooks, _) = load(HookSpec { plugins: vec![slow()], ..HookSpec::default() }).expect("it loads");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let checker = hooks.topic_checker();
        let ask = |address: u8, topic: &str| {
            checker.ask(client_at([192, 0, 2, address]), Action::Publish, vec![(topic.into(), FACTS)])
        };
        let endless = tokio::spawn(ask(1, "endless/x"));
        let mut helped = false;
        for number in 0..100 {
            let answered = timeout(PATIENCE, ask(2, &format!("quick/{number}"))).await.expect("somebody answers");
            assert!(answered[0].allowed);
            helped |= hooks.generation().aside.is_helped();
        }
        assert!(helped, "it has held up the others");
        assert!(!endless.await.expect("no panic")[0].allowed);
        eventually("the first thread has its place back", || !hooks.generation().aside.is_helped());
        assert!(timeout(PATIENCE, ask(2, "quick/after")).await.expect("somebody answers")[0].allowed);
    });
    hooks.stop();
    // Two where there was no core for the first thread either: the other one has then asked that question as well.
    assert!((1..=2).contains(&faults(&hooks)));
}

/// Where other threads take all cores, nothing waits until they end: not even the question that was already put.
#[test]
fn a_question_that_was_put_is_taken_over() {
    assert!(taken_over(|_| {}), "it was allowed");
}

#[test]
fn a_question_that_was_put_is_taken_over_although_no_more_are_taken() {
    taken_over(Generation::close);
}

/// A reload waits for what the plugins of before were asked.
#[test]
fn a_question_that_was_put_is_taken_over_although_somebody_waits_for_the_threads() {
    taken_over(Generation::stop);
}

/// Thousands may wait, and meanwhile nothing of a new configuration would be in force.
#[test]
fn a_reload_does_not_wait_for_what_waits() {
    let (hooks, _) = load(HookSpec { plugins: vec![slow()], ..HookSpec::default() }).expect("it loads");
    let topics = (0..1_000).map(|number| (format!("slow-receive/{number}").into(), FACTS)).collect();
    let verdicts = thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            runtime.block_on(hooks.topic_checker().ask(refused(), Action::Receive, topics))
        });
        eventually("the question is put", || is_put(&hooks.generation().aside));
        hooks.reload(&HookSpec::default()).expect("works");
        asked.join().expect("no panic")
    });
    assert_eq!(verdicts, vec![Verdict::UNDECIDED; 1_000], "what the plugin says that is gone");
    hooks.stop();
}

/// Whom the plugin allows nothing that it takes long for.
fn refused() -> Arc<ClientInfo> {
    let mut refused = (*client_at([192, 0, 2, 2])).clone();
    refused.client_id = ClientId::new("refused-1");
    Arc::new(refused)
}

/// Who asks after the end is told so, and starts no thread: it would take for its own what the first one has in hand.
#[test]
fn everybody_has_an_answer_of_his_own_at_the_end() {
    let (hooks, _) = load(HookSpec { plugins: vec![slow()], ..HookSpec::default() }).expect("it loads");
    let generation = hooks.generation();
    let aside = &generation.aside;
    let refused = refused();
    let ask = |client: &Arc<ClientInfo>, action: Action, topic: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let topics: Vec<_> = (0..8).map(|number| (format!("{topic}/{number}").into(), FACTS)).collect();
        let verdicts = runtime.block_on(aside.ask(client, action, &topics.into(), Room::IfThereIs));
        verdicts.map(|verdicts| verdicts.iter().filter(|verdict| verdict.allowed).count())
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| ask(&client(None), Action::Publish, "slow-publish"));
        eventually("the question is put", || is_put(aside));
        let second = scope.spawn(|| ask(&refused, Action::Receive, "slow-receive"));
        eventually("it waits", || aside.waiting() > 0);
        let stopped = scope.spawn(|| aside.stop());
        eventually("the end has begun", || ask(&client(None), Action::Publish, "late") == Err(NotPut::Closed));
        let late = aside.ask_now(&client(None), Action::Publish, "late", FACTS);
        assert_eq!(late, Err(Closed));
        // Where another thread was to take over the one that was put, it found that there is no use for it.
        let first = first.join().expect("no panic");
        assert!(matches!(first, Ok(8) | Err(NotPut::Closed)), "{first:?}");
        assert_eq!(second.join().expect("no panic"), Err(NotPut::Closed));
        stopped.join().expect("no panic");
    });
    hooks.stop();
}

/// Whether the question was allowed, once it is answered.
fn taken_over(meanwhile: impl FnOnce(&Generation) + Send) -> bool {
    const SLOW_TOPICS: usize = 20;
    let (hooks, _) = load(HookSpec { plugins: vec![slow()], ..HookSpec::default() }).expect("it loads");
    let generation = hooks.generation();
    let topics = (0..SLOW_TOPICS).map(|number| (format!("slow-publish/{number}").into(), FACTS)).collect();
    let (cores, answered) = (thread::available_parallelism().map_or(1, NonZeroUsize::get), AtomicBool::new(false));
    let verdicts = thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
            let ask = hooks.topic_checker().ask(client_at([192, 0, 2, 1]), Action::Publish, topics);
            let verdicts = runtime.block_on(async { timeout(PATIENCE, ask).await });
            answered.store(true, Ordering::Relaxed);
            verdicts
        });
        eventually("the question is put", || is_put(&generation.aside));
        for _ in 0..cores {
            scope.spawn(|| {
                while !answered.load(Ordering::Relaxed) {
                    std::hint::spin_loop()
                }
            });
        }
        meanwhile(&generation);
        asked.join().expect("no panic")
    });
    let verdicts = verdicts.expect("it is answered while the others go on");
    let allowed = verdicts.iter().filter(|verdict| verdict.allowed).count();
    assert!(verdicts.len() == SLOW_TOPICS && [0, SLOW_TOPICS].contains(&allowed), "{verdicts:?}");
    hooks.stop();
    assert_eq!(faults(&hooks), 0);
    allowed > 0
}
