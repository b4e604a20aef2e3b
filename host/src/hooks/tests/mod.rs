//! Plugins as the broker calls them: those of the binary, and those that misbehave.

mod aside;
mod broker;
mod compatibility;
mod events;
mod greeter;
mod guest;
mod interface;
pub(super) mod log;
mod many;
mod methods;
mod reasons;
mod reload;
mod sandbox;
mod suspects;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::guest::{Does, Guest};
use super::*;
use crate::types::{ClientId, ConnectFacts, Identity, Peer, QoS, TopicFilter};

pub(crate) use self::broker::Recorder;
pub(crate) use self::many::guests_that_answer_many_otherwise;

/// A broker's hooks with some plugins.
struct Fixture {
    hooks: Arc<Hooks>,
    broker: Arc<Recorder>,
    folder: tempfile::TempDir,
}

fn embedded(name: &str, settings: Value) -> PluginSpec {
    PluginSpec::new(name, settings.as_object().expect("an object").clone())
}

fn load(spec: HookSpec) -> Result<(Arc<Hooks>, Arc<Recorder>), String> {
    load_with(spec, Recorder::default())
}

fn load_with(spec: HookSpec, broker: Recorder) -> Result<(Arc<Hooks>, Arc<Recorder>), String> {
    let broker = Arc::new(broker);
    let hooks = Hooks::load(&spec, broker.clone()).map_err(|error| error.to_string())?;
    Ok((hooks, broker))
}

/// Loads guests from a folder, named `guest_0` and so on.
fn load_guests(guests: &[Guest]) -> Result<Fixture, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let (hooks, broker) = load(guest_spec(folder.path(), guests))?;
    Ok(Fixture { hooks, broker, folder })
}

/// Writes guests into a folder, named `guest_0` and so on, and asks for them with all grants.
fn guest_spec(folder: &Path, guests: &[Guest]) -> HookSpec {
    let publish = vec![TopicFilter::new("#").expect("valid")];
    let grants = Grants { broker_info: true, publish, ..Grants::default() };
    let plugins = guests.iter().enumerate().map(|(number, guest)| {
        let name = format!("guest_{number}");
        guest.write(folder, &name);
        PluginSpec { grants: grants.clone(), ..embedded(&name, json!({})) }
    });
    HookSpec { plugins: plugins.collect(), plugin_dirs: vec![folder.to_owned()], ..HookSpec::default() }
}

fn fixture(guest: Guest) -> Fixture {
    load_guests(&[guest]).expect("guests that load")
}

fn client(username: Option<&str>) -> Arc<ClientInfo> {
    let identity = username.map_or(Identity::Anonymous, |name| Identity::User(name.into()));
    let peer = Peer::tcp(([127, 0, 0, 1], 1).into(), "default".into());
    Arc::new(ClientInfo { client_id: ClientId::new("c1"), identity, peer, connect: ConnectFacts::default() })
}

fn client_at(address: [u8; 4]) -> Arc<ClientInfo> {
    let mut info = (*client(None)).clone();
    info.peer.remote_address.set_ip(address.into());
    Arc::new(info)
}

