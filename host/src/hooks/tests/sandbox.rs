//! What each misbehaviour in each hook leads to: a message that names plugin, hook and cause; a deny, or an event that is
//! counted as lost; and nothing for others.

use super::guest::{EXCESS, METHOD, misfit};
use super::*;
use crate::hooks::limits::{LOG_BURST, LOG_PER_SECOND, PUBLISH_BURST, PUBLISH_PER_SECOND};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hook {
    Init,
    Auth,
    EnhancedAuth,
    TopicCheck,
    Events,
    Ticks,
    Stop,
}

const HOOKS: [Hook; 7] =
    [Hook::Init, Hook::Auth, Hook::EnhancedAuth, Hook::TopicCheck, Hook::Events, Hook::Ticks, Hook::Stop];

impl Hook {
    /// As messages have it.
    fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Auth => "auth",
            Self::EnhancedAuth => "enhanced-auth",
            Self::TopicCheck => "topic-check",
            Self::Events => "events",
            Self::Ticks => "ticks",
            Self::Stop => "stop",
        }
    }
}

/// Long enough for what is not a fault, on a busy machine too.
const PATIENT: Duration = Duration::from_secs(20);

/// What is said of more than may be handed over in one call.
const TOO_MUCH: &str = "it handed over more than 1 MiB in one call";

/// What the message says; none for what is no fault.
fn cause(does: Does, hook: Hook) -> Option<&'static str> {
    match does {
        Does::Trap => Some("it panicked or aborted (`unreachable` was executed)"),
        Does::Spin | Does::Wait => Some("timed out after 20ms"),
        Does::Hog => Some("MiB, and its `memory` is 16.0 MiB"),
        Does::Recurse => Some("its stack overflowed"),
        Does::WrongAnswer if matches!(hook, Hook::Init | Hook::Auth | Hook::EnhancedAuth | Hook::TopicCheck) => {
            Some("trapped")
        }
        Does::HugeAnswer if matches!(hook, Hook::Init | Hook::EnhancedAuth) => Some(TOO_MUCH),
        Does::HugeMessage => Some(TOO_MUCH),
        Does::Exit => Some("it called `exit` with status 1"),
        // The others answer; what they do in excess is bounded.
        Does::TrapLater | Does::WrongAnswer | Does::Publish | Does::PublishStorm | Does::LogFlood => None,
        Does::HugeAnswer | Does::LookAround | Does::Print | Does::Answer(_) => None,
    }
}

