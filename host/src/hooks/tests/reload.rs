//! Plugins that are loaded in place of others.

use std::future::poll_fn;
use std::task::Poll;

use super::*;
use crate::file_stamp::FileStamp;

fn spec(fixture: &Fixture, guests: &[Guest]) -> HookSpec {
    guest_spec(fixture.folder.path(), guests)
}

#[test]
fn a_reload_turns_every_thread_to_the_new_plugins_at_once() {
    let decides = |vote| Guest {
        auth: Some(Does::Answer(vote)),
        topic_check: Some(Does::Answer(vote)),
        actions: vec![Action::Publish],
        ..Guest::default()
    };
    let fixture = fixture(decides(0));
    let hooks = &fixture.hooks;
    let mut checkers = [hooks.topic_checker(), hooks.topic_checker()];
    let number = hooks.verdict_number();
    let mut allowed =
        || checkers.each_mut().map(|checker| checker.check(&client(None), Action::Publish, "a", FACTS).allowed);
    assert_eq!(allowed(), [true, true]);
    hooks.reload(&spec(&fixture, &[decides(1)])).expect("works");
    assert_ne!(hooks.verdict_number(), number, "cached verdicts no longer hold");
    assert_eq!(allowed(), [false, false]);
    assert_eq!(authenticate(hooks, None, ""), AuthOutcome::Denied(None));
    hooks.reload(&spec(&fixture, &[])).expect("works");
    assert!(!hooks.decides(Action::Publish));
    assert_eq!(checkers[0].check(&client(None), Action::Publish, "a", FACTS), Verdict::UNDECIDED);
    hooks.stop();
    let stopping = hooks.reload(&spec(&fixture, &[])).expect_err("too late");
    assert_eq!(stopping.to_string(), "the broker is stopping");
}

#[test]
fn what_does_not_load_leaves_the_old_in_force() {
    let works = Guest { auth: Some(Does::Answer(0)), ..Guest::default() };
    let fixture = fixture(works.clone());
    let hooks = &fixture.hooks;
    let check = |spec: &HookSpec, expected: &str| {
        let error = hooks.reload(spec).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(authenticate(hooks, None, ""), AuthOutcome::Allowed, "{expected}");
    };
    check(&spec(&fixture, &[works.clone(), Guest { init: Does::Trap, ..Guest::default() }]), "trapped in init");
    check(&spec(&fixture, &[Guest { refuses: Some("bad settings"), ..works }]), "refused to start: bad settings");
    let path = fixture.folder.path().join("guest_0.wasm");
    let half = std::fs::read(&path).expect("a file");
    let mut broken = guest_spec(fixture.folder.path(), &[Guest::default()]);
    std::fs::write(&path, &half[..half.len() / 2]).expect("written");
    check(&broken, "it is not whole");
    broken.plugins[0].name = "missing".to_owned();
    check(&broken, "plugin \"missing\" not found");
    // Nobody can give a broker that runs another folder.
    let folder = fixture.folder.path().display();
    check(&broken, &format!("\nhint: put the file `missing.wasm` into `{folder}`"));
}

