//! Plugins that were compiled for earlier versions of the interface load and answer as they did.
//! `tests/compatibility/README.md` tells how they come there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use semver::Version;

use super::*;
use crate::types::{
    CertificateFacts, SubscriptionId, SubscriptionOptions, TlsFacts, TopicFilter, TransportKind, UserProperty,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/compatibility");

/// The guests that are recorded for a version, and what they are called there.
const RECORDED: [(&str, &str); 2] = [
    ("everything.wasm", amqtt_tests::guests::EVERYTHING),
    ("refuse_mallory.wasm", amqtt_tests::guests::REFUSE_MALLORY),
];

/// A line of the manifest.
pub(super) struct Entry {
    pub(super) version: Version,
    sha256: String,
    /// Below the folder, with `/`.
    pub(super) file: String,
}

impl Entry {
    pub(super) fn path(&self) -> PathBuf {
        Path::new(FOLDER).join(&self.file)
    }

    fn is(&self, name: &str) -> bool {
        self.file.rsplit('/').next() == Some(name)
    }
}

pub(super) fn entries() -> Vec<Entry> {
    let manifest = fs::read_to_string(Path::new(FOLDER).join("manifest")).unwrap_or_default();
    let lines = manifest.lines().filter(|line| !line.starts_with('#'));
    let entry = |line: &str| {
        let [version, sha256, file] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
        Some(Entry { version: Version::parse(version).ok()?, sha256: sha256.into(), file: file.into() })
    };
    lines
        .map(|line| entry(line).unwrap_or_else(|| panic!("the manifest has a line that is no entry: {line}")))
        .collect()
}

/// The versions that CHANGELOG.md tells of: `amqtt:plugin@…`.
fn released() -> BTreeSet<Version> {
    let changelog = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../CHANGELOG.md")).expect("a changelog");
    let named = changelog.split("`amqtt:plugin@").skip(1).filter_map(|after| after.split('`').next());
    named.map(|version| Version::parse(version).expect("the changelog names a version")).collect()
}

/// The versions that the interface's own README tells authors of.
fn told_to_authors() -> BTreeSet<Version> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/README.md")).expect("a README");
    let table = readme.split("| version | first in |").nth(1).expect("it has a table of versions");
    let cells = table.lines().skip(2).map_while(|row| row.strip_prefix("| ")?.split(' ').next());
    cells.map(|version| Version::parse(version).expect("the README names a version")).collect()
}

/// Writes the plugins of this version down, where that is asked for and was not done yet.
pub(super) fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(record_once);
}

fn record_once() {
    let version = wasm::INTERFACE_VERSION;
    if std::env::var_os("AMQTT_RECORD").is_none() || entries().iter().any(|entry| entry.version == version) {
        return;
    }
    let manifest = Path::new(FOLDER).join("manifest");
    let mut lines =
        fs::read_to_string(&manifest).unwrap_or_else(|_| "# version of amqtt:plugin, SHA-256, file\n".to_owned());
    fs::create_dir_all(Path::new(FOLDER).join(version.to_string())).expect("a folder");
    for (name, guest) in RECORDED {
        let (bytes, file) = (fs::read(guest).expect("a built guest"), format!("{version}/{name}"));
        let sha256 = inspect_file(Path::new(guest)).expect("a built guest").sha256;
        let _ = writeln!(lines, "{version} {sha256} {file}");
        fs::write(Path::new(FOLDER).join(file), bytes).expect("written");
    }
    fs::write(manifest, lines).expect("written");
}

