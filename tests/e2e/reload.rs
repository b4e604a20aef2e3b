//! SIGHUP: the configuration is taken anew.

use amqtt_tests::guests;
use rumqttc::ConnectReturnCode::{self, BadUserNamePassword};
use rumqttc::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use rumqttc::SubscribeReasonCode::{Failure, Success};

use crate::broker::{Broker, Setup, amqtt};
use crate::client::{Client, options};

const TAKEN: &str = "the configuration was taken anew";
const NOT_TAKEN: &str = "everything stays as it was";

/// Gives the broker another configuration, and waits for what it says of it.
fn reload(broker: &mut Broker, change: impl Fn(&str) -> String, answer: &str) -> String {
    let config = change(&broker.config());
    broker.rewrite("broker.yaml", config);
    // What the log has said before is no answer.
    broker.forget_log();
    broker.signal("HUP");
    broker.wait_for_log(answer)
}

fn with(lines: &str) -> impl Fn(&str) -> String {
    move |config| format!("{config}{lines}\n")
}

fn login(broker: &Broker, name: &str, password: &str) -> Result<Client, ConnectReturnCode> {
    let mut options = options(broker, name);
    options.set_credentials(name, password);
    Client::connect_with(options)
}

#[test]
fn limits_hold_for_connections_that_are_there() {
    let mut broker = Broker::start("plugins: [auth_anonymous]\n");
    let mut client = Client::connect(&broker, "client");
    assert_eq!(client.subscribe("a/b/c", ExactlyOnce), Success(ExactlyOnce));
    reload(&mut broker, with("max-qos: 1\nlimits: {topic-levels-max: 2, subscriptions-max: 2}"), TAKEN);
    assert_eq!(client.subscribe("a/b", ExactlyOnce), Success(AtLeastOnce));
    assert_eq!(client.subscribe("a/b/c", AtMostOnce), Failure, "too deep");
    assert_eq!(client.subscribe("c", AtMostOnce), Failure, "one too many");
    client.publish("a/b", AtLeastOnce, false, "still here");
    assert_eq!(client.receive_words(), "a/b still here");
    reload(&mut broker, |config| config.replace("max-qos: 1\n", "").replace("subscriptions-max: 2", ""), TAKEN);
    assert_eq!(client.subscribe("c", ExactlyOnce), Success(ExactlyOnce));
}

/// Files by `amqtt passwd --rounds 1000`; the passwords are `one` and `two`.
const ONE: &str = "test:$6$rounds=1000$bLXHP9raIKCYvtoL$4hwNIZU7PH9OLP5.ETRWAPKKtepY7j8UpVflU8gPFoiUPgKEXsfDLKVg.RJn7UV.mGTDsJq1jzQf6rlkqRnIn/\n";
const TWO: &str = "test:$6$rounds=1000$p6azHyiNOJrhT6dB$RKtpzO6G..FwA1BNlgIQKgzB32/Ljec2hxXDZwVZhB7FhUzzywZbfxVmZAucAZCO67YXozTWBtsQsdu6hK7p6/\n";

#[test]
fn plugins_and_their_files_are_taken_anew_and_connections_stay() {
    let config = "plugins: [auth_file]\nauth: {password-file: users}\n";
    let mut broker = Setup::new(config).file("users", ONE).start();
    let mut client = login(&broker, "test", "one").expect("is right");
    broker.rewrite("users", TWO);
    reload(&mut broker, str::to_owned, TAKEN);
    broker.wait_for_log("`password-file` has changed and is in force");
    assert_eq!(login(&broker, "other", "two").err(), Some(BadUserNamePassword));
    assert!(login(&broker, "test", "one").is_err_and(|code| code == BadUserNamePassword));
    client.subscribe("a", AtLeastOnce);
    client.publish("a", AtLeastOnce, false, "b");
    assert_eq!(client.receive_words(), "a b");
    // Another plugin, and another question: who may do what.
    let acl = with("topic-check: {plugins: [topic_acl], acl: {test: [allowed]}}");
    reload(&mut broker, acl, TAKEN);
    assert_eq!(client.subscribe("b", AtMostOnce), Failure);
    assert_eq!(client.subscribe("allowed", AtMostOnce), Success(AtMostOnce));
}

