//! What the author of a plugin does, from nothing to a broker that goes by the plugin: the commands of the SDK's README.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use amqtt_tests::guests;
use rumqttc::QoS::{AtLeastOnce, AtMostOnce};
use tempfile::TempDir;

use crate::broker::{Broker, Setup, amqtt};
use crate::client::Client;
use crate::examples::wasip2::skip;
use crate::wasm_toolchain::{TARGET, Toolchain};

/// Runs a command in a folder.
fn run(command: &mut Command, folder: &Path) -> Output {
    command.current_dir(folder).output().expect("can start")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command that succeeds prints.
fn succeed(command: &mut Command, folder: &Path) -> String {
    let Output { status, stdout, stderr } = run(command, folder);
    assert!(status.success(), "{command:?}\n{}{}", text(&stdout), text(&stderr));
    text(&stdout)
}

fn plugin(arguments: &[&str]) -> Command {
    let mut command = amqtt();
    command.arg("plugin").args(arguments);
    command
}

/// What a command that fails prints on stderr.
fn fail(arguments: &[&str], folder: &Path) -> String {
    let Output { status, stdout, stderr } = run(&mut plugin(arguments), folder);
    assert_eq!(status.code(), Some(1), "{arguments:?}\n{}{}", text(&stdout), text(&stderr));
    text(&stderr)
}

/// Cargo, with what is on this machine already and a target folder that other runs find again.
fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).args(["--quiet", "--offline", "--target-dir"]);
    cargo.arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("author"));
    // What the cargo that runs these tests has set for itself.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        cargo.env_remove(name);
    }
    cargo
}