#[test]
fn compatibility_every_released_version_has_its_compiled_plugins() {
    record();
    let (entries, released) = (entries(), released());
    assert!(released.contains(&wasm::INTERFACE_VERSION), "CHANGELOG.md does not tell of {}", wasm::INTERFACE_VERSION);
    // What three files tell of is not taken back in silence.
    assert_eq!(told_to_authors(), released, "wit/README.md and CHANGELOG.md tell of different versions");
    for version in &released {
        for (name, _) in RECORDED {
            let found = entries.iter().any(|entry| entry.version == *version && entry.is(name));
            assert!(found, "tests/compatibility has no `{name}` of {version}: see the README there");
        }
    }
    for Entry { version, sha256, file } in &entries {
        let found = inspect_file(&Path::new(FOLDER).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(found.sha256, *sha256, "{file} is another one than was released");
        assert_eq!(found.interface, Some(version.to_string()), "{file}");
    }
    for folder in fs::read_dir(FOLDER).expect("a folder").filter_map(Result::ok).filter(|it| it.path().is_dir()) {
        for file in fs::read_dir(folder.path()).expect("a folder").filter_map(Result::ok) {
            let listed = entries.iter().any(|entry| entry.path() == file.path());
            assert!(listed, "`{}` is not in the manifest", file.path().display());
        }
    }
}

#[test]
fn compatibility_every_compiled_plugin_answers() {
    record();
    let entries = entries();
    assert!(!entries.is_empty());
    for entry in entries {
        if entry.is("everything.wasm") {
            everything_answers(&entry.path());
        } else {
            let (hooks, _) = load(spec_of(&entry.path(), Grants::default(), json!({}))).expect(&entry.file);
            let AuthOutcome::Denied(Some(reason)) = authenticate(&hooks, Some("mallory"), "") else {
                panic!("{}: no reason of a deny", entry.file)
            };
            assert_eq!((reason.code, reason.text.as_deref()), (Some(0x8a), Some("not you")), "{}", entry.file);
            assert_eq!(authenticate(&hooks, Some("alice"), ""), AuthOutcome::Denied(None), "{}", entry.file);
            hooks.stop();
            assert_eq!(faults(&hooks), 0, "{}", entry.file);
        }
    }
}

/// The guest as it is built today: what it is asked is what the recorded ones are asked.
#[test]
fn every_hook_and_capability_is_answered() {
    everything_answers(Path::new(amqtt_tests::guests::EVERYTHING));
}

#[test]
fn compatibility_goes_by_the_major_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let ours = wasm::INTERFACE_VERSION;
    let of_version = |version: &str| {
        let bytes = fs::read(amqtt_tests::guests::EVERYTHING).expect("a built guest");
        let path = folder.path().join(format!("{version}.wasm"));
        fs::write(&path, replaced(&bytes, &format!("@{ours}"), &format!("@{version}"))).expect("written");
        path
    };
    for version in ["1.0.7", "1.3.0"] {
        everything_answers(&of_version(version));
    }
    for version in ["0.1.0", "0.2.0", "2.0.0"] {
        let error = load(spec_of(&of_version(version), all_grants(), json!({}))).err().expect(version);
        assert!(error.contains(&format!("it is made for version {version} of the plugin interface")), "{error}");
        assert!(error.contains("this broker has 1.0.0 and runs plugins of 1.x\nhint: "), "{error}");
    }
}

/// The same bytes with another text of the same length.
fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let (mut bytes, mut at) = (bytes.to_vec(), 0);
    while let Some(found) = bytes[at..].windows(old.len()).position(|window| window == old.as_bytes()) {
        at += found;
        bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
    }
    bytes
}

pub(super) fn all_grants() -> Grants {
    Grants {
        files: vec!["file".into()],
        publish: vec![TopicFilter::new("everything/#").expect("valid")],
        broker_info: true,
        sessions: true,
        invalidate: true,
    }
}

pub(super) fn spec_of(path: &Path, grants: Grants, settings: Value) -> HookSpec {
    let plugin = PluginSpec { path: Some(path.to_owned()), grants, ..embedded("guest", settings) };
    HookSpec { plugins: vec![plugin], ..HookSpec::default() }
}

/// More sessions and subscriptions than fit one page.
const SESSIONS: usize = 1_250;
const SUBSCRIPTIONS: usize = 1_100;

/// A broker with so many.
fn crowded() -> Recorder {
    let session = |number: usize| {
        let client_id = ClientId::new(&format!("c{number:05}"));
        let client = Arc::new(ClientInfo { client_id, ..(*client(Some("alice"))).clone() });
        SessionInfo { client, connected: true, persistent: false, subscriptions: 0, inflight: 0, queued: 0 }
    };
    let subscription = |number: usize| SubscriptionInfo {
        filter: TopicFilter::new(&format!("f/{number:05}/#")).expect("valid"),
        options: SubscriptionOptions::new(QoS::AtLeastOnce),
        id: SubscriptionId::new(7),
    };
    let mut sessions: Vec<_> = (0..SESSIONS).map(|number| (session(number), Vec::new())).collect();
    sessions[0].1 = (0..SUBSCRIPTIONS).map(subscription).collect();
    Recorder { sessions, ..Recorder::default() }
}