#[test]
fn a_broken_configuration_leaves_everything_as_it_was() {
    let config = "plugins: [auth_file]\nauth: {password-file: users}\nmax-qos: 1\n";
    let mut broker = Setup::new(config).file("users", ONE).start();
    let mut client = login(&broker, "test", "one").expect("is right");
    let good = broker.config();
    let mut check = |change: &dyn Fn(&str) -> String, reason: &str| {
        let line = reload(&mut broker, change, NOT_TAKEN);
        broker.wait_for_log(reason);
        assert!(line.contains("ERROR"), "{line}");
        broker.rewrite("broker.yaml", &good);
    };
    check(&|config| config.replace("max-qos: 1", "max-qos: 2\nauth: []"), "broker.yaml:");
    check(&|config| config.replace("max-qos: 1", "max-qos: 7"), "found `7`, wanted a whole number from 0 to 2");
    check(
        &|config| config.replace("max-qos: 1", "max-qos: 2").replace("[auth_file]", "[auth_file, absent]"),
        "\"absent\" not found",
    );
    check(&|config| config.replace("max-qos: 1", "max-qos: 2").replace("users", "nobody"), "cannot read the file");
    check(&|_| String::new(), "the file is empty");
    assert_eq!(client.subscribe("a", ExactlyOnce), Success(AtLeastOnce));
    assert!(login(&broker, "test", "one").is_ok());
    assert!(login(&broker, "test", "two").is_err());
}

/// As somebody is about to write it, or has by mistake.
#[test]
fn an_emptied_file_of_users_or_rules_is_not_taken() {
    let config = "plugins: [auth_file]\nauth: {password-file: users}\n\
                  topic-check: {plugins: [topic_acl], acl-file: rules}\n";
    let rules = "user test\ntopic a\n";
    let mut broker = Setup::new(config).file("users", ONE).file("rules", rules).start();
    for (file, good, bad, reason) in [
        ("users", ONE, "", "no user in it"),
        ("users", ONE, "nonsense\n", "no user in it"),
        ("rules", rules, "", "no rule in it"),
        ("rules", rules, "# to be written\n", "no rule in it"),
    ] {
        broker.rewrite(file, bad);
        reload(&mut broker, str::to_owned, TAKEN);
        let line = broker.wait_for_log("has changed and is not used");
        assert!(line.contains(reason), "{bad:?}: {line}");
        let mut client = login(&broker, "test", "one").expect("is right");
        assert_eq!(client.subscribe("a", AtMostOnce), Success(AtMostOnce), "{bad:?}");
        broker.rewrite(file, good);
    }
    broker.rewrite("rules", "pattern deny #\n");
    broker.rewrite("users", TWO);
    reload(&mut broker, str::to_owned, TAKEN);
    broker.wait_for_log("`acl-file` has changed and is in force");
    broker.wait_for_log("`password-file` has changed and is in force");
    let mut client = login(&broker, "test", "two").expect("is right");
    assert_eq!(client.subscribe("a", AtMostOnce), Failure);
}

/// SIGHUP may be about something else, while somebody writes the rules.
#[test]
fn rules_that_are_half_written_are_not_taken_by_a_reload() {
    let config = "plugins: [auth_anonymous, topic_acl]\ntopic-check: {acl-file: rules}\n";
    let rules = "topic #\ntopic deny secret/#\n";
    let mut broker = Setup::new(config).file("rules", rules).start();
    let (mut reader, mut writer) = (Client::connect(&broker, "reader"), Client::connect(&broker, "writer"));
    reader.subscribe("#", AtLeastOnce);
    broker.rewrite("rules", "topic #\n");
    reload(&mut broker, str::to_owned, TAKEN);
    writer.publish("secret/1", AtLeastOnce, false, "while it is written");
    broker.rewrite("rules", format!("{rules}topic deny keys\n"));
    broker.wait_for_log("`acl-file` has changed and is in force: 3 rules");
    for topic in ["secret/1", "keys", "open"] {
        writer.publish(topic, AtLeastOnce, false, "after");
    }
    assert_eq!(reader.receive_words(), "open after");
}

#[test]
fn the_log_level_changes() {
    let mut broker = Broker::start("plugins: [auth_anonymous]\n");
    reload(&mut broker, with("log-level: debug"), TAKEN);
    reload(&mut broker, str::to_owned, "DEBUG - SIGHUP");
    broker.wait_for_log(TAKEN);
    // Nothing is said of this one: what it is about is in force before.
    let mut client = Client::connect(&broker, "client");
    let silent = |config: &str| format!("{}max-qos: 0\n", config.replace("debug", "error"));
    reload(&mut broker, silent, "DEBUG - SIGHUP");
    while client.subscribe("a", AtLeastOnce) != Success(AtMostOnce) {}
    let wrong = |config: &str| config.replace("max-qos: 0", "max-qos: 7");
    let line = reload(&mut broker, wrong, "");
    assert!(line.contains("ERROR") && line.contains("max-qos"), "nothing less comes first: {line}");
    broker.wait_for_log(NOT_TAKEN);
    broker.signal("TERM");
    assert!(broker.wait().success());
}

#[test]
fn what_takes_a_restart_is_named() {
    let mut broker = Broker::start("plugins: [auth_anonymous]\n");
    let line = reload(&mut broker, with("overlapping-subscriptions: each"), "at the next start");
    assert!(line.contains("WARN") && line.contains("`overlapping-subscriptions` has changed"), "{line}");
}

