//! What each misbehaviour in each hook leads to: a message that names plugin, hook and cause; a deny, or an event that is
//! counted as lost; and nothing for others.

use super::*;
use crate::hooks::limits::{LOG_BURST, LOG_PER_SECOND, PUBLISH_BURST, PUBLISH_PER_SECOND};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hook {
    Init,
    Auth,
    TopicCheck,
    Events,
    Ticks,
    Stop,
}

const HOOKS: [Hook; 6] = [Hook::Init, Hook::Auth, Hook::TopicCheck, Hook::Events, Hook::Ticks, Hook::Stop];

/// Long enough for what is not a fault, on a busy machine too.
const PATIENT: Duration = Duration::from_secs(20);

/// What the message says; none for what is no fault.
fn cause(does: Does, hook: Hook) -> Option<&'static str> {
    match does {
        Does::Trap => Some("it panicked or aborted (`unreachable` was executed)"),
        Does::Spin | Does::Wait => Some("timed out after 20ms"),
        Does::Hog => Some("forcing trap when growing memory"),
        Does::Recurse => Some("its stack overflowed"),
        Does::WrongAnswer if matches!(hook, Hook::Init | Hook::Auth | Hook::TopicCheck) => Some("trapped"),
        Does::HugeMessage => Some("fuel allocated for hostcalls has been exhausted"),
        Does::Exit => Some("it called `exit` with status 1"),
        // The others answer; what they do in excess is bounded.
        Does::TrapLater | Does::WrongAnswer | Does::Publish | Does::PublishStorm | Does::LogFlood => None,
        Does::LookAround | Does::Print | Does::Answer(_) => None,
    }
}

/// A plugin that does `does` in `hook` and nothing wrong elsewhere, under a name of its own.
fn spec(folder: &Path, hook: Hook, does: Does) -> (String, HookSpec) {
    let name = format!("{hook:?}_{does:?}").to_lowercase();
    let in_hook = |which: Hook| if which == hook { does } else { Does::Answer(0) };
    let guest = Guest {
        init: in_hook(Hook::Init),
        stop: in_hook(Hook::Stop),
        auth: Some(in_hook(Hook::Auth)),
        topic_check: Some(in_hook(Hook::TopicCheck)),
        events: Some(in_hook(Hook::Events)),
        ticks: Some(in_hook(Hook::Ticks)),
        actions: vec![Action::Publish],
        kinds: vec![EventKind::ClientConnected],
        tick_seconds: 1,
        ..Guest::default()
    };
    // Beside it one that is told of other events.
    let other = Guest { events: Some(Does::Publish), kinds: vec![EventKind::PacketSent], ..Guest::default() };
    let mut spec = guest_spec(folder, &[guest, other]);
    let deadline = if cause(does, hook).is_some() { Duration::from_millis(20) } else { PATIENT };
    spec.plugins[0].limits.deadline = Some(deadline);
    std::fs::rename(folder.join("guest_0.wasm"), folder.join(format!("{name}.wasm"))).expect("renamed");
    spec.plugins[0].name.clone_from(&name);
    (name, spec)
}

/// The one line of the log about a fault of the plugin.
fn fault_line(name: &str) -> String {
    let plugin = format!("plugin \"{name}\" ");
    let line = || log::lines(&plugin).into_iter().find(|line| line.contains("ERROR"));
    eventually("the log has a line about it", || line().is_some());
    line().expect("was there")
}

