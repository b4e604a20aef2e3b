//! Clients whose requests make plugins fail, and the others.

use super::*;
use crate::hooks::faults::Call;
use crate::hooks::limits::{CIRCUIT_SOURCES, SUSPECT_FORGET};
use crate::hooks::wasm::Fault;

async fn ask(hooks: &Hooks, address: [u8; 4]) -> AuthOutcome {
    hooks.authenticate(client_at(address), Credentials::default()).await
}

/// Of many requests of one address few are put to the plugin; those of others go between them at once.
#[test]
fn who_makes_auth_fail_waits_and_others_do_not() {
    let fixture = fixture(Guest { auth: Some(Does::TrapLater), ..Guest::default() });
    let (hooks, uptime) = (&fixture.hooks, &fixture.broker.uptime_secs);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let bad = [192, 0, 2, 1];
        uptime.store(1, Ordering::Relaxed);
        assert_eq!(ask(hooks, bad).await, AuthOutcome::Failed);
        // These wait for their turns, and most have none: too many wait.
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let hooks = Arc::clone(hooks);
            waiting.spawn(async move { ask(&hooks, bad).await });
        }
        tokio::task::yield_now().await;
        uptime.store(0, Ordering::Relaxed);
        for number in 0..200 {
            assert_eq!(ask(hooks, [192, 0, 2, 2 + number % 8]).await, AuthOutcome::Allowed);
        }
        let turned_away = std::iter::from_fn(|| waiting.try_join_next()).count();
        assert!(turned_away >= 100, "only {turned_away} were not put to the plugin");
    });
    assert_eq!(faults(hooks), 1);
}

/// What was asked before the first fault waits like what is asked after it: otherwise each question would take a thread
/// for as long as the plugin is given.
#[test]
fn who_asks_much_before_the_first_fault_waits_all_the_same() {
    const ASKED: usize = 100;
    let guest = Guest {
        auth: Some(Does::Spin),
        // By WASI, which a worker has no instance of.
        topic_check: Some(Does::Wait),
        actions: vec![Action::Publish],
        ..Guest::default()
    };
    let bad = client_at([192, 0, 2, 1]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    for asks_auth in [true, false] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spec = guest_spec(folder.path(), std::slice::from_ref(&guest));
        spec.plugins[0].limits.deadline = Some(Duration::from_millis(200));
        let (hooks, _) = load(spec).expect("loads");
        let checker = hooks.topic_checker();
        runtime.block_on(async {
            let mut waiting = tokio::task::JoinSet::new();
            for _ in 0..ASKED {
                let (hooks, bad) = (Arc::clone(&hooks), Arc::clone(&bad));
                let asked_aside = checker.ask(Arc::clone(&bad), Action::Publish, vec![("a".into(), FACTS)]);
                waiting.spawn(async move {
                    if asks_auth {
                        assert_eq!(hooks.authenticate(bad, Credentials::default()).await, AuthOutcome::Failed);
                    } else {
                        assert_eq!(asked_aside.await, [Verdict::FAULT]);
                    }
                });
            }
            // Few are given another turn.
            for _ in 0..ASKED * 9 / 10 {
                waiting.join_next().await.expect("is answered").expect("no panic");
            }
        });
        assert!(faults(&hooks) <= ASKED as u64 / 5, "{} faults", faults(&hooks));
    }
}