/// A number may be mistyped, or that of a broker that has ended: most processes end at SIGHUP.
#[test]
#[cfg(target_os = "linux")]
fn only_a_broker_is_told_to_reload_by_its_number() {
    let reload = |pid: u32| {
        let output = amqtt().args(["plugin", "reload", "--pid", &pid.to_string()]).output().expect("can start");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut broker = Broker::start("plugins: [auth_anonymous]\n");
    assert_eq!(reload(broker.pid()), (true, String::new()));
    broker.wait_for_log(TAKEN);
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut sleep = std::process::Command::new("sleep");
    sleep.arg("600");
    // One that reads a password has the name of a broker.
    let mut passwd = amqtt();
    passwd.arg("passwd").arg(folder.path().join("users")).arg("alice").stdin(std::process::Stdio::piped());
    for mut command in [sleep, passwd] {
        let mut other = command.spawn().expect("can start");
        let (told, text) = reload(other.id());
        let ended = other.try_wait().expect("can be looked at");
        other.kill().expect("is ours");
        other.wait().expect("ends");
        assert!(!told && text.contains("was not signalled") && text.contains("--pid-file"), "{command:?}: {text}");
        assert_eq!(ended, None, "{command:?}");
    }
}

/// The file of a third party's plugin is replaced by a build of another mind.
#[test]
fn a_plugin_is_loaded_again_when_its_file_changes() {
    let config = "plugins:\n  - mind: {path: mind.wasm}\n  - auth_anonymous\nplugin-reload: on-change\n";
    let refuses = std::fs::read(guests::REFUSE_MALLORY).expect("is there");
    let traps = std::fs::read(guests::TRAP_AUTH).expect("is there");
    let mut broker = Setup::new(config).file("mind.wasm", &refuses).start();
    assert!(login(&broker, "alice", "x").is_ok());
    broker.rewrite("mind.wasm", &refuses[..refuses.len() / 2]);
    broker.wait_for_log("is not taken, everything stays as it was");
    assert!(login(&broker, "alice", "x").is_ok());
    broker.rewrite("mind.wasm", &traps);
    broker.wait_for_log("the file of a plugin has changed: plugins were loaded again");
    assert_eq!(login(&broker, "alice", "x").map(drop), Err(ConnectReturnCode::ServiceUnavailable));
}

/// A new sum counts when the configuration is read again, which a changed file alone does not lead to.
#[test]
fn who_has_changed_a_pinned_file_is_told_to_reload() {
    let [refuses, traps] =
        [guests::REFUSE_MALLORY, guests::TRAP_AUTH].map(|guest| std::fs::read(guest).expect("is there"));
    let inspected =
        amqtt().args(["plugin", "inspect", guests::REFUSE_MALLORY, "--format", "json"]).output().expect("can start");
    let inspected: serde_json::Value = serde_json::from_slice(&inspected.stdout).expect("is JSON");
    let sha256 = inspected["sha256"].as_str().expect("a sum");
    let config = format!(
        "plugins:\n  - mind: {{path: mind.wasm, sha256: {sha256}}}\n  - auth_anonymous\nplugin-reload: on-change\n"
    );
    let mut broker = Setup::new(&config).file("mind.wasm", &refuses).start();
    broker.rewrite("mind.wasm", &traps);
    let hint =
        "; hint: if nobody has changed the file, do not trust it; if you have, put its sum into `sha256`, then reload";
    let line = broker.wait_for_log("the file of a plugin has changed and is not taken");
    assert!(line.ends_with(hint), "{line}");
    let line = reload(&mut broker, str::to_owned, NOT_TAKEN);
    assert!(line.ends_with(hint), "{line}");
}

#[test]
fn a_command_loads_plugins_again() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let pid_file = folder.path().join("amqtt.pid");
    let pid_file = pid_file.to_str().expect("is text");
    let mut broker = Setup::new("plugins: [auth_anonymous]\n").argument("--pid-file").argument(pid_file).start();
    broker.wait_for_file(std::path::Path::new(pid_file));
    let told = amqtt().args(["plugin", "reload", "--pid-file", pid_file]).output().expect("can start");
    assert!(told.status.success(), "{told:?}");
    broker.wait_for_log(TAKEN);
    broker.signal("TERM");
    assert!(broker.wait().success());
    assert!(!std::path::Path::new(pid_file).exists());
    for (arguments, error) in [
        (
            ["--pid-file", pid_file],
            &*format!(
                "No such file or directory (os error 2)\n  hint: is the broker running with `--pid-file {pid_file}`?"
            ),
        ),
        (["--pid", "0"], "not the number"),
        (["--pid", "-1"], "not the number"),
    ] {
        let failed = amqtt().args(["plugin", "reload"]).args(arguments).output().expect("can start");
        let stderr = String::from_utf8_lossy(&failed.stderr);
        assert!(
            !failed.status.success() && (stderr.contains(error) || stderr.contains("unexpected argument")),
            "{stderr}"
        );
    }
}
