#[cfg(target_os = "linux")]
use std::io::{Read, Write};
#[cfg(target_os = "linux")]
use std::net::{SocketAddr, TcpStream};
#[cfg(unix)]
use std::process::Command;

use amqtt_tests::guests;
use rumqttc::ConnectReturnCode;
use rumqttc::QoS::{AtLeastOnce, AtMostOnce};
#[cfg(target_os = "linux")]
use socket2::{Domain, Socket, Type};

#[cfg(target_os = "linux")]
use crate::broker::PATIENCE;
use crate::broker::{Broker, Setup, amqtt};
use crate::client::{Client, options};

fn connect_as(broker: &Broker, username: &str) -> Result<Client, ConnectReturnCode> {
    let mut options = options(broker, username);
    options.set_credentials(username, "password");
    Client::connect_with(options)
}

#[test]
fn a_third_party_plugin_is_found_in_its_folder() {
    let broker = Setup::new("plugins:\n  - guest_refuse_mallory\n  - auth_anonymous\n")
        .plugin_dir_with(guests::REFUSE_MALLORY)
        .start();
    assert!(connect_as(&broker, "alice").is_ok());
    assert_eq!(connect_as(&broker, "mallory").map(drop), Err(ConnectReturnCode::BadUserNamePassword));
}

/// A fault of a plugin is a refusal, and nothing else changes.
#[test]
fn a_plugin_that_traps_in_auth_refuses_and_the_broker_lives_on() {
    let config = "plugins:\n  - auth_anonymous\n  - guest_trap_auth\n";
    let mut broker = Setup::new(config).plugin_dir_with(guests::TRAP_AUTH).start();
    for _ in 0..3 {
        assert_eq!(connect_as(&broker, "alice").map(drop), Err(ConnectReturnCode::ServiceUnavailable));
    }
    broker.wait_for_log("guest_trap_auth");
    assert!(broker.is_running());
}

/// Logs in with a clean session as a client from an address of this machine; the CONNACK's return code.
#[cfg(target_os = "linux")]
fn login_from(broker: &Broker, address: [u8; 4], client_id: &str) -> u8 {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((address, 0)).into()).expect("Linux has all of 127.0.0.0/8");
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], broker.port)).into()).expect("the broker listens");
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("can set");
    let rest = u8::try_from(client_id.len()).expect("short");
    let connect = [&[0x10, 12 + rest], &b"\0\x04MQTT\x04\x02\0\0\0"[..], &[rest], client_id.as_bytes()].concat();
    stream.write_all(&connect).expect("it reads");
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).expect("it answers");
    connack[3]
}

/// As many as the addresses that they come from.
#[test]
#[cfg(target_os = "linux")]
fn a_few_crafted_logins_lock_nobody_out() {
    const CRAFTED: u8 = 9;
    let config = "plugins:\n  - guest_misbehaves: {hook: auth, does: trap, grants: {publish: ['bad/#']}}\n";
    let mut broker = Setup::new(config).plugin_dir_with(guests::MISBEHAVES).start();
    for round in 1..6 {
        for number in 0..CRAFTED {
            assert_eq!(login_from(&broker, [127, 1, round, number], "bad-login"), 3);
        }
        for number in 0..3 {
            assert_eq!(login_from(&broker, [127, 2, round, number], "good"), 0, "{round}, {number}");
        }
    }
    let line = broker.wait_for_log("(5th fault in 10 s)");
    assert!(
        line.contains("): called only for addresses that have not made it fail, for 1s: requests of 127.1.1.4"),
        "{line}"
    );
}

#[test]
fn a_plugin_that_never_returns_is_stopped_and_denies() {
    let config = "plugins:\n  - auth_anonymous\n  - guest_spin_check\ntopic-check:\n  enabled: true\n";
    let mut broker = Setup::new(config).plugin_dir_with(guests::SPIN_CHECK).start();
    let mut client = Client::connect(&broker, "client");
    client.publish("a", AtLeastOnce, true, "denied");
    let hint = "; hint: `deadline` in its entry sets another limit";
    let line = broker.wait_for_log("timed out");
    assert!(line.ends_with(hint), "{line}");
    client.publish("a", AtLeastOnce, true, "denied again");
    let line = broker.wait_for_log("2nd fault");
    assert!(line.contains("timed out") && !line.contains("hint"), "once is enough: {line}");
    assert!(broker.is_running());
}