/// Asks all hooks of `guest_everything`, which ask all capabilities.
fn everything_answers(path: &Path) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "rules").expect("written");
    let mut spec = spec_of(path, all_grants(), json!({ "file": file.path(), "other": file.path() }));
    // Long enough on a busy machine too.
    spec.plugins[0].limits.deadline = Some(Duration::from_secs(20));
    let (hooks, broker) = load_with(spec, crowded()).expect("it loads");

    let denied = |code, text: &str, (name, value): (&str, &str)| Reason {
        code: Some(code),
        text: Some(text.into()),
        user_properties: vec![UserProperty { name: name.into(), value: value.into() }],
    };
    assert_eq!(authenticate(&hooks, Some("alice"), "secret"), AuthOutcome::Allowed);
    assert_eq!(authenticate(&hooks, Some("alice"), "wrong"), AuthOutcome::Denied(None));
    let reason = denied(0x8a, "not you", ("who", "mallory"));
    assert_eq!(authenticate(&hooks, Some("mallory"), ""), AuthOutcome::Denied(Some(Box::new(reason))));

    everything_exchanges(&hooks);

    let mut checker = hooks.topic_checker();
    let client = client(Some("alice"));
    let mut check = |action, topic: &str, allowed: bool, cache| {
        let reason = topic.starts_with("denied/").then(|| Arc::new(denied(0x97, "denied", ("topic", topic))));
        let verdict = checker.check(&client, action, topic, FACTS);
        let extended_to = topic.strip_prefix("extended/").map(|_| TopicFilter::new("extended/#").expect("is one"));
        let extended_to = extended_to.into_iter().collect();
        assert_eq!(verdict, Verdict { allowed, cache, reason, extended_to, ..Verdict::UNDECIDED }, "{topic}");
    };
    check(Action::Publish, "free/a", true, CacheFor::Never);
    check(Action::Subscribe, "free/#", true, CacheFor::Seconds(60));
    check(Action::Receive, "free/a", true, CacheFor::UntilReload);
    check(Action::Receive, "extended/a", true, CacheFor::UntilReload);
    check(Action::Receive, "astray/a", true, CacheFor::UntilReload);
    check(Action::Publish, "own/c1", true, CacheFor::Never);
    check(Action::Publish, "own/c2", false, CacheFor::Never);
    check(Action::Publish, "user/alice", true, CacheFor::Never);
    check(Action::Publish, "address/127.0.0.1:", true, CacheFor::Never);
    check(Action::Publish, "properties/none", false, CacheFor::Never);
    check(Action::Publish, "retained/a", false, CacheFor::Never);
    check(Action::Publish, "short/a", true, CacheFor::Never);
    check(Action::Publish, "logged/a", true, CacheFor::Never);
    check(Action::Publish, "denied/a", false, CacheFor::Never);
    check(Action::Publish, "abstained/a", false, CacheFor::Never);
    let topics = ["free/a", "denied/b", "abstained/c", "short/d"];
    let long = TopicFacts { payload_len: Some(1_000), ..FACTS };
    let verdicts = checker.check_many(&client, Action::Publish, &topics.map(|topic| (topic, long)));
    assert_eq!(verdicts.iter().map(|verdict| verdict.allowed).collect::<Vec<_>>(), [true, false, false, false]);
    assert_eq!(verdicts[1].reason, Some(Arc::new(denied(0x97, "denied", ("topic", "denied/b")))));

    let told = |topic: &str| {
        let full = format!("everything/{topic}");
        let found = || broker.published.lock().iter().find(|message| message.topic.as_str() == full).cloned();
        eventually(&full, || found().is_some());
        String::from_utf8(found().expect("was there").payload.to_vec()).expect("text")
    };
    // A plugin of an earlier version does not know the kinds that have come since.
    for &kind in EventKind::ALL.iter().filter(|kind| hooks.wants(**kind)) {
        hooks.emit(full_event(kind));
        assert_eq!(told(&format!("event/{}", kind.name())), FULL_EVENT);
    }

    let number = hooks.verdict_number();
    hooks.start();
    assert_eq!(told("file"), "5 bytes, accepted true");
    assert!(told("other-file").contains("grant"), "{}", told("other-file"));
    assert_eq!(told("clock"), "right");
    assert_eq!(told("random"), "right");
    assert!(told("broker").starts_with("0.1.0 0 clients-connected=3,plugin-faults=0,"), "{}", told("broker"));
    let first = format!("c00000 Some((Some(\"alice\"), true)) {SUBSCRIPTIONS} f/00000/#:AtLeastOnce:Some(7)");
    assert_eq!(told("sessions"), format!("{SESSIONS} {SESSIONS} {first}"));
    assert_eq!(told("no-session"), "true");
    eventually("verdicts are ended", || hooks.verdict_number() > number);
    drop(checker);
    hooks.stop();
    assert_eq!(told("stopped"), "");
    assert_eq!(faults(&hooks), 0);
}

