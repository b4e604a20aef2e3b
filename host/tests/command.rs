//! The command as people meet it: what it prints, where, and the status it ends with.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn amqtt(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amqtt"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    amqtt(arguments).output().expect("the command runs")
}

fn check(arguments: &[&str], status: i32, stdout: &str, stderr: &str) {
    let output = run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        output.status.code(),
        Some(status),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    assert_eq!(text(&output.stdout), stdout, "{arguments:?}");
    assert_eq!(text(&output.stderr), stderr, "{arguments:?}");
}

/// A configuration file of this test, in a folder of its own.
fn file(test: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let path = folder.join("amqtt.yaml");
    std::fs::write(&path, text).expect("the file is written");
    path
}

#[test]
fn the_version_is_bare_and_wins() {
    let version = concat!(env!("CARGO_PKG_VERSION"), "\n");
    check(&["--version"], 0, version, "");
    check(&["-c", "/nonexistent", "--version"], 0, version, "");
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [&["--frobnicate"][..], &["-c"], &["extra"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(run(&["-h"]).status.code(), Some(0));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[test]
fn a_wrong_configuration_ends_with_1() {
    let path = file(
        "wrong",
        "listeners: {default: {bind: 0}}\nauth: {allow-anonymous: true / false}\n",
    );
    let path = path.to_str().expect("UTF-8");
    let message = format!(
        "amqtt: {path}:2:25: key `auth.allow-anonymous`: found `true / false`, wanted `true` or `false`\n  \
         hint: choose one of the two\n"
    );
    check(&["-c", path], 1, "", &message);
    check(
        &["-c", "/nonexistent/amqtt.yaml"],
        1,
        "",
        "amqtt: cannot read the configuration file `/nonexistent/amqtt.yaml`: No such file or directory (os error 2)\n",
    );
    check(
        &["--plugin-dir", "/nonexistent"],
        1,
        "",
        "amqtt: `--plugin-dir`: there is no folder `/nonexistent`\n",
    );
}

#[test]
fn a_taken_port_ends_with_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("has an address");
    let path = file("taken", &format!("listeners: {{a: {{bind: '{address}'}}}}\n"));
    let output = run(&["-c", path.to_str().expect("UTF-8")]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on `{address}`: ")), "{stderr}");
}

#[test]
fn a_signal_ends_it_with_0() {
    let path = file("signal", "listeners: {a: {bind: '127.0.0.1:0'}}\nplugn: []\n");
    for signal in ["-INT", "-TERM"] {
        let mut broker = amqtt(&["-c", path.to_str().expect("UTF-8")])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let log = BufReader::new(broker.stderr.take().expect("is piped"));
        let mut lines = log.lines().map(|line| line.expect("UTF-8"));
        let warning = lines.next().expect("a warning");
        let expected = format!("] :: WARN - {}:2:1: unknown key `plugn` has no effect", path.display());
        assert!(warning.contains(&expected), "{warning}");
        let listening = lines.find(|line| line.contains("] :: INFO - listener `a`: listening on 127.0.0.1:"));
        assert!(listening.is_some(), "the log ended without it");
        let kill = Command::new("kill").args([signal, &broker.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        let rest: Vec<String> = lines.collect();
        let status = broker.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{signal}: {rest:?}");
    }
}