/// After a fault, while there is no instance on a worker's thread, others are not denied for that: they ask aside.
#[test]
fn nobody_is_denied_while_there_is_no_instance_in_place() {
    let guest = Guest {
        init: Does::TrapLater,
        topic_check: Some(Does::TrapLater),
        actions: vec![Action::Publish],
        ..Guest::default()
    };
    let fixture = fixture(guest);
    let (hooks, uptime) = (&fixture.hooks, &fixture.broker.uptime_secs);
    let (bad, good) = (client_at([192, 0, 2, 1]), client_at([192, 0, 2, 2]));
    let mut checker = hooks.topic_checker();
    assert!(!checker.holds_up(&good, Action::Publish));
    uptime.store(1, Ordering::Relaxed);
    assert_eq!(checker.check(&bad, Action::Publish, "a", FACTS), Verdict::FAULT);
    eventually("a fresh instance does not start either", || {
        assert!(checker.holds_up(&good, Action::Publish));
        faults(hooks) >= 2
    });
    uptime.store(0, Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let verdicts = runtime.block_on(checker.ask(Arc::clone(&good), Action::Publish, vec![("a".into(), FACTS)]));
    assert!(verdicts[0].allowed, "{verdicts:?}");
    eventually("there is an instance in place again", || !checker.holds_up(&good, Action::Publish));
    assert!(checker.check(&good, Action::Publish, "a", FACTS).allowed);
}

/// Faults of a plugin, as they are reported.
fn report(hooks: &Hooks, call: Call, addresses: impl IntoIterator<Item = Option<u8>>) {
    let generation = hooks.generation();
    for number in addresses {
        let client = number.map(|number| client_at([192, 0, 2, number]));
        generation.plugins[0].report(call, client.as_deref(), &Fault::Trapped("a test".to_owned()));
    }
}

/// Whoever knows a request that makes a plugin fail would be the one to find out, time and again, whether it works.
#[test]
fn whose_fault_opens_the_circuit_waits_as_well() {
    let fixture = fixture(Guest { topic_check: Some(Does::Answer(0)), ..Guest::default() });
    report(&fixture.hooks, Call::TopicCheck, (0..CIRCUIT_SOURCES as u8).map(Some));
    let generation = fixture.hooks.generation();
    let circuit = generation.plugins[0].circuit(Call::TopicCheck);
    let suspects = &fixture.hooks.common.tally.suspects;
    let is_kept_waiting = |number| {
        let address = [192, 0, 2, number].into();
        suspects.contains(address) && !circuit.lets_through(Some(address))
    };
    assert!((0..CIRCUIT_SOURCES as u8).all(is_kept_waiting));
}

#[test]
fn what_fails_where_nobody_waits_denies_nobody() {
    let guest = Guest {
        topic_check: Some(Does::Answer(0)),
        events: Some(Does::Answer(0)),
        actions: vec![Action::Publish],
        ..Guest::default()
    };
    let fixture = fixture(guest);
    for call in [Call::Ticks, Call::Events] {
        report(&fixture.hooks, call, [None; 2 * CIRCUIT_SOURCES]);
    }
    assert!(!fixture.hooks.generation().plugins[0].circuit(Call::Events).lets_through(None));
    assert!(publish(&mut fixture.hooks.topic_checker(), &client(None)).allowed);
}

/// Otherwise the workers look for the others' addresses among those of a few for ever.
#[test]
fn who_does_not_come_back_is_forgotten() {
    let fixture = fixture(Guest::default());
    let suspects = &fixture.hooks.common.tally.suspects;
    let long_ago = Instant::now().checked_sub(SUSPECT_FORGET).expect("a machine that runs for a minute");
    suspects.blame([192, 0, 2, 1].into(), Duration::ZERO, long_ago);
    suspects.blame([192, 0, 2, 2].into(), Duration::ZERO, Instant::now());
    eventually("it is forgotten", || suspects.count() == 1);
    assert!(suspects.contains([192, 0, 2, 2].into()));
}

/// Requests that make a plugin fail, each of another address, and between them those of others.
#[test]
fn a_few_crafted_requests_lock_nobody_out() {
    let guest = Guest {
        auth: Some(Does::TrapLater),
        topic_check: Some(Does::TrapLater),
        actions: vec![Action::Publish],
        ..Guest::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    for asks_auth in [true, false] {
        let fixture = fixture(guest.clone());
        let (hooks, uptime) = (&fixture.hooks, &fixture.broker.uptime_secs);
        let mut checker = hooks.topic_checker();
        let mut is_allowed = |address, uptime_secs| {
            uptime.store(uptime_secs, Ordering::Relaxed);
            if asks_auth {
                runtime.block_on(ask(hooks, address)) == AuthOutcome::Allowed
            } else {
                publish(&mut checker, &client_at(address)).allowed
            }
        };
        let crafted = 2 * CIRCUIT_SOURCES as u8;
        for round in 0..5 {
            for number in 0..crafted {
                assert!(!is_allowed([192, 0, 2, round * crafted + number], 1));
            }
            for number in 0..3 {
                assert!(is_allowed([198, 51, 100, round * 3 + number], 0), "auth {asks_auth}, {round}, {number}");
            }
        }
        assert_eq!(faults(hooks), u64::from(5 * crafted), "each of them had made it fail");
    }
}

#[test]
fn where_every_call_fails_each_address_finds_out_once() {
    const ADDRESSES: u8 = 40;
    let fixture = fixture(Guest { topic_check: Some(Does::Trap), actions: vec![Action::Publish], ..Guest::default() });
    let mut checker = fixture.hooks.topic_checker();
    let mut check = |number| checker.check(&client_at([192, 0, 2, number]), Action::Publish, "a", FACTS);
    let mut check_until_called = |number| {
        let before = faults(&fixture.hooks);
        eventually("it is called with a fresh instance", || {
            assert_eq!(check(number), Verdict::FAULT);
            faults(&fixture.hooks) > before
        });
    };
    // One alone is called each time.
    (0..20).for_each(|_| check_until_called(0));
    (1..ADDRESSES).for_each(&mut check_until_called);
    let before = faults(&fixture.hooks);
    for number in (0..ADDRESSES).cycle().take(200) {
        assert_eq!(check(number), Verdict::FAULT);
    }
    let called = faults(&fixture.hooks) - before;
    assert!(called < 20, "called {called} times, although every call fails");
}

/// A plugin that spins in auth for clients whose identifiers begin with `bad-login`, with one thread for everybody.
fn spins_in_auth(deadline: Duration) -> PluginSpec {
    let path = Some(amqtt_tests::guests::MISBEHAVES.into());
    let limits = PluginLimits { deadline: Some(deadline), instances: Some(1), ..PluginLimits::default() };
    let grants = Grants { publish: vec![TopicFilter::new("bad/#").expect("valid")], ..Grants::default() };
    PluginSpec { path, limits, grants, ..embedded("guest_misbehaves", json!({ "hook": "auth", "does": "spin" })) }
}

fn bad_client_at(address: [u8; 4]) -> Arc<ClientInfo> {
    let mut client = (*client_at(address)).clone();
    client.client_id = ClientId::new("bad-login");
    Arc::new(client)
}

fn asked_again(hooks: &Hooks) -> u64 {
    let counters = hooks.counters();
    counters.into_iter().find_map(|(name, count)| (name == "auth-asked-again").then_some(count)).expect("is counted")
}

/// Requests that take all the time that there is, each of an address of which nothing is known.
#[test]
fn who_spins_from_many_addresses_does_not_keep_others_waiting_for_each() {
    const BAD: u8 = 30;
    let spec = HookSpec { plugins: vec![spins_in_auth(Duration::from_secs(1))], ..HookSpec::default() };
    let (hooks, _) = load(spec).expect("loads");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        // How long an answer takes is known by it.
        assert_eq!(ask(&hooks, [198, 51, 100, 1]).await, AuthOutcome::Allowed);
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..BAD {
            let (hooks, bad) = (Arc::clone(&hooks), bad_client_at([192, 0, 2, number]));
            waiting.spawn(async move { hooks.authenticate(bad, Credentials::default()).await });
        }
        tokio::task::yield_now().await;
        assert_eq!(ask(&hooks, [198, 51, 100, 2]).await, AuthOutcome::Allowed);
        // Those that are asked again have one line together.
        assert_eq!(ask(&hooks, [198, 51, 100, 3]).await, AuthOutcome::Allowed);
    });
    assert!(faults(&hooks) <= 3, "{} of them had all their time before", faults(&hooks));
    assert!(asked_again(&hooks) >= u64::from(BAD) - 2, "{}", asked_again(&hooks));
}