/// Otherwise the first questions after each reload would hold up a worker again.
#[test]
fn a_slow_plugin_that_is_loaded_again_as_it_was_is_known_to_be_slow() {
    let decides = Guest { topic_check: Some(Does::Answer(0)), actions: vec![Action::Publish], ..Guest::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = guest_spec(folder.path(), std::slice::from_ref(&decides));
    std::fs::copy(amqtt_tests::guests::SLOW_CHECK, folder.path().join("slow.wasm")).expect("a built guest");
    spec.plugins.push(PluginSpec { name: "slow".to_owned(), ..spec.plugins[0].clone() });
    spec.plugins.iter_mut().for_each(|plugin| plugin.limits.deadline = Some(Duration::from_secs(20)));
    let (hooks, _) = load(spec.clone()).expect("works");
    let mut checker = hooks.topic_checker();
    let mut asked = 0;
    while !checker.holds_up(&client(None), Action::Publish) {
        asked += 1;
        assert!(asked < 1_000, "it is never slow");
        assert!(checker.check(&client(None), Action::Publish, "slow-publish/x", FACTS).allowed);
    }
    let mut is_slow_after_reload = |spec: &HookSpec| {
        hooks.reload(spec).expect("works");
        checker.follow();
        checker.holds_up(&client(None), Action::Publish)
    };
    assert!(is_slow_after_reload(&spec), "nothing has changed");
    spec.plugins[0].settings.insert("other".into(), json!(1));
    assert!(is_slow_after_reload(&spec), "it is another that has changed");
    decides.write(folder.path(), "slow");
    assert!(!is_slow_after_reload(&spec), "it is another plugin of its name");
    std::fs::copy(amqtt_tests::guests::SLOW_CHECK, folder.path().join("slow.wasm")).expect("a built guest");
    assert!(!is_slow_after_reload(&spec), "nothing is known of it any more");
}

/// Whoever watches the files learns of a change that came while they were being loaded.
#[test]
fn files_are_told_as_they_were_when_they_were_loaded() {
    let fixture = fixture(Guest::default());
    let told = fixture.hooks.files();
    let [(path, stamp)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((path, FileStamp::of(path)), (&fixture.folder.path().join("guest_0.wasm"), *stamp));
    std::fs::write(path, "").expect("written");
    assert_eq!(fixture.hooks.files(), told);
    assert_ne!(FileStamp::of(path), *stamp);
}

/// Whoever is told is the one that was loaded when it happened; everybody is told once.
#[test]
fn no_event_is_lost_or_told_twice() {
    let counts = Guest { events: Some(Does::Publish), kinds: vec![EventKind::PacketSent], ..Guest::default() };
    let fixture = fixture(counts.clone());
    let hooks = &fixture.hooks;
    for _ in 0..10 {
        for _ in 0..100 {
            hooks.emit(event(EventKind::PacketSent));
        }
        hooks.reload(&spec(&fixture, std::slice::from_ref(&counts))).expect("works");
    }
    hooks.stop();
    assert_eq!((fixture.broker.published.lock().len(), hooks.events_dropped(), faults(hooks)), (1_000, 0, 0));
}

/// A client that is being asked about when plugins are exchanged has its answer.
#[test]
fn clients_that_wait_are_answered_during_a_reload() {
    let works = Guest { auth: Some(Does::Answer(0)), ..Guest::default() };
    let fixture = fixture(works.clone());
    let hooks = &fixture.hooks;
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..200).filter(|_| authenticate(hooks, None, "") == AuthOutcome::Allowed).count()))
            .collect();
        for _ in 0..10 {
            hooks.reload(&spec(&fixture, std::slice::from_ref(&works))).expect("works");
        }
        assert!(asking.into_iter().all(|thread| thread.join().expect("no panic") == 200));
    });
}

/// Somebody may have been taken out of the password file.
#[test]
fn nobody_is_let_in_by_plugins_that_are_gone() {
    let publishes = Guest { auth: Some(Does::Publish), ..Guest::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let mut one = guest_spec(folder.path(), &[publishes]);
    one.plugins[0].limits.instances = Some(1);
    let (hooks, broker) = load(one).expect("works");
    assert_eq!(authenticate(&hooks, None, ""), AuthOutcome::Allowed);
    std::thread::scope(|scope| {
        // The plugin says so once it has published.
        let published = broker.published.lock();
        let asked = scope.spawn(|| authenticate(&hooks, None, ""));
        eventually("the plugin is asked", || broker.publishing.load(Ordering::Relaxed) == 2);
        let generation = hooks.generation();
        let waits = scope.spawn(|| authenticate(&hooks, None, ""));
        eventually("another one waits", || generation.auth.waiting() == 1);
        let reloading = scope.spawn(|| hooks.reload(&HookSpec::default()));
        eventually("others are loaded", || generation.auth.is_closed());
        drop(published);
        reloading.join().expect("no panic").expect("works");
        assert_eq!(
            [asked, waits].map(|thread| thread.join().expect("no panic")),
            [(); 2].map(|()| AuthOutcome::Denied(None))
        );
    });
    assert_eq!((broker.published.lock().len(), faults(&hooks)), (2, 0), "only who was asked about when they went");
}

#[test]
fn a_proof_counts_only_for_the_plugins_that_have_seen_it() {
    let path = Some(amqtt_tests::guests::EXCHANGE.into());
    let plugin = PluginSpec { path, ..embedded("guest_exchange", json!({})) };
    let spec = HookSpec { plugins: vec![plugin], ..HookSpec::default() };
    let (hooks, _) = load(spec.clone()).expect("works");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let begin = || {
            let exchange = hooks.begin_exchange("STEPS").expect("is served");
            Box::pin(hooks.step(client(None), exchange, Some("is:alice".into())))
        };
        assert!(matches!(begin().await, Step::Proven(_)));
        let step = loop {
            let mut step = begin();
            // The other thread may be quick.
            if poll_fn(|cx| Poll::Ready(step.as_mut().poll(cx))).await.is_pending() {
                break step;
            }
        };
        let generation = hooks.generation();
        eventually("it is asked", || generation.auth.waiting() == 0);
        // It waits for the answer.
        hooks.reload(&spec).expect("works");
        assert!(matches!(step.await, Step::Failed));
    });
}
