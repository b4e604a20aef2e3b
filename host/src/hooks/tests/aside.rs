//! The threads that ask plugins aside.

use tokio::time::timeout;

use super::*;

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
        assert!(helped && !endless.is_finished(), "it has held up the others");
        assert!(!endless.await.expect("no panic")[0].allowed);
        eventually("the first thread has its place back", || !hooks.generation().aside.is_helped());
        assert!(timeout(PATIENCE, ask(2, "quick/after")).await.expect("somebody answers")[0].allowed);
    });
    hooks.stop();
    assert_eq!(faults(&hooks), 1);
}