/// A plugin that does `does` in `hook` and nothing wrong elsewhere.
fn spec(folder: &Path, name: &str, hook: Hook, does: Does) -> HookSpec {
    let in_hook = |which: Hook| if which == hook { does } else { Does::Answer(0) };
    let guest = Guest {
        init: in_hook(Hook::Init),
        stop: in_hook(Hook::Stop),
        auth: Some(in_hook(Hook::Auth)),
        enhanced_auth: Some(in_hook(Hook::EnhancedAuth)),
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
    let timed = cause(does, hook).is_some() && !matches!(does, Does::Hog | Does::HugeAnswer);
    let deadline = if timed { Duration::from_millis(20) } else { PATIENT };
    spec.plugins[0].limits.deadline = Some(deadline);
    std::fs::rename(folder.join("guest_0.wasm"), folder.join(format!("{name}.wasm"))).expect("renamed");
    spec.plugins[0].name = name.to_owned();
    spec
}

/// The one line of the log about a fault of the plugin.
fn fault_line(name: &str) -> String {
    let plugin = format!("plugin \"{name}\" ");
    let line = || log::lines(&plugin).into_iter().find(|line| line.contains("ERROR"));
    eventually("the log has a line about it", || line().is_some());
    line().expect("was there")
}

/// The first step of an exchange.
fn begin(hooks: &Arc<Hooks>) -> Step {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let exchange = hooks.begin_exchange(METHOD).expect("it serves the method");
    runtime.block_on(hooks.step(client(None), exchange, None))
}

fn check(hook: Hook, does: Does) {
    let what = format!("{does:?} in {hook:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let name = format!("{hook:?}_{does:?}").to_lowercase();
    let spec = spec(folder.path(), &name, hook, does);
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
    let (auth, verdict) = (authenticate(&hooks, None, ""), publish(&mut checker, &client(None)));
    let step = begin(&hooks);
    let fails = |which| cause.is_some() && hook == which;
    assert_eq!(auth == AuthOutcome::Allowed, !fails(Hook::Auth), "{what}: {auth:?}");
    assert_eq!(matches!(step, Step::Proven(_)), !fails(Hook::EnhancedAuth), "{what}: {step:?}");
    assert_eq!(verdict.allowed, !fails(Hook::TopicCheck), "{what}: {verdict:?}");
    let untold = |message: &&crate::types::Message| message.topic.as_str() == "t";
    let told = || broker.published.lock().iter().filter(untold).count();
    let before = told();
    hooks.emit(event(EventKind::PacketSent));
    eventually("the other plugin is told", || told() > before);
    // Each is told on a thread of its own.
    let comes = fails(Hook::Events) || fails(Hook::Ticks);
    eventually("the fault comes", || faults(&hooks) > 0 || !comes);
    drop(checker);
    hooks.stop();
    let (faults, lost) = (faults(&hooks), hooks.events_dropped());
    match cause {
        None => assert_eq!((faults, lost), (0, 0), "{what}"),
        Some(cause) => {
            let (line, in_hook) = (fault_line(&name), format!("in {}", hook.name()));
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

/// Each of them comes to something, or is counted and told of.
#[test]
fn what_is_done_in_excess_is_cut_down_and_told() {
    log::keep();
    for (does, counter, told) in [
        (
            Does::PublishStorm,
            "plugin-publishes-refused",
            format!(
                "publishes more in auth than it may, {PUBLISH_BURST} at once and then {PUBLISH_PER_SECOND} per second: "
            ),
        ),
        (
            Does::LogFlood,
            "plugin-log-lines-dropped",
            format!(
                "writes more to the log in auth than it may, {LOG_BURST} at once and then {LOG_PER_SECOND} per second: "
            ),
        ),
    ] {
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
        let of_plugin = format!("{counter}/{name}");
        let counted = hooks.counters().into_iter().find(|(counter, _)| *counter == of_plugin).map_or(0, |(_, it)| it);
        assert_eq!(published + logged + counted as usize, EXCESS as usize, "{does:?}");
        let lines = || log::lines(&format!("plugin \"{name}\" {told}"));
        let [first] = &lines()[..] else { panic!("{:?}", lines()) };
        assert!(first.contains("WARN") && first.contains("hint: "), "{first}");
        hooks.stop();
        let [_, rest] = &lines()[..] else { panic!("{:?}", lines()) };
        assert!(rest.contains(&format!("per second: {} more ", counted - 1)), "{rest}");
    }
}

/// Standard output goes to the log, line by line, once for all instances.
#[test]
fn what_a_plugin_prints_is_in_the_log() {
    log::keep();
    let folder = tempfile::tempdir().expect("a folder");
    let name = "a_plugin_that_prints";
    let spec = spec(folder.path(), name, Hook::TopicCheck, Does::Print);
    let (hooks, _) = load(spec).expect("works");
    let mut checker = hooks.topic_checker();
    assert!(publish(&mut checker, &client(None)).allowed);
    drop(checker);
    hooks.stop();
    let printed = |text: &str| log::lines(text).iter().filter(|line| line.contains(name)).count();
    eventually("the line is there, once", || printed("printed") == 1);
    eventually("what has no end is told when the instance ends", || printed("half") == 1);
}

/// A million verdicts on two topics are not taken out of the plugin's memory.
#[test]
fn more_verdicts_than_may_be_handed_over_are_a_fault() {
    log::keep();
    let folder = tempfile::tempdir().expect("a folder");
    let name = "a_million_verdicts";
    let (hooks, _) = load(spec(folder.path(), name, Hook::TopicCheck, Does::HugeAnswer)).expect("works");
    let asked = [("a", FACTS), ("b", FACTS)];
    let verdicts = hooks.topic_checker().check_many(&client(None), Action::Publish, &asked);
    assert_eq!(verdicts, [Verdict::FAULT, Verdict::FAULT]);
    let line = fault_line(name);
    assert!(line.contains("trapped in topic-check: ") && line.contains(TOO_MUCH), "{line}");
    // Both together, then each alone if there is a fresh instance in time.
    assert!((1..=3).contains(&faults(&hooks)), "{}", faults(&hooks));
}

/// Plugins that were given much memory, or wanted to hand over much, give all of it back when they fail.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_given_back() {
    // In a process of its own: what other tests take would hide what is lost here.
    const ALONE: &str = "AMQTT_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new(std::env::current_exe().expect("this one"));
        alone.args(["--exact", "hooks::tests::sandbox::memory_is_given_back", "--nocapture"]).env(ALONE, "yes");
        let output = alone.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let check = |checker: &mut TopicChecker| checker.check(&client(None), Action::Publish, "a", FACTS);
    faults_keep_no_memory(Does::Hog, check);
    faults_keep_no_memory(Does::HugeMessage, check);
    let asked = [("a", FACTS), ("b", FACTS)];
    let check_many = |checker: &mut TopicChecker| checker.check_many(&client(None), Action::Publish, &asked).remove(0);
    faults_keep_no_memory(Does::HugeAnswer, check_many);
    let folder = tempfile::tempdir().expect("a folder");
    let spec = guest_spec(folder.path(), &[Guest { init: Does::HugeAnswer, ..Guest::default() }]);
    keeps_no_memory("a text of 12 MiB from `init`", |times| {
        (0..times).for_each(|_| drop(load(spec.clone()).err().expect("it is refused")));
    });
}

#[cfg(target_os = "linux")]
fn faults_keep_no_memory(does: Does, ask: impl Fn(&mut TopicChecker) -> Verdict) {
    let guest = Guest { topic_check: Some(does), actions: vec![Action::Publish], ..Guest::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let mut spec = guest_spec(folder.path(), &[guest]);
    spec.plugins[0].limits.deadline = Some(PATIENT);
    let (hooks, _) = load(spec).expect("it loads");
    let mut checker = hooks.topic_checker();
    keeps_no_memory(&format!("{does:?}"), |times| {
        let until = faults(&hooks) + times;
        eventually("fresh instances fail", || {
            assert_eq!(ask(&mut checker), Verdict::FAULT);
            faults(&hooks) >= until
        });
    });
    hooks.stop();
}

/// Has something done often, once there is all that stays for other reasons.
#[cfg(target_os = "linux")]
fn keeps_no_memory(what: &str, mut done: impl FnMut(u64)) {
    const TIMES: u64 = 100;
    // The allocator keeps some for the next time.
    const KEPT_MAX: usize = 2 << 20;
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("is there");
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number") * 4096
    };
    done(TIMES / 5);
    let before = resident();
    done(TIMES);
    let kept = resident().saturating_sub(before);
    assert!(kept < KEPT_MAX, "{what}: {kept} bytes are kept of {TIMES} faults");
}

/// What a plugin extends its answer to is a topic filter that matches the topic, or counts for nothing.
#[test]
fn an_answer_is_extended_to_nothing_but_a_filter_of_the_topic() {
    let check = |filter: &'static str| {
        let guest = Guest { topic_check: Some(Does::Answer(0)), extends_to: Some(filter), ..Guest::default() };
        let fixture = fixture(Guest { actions: vec![Action::Publish], ..guest });
        let verdict = fixture.hooks.topic_checker().check(&client(None), Action::Publish, "a/b", FACTS);
        (verdict, faults(&fixture.hooks))
    };
    let (extended, _) = check("a/+");
    assert_eq!(extended.extended_to, [TopicFilter::new("a/+").expect("is one")]);
    for filter in ["b/#", "a/b/c", "$share/g/a/b", "+"] {
        let alone = Verdict { cache: extended.cache, ..Verdict::UNDECIDED };
        assert_eq!(check(filter), (alone, 0), "{filter}");
    }
    for filter in ["", "a/#/b", "a+", "a\0"] {
        assert_eq!(check(filter), (Verdict::FAULT, 1), "{filter:?}");
    }
}

/// The bytes of a plugin with every `from` in them replaced by a `to` of the same length.
fn altered(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let (mut bytes, mut replaced) = (bytes.to_vec(), 0);
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            replaced += 1;
        }
    }
    assert!(replaced > 0, "{from} is not in it");
    bytes
}

/// How the names of the interfaces of `amqtt:plugin` end in a plugin for this broker, for example `@0.1.0`.
fn version_of(bytes: &[u8]) -> String {
    let name = b"amqtt:plugin/lifecycle";
    let at = bytes.windows(name.len()).position(|window| window == name).expect("every plugin has it") + name.len();
    String::from_utf8(bytes[at..at + "@0.1.0".len()].to_vec()).expect("is text")
}

fn written(folder: &Path, guest: &Guest) -> Vec<u8> {
    std::fs::read(guest.write(folder, "whole")).expect("a file")
}

/// Broken, too large, for another broker: each is refused with what is wrong with it, and nothing is loaded.
#[test]
fn files_that_are_not_whole_or_not_for_this_broker_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.wasm");
    let check = |expected: &str| {
        let mut spec = guest_spec(folder.path(), &[Guest::default()]);
        spec.plugins[0].name = "x".to_owned();
        spec.plugins[0].path = Some(path.clone());
        let error = load(spec).err().expect(expected);
        assert!(error.starts_with("plugin \"x\" (") && error.contains(expected), "{expected}: {error}");
    };
    let whole = written(folder.path(), &Guest { auth: Some(Does::Answer(0)), ..Guest::default() });
    for length in (8..whole.len()).step_by(whole.len() / 20) {
        std::fs::write(&path, &whole[..length]).expect("written");
        check("cannot be used: it ");
    }
    let mut random = crate::types::random::Random::new(1);
    for _ in 0..50 {
        let noise: Vec<u8> = (0..random.below(5_000)).map(|_| random.below(256) as u8).collect();
        std::fs::write(&path, [&whole[..8], &noise].concat()).expect("written");
        check("cannot be used: it ");
    }
    std::fs::File::create(&path).and_then(|file| file.set_len(100 << 20)).expect("made");
    check("it is larger than 64 MiB");
    let version = version_of(&whole);
    std::fs::write(&path, altered(&whole, &version, "@9.9.0")).expect("written");
    check("it is made for version 9.9.0 of the plugin interface");
    std::fs::write(&path, altered(&whole, "amqtt:plugin/publisher", "acmee:plugin/publisher")).expect("written");
    check("it imports `acmee:plugin/publisher");
    // What a later minor version has and this one has not is missing here.
    let later = altered(&whole, &version, "@1.1.0");
    std::fs::write(&path, altered(&later, "registration.tick-every", "registration.tick-never")).expect("written");
    check("hint: it is made for version 1.1.0 of the interface, this broker has 1.0.0");
    std::fs::write(&path, misfit()).expect("written");
    check("does not fit the plugin interface: a function of `lifecycle`: ");
}

/// Plugins that were built with different versions of one major version of the interface run side by side.
#[test]
fn two_versions_of_one_major_run_side_by_side() {
    let folder = tempfile::tempdir().expect("a folder");
    let guest = Guest { auth: Some(Does::Answer(0)), events: Some(Does::Publish), ..Guest::default() };
    let guest = Guest { kinds: vec![EventKind::PacketSent], ..guest };
    let spec = guest_spec(folder.path(), &[guest.clone(), guest.clone()]);
    let whole = written(folder.path(), &guest);
    let version = version_of(&whole);
    let later = format!("{}7", &version[..version.len() - 1]);
    std::fs::write(folder.path().join("guest_1.wasm"), altered(&whole, &version, &later)).expect("written");
    let (hooks, broker) = load(spec).expect("both load");
    assert_eq!(authenticate(&hooks, None, ""), AuthOutcome::Allowed);
    hooks.emit(event(EventKind::PacketSent));
    eventually("both are told", || broker.published.lock().len() == 2);
}