#[test]
fn a_plugin_that_fails_to_start_keeps_the_broker_from_starting() {
    let config = "plugins:\n  - auth_anonymous\n  - guest_trap_init\n";
    let (status, stderr) = Setup::new(config).plugin_dir_with(guests::TRAP_INIT).fail();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("guest_trap_init"), "{stderr}");
    // Which line of the configuration it is about takes a look at all of it.
    assert!(
        stderr.contains("\n  hint: `amqtt check -c ") && stderr.contains("broker.yaml` says in which line"),
        "{stderr}"
    );
}

/// Opening one would wait for somebody to write.
#[test]
#[cfg(unix)]
fn a_pipe_is_no_plugin() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe.wasm");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("can make pipes").success());
    let config = format!("plugins:\n  - auth_anonymous\n  - pipe: {{path: {}}}\n", pipe.display());
    let (status, stderr) = Setup::new(&config).fail();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("cannot be used: it is not a regular file"), "{stderr}");
    let inspected = amqtt().args(["plugin", "inspect"]).arg(&pipe).output().expect("can start");
    assert!(!inspected.status.success());
}

/// Whoever stops a broker that is about to start does not wait for the plugins.
#[test]
#[cfg(unix)]
fn a_signal_ends_a_start() {
    let plugins = "plugins:\n  - auth_anonymous\n  - guest_trap_init: {spins: true}\n";
    let mut starting = Setup::new(plugins).plugin_dir_with(guests::TRAP_INIT).begin();
    // The last line before that.
    starting.wait_for_log("every client may connect");
    starting.signal("TERM");
    assert!(starting.wait().success());
}

#[test]
fn an_unknown_plugin_is_an_error_that_says_what_there_is() {
    let config = "plugins:\n  - auth_anonymos\n";
    let (status, stderr) = Setup::new(config).plugin_dir_with(guests::REFUSE_MALLORY).fail();
    assert_eq!(status.code(), Some(1));
    for text in ["auth_anonymos", "hint:", "auth_anonymous", "guest_refuse_mallory", "third-party"] {
        assert!(stderr.contains(text), "{text} is not in: {stderr}");
    }
}

#[test]
fn a_file_that_is_no_component_is_an_error_that_names_it() {
    for (content, text) in [(&b"not wasm"[..], "broken.wasm"), (&b"\0asm\x01\0\0\0"[..], "component")] {
        let config = "plugins:\n  - auth_anonymous\n  - broken\nplugin-dirs: [extra]\n";
        let (status, stderr) = Setup::new(config).file("extra/broken.wasm", content).fail();
        assert_eq!(status.code(), Some(1));
        assert!(stderr.contains("broken") && stderr.contains(text), "{stderr}");
    }
}

/// What was not granted cannot be used.
#[test]
fn a_plugin_needs_a_grant_to_publish() {
    let without = "plugins:\n  - auth_anonymous\n  - guest_events\n";
    let (status, stderr) = Setup::new(without).plugin_dir_with(guests::EVENTS).fail();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("publisher") && stderr.contains("grants"), "{stderr}");

    let with = "plugins:\n  - auth_anonymous\n  - guest_events:\n      grants:\n        publish: ['test/events/#']\n";
    let broker = Setup::new(with).plugin_dir_with(guests::EVENTS).start();
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("test/events/#", AtMostOnce);
    Client::connect(&broker, "passer-by").disconnect();
    let mut told = Vec::new();
    while told.last().is_none_or(|last: &String| !last.contains("disconnected")) {
        told.push(watcher.receive_words());
    }
    told.retain(|event| event.contains("passer-by"));
    assert_eq!(told, ["test/events/connected passer-by", "test/events/disconnected passer-by"]);
}

