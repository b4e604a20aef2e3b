//! The benchmark's load and driver, with little of everything: what was sent arrives, once. Nothing here is about time.

use std::path::Path;
use std::time::Duration;

use amqtt_bench::{Case, Peer, Plan, Results, Size};

const AMQTT: &str = env!("CARGO_BIN_EXE_amqtt");

/// One short round.
fn plan(peers: Vec<Peer>) -> Plan {
    let size = Size {
        warm_up: Duration::from_millis(10),
        measured: Duration::from_millis(40),
        window: 20,
        connections: 30,
        retained: 300,
        most: 200,
    };
    Plan { peers, rounds: 1, size, cores: None }
}

fn check(plan: &Plan, cases: &[Case], peer: &str) {
    let mut results = Results::default();
    for case in cases {
        plan.run(case, &mut results).expect("the plan is right");
        let figures = results.of(case, peer).unwrap_or_else(|| panic!("{case}: failed, see above"));
        assert_eq!((figures.lost, figures.doubled), (0, 0), "{case}: lost and doubled");
        let events_lost = (peer == "amqtt+plugins").then_some(0);
        assert_eq!(figures.events_lost, events_lost, "{case}: events that are not in the log");
        assert!(figures.per_second > 0.0, "{case}: {figures:?}");
        assert!(figures.resident_bytes > 0, "{case}: {figures:?}");
        assert_eq!(figures.latency.is_some(), case.group == "latency", "{case}: {figures:?}");
        assert_eq!(figures.bytes_per_connection.is_some(), case.group == "idle", "{case}: {figures:?}");
    }
}

/// The case by which rates are chosen, and then the last of each group, with the higher QoS or the most of something.
fn one_of_each_group() -> Vec<Case> {
    let mut cases = Case::all();
    let last = |at: usize| cases.get(at + 1).is_none_or(|next| next.group != cases[at].group);
    let chosen = (0..cases.len()).map(|at| at == 0 || last(at)).collect::<Vec<_>>();
    let mut chosen = chosen.into_iter();
    cases.retain(|_| chosen.next() == Some(true));
    cases
}

#[test]
fn every_kind_of_load_accounts_for_all_messages() {
    check(&plan(vec![Peer::amqtt(Path::new(AMQTT))]), &one_of_each_group(), "amqtt");
}

#[test]
fn tls_carries_the_load() {
    let tls: Vec<Case> = Case::all().into_iter().filter(|case| case.to_string().ends_with("TLS")).collect();
    assert_eq!(tls.len(), 2);
    check(&plan(vec![Peer::amqtt(Path::new(AMQTT))]), &tls, "amqtt");
}

#[test]
fn every_kind_of_load_passes_the_plugins_which_miss_no_event() {
    check(&plan(vec![Peer::amqtt_with_plugins(Path::new(AMQTT))]), &one_of_each_group(), "amqtt+plugins");
}

#[test]
fn a_broker_that_does_not_start_is_no_result() {
    let peer = Peer::parse("broken=false {port}").expect("is a command");
    let case = &Case::all()[0];
    let mut results = Results::default();
    plan(vec![peer, Peer::amqtt(Path::new(AMQTT))]).run(case, &mut results).expect("the plan is right");
    assert!(results.of(case, "broken").is_none());
    assert!(results.of(case, "amqtt").is_some(), "others go on");
    assert!(results.table().contains("| broken | failed |"), "{}", results.table());
}