fn check(hook: Hook, does: Does) {
    let what = format!("{does:?} in {hook:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let (name, spec) = spec(folder.path(), hook, does);
    let cause = cause(does, hook);
    let loaded = load(spec);
    if let (Hook::Init, Some(cause)) = (hook, cause) {
        // The limit of starting is another than that of calls.
        let cause = cause.replace("20ms", "5s");
        let error = loaded.err().expect(&what);
        assert!(error.starts_with(&format!("plugin \"{name}\"")) && error.contains("in init"), "{what}: {error}");
        return assert!(error.contains(&cause), "{what}: {error}");
    }
    let (hooks, broker) = loaded.expect(&what);
    let mut checker = hooks.topic_checker();
    hooks.start();
    hooks.emit(event(EventKind::ClientConnected));
    let (auth, verdict) = (authenticate(&hooks, None, ""), checker.check(&client(None), Action::Publish, "a"));
    let (auth_fails, check_fails) = match cause {
        Some(_) => (hook == Hook::Auth, hook == Hook::TopicCheck),
        None => (false, false),
    };
    assert_eq!(auth == AuthOutcome::Allowed, !auth_fails, "{what}: {auth:?}");
    assert_eq!(verdict.allowed, !check_fails, "{what}: {verdict:?}");
    let untold = |message: &&crate::types::Message| message.topic.as_str() == "t";
    let told = || broker.published.lock().iter().filter(untold).count();
    let before = told();
    hooks.emit(event(EventKind::PacketSent));
    eventually("the other plugin is told", || told() > before);
    drop(checker);
    hooks.stop();
    let (faults, lost) = (faults(&hooks), hooks.events_dropped());
    match cause {
        None => assert_eq!((faults, lost), (0, 0), "{what}"),
        Some(cause) => {
            let (line, hook_name) = (fault_line(&name), format!("{hook:?}").replace("TopicCheck", "topic-check"));
            let in_hook = format!("in {}", hook_name.to_lowercase());
            assert!(line.contains(cause) && line.contains(&in_hook), "{what}: {line}");
            assert!(line.contains("fault in 10 s)"), "{what}: {line}");
            assert!(faults > 0 && (lost > 0) == (hook == Hook::Events), "{what}: {faults} faults, {lost} events lost");
        }
    }
}

/// Each misbehaviour in each hook: a new one is tested by being in the list.
#[test]
fn each_misbehaviour_in_each_hook_is_contained() {
    log::keep();
    for hook in HOOKS {
        for &does in Does::MISBEHAVIOURS {
            // Five seconds each, and tested elsewhere.
            if hook != Hook::Init || !matches!(does, Does::Spin | Does::Wait) {
                check(hook, does);
            }
        }
    }
}

#[test]
fn what_is_done_in_excess_is_cut_down() {
    log::keep();
    for does in [Does::PublishStorm, Does::LogFlood] {
        let folder = tempfile::tempdir().expect("a folder");
        let guest = Guest { auth: Some(does), ..Guest::default() };
        let mut spec = guest_spec(folder.path(), &[guest]);
        spec.plugins[0].limits.deadline = Some(PATIENT);
        let name = format!("excess_{does:?}").to_lowercase();
        std::fs::rename(folder.path().join("guest_0.wasm"), folder.path().join(format!("{name}.wasm")))
            .expect("renamed");
        spec.plugins[0].name.clone_from(&name);
        let (hooks, broker) = load(spec).expect("works");
        let began = Instant::now();
        assert_eq!(authenticate(&hooks, None, ""), AuthOutcome::Allowed);
        let secs = began.elapsed().as_secs() as usize + 1;
        let published = broker.published.lock().len();
        let logged = log::lines(&format!("plugin=\"{name}\"")).len();
        assert!(published <= PUBLISH_BURST as usize + secs * PUBLISH_PER_SECOND as usize, "{published}");
        assert!(logged <= LOG_BURST as usize + secs * LOG_PER_SECOND as usize, "{logged}");
        assert!(published > 0 || logged > 0);
    }
}

/// Standard output goes to the log, line by line, once for all instances.
#[test]
fn what_a_plugin_prints_is_in_the_log() {
    log::keep();
    let folder = tempfile::tempdir().expect("a folder");
    let (name, spec) = spec(folder.path(), Hook::TopicCheck, Does::Print);
    let (hooks, _) = load(spec).expect("works");
    let mut checker = hooks.topic_checker();
    assert!(checker.check(&client(None), Action::Publish, "a").allowed, "asked on a thread that may wait");
    drop(checker);
    hooks.stop();
    let printed = |text: &str| log::lines(text).iter().filter(|line| line.contains(&name)).count();
    eventually("the line is there", || printed("printed") == 1);
    eventually("what has no end is told when the instance ends", || printed("half") == 1);
}

/// An instance that was given much memory gives it back when it fails.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_given_back() {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("is there");
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
    };
    let fixture =
        fixture(Guest { topic_check: Some(Does::HugeMessage), actions: vec![Action::Publish], ..Guest::default() });
    let mut checker = fixture.hooks.topic_checker();
    let mut fail = |times: u64| {
        let until = faults(&fixture.hooks) + times;
        eventually("fresh instances fail", || {
            checker.check(&client(None), Action::Publish, "a");
            faults(&fixture.hooks) >= until
        });
    };
    fail(20);
    let before = resident();
    fail(200);
    // Each of them had two MiB of memory; other tests run beside this one.
    let grown = resident().saturating_sub(before);
    assert!(grown < 200 << 20, "{grown} bytes more");
}