/// A password may have been hashed more slowly than others.
#[test]
fn who_needs_more_time_than_others_has_it_while_calls_run_out_of_time() {
    // The password is `secret`.
    const QUICK: &str = "quick:$6$rounds=1000$xy$c9aXEsVGfLfUXt7tNYgM8d4iUrfqossx9C6Q0lksBwt04R/fUyK79e5lpuuHo8JyyXN8zM.pcrz3C2PpYGRDA/\n";
    const SLOW: &str = "slow:$6$rounds=656000$abcdefghijklmnop$z9xJ0y9RW3OBrlS6NcWPGwdenhYZEfWfk/pE3f9Yi4fg6SOtfkCkdCMOHQU98M5EBxrur4.yLTmNNcqIWS8Cq0\n";
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), [QUICK, SLOW].concat()).expect("written");
    let of_files = embedded("auth_file", json!({ "password-file": file.path() }));
    let spins = spins_in_auth(Duration::from_millis(300));
    let (hooks, _) = load(HookSpec { plugins: vec![spins, of_files], ..HookSpec::default() }).expect("loads");
    assert_eq!(authenticate(&hooks, Some("quick"), "secret"), AuthOutcome::Allowed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let bad = hooks.authenticate(bad_client_at([192, 0, 2, 1]), Credentials::default());
    assert_eq!((runtime.block_on(bad), asked_again(&hooks)), (AuthOutcome::Failed, 0));
    assert_eq!(authenticate(&hooks, Some("slow"), "secret"), AuthOutcome::Allowed);
    assert!(matches!(authenticate(&hooks, Some("slow"), "other"), AuthOutcome::Denied(_)));
    assert_eq!((faults(&hooks), asked_again(&hooks)), (1, 1), "from then on it is known how long it takes");
}

/// As with passwords: it is asked again, and then it has failed.
#[test]
fn a_step_of_an_exchange_that_needs_more_time_than_others_is_asked_again() {
    let guest = Guest { enhanced_auth: Some(Does::Spin), ..Guest::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = guest_spec(folder.path(), &[guest]);
    spec.plugins[0].limits.deadline = Some(Duration::from_millis(1_500));
    let (hooks, _) = load(spec).expect("loads");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let step = |number: u8| {
        let exchange = hooks.begin_exchange(super::guest::METHOD).expect("it serves the method");
        let step = runtime.block_on(hooks.step(client_at([192, 0, 2, number]), exchange, None));
        assert!(matches!(step, Step::Failed));
        (faults(&hooks), asked_again(&hooks))
    };
    assert_eq!([step(1), step(2)], [(1, 0), (2, 1)]);
}
