//! Clients whose requests make plugins fail, and the others.

use super::*;

fn client_at(address: [u8; 4]) -> Arc<ClientInfo> {
    let mut info = (*client(None)).clone();
    info.peer.remote_address.set_ip(address.into());
    Arc::new(info)
}

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

#[test]
fn one_address_does_not_open_the_circuit_and_many_do() {
    let fixture = fixture(Guest { topic_check: Some(Does::Trap), actions: vec![Action::Publish], ..Guest::default() });
    let mut checker = fixture.hooks.topic_checker();
    let mut check = |number| checker.check(&client_at([192, 0, 2, number]), Action::Publish, "a", FACTS);
    for count in 1..=20 {
        eventually("it is called with each fresh instance", || {
            assert_eq!(check(1), Verdict::FAULT);
            faults(&fixture.hooks) >= count
        });
    }
    let before = faults(&fixture.hooks);
    for number in 0..200 {
        let called = faults(&fixture.hooks);
        eventually("there is a fresh instance, or the circuit is open", || {
            assert_eq!(check(number), Verdict::FAULT);
            faults(&fixture.hooks) > called || number > 3
        });
    }
    let called = faults(&fixture.hooks) - before;
    assert!(called < 20, "called {called} times, although every call fails");
}