#[test]
fn from_nothing_to_a_plugin_that_a_broker_goes_by() {
    let home = TempDir::new().expect("a folder");
    succeed(&mut plugin(&["new", "own-topics"]), home.path());
    let project = home.path().join("own-topics");
    // As `cargo test`, with what the next command needs as well.
    succeed(&mut cargo(&["test", "--release"]), &project);
    let mut build = cargo(&["build", "--release", "--target", TARGET]);
    Toolchain::detect().expect("a toolchain that builds plugins").apply(&mut build);
    succeed(&mut build, &project);

    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("author").join(TARGET).join("release/own_topics.wasm");
    let module = module.to_str().expect("UTF-8");
    let packed = succeed(&mut plugin(&["pack", module]), &project);
    assert!(packed.starts_with("wrote    own_topics.wasm, "), "{packed}");
    assert!(packed.contains("hooks    topic-check\ngrants   needs none\n"), "{packed}");
    let inspected = succeed(&mut plugin(&["inspect", "own_topics.wasm"]), &project);
    assert!(inspected.contains("name       own-topics\nversion    0.1.0\n"), "{inspected}");
    let sha256 = inspected.lines().find_map(|line| line.strip_prefix("sha256     ")).expect("a sum");
    assert!(packed.ends_with(&format!("sha256   {sha256}\n")), "{packed}");

    let config = format!(
        "plugins:\n  - auth_anonymous\n  - own_topics:\n      sha256: {sha256}\n      prefix: d/\n      shared: [news/#]\n\
         topic-check: {{enabled: true}}\n"
    );
    let component = component_path(&project);
    let checked = succeed(&mut plugin(&["check", "own_topics.wasm", "--settings", r#"{"prefix": "d/"}"#]), &project);
    assert!(
        checked.starts_with(
            "plugin \"own_topics\" 0.1.0: hooks topic-check; uses log\ndecides publish, subscribe, receive\n"
        ),
        "{checked}"
    );
    let tested = succeed(&mut plugin(&["test", "own_topics.wasm", "cases.yaml"]), &project);
    assert!(tested.ends_with("6 passed, 0 failed\n"), "{tested}");
    let benched = succeed(&mut plugin(&["bench", "own_topics.wasm", "--time", "5"]), &project);
    assert!(
        benched.starts_with("load ") && benched.contains("\ntopic-check ") && benched.contains(" p99 "),
        "{benched}"
    );
    assert!(benched.lines().filter(|line| line.starts_with("topic-check ")).all(|line| line.ends_with(": deny")));

    let mut broker = Setup::new(&config).plugin_dir_with(&component).debug().start();
    check_decisions(&mut broker);

    // Beside one that was built with a later patch of the interface, and has other settings.
    let newer = replaced(&std::fs::read(component).expect("is there"), b"@1.0.0", b"@1.0.1");
    let config =
        "plugins:\n  - auth_anonymous\n  - own_topics: {prefix: d/}\n  - newer: {path: newer.wasm, prefix: e/}\n";
    let mut broker = Setup::new(config).file("newer.wasm", newer).plugin_dir_with(&component_path(&project)).start();
    for (name, prefix) in [("own_topics", "d/"), ("newer", "e/")] {
        let line = broker.wait_for_log(&format!("each client has its own topics below `{prefix}`"));
        assert!(line.contains(&format!("plugin=\"{name}\"")), "{line}");
    }
}

/// The README's other way to a component, which needs no `pack`.
#[test]
fn a_project_that_is_built_for_wasip2_is_a_plugin_as_it_is() {
    const WASIP2: &str = "wasm32-wasip2";
    let Some(toolchain) = Toolchain::with_target(WASIP2) else {
        return skip("a project of `plugin new` for wasm32-wasip2");
    };
    let home = TempDir::new().expect("a folder");
    succeed(&mut plugin(&["new", "own-topics"]), home.path());
    let project = home.path().join("own-topics");
    let mut build = cargo(&["build", "--target", WASIP2, "--release"]);
    toolchain.apply(&mut build);
    succeed(&mut build, &project);

    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("author").join(WASIP2).join("release/own_topics.wasm");
    std::fs::copy(built, project.join("own_topics.wasm")).expect("cargo has made it");
    let checked = succeed(&mut plugin(&["check", "own_topics.wasm", "--settings", r#"{"prefix": "d/"}"#]), &project);
    assert!(checked.starts_with("plugin \"own_topics\" 0.1.0: hooks topic-check; uses "), "{checked}");
    assert!(checked.ends_with("\nOK\n"), "{checked}");
    let tested = succeed(&mut plugin(&["test", "own_topics.wasm", "cases.yaml"]), &project);
    assert!(tested.ends_with("6 passed, 0 failed\n"), "{tested}");

    let config = "plugins:\n  - auth_anonymous\n  - own_topics: {prefix: d/}\n";
    let mut broker = Setup::new(config).plugin_dir_with(&component_path(&project)).debug().start();
    check_decisions(&mut broker);
}

/// The plugin of the template gives each client its own topics, here below `d/`.
fn check_decisions(broker: &mut Broker) {
    broker.wait_for_log("each client has its own topics below `d/`");
    let mut client = Client::connect(broker, "c1");
    client.subscribe("d/c1/#", AtMostOnce);
    client.publish("d/c2/a", AtLeastOnce, false, "not allowed");
    broker.wait_for_log("Publish of `d/c2/a` is not for `c1`");
    client.publish("d/c1/a", AtLeastOnce, false, "allowed");
    assert_eq!(client.receive().topic, "d/c1/a");
}

fn component_path(project: &Path) -> String {
    project.join("own_topics.wasm").to_str().expect("UTF-8").to_owned()
}

/// Bytes with others in place of all that are the same as `old`.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<_> = bytes.windows(old.len()).enumerate().filter(|(_, it)| *it == old).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "there is nothing to replace");
    places.iter().for_each(|at| bytes[*at..at + new.len()].copy_from_slice(new));
    bytes
}

/// The copy of the SDK in a project is what would be published.
#[test]
fn a_project_has_all_of_the_sdk() {
    let home = TempDir::new().expect("a folder");
    succeed(&mut plugin(&["new", "a"]), home.path());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let list = ["package", "--package", "amqtt-plugin-sdk", "--list", "--allow-dirty", "--offline", "--quiet"];
    let listed = succeed(Command::new(env!("CARGO")).args(list), &workspace);
    for needed in ["LICENSE", "README.md", "wit/types.wit", "wit/hooks.wit", "wit/capabilities.wit", "wit/worlds.wit"] {
        assert!(listed.lines().any(|file| file == needed), "{needed} is not published: {listed}");
    }
    let made_by_cargo = ["Cargo.lock", "Cargo.toml.orig", ".cargo_vcs_info.json"];
    let listed = listed.lines().filter(|file| !made_by_cargo.contains(file));
    let missing: Vec<_> = listed.filter(|file| !home.path().join("a/sdk").join(file).is_file()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let manifest = std::fs::read_to_string(home.path().join("a/sdk/Cargo.toml")).expect("is there");
    // What a registry would not find: it has neither this workspace nor these folders.
    assert!(!manifest.contains("workspace") && !manifest.contains("path ="), "{manifest}");
}

#[test]
fn a_project_is_made_only_where_nothing_is() {
    let home = TempDir::new().expect("a folder");
    succeed(&mut plugin(&["new", "a"]), home.path());
    let stderr = fail(&["new", "a"], home.path());
    assert_eq!(stderr, "amqtt: `a` is there already, and not empty\n  hint: choose another folder with `--path`\n");
    succeed(&mut plugin(&["new", "a", "--path", "b/c"]), home.path());
    assert!(home.path().join("b/c/src/lib.rs").is_file());
    let stderr = fail(&["new", "topic_acl"], home.path());
    assert!(stderr.starts_with("amqtt: `topic_acl` is built in\n  hint: "), "{stderr}");
    assert!(!home.path().join("topic_acl").exists());
}

#[test]
fn an_sdk_elsewhere_is_named() {
    let home = TempDir::new().expect("a folder");
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin-sdk").canonicalize().expect("is there");
    succeed(plugin(&["new", "a", "--sdk"]).arg(&sdk), home.path());
    let manifest = std::fs::read_to_string(home.path().join("a/Cargo.toml")).expect("is there");
    assert!(manifest.contains(&format!("amqtt-plugin-sdk = {{ path = {sdk:?} }}")), "{manifest}");
    assert!(!home.path().join("a/sdk").exists());
    let stderr = fail(&["new", "b", "--sdk", "a"], home.path());
    assert!(stderr.contains("is not the manifest of amqtt-plugin-sdk"), "{stderr}");
    assert!(!home.path().join("b").exists());
}

#[test]
fn what_cannot_be_packed_says_why() {
    let home = TempDir::new().expect("a folder");
    let check = |content: &[u8], expected: &str| {
        std::fs::write(home.path().join("x.wasm"), content).expect("can write");
        let stderr = fail(&["pack", "x.wasm", "-o", "y.wasm"], home.path());
        assert!(
            stderr.starts_with("amqtt: cannot make a plugin of `x.wasm`: ") && stderr.contains(expected),
            "{stderr}"
        );
        assert!(!home.path().join("y.wasm").exists());
    };
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";
    check(b"not wasm", "it is not WebAssembly");
    check(EMPTY, "there is no section `component-type`");
    // One import: a function of no parameters.
    let wasip1 = b"\x01\x04\x01\x60\0\0\x02\x20\x01\x16wasi_snapshot_preview1\x05\x66\x69\x72\x73\x74\0\0";
    check(&[EMPTY, wasip1].concat(), "it was built for `wasm32-wasip1`");
    check(&[EMPTY, b"\x01\xff"].concat(), "");
    std::fs::write(home.path().join("x.wasm"), EMPTY).expect("can write");
    assert!(fail(&["pack", "x.wasm"], home.path()).contains("component-type"));
}

#[test]
fn what_a_broker_would_not_start_with_is_said() {
    let home = TempDir::new().expect("a folder");
    let check = |arguments: &[&str], expected: &str| {
        let Output { status, stdout, .. } = run(plugin(&["check"]).args(arguments), home.path());
        assert_eq!((status.code(), text(&stdout).as_str()), (Some(1), expected), "{arguments:?}");
    };
    check(
        &["topic_acl", "--settings", r#"{"acl": {}, "acl-file": "rules"}"#],
        "error: plugin \"topic_acl\" (built in) refused to start: `acl-file` and `acl` are both set: rules are in one \
         place\n",
    );
    let stderr = fail(&["check", "auth_file", "--settings", r#"{"pasword-file": "x"}"#], home.path());
    let expected = "amqtt: --settings:1:2: unknown key `pasword-file`\n  hint: did you mean `password-file`?\n";
    assert_eq!(stderr, expected);
    std::fs::write(home.path().join("x.wasm"), "not wasm").expect("can write");
    let path = home.path().join("x.wasm");
    let expected = format!(
        "error: plugin \"x\" (`{}`) cannot be used: it is not WebAssembly\n  hint: a plugin is a component, a file that \
         starts with the bytes 00 61 73 6d 0d\n",
        path.display()
    );
    check(&[path.to_str().expect("UTF-8")], &expected);
    let (status, stdout) = {
        let mut command = plugin(&["check", guests::EVENTS, "--grant", "broker-info"]);
        let output = run(&mut command, home.path());
        (output.status.code(), text(&output.stdout))
    };
    let expected = "it uses `publisher`, which is not granted\n  hint: if you trust the plugin with it, add `--grant \
                    publish=TOPIC-FILTER`\n";
    assert!(status == Some(1) && stdout.ends_with(expected), "{stdout}");
    // What is said in the settings is mended there.
    let without = ["plugin", "check", guests::EVENTS, "--settings", "{\"grants\": {}}"];
    let Output { stdout, .. } = run(amqtt().args(without), home.path());
    assert!(text(&stdout).contains("add to its entry: grants: {publish: [TOPIC-FILTER]}"), "{}", text(&stdout));
    let granted = ["check", guests::EVENTS, "--grant", "publish=test/#", "--grant", "publish=#", "--grant", "sessions"];
    let granted = succeed(&mut plugin(&granted), home.path());
    let needs = "needs grants: {publish: [test/#, '#']} in its entry of a configuration\nOK\n";
    assert!(granted.ends_with(needs), "{granted}");
    let settings = r##"{"grants": {"publish": ["test/#", "#"]}}"##;
    let granted = succeed(&mut plugin(&["check", guests::EVENTS, "--settings", settings]), home.path());
    assert!(granted.ends_with(needs), "{granted}");
    let all = succeed(&mut plugin(&["check", guests::EVENTS]), home.path());
    assert!(all.ends_with("needs grants: {publish: [TOPIC-FILTER]} in its entry of a configuration\nOK\n"), "{all}");
    assert!(all.contains("is told of client-connected"), "{all}");
    let several =
        succeed(&mut plugin(&["check", guests::EVERYTHING, "--settings", r#"{"file": "x.wasm"}"#]), home.path());
    let expected = "needs grants: {files: [SETTINGS-KEY], publish: [TOPIC-FILTER], broker-info: true, sessions: true, \
                    invalidate: true} in its entry of a configuration\nOK\n";
    assert!(several.ends_with(expected), "{several}");
    // Also where no setting names a file, or one that is not there: that is for the plugin to say.
    for settings in ["{}", r#"{"file": "missing"}"#] {
        let none = succeed(&mut plugin(&["check", guests::EVERYTHING, "--settings", settings]), home.path());
        assert!(none.ends_with(expected), "{settings}: {none}");
    }
    let built_in = succeed(&mut plugin(&["check", "topic_acl"]), home.path());
    assert!(built_in.ends_with("OK\n") && !built_in.contains("needs"), "{built_in}");
    let stderr = fail(&["check", guests::EVENTS, "--settings", "prefix: a"], home.path());
    let expected = "amqtt: `--settings`: cannot read `prefix: a`: No such file or directory (os error 2)\n  hint: it takes a \
                    JSON object, '{\"key\": \"value\"}', or a file\n";
    assert_eq!(stderr, expected);
    let stderr = fail(&["pack", "target/none.wasm"], home.path());
    assert!(stderr.contains("`target/none.wasm`") && stderr.contains("hint: build it first"), "{stderr}");
    let stderr = fail(&["check", guests::EVENTS, "--grant", "everything"], home.path());
    let expected = "amqtt: `--grant everything`: a grant is `files=KEY`, `publish=FILTER`, `broker-info`, `sessions` or \
                    `invalidate`\n";
    assert_eq!(stderr, expected);
    let stderr = fail(&["check", guests::EVENTS, "--grant", "publish=a/#/b"], home.path());
    assert!(stderr.starts_with("amqtt: `--grant publish=a/#/b`: `#` "), "{stderr}");
    let stderr = fail(&["check", guests::EVENTS, "--settings", "{\"grants\": {\"publsh\": []}}"], home.path());
    assert!(stderr.contains("--settings:1:13: unknown key `grants.publsh`"), "{stderr}");
}

/// Without settings, a plugin may well refuse to start.
#[test]
fn who_has_named_no_settings_is_told_how() {
    let home = TempDir::new().expect("a folder");
    let hint = "\n  hint: `--settings` takes what it is to be set to: '{\"key\": \"value\"}', or a file\n";
    let refused = " refused to start: ";
    let run = |arguments: &[&str]| {
        let Output { status, stdout, stderr } = run(&mut plugin(arguments), home.path());
        assert_eq!(status.code(), Some(1), "{arguments:?}");
        text(&stdout) + &text(&stderr)
    };
    for command in ["check", "bench"] {
        let printed = run(&[command, guests::MISBEHAVES]);
        assert!(printed.contains(refused) && printed.ends_with(hint), "{command}: {printed}");
        let printed = run(&[command, guests::MISBEHAVES, "--settings", "{}"]);
        assert!(printed.contains(refused) && !printed.contains("hint: `--settings`"), "{command}: {printed}");
    }
}

/// The name of a plugin is not that of a file: what is there is told.
#[test]
fn a_name_that_leads_nowhere_is_answered_with_what_there_is() {
    let home = TempDir::new().expect("a folder");
    let built_in =
        "auth_anonymous, auth_file, auth_scram, broker_sys, event_logger, packet_logger, topic_acl, topic_taboo";
    for command in [&["inspect"][..], &["check"], &["bench"]] {
        let stderr = fail(&[command, &["nosuch"]].concat(), home.path());
        let expected = format!(
            "amqtt: there is no file `nosuch`, and no plugin of that name is built in\n  hint: built in are {built_in}\n"
        );
        assert_eq!(stderr, expected);
    }
    std::fs::copy(guests::REFUSE_MALLORY, home.path().join("own_topics.wasm")).expect("can copy");
    std::fs::write(home.path().join("cases.yaml"), "cases: []\n").expect("can write");
    for arguments in [&["inspect", "own_topics"][..], &["check", "own-topics"], &["test", "own_topics", "cases.yaml"]] {
        let stderr = fail(arguments, home.path());
        assert!(stderr.ends_with("\n  hint: did you mean `own_topics.wasm`?\n"), "{stderr}");
    }
}

#[test]
fn a_plugin_that_is_tried_without_a_grant_is_told_the_word_for_it() {
    let home = TempDir::new().expect("a folder");
    std::fs::write(home.path().join("cases.yaml"), "cases:\n- tick:\n").expect("can write");
    let arguments = ["test", guests::EVERYTHING, "cases.yaml", "--grant", "sessions"];
    let stderr = fail(&arguments, home.path());
    let expected = "\n  hint: if you trust the plugin with them, add `--grant files=SETTINGS-KEY --grant \
                    publish=TOPIC-FILTER --grant broker-info --grant invalidate`\n";
    assert!(stderr.ends_with(expected), "{stderr}");
}

#[test]
fn a_benchmark_in_which_every_call_fails_fails() {
    let home = TempDir::new().expect("a folder");
    let bench = |file: &str, cases: &str| {
        std::fs::write(home.path().join("cases.yaml"), cases).expect("can write");
        let mut command = plugin(&["bench", file, "--cases", "cases.yaml", "--time", "1"]);
        let Output { status, stderr, .. } = run(&mut command, home.path());
        (status.code(), text(&stderr))
    };
    let connect = "cases:\n- connect: {username: bob}\n  expect: allow\n";
    let (status, stderr) = bench(guests::TRAP_AUTH, connect);
    assert!(stderr.contains("\namqtt: every call failed: the plugin trapped in auth: it panicked"), "{stderr}");
    assert_eq!(status, Some(1));
    let one = "plugin: {acl: {alice: [a]}}\ncases:\n- connect: {}\n  expect: allow\n\
               - publish: {topic: a}\n  expect: deny\n";
    assert_eq!(bench("topic_acl", one), (Some(0), String::new()), "one call works");
}

/// What `amqtt plugin test` prints of a file of cases, and whether all is as expected.
fn test_cases(file: &str, cases: &str) -> (Option<i32>, String) {
    let home = TempDir::new().expect("a folder");
    std::fs::write(home.path().join("cases.yaml"), cases).expect("can write");
    let Output { status, stdout, stderr } = run(&mut plugin(&["test", file, "cases.yaml"]), home.path());
    (status.code(), text(&stdout) + &text(&stderr))
}

#[test]
fn cases_are_compared_with_what_a_plugin_answers() {
    let cases = "plugin: {acl: {alice: [a/#]}}
cases:
- publish: {username: alice, topic: a/b}
  expect: allow
  cache: reload
  extended-to: a/#
- publish: {username: bob, topic: a/b, client: c1}
  expect: allow
  extended-to: b/#
- subscribe: {username: alice, filter: '#'}
  expect: allow
- receive: {topic: a}
  expect: allow
- connect: {username: alice}
  expect: fault
";
    let expected = "cases.yaml:3: publish `a/b` of `client` (`alice`) ... ok
cases.yaml:7: publish `a/b` of `c1` (`bob`) ... FAILED
    expected allow, found deny
    expected extended-to `b/#`, found `#`
cases.yaml:10: subscribe `#` of `client` (`alice`) ... FAILED
    expected allow, found deny
cases.yaml:12: receive `a` of `client` ... FAILED
    expected allow, and the plugin is not asked about receive: at its start it did not ask for it
cases.yaml:14: connect of `client` (`alice`) ... FAILED
    expected fault, and the plugin does not export `auth`
1 passed, 4 failed
";
    assert_eq!(test_cases("topic_acl", cases), (Some(1), expected.to_owned()));
}

#[test]
fn cases_see_events_ticks_faults_and_what_is_published() {
    let cases = "cases:
- event: {kind: client-connected, client: c1}
  published: [{topic: test/events/connected, payload: c1}]
- event: {kind: client-disconnected, client: c1}
  published: []
- event: {kind: broker-pre-start}
";
    let (status, printed) = test_cases(guests::EVENTS, cases);
    assert_eq!(status, Some(1));
    assert!(printed.contains(":2: client-connected of `c1` ... ok\n"), "{printed}");
    let differs = "expected published nothing, found `test/events/disconnected` \"c1\"";
    assert!(printed.contains(differs) && printed.contains("is not told of broker-pre-start"), "{printed}");

    let trap = "cases:\n- connect: {}\n  expect: fault\n- connect: {}\n  expect: allow\n";
    let (status, printed) = test_cases(guests::TRAP_AUTH, trap);
    assert!(status == Some(1) && printed.contains("and the plugin trapped in auth: it panicked"), "{printed}");
    assert!(printed.contains("\n1 passed, 1 failed\n"), "{printed}");

    let ticks = "plugin: {sys-interval: 5}\ncases:\n- tick:\n";
    assert_eq!(test_cases("broker_sys", ticks).0, Some(0));
}

#[test]
fn cases_go_through_exchanges_of_auth_packets() {
    let cases = "cases:
- start: {client: c1, method: STEPS, data: 'ask:one'}
  expect: challenge
  data: one
- proceed: {data: 'ask:two'}
  expect: challenge
- proceed: {data: tell}
  expect: challenge
  data: one;two;
- proceed: {data: 'is:alice'}
  expect: proven
  username: alice
  data: welcome
- proceed: {data: 'is:alice'}
  expect: proven
- start: {method: OTHER-STEPS, data: explain}
  expect: deny
  reason: {code: 0x8a, text: no}
- start: {method: STEPS, data: fat}
  expect: fault
- start: {method: STEPS, username: nobody, data: 'is:mallory'}
  expect: deny
  username: alice
- start: {method: WALTZ}
  expect: deny
";
    let expected = "cases.yaml:2: start `STEPS` of `c1` ... ok
cases.yaml:5: proceed ... ok
cases.yaml:7: proceed ... ok
cases.yaml:10: proceed ... ok
cases.yaml:14: proceed ... FAILED
    expected proven, and the plugin has no exchange under way: what came before has not ended in a challenge
cases.yaml:16: start `OTHER-STEPS` of `client` ... ok
cases.yaml:19: start `STEPS` of `client` ... ok
cases.yaml:21: start `STEPS` of `client` (`nobody`) ... FAILED
    expected deny, found proven
    expected username `alice`, found `mallory`
cases.yaml:24: start `WALTZ` of `client` ... FAILED
    expected deny, and the plugin does not serve the authentication method `WALTZ`, but `STEPS`, `OTHER-STEPS`, `CREDULOUS`, `FRAGILE`
6 passed, 3 failed
";
    assert_eq!(test_cases(guests::EXCHANGE, cases), (Some(1), expected.to_owned()));
}

/// What every plugin with authentication methods has to stand.
#[test]
fn senseless_authentication_data_is_to_be_denied() {
    let home = TempDir::new().expect("a folder");
    // RFC 7677, section 3: the user `user` with the password `pencil`.
    let user = "user:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n";
    let users = home.path().join("users");
    std::fs::write(&users, user).expect("can write");
    let scram = format!(
        "plugin: {{password-file: '{}'}}
cases:
- garbage: {{method: SCRAM-SHA-256}}
- start: {{method: SCRAM-SHA-256, data: 'n,,n=eve,r=1'}}
  expect: challenge
- proceed: {{data: 'c=biws,r=1,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='}}
  expect: deny
",
        users.display()
    );
    let (status, printed) = test_cases("auth_scram", &scram);
    assert_eq!((status, printed.ends_with("3 passed, 0 failed\n")), (Some(0), true), "{printed}");

    let check = |method: &str, expected: &str| {
        let (status, printed) = test_cases(guests::EXCHANGE, &format!("cases:\n- garbage: {{method: {method}}}\n"));
        assert!(printed.contains(expected), "{status:?} {printed}");
    };
    check("STEPS", "garbage `STEPS` of `client` ... ok\n1 passed, 0 failed\n");
    check("CREDULOUS", "expected deny, found proven\n");
    check("FRAGILE", "expected deny, and the plugin trapped in enhanced-auth: it panicked");
}

#[test]
fn cases_that_make_no_sense_are_named() {
    let check = |cases: &str, expected: &str| {
        let (status, printed) = test_cases("topic_acl", cases);
        assert!(status == Some(1) && printed.contains(expected), "{cases}: {printed}");
    };
    check("cases:\n- start: {method: a}\n", "add `expect: challenge`, `proven`, `deny` or `fault`");
    check("cases:\n- start: {data: a}\n  expect: deny\n", "there is no `method`");
    check("cases: []", "there are no cases");
    check("cases:\n- expect: allow\n", "cases.yaml:2:3: a case asks one thing\n  hint: ");
    check("cases:\n- {tick: , connect: {}, expect: allow}\n", "a case asks one thing");
    check("cases:\n- publish: {topic: a}\n", "a case expects something");
    check("cases:\n- publish: {topic: a}\n  expect: maybe\n", "found `maybe`, wanted `allow` or `deny`");
    check("cases:\n- publish: {tpoic: a}\n  expect: deny\n", "unknown key `cases.publish.tpoic`");
    check("cases:\n- subscribe: {}\n  expect: deny\n", "there is no `filter`");
    check("cases:\n- event: {kind: moon}\n", "the kinds are broker-pre-start, ");
    check("cases:\n- publish: {topic: a, address: here}\n  expect: deny\n", "`here` is not an address");
    check("cases:\n- publish: {topic: a}\n  expect: deny\n  cache: often\n", "wanted `never`, `reload` or a number");
    check("plugin: {acl: 1}\ncases: []\n", "key `plugin.acl`: found `1`, wanted a mapping of user names");
    check("plugin: {acl: {}, acl-file: x}\ncases: []\n", "refused to start");
}

#[test]
fn a_component_needs_no_packing() {
    let home = TempDir::new().expect("a folder");
    let printed = succeed(&mut plugin(&["pack", guests::EVENTS]), home.path());
    assert!(printed.ends_with("is a component already: nothing has to be packed\n"), "{printed}");
    succeed(&mut plugin(&["pack", guests::EVENTS, "-o", "copy.wasm"]), home.path());
    let read = |path: &OsStr| std::fs::read(path).expect("is there");
    assert_eq!(read(home.path().join("copy.wasm").as_os_str()), read(OsStr::new(guests::EVENTS)));
    let stderr = fail(&["pack", "copy.wasm", "-o", "."], home.path());
    assert!(stderr.contains("`./copy.wasm` would be overwritten"), "{stderr}");
    for (out, folder) in [("none/", "none/"), ("none/copy.wasm", "none")] {
        let stderr = fail(&["pack", "copy.wasm", "-o", out], home.path());
        assert!(stderr.contains(&format!("  hint: there is no folder `{folder}`: make it")), "{stderr}");
    }
}