#[test]
fn broker_sys_publishes_statistics() {
    let broker = Broker::start("sys_interval: 1\nplugins:\n  - auth_anonymous\n  - broker_sys\n");
    let mut client = Client::connect(&broker, "client");
    client.subscribe("$SYS/broker/version", AtMostOnce);
    // The first subscription may be there before the message.
    client.receive();
    client.subscribe("$SYS/broker/version", AtMostOnce);
    let version = format!("$SYS/broker/version {} r", env!("CARGO_PKG_VERSION"));
    assert!(client.receive_all().contains(&version));
    client.unsubscribe("$SYS/broker/version");
    client.subscribe("$SYS/broker/clients/connected", AtMostOnce);
    while client.receive().payload != "1" {}
    client.subscribe("$SYS/broker/uptime", AtMostOnce);
    while client.receive().topic != "$SYS/broker/uptime" {}
}

/// What `amqtt plugin inspect` prints, and whether it says that the plugin can be run.
fn inspect(arguments: &[&str]) -> (bool, String) {
    let output = amqtt().args(["plugin", "inspect"]).args(arguments).output().expect("can start");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), String::from_utf8(output.stdout).expect("is text"))
}

#[test]
fn a_plugin_can_be_looked_at() {
    let (usable, text) = inspect(&[guests::EVENTS]);
    assert!(usable, "{text}");
    let bytes = std::fs::metadata(guests::EVENTS).expect("is there").len();
    for line in [
        format!("size       {bytes} bytes\n"),
        "name       guest_events\n".to_owned(),
        format!("version    {}\n", env!("CARGO_PKG_VERSION")),
        "hooks      events\n".to_owned(),
        "grants     {publish: [TOPIC-FILTER]}\n".to_owned(),
        "problem    none\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line:?} is not in:\n{text}");
    }
    assert!(text.contains("amqtt:plugin/publisher@") && text.contains("amqtt:plugin/lifecycle@"), "{text}");

    let (usable, json) = inspect(&["topic_acl", "--format", "json"]);
    assert!(usable);
    let json: serde_json::Value = serde_json::from_str(&json).expect("is JSON");
    assert_eq!(json["name"], "topic_acl");
    assert_eq!(json["hooks"], serde_json::json!(["topic-check", "ticks"]));
    let grants = ["files: [SETTINGS-KEY]", "invalidate: true"];
    assert_eq!(json["grants"], serde_json::json!(grants));
    assert!(json["sha256"].as_str().is_some_and(|sum| sum.len() == 64));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let check = |name: &str, content: &[u8], problem: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, content).expect("can write");
        let (usable, text) = inspect(&[file.to_str().expect("is text")]);
        assert!(!usable && text.contains(&format!("problem    {problem}")), "{name}: {text}");
    };
    let whole = std::fs::read(guests::EVENTS).expect("is there");
    check("empty", b"", "it is not WebAssembly\n           hint: ");
    check("text", b"not wasm", "it is not WebAssembly");
    check("module", b"\0asm\x01\0\0\0", "it is a core WebAssembly module");
    check("stranger", b"\0asm\x0d\0\x01\0", "it exports no `amqtt:plugin/lifecycle`");
    for length in [5, 9, 100, whole.len() / 2, whole.len() - 1] {
        check("truncated", &whole[..length], "it is not whole: the file ends within a part of it\n           hint: ");
    }
    let large = folder.path().join("large");
    std::fs::File::create(&large).and_then(|file| file.set_len(100 << 20)).expect("can make");
    let (usable, text) = inspect(&[large.to_str().expect("is text")]);
    assert!(
        !usable && text.contains("it is larger than 64 MiB") && text.contains("size       104857600 bytes"),
        "{text}"
    );

    let missing = amqtt().args(["plugin", "inspect", "/nonexistent.wasm"]).output().expect("can start");
    let stderr = String::from_utf8_lossy(&missing.stderr);
    assert!(stderr.starts_with("amqtt: cannot read `/nonexistent.wasm`: "), "{stderr}");
    assert!(!stderr.contains("hint"), "{stderr}");
}