fn authenticate(hooks: &Hooks, username: Option<&str>, password: &str) -> AuthOutcome {
    let credentials =
        Credentials { username: username.map(Arc::from), password: username.map(|_| password.to_owned().into()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(hooks.authenticate(client(username), credentials))
}

/// Asks whether a client may publish, in place or, where that would hold up others, as a connection that waits.
fn publish(checker: &mut TopicChecker, client: &Arc<ClientInfo>) -> Verdict {
    if !checker.holds_up(client, Action::Publish) {
        return checker.check(client, Action::Publish, "a", FACTS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut verdicts = runtime.block_on(checker.ask(Arc::clone(client), Action::Publish, vec![("a".into(), FACTS)]));
    verdicts.remove(0)
}

/// Of a message, where what it is does not matter.
const FACTS: TopicFacts = TopicFacts { qos: QoS::AtMostOnce, retain: false, payload_len: Some(0) };

fn event(kind: EventKind) -> Event {
    Event { client: Some(client(None)), ..Event::new(kind) }
}

fn faults(hooks: &Hooks) -> u64 {
    hooks.faults().iter().map(|(_, count)| count).sum()
}

/// Waits for what another thread does soon.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn nobody_connects_where_no_plugin_answers_auth() {
    let (hooks, _) = load(HookSpec::default()).expect("nothing to load");
    assert_eq!(authenticate(&hooks, None, ""), AuthOutcome::Denied(None));
    assert!(!hooks.decides(Action::Publish) && !hooks.wants(EventKind::ClientConnected));
    assert_eq!(hooks.topic_checker().check(&client(None), Action::Publish, "a", FACTS), Verdict::UNDECIDED);
}

#[test]
fn auth_file_reads_its_file_and_checks_passwords() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    // The password is `test`.
    let line = "test:$6$l4zQEHEcowc1Pnv4$HHrh8xnsZoLItQ8BmpFHM4r6q5UqK3DnXp2GaTm5zp5buQ7NheY3Xt9f6godVKbEtA.hOC7IEDwnok3pbAOip.\n";
    std::fs::write(file.path(), line).expect("written");
    let plugins = vec![embedded("auth_file", json!({ "password-file": file.path() }))];
    let (hooks, _) = load(HookSpec { plugins, ..HookSpec::default() }).expect("auth_file");
    assert_eq!(authenticate(&hooks, Some("test"), "test"), AuthOutcome::Allowed);
    assert_eq!(authenticate(&hooks, Some("test"), "tset"), AuthOutcome::Denied(None));
    assert_eq!(authenticate(&hooks, Some("nobody"), "test"), AuthOutcome::Denied(None));
    assert_eq!(authenticate(&hooks, None, ""), AuthOutcome::Denied(None), "an abstention alone lets nobody in");
    assert_eq!(faults(&hooks), 0);
    hooks.stop();
    assert_eq!(authenticate(&hooks, Some("test"), "test"), AuthOutcome::Denied(None));
}

#[test]
fn a_missing_password_file_keeps_the_broker_from_starting() {
    let plugins = vec![embedded("auth_file", json!({ "password-file": "/nonexistent/passwd" }))];
    let error = load(HookSpec { plugins, ..HookSpec::default() }).err().expect("an error");
    assert!(error.starts_with("plugin \"auth_file\" (built in) refused to start: "), "{error}");
    assert!(error.contains("/nonexistent/passwd"), "{error}");
}

#[test]
fn topic_acl_decides_in_place() {
    let plugins = vec![embedded("topic_acl", json!({ "acl": { "anonymous": ["a/#"] } }))];
    let (hooks, _) = load(HookSpec { plugins, ..HookSpec::default() }).expect("topic_acl");
    assert!(hooks.decides(Action::Publish) && hooks.decides(Action::Subscribe) && !hooks.decides(Action::Receive));
    let mut checker = hooks.topic_checker();
    let verdict = checker.check(&client(None), Action::Publish, "a/b", FACTS);
    let filter = |filter| TopicFilter::new(filter).expect(filter);
    assert_eq!(verdict, Verdict { extended_to: vec![filter("a/#")], ..Verdict::UNDECIDED });
    let verdict = checker.check(&client(None), Action::Publish, "b", FACTS);
    assert_eq!(verdict, Verdict { allowed: false, ..Verdict::UNDECIDED });
    let verdict = checker.check(&client(Some("mallory")), Action::Publish, "a/b", FACTS);
    assert_eq!(verdict, Verdict { allowed: false, extended_to: vec![filter("#")], ..Verdict::UNDECIDED });
    let asked = [("a/b", FACTS), ("b", FACTS), ("a", FACTS)];
    let many = checker.check_many(&client(None), Action::Publish, &asked);
    let extended: Vec<_> = many.iter().map(|verdict| verdict.extended_to.as_slice()).collect();
    assert_eq!(extended, [&[filter("a/#")][..], &[], &[filter("a/#")]]);
    assert_eq!(checker.check(&client(None), Action::Receive, "b", FACTS), Verdict::UNDECIDED);
}

#[test]
fn broker_sys_publishes_at_once_when_ticks_begin() {
    let plugins = vec![embedded("broker_sys", json!({ "sys-interval": 20 }))];
    let (hooks, broker) = load(HookSpec { plugins, ..HookSpec::default() }).expect("broker_sys");
    assert!(broker.published.lock().is_empty());
    hooks.start();
    let published = |topic: &str| broker.published.lock().iter().any(|message| message.topic.as_str() == topic);
    eventually("the version is published", || published("$SYS/broker/version"));
    eventually("clients are counted", || published("$SYS/broker/clients/connected"));
    hooks.stop();
    assert_eq!(faults(&hooks), 0);
}

#[test]
fn a_fault_in_auth_fails_the_client_and_the_next_instance_answers() {
    for does in [Does::Trap, Does::Hog, Does::Recurse] {
        let fixture = fixture(Guest { auth: Some(does), ..Guest::default() });
        for count in 1..=4 {
            assert_eq!(authenticate(&fixture.hooks, Some("a"), "b"), AuthOutcome::Failed, "{does:?}");
            assert_eq!(faults(&fixture.hooks), count, "{does:?}");
        }
        fixture.hooks.stop();
    }
}

#[test]
fn a_plugin_that_traps_now_and_then_is_back_at_once() {
    let fixture = fixture(Guest { auth: Some(Does::TrapLater), ..Guest::default() });
    for seconds in [0, 1, 0, 1, 0] {
        fixture.broker.uptime_secs.store(seconds, Ordering::Relaxed);
        let expected = if seconds == 0 { AuthOutcome::Allowed } else { AuthOutcome::Failed };
        assert_eq!(authenticate(&fixture.hooks, None, ""), expected);
    }
}

#[test]
fn votes_of_several_plugins_are_combined() {
    let check = |votes: &[u8], expected: AuthOutcome| {
        let guests: Vec<_> =
            votes.iter().map(|&vote| Guest { auth: Some(Does::Answer(vote)), ..Guest::default() }).collect();
        let fixture = load_guests(&guests).expect("guests");
        assert_eq!(authenticate(&fixture.hooks, None, ""), expected, "{votes:?}");
    };
    check(&[2], AuthOutcome::Denied(None));
    check(&[2, 0], AuthOutcome::Allowed);
    check(&[0, 1], AuthOutcome::Denied(None));
}

#[test]
fn a_spinning_topic_check_is_cut_off_and_denies() {
    let fixture = fixture(Guest { topic_check: Some(Does::Spin), actions: vec![Action::Publish], ..Guest::default() });
    let mut checker = fixture.hooks.topic_checker();
    let start = cpu_time::ThreadTime::now();
    assert_eq!(checker.check(&client(None), Action::Publish, "a", FACTS), Verdict::FAULT);
    let took = start.elapsed();
    assert!(took >= limits::TOPIC_CHECK_DEADLINE && took < limits::TOPIC_CHECK_DEADLINE * 5, "{took:?}");
    assert_eq!(faults(&fixture.hooks), 1);
}

#[test]
fn a_plugin_that_cannot_start_again_is_left_alone() {
    let later = Some(Does::TrapLater);
    let fixture = fixture(Guest {
        init: Does::TrapLater,
        topic_check: later,
        actions: vec![Action::Publish],
        ..Guest::default()
    });
    let mut checker = fixture.hooks.topic_checker();
    assert!(checker.check(&client(None), Action::Publish, "a", FACTS).allowed);
    fixture.broker.uptime_secs.store(1, Ordering::Relaxed);
    assert_eq!(checker.check(&client(None), Action::Publish, "a", FACTS), Verdict::FAULT);
    eventually("the fresh instance fails", || {
        checker.check(&client(None), Action::Publish, "a", FACTS);
        faults(&fixture.hooks) == 2
    });
    for _ in 0..1_000 {
        assert_eq!(checker.check(&client(None), Action::Publish, "a", FACTS), Verdict::FAULT);
    }
    assert_eq!(faults(&fixture.hooks), 2, "nothing is tried during the back-off");
    fixture.broker.uptime_secs.store(0, Ordering::Relaxed);
    eventually("it is tried again", || checker.check(&client(None), Action::Publish, "a", FACTS).allowed);
}

#[test]
fn a_plugin_that_fails_in_init_keeps_the_broker_from_starting() {
    let check = |guest: Guest, expected: &str| {
        let error = load_guests(&[guest]).err().expect(expected);
        assert!(error.starts_with("plugin \"guest_0\" (`") && error.contains(expected), "{error}");
    };
    check(Guest { init: Does::Trap, ..Guest::default() }, "trapped in init: it panicked or aborted");
    check(Guest { init: Does::Hog, ..Guest::default() }, "ran out of memory in init: it wanted ");
    let raise = "and its `memory` is 16.0 MiB\nhint: raise `memory` in its entry";
    check(Guest { init: Does::Hog, ..Guest::default() }, raise);
    let too_much = "trapped in init: it handed over more than 1 MiB in one call";
    check(Guest { init: Does::HugeMessage, ..Guest::default() }, too_much);
    let kept = "trapped in init: it kept a handle that it was lent: borrowed handles are to be dropped before the call returns";
    check(Guest { keeps_handle: true, ..Guest::default() }, kept);
    check(Guest { init: Does::Recurse, ..Guest::default() }, "trapped in init: its stack overflowed");
    check(Guest { init: Does::WrongAnswer, ..Guest::default() }, "trapped in init: ");
    check(Guest { init: Does::Spin, ..Guest::default() }, "timed out after 5s in init");
    check(
        Guest { refuses: Some("setting `x`:\nbad \x1b[31m"), ..Guest::default() },
        "refused to start: setting `x`:\\nbad \\u{1b}[31m",
    );
    let forgets = Guest { auth: Some(Does::Answer(0)), actions: vec![Action::Publish], ..Guest::default() };
    check(
        forgets,
        "declares actions to decide and does not export `topic-check`\nhint: name `TopicCheck` in `plugin!`, or leave it out of the interests",
    );
    let forgets = Guest { ticks: Some(Does::Answer(0)), kinds: vec![EventKind::PacketSent], ..Guest::default() };
    check(
        forgets,
        "asks to be told of events and does not export `events`\nhint: name `Events` in `plugin!`, or leave it out of the interests",
    );
    let forgets = Guest { auth: Some(Does::Answer(0)), tick_seconds: 1, ..Guest::default() };
    check(
        forgets,
        "asks for ticks and does not export `ticks`\nhint: name `Ticks` in `plugin!`, or leave it out of the interests",
    );
}

#[test]
fn files_that_are_no_plugins_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.wasm");
    let check = |bytes: &[u8], sha256: Option<[u8; 32]>, expected: &str| {
        std::fs::write(&path, bytes).expect("written");
        let plugins = vec![PluginSpec { path: Some(path.clone()), sha256, ..embedded("x", json!({})) }];
        let error = load(HookSpec { plugins, ..HookSpec::default() }).err().expect(expected);
        let expected = format!("plugin \"x\" (`{}`) cannot be used: {expected}", path.display());
        assert!(error.starts_with(&expected), "{error}");
    };
    check(b"\x7fELF", None, "it is not WebAssembly\nhint: ");
    check(b"\0asm\x01\0\0\0", None, "it is a core WebAssembly module, not a component\nhint: ");
    check(b"\0asm\x0d\0\x01\0garbage", None, "it is not a valid component: ");
    check(b"\0asm\x0d\0\x01\0", None, "it exports no `amqtt:plugin/lifecycle`");
    check(b"", Some([0; 32]), "its sha256 is `e3b0c44298fc1c14");
    let whole = std::fs::read(Guest::default().write(folder.path(), "whole")).expect("a file");
    for length in [5, 9, whole.len() / 2, whole.len() - 1] {
        check(&whole[..length], None, "it is not whole: the file ends within a part of it\nhint: ");
    }
    std::fs::remove_file(&path).expect("removed");
    let guest = Guest::default().write(folder.path(), "ungranted");
    let plugins = vec![PluginSpec { path: Some(guest), ..embedded("ungranted", json!({})) }];
    let error = load(HookSpec { plugins, ..HookSpec::default() }).err().expect("not granted");
    let expected = "it uses `broker-info` and `publisher`, which are not granted\nhint: if you trust the plugin with them, \
                    add to its entry: grants: {broker-info: true, publish: [TOPIC-FILTER]}";
    assert!(error.ends_with(expected), "{error}");
}

/// Nobody has changed what is part of the binary.
#[test]
fn a_pin_on_a_built_in_plugin_says_where_that_comes_from() {
    let pinned = PluginSpec { sha256: Some([0; 32]), ..embedded("auth_anonymous", json!({})) };
    let error = load(HookSpec { plugins: vec![pinned], ..HookSpec::default() }).err().expect("another sum");
    let expected = format!(
        ", the configuration wants `{}`\nhint: it comes with this version of amqtt and changes with it: put its sum into \
         `sha256`, or leave that out",
        "0".repeat(64)
    );
    assert!(error.starts_with("plugin \"auth_anonymous\" (built in) cannot be used: its sha256 is `"), "{error}");
    assert!(error.ends_with(&expected), "{error}");
}

#[test]
fn lists_that_name_the_wrong_plugins_are_errors() {
    let spec = |auth: Option<&str>, topic_check| HookSpec {
        plugins: vec![embedded("auth_anonymous", json!({}))],
        auth: auth.map(|name| vec![name.to_owned()]),
        topic_check,
        ..HookSpec::default()
    };
    let error = load(spec(Some("auth_file"), TopicCheckSpec::All)).err().expect("not loaded");
    assert!(error.starts_with("plugin \"auth_file\" of `auth.plugins` is not loaded"), "{error}");
    let error = load(spec(None, TopicCheckSpec::Named(vec!["auth_anonymous".into()]))).err().expect("no topic-check");
    assert!(error.starts_with("topic-check is on and none of its plugins decides topics: auth_anonymous"), "{error}");
}