/// An event with all that there may be of one, of a client with all that there may be of one.
fn full_event(kind: EventKind) -> Event {
    let property = |name: &str, value: &str| UserProperty { name: name.into(), value: value.into() };
    let certificate = CertificateFacts {
        subject: "CN=sensor,O=Example".into(),
        common_name: Some("sensor".into()),
        serial: "0a1b".into(),
        sha256: [0xab; 32],
    };
    let tls = TlsFacts { version: "1.3", certificate: Some(certificate) };
    let mut info = (*client(Some("alice"))).clone();
    info.peer = Peer { transport: TransportKind::Wss, tls: Some(Arc::new(tls)), ..info.peer };
    info.connect = ConnectFacts {
        protocol_level: 5,
        clean_start: true,
        keep_alive_secs: 30,
        user_properties: [property("a", "b")].into_iter().collect(),
    };
    Event {
        topic: Some("t/a".into()),
        qos: Some(QoS::AtLeastOnce),
        retain: Some(true),
        payload_len: Some(5),
        payload: Some(bytes::Bytes::from_static(b"12345")),
        packet: Some(PacketFacts { packet_type: 3, flags: 10, packet_id: Some(7), len: 20 }),
        reason_code: Some(0x8e),
        reason: Some("taken over".into()),
        user_properties: [property("c", "d"), property("e", "")].into(),
        ..Event::of_client(kind, &Arc::new(info))
    }
}

/// What `guest_everything` tells of it.
const FULL_EVENT: &str = "c1 alice 127.0.0.1:1 default wss 5 true 30 [a=b] Some(\"1.3\") Some((\"CN=sensor,O=Example\", \
    Some(\"sensor\"), \"0a1b\", \"abababababababababababababababababababababababababababababababab\")); Some(\"t/a\") \
    Some(AtLeastOnce) Some(true) Some(5) Some(\"12345\") Some((3, 10, Some(7), 20)) Some(142) Some(\"taken over\") [c=d,e=]";

/// Asks its `enhanced-auth`: two steps, to both ends.
fn everything_exchanges(hooks: &Arc<Hooks>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let step = |exchange, data: &'static [u8]| {
        runtime.block_on(hooks.step(client(None), exchange, Some(bytes::Bytes::from_static(data))))
    };
    assert!(hooks.begin_exchange("other").is_none());
    let challenged = || {
        let exchange = hooks.begin_exchange("everything").expect("it serves the method");
        let Step::Challenge(data, exchange) = step(exchange, b"hello") else { panic!("no challenge") };
        assert_eq!(data, b"hello");
        exchange
    };
    let Step::Proven(proof) = step(challenged(), b"alice") else { panic!("no proof") };
    assert_eq!(proof, Proof { username: Some("alice".into()), data: Some(b"welcome".to_vec()) });
    let Step::Denied(Some(reason)) = step(challenged(), b"mallory") else { panic!("not denied") };
    assert_eq!((reason.code, reason.text.as_deref()), (Some(0x8c), Some("not alice")));
}
