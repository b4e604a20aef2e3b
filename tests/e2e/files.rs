//! Files that are none, that cannot be read, or that somebody else has.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use amqtt_tests::guests;
use rumqttc::QoS::AtLeastOnce;
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use crate::broker::{Broker, OPEN_FILES, Setup, amqtt};
use crate::certificates::Authority;
use crate::client::Client;
use crate::included::connect_as;

const OPEN: &str = "plugins: [auth_anonymous]\n";

/// The passwords are `secret`.
const ALICE: &str = "alice:$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.\n";
const BOB: &str = "bob:$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.\n";

/// Puts a pipe that nobody writes to in the place of a file.
fn pipe(path: &Path) {
    drop(std::fs::remove_file(path));
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).expect("a pipe");
}

fn run(arguments: &[&str]) -> Output {
    amqtt().args(arguments).output().expect("can start")
}

fn check_refused(arguments: &[&str], expected: &str) {
    let output = run(arguments);
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && text.contains(expected), "{arguments:?}: {text}");
}

fn with_a_certificate() -> Setup {
    let tls = "listeners: {default: {bind: \"127.0.0.1:0\", ssl: on, certfile: server.pem}}\n";
    let authority = Authority::new();
    Setup::whole(&format!("{tls}{OPEN}")).file("server.pem", authority.server().pem())
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let named_pipe = path("pipe");
    pipe(named_pipe.as_ref());
    let config = path("broker.yaml");
    for files in ["certfile: pipe", "certfile: broker.yaml, keyfile: pipe", "certfile: broker.yaml, cafile: pipe"] {
        let text = format!("listeners: {{mine: {{bind: \"127.0.0.1:0\", ssl: on, {files}}}}}\n{OPEN}");
        std::fs::write(&config, text).expect("can write");
        for arguments in [&["-c", &config][..], &["check", "-c", &config]] {
            check_refused(arguments, "it is not a regular file");
        }
    }
    for arguments in [&["-c", &named_pipe][..], &["check", "-c", &named_pipe]] {
        check_refused(arguments, "the file is empty");
    }
    for no_file in [named_pipe.as_str(), "/dev/zero"] {
        for arguments in [
            &["plugin", "pack", no_file][..],
            &["plugin", "test", "auth_anonymous", no_file],
            &["plugin", "reload", "--pid-file", no_file],
            &["--pid-file", no_file],
            &["passwd", no_file, "alice", "--check"],
        ] {
            check_refused(arguments, "it is not a regular file");
        }
    }
}

/// As a shell's `<(...)` is one.
#[test]
fn a_configuration_may_come_from_a_pipe_at_the_start() {
    let text = "listeners: {mine: {bind: \"127.0.0.1:0\", max-connections: x}}";
    let pipe = format!("echo '{text}' | exec \"$0\" -c /dev/stdin");
    let output = Command::new("sh").args(["-c", &pipe, env!("CARGO_BIN_EXE_amqtt")]).output().expect("can start");
    assert!(String::from_utf8_lossy(&output.stderr).contains("found `x`"), "{output:?}");
}

#[test]
fn what_becomes_a_pipe_while_the_broker_runs_keeps_it_from_nothing() {
    let mut broker = with_a_certificate().start();
    pipe(&broker.path("server.pem"));
    broker.wait_for_log("the certificates before the change stay in force");
    pipe(&broker.path("broker.yaml"));
    broker.signal("HUP");
    let line = broker.wait_for_log("the configuration is not taken");
    assert!(line.contains("it is not a regular file"), "{line}");
    broker.signal("TERM");
    assert!(broker.wait().success());
}

/// A revocation is not lost.
#[test]
fn what_cannot_be_read_for_want_of_file_descriptors_is_read_later() {
    let config = "plugins: [auth_file]\nauth: {password-file: users}\n";
    let mut broker = Setup::new(config).file("users", format!("{ALICE}{BOB}")).start();
    assert!(connect_as(&broker, "bob", "secret").is_ok());
    broker.limit_open_files(0);
    broker.replace_file("users", ALICE);
    let line = broker.wait_for_log("`password-file` has changed and is not used");
    assert!(line.contains("Too many open files"), "{line}");
    broker.limit_open_files(OPEN_FILES);
    broker.wait_for_log("`password-file` has changed and is in force: 1 users");
    assert!(connect_as(&broker, "bob", "secret").is_err());
    assert_eq!(broker.log_so_far().matches("is not used").count(), 1);
}

/// A file that was gone is no reason to take the first half of another.
#[test]
fn rules_that_are_written_in_pieces_after_they_were_removed_are_taken_whole() {
    let config = "plugins: [auth_anonymous, topic_acl]\ntopic-check: {acl-file: rules}\n";
    let mut broker = Setup::new(config).file("rules", "topic #\ntopic deny secret/#\n").start();
    let (mut reader, mut writer) = (Client::connect(&broker, "reader"), Client::connect(&broker, "writer"));
    reader.subscribe("#", AtLeastOnce);
    std::fs::remove_file(broker.path("rules")).expect("can remove");
    broker.wait_for_log("`acl-file` has changed and is not used");
    let mut rules = File::create(broker.path("rules")).expect("can write");
    // So slowly that there are several looks, and no two of them without a piece in between.
    let comments = std::iter::repeat_n("# and so on\n", 12);
    for piece in ["topic #\n"].into_iter().chain(comments).chain(["topic deny secret/#\n"]) {
        rules.write_all(piece.as_bytes()).expect("can write");
        std::thread::sleep(Duration::from_millis(300));
        writer.publish("secret/1", AtLeastOnce, false, "while it is written");
    }
    broker.wait_for_log("`acl-file` has changed and is in force: 2 rules");
    writer.publish("secret/1", AtLeastOnce, false, "after");
    writer.publish("open", AtLeastOnce, false, "after");
    assert_eq!(reader.receive_words(), "open after");
    assert_eq!(broker.log_so_far().matches("is in force").count(), 1);
}

/// Nor is it where the plugin has failed with it: its next instance reads it.
#[test]
fn a_change_that_a_plugin_has_failed_with_is_read_by_its_next_instance() {
    let config = "plugins:\n\
                  - guest_watch: {file: watched, trap-file: trap, grants: {files: [file, trap-file]}}\n\
                  - auth_anonymous\n";
    let setup = Setup::new(config).plugin_dir_with(guests::WATCH);
    let mut broker = setup.file("watched", "one").file("trap", "trap").start();
    broker.replace_file("watched", "two");
    broker.wait_for_log("trapped in ticks");
    broker.replace_file("trap", "not any more");
    broker.wait_for_log("`file` has changed and is in force: two");
}

/// What a plugin has time for as it starts it has time for later.
#[test]
fn a_change_of_a_large_file_is_read() {
    const USERS: usize = 200_000;
    let users: String = (0..USERS).map(|number| ALICE.replace("alice", &format!("user{number}"))).collect();
    let config = "plugins:\n  - auth_file: {memory: 256 MiB}\nauth: {password-file: users}\n";
    let mut broker = Setup::new(config).file("users", &users).start();
    broker.replace_file("users", format!("{users}{BOB}"));
    broker.wait_for_log(&format!("`password-file` has changed and is in force: {} users", USERS + 1));
    assert_eq!(broker.log_so_far().matches("in ticks").count(), 0);
}

#[test]
fn a_certificate_that_cannot_be_read_for_want_of_file_descriptors_is_read_later() {
    let mut broker = with_a_certificate().start();
    broker.limit_open_files(0);
    broker.replace_file("server.pem", Authority::new().server().pem());
    let line = broker.wait_for_log("the certificates before the change stay in force");
    assert!(line.contains("Too many open files"), "{line}");
    broker.limit_open_files(OPEN_FILES);
    broker.wait_for_log("certificates reloaded");
}

/// They come for as long as there is no room for more.
#[test]
fn connections_that_find_no_file_descriptor_are_told_of_with_what_can_be_done() {
    let mut broker = Broker::start(OPEN);
    // The socket is listened on before a worker watches it, which takes a descriptor too.
    drop(crate::client::Client::connect(&broker, "first"));
    broker.limit_open_files(0);
    let waiting = std::net::TcpStream::connect(("127.0.0.1", broker.port)).expect("the kernel takes it");
    let line = broker.wait_for_log("cannot accept: Too many open files");
    assert!(
        line.contains("(errors: 1 since") && line.contains("hint: `ulimit -n`, with systemd `LimitNOFILE`"),
        "{line}"
    );
    broker.limit_open_files(OPEN_FILES);
    drop(waiting);
    drop(crate::client::Client::connect(&broker, "client"));
}

/// The broker never starts with fewer threads than it was to have.
#[test]
fn too_few_file_descriptors_are_an_error_that_says_so() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("broker.yaml");
    std::fs::write(&path, format!("listeners: {{mine: {{bind: \"127.0.0.1:0\"}}}}\n{OPEN}")).expect("can write");
    for files in FEW_FILES {
        let limited = format!("ulimit -n {files}; exec \"$0\" -c \"$1\"");
        let command = env!("CARGO_BIN_EXE_amqtt");
        let output = Command::new("sh").args(["-c", &limited, command]).arg(&path).output().expect("can start");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && log.contains("ulimit -n"), "{files}: {log}");
        assert!(!log.contains("listening on"), "{files}: {log}");
    }
}

const FEW_FILES: [u32; 2] = [14, 15];

#[test]
fn a_pid_file_is_of_one_broker() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("amqtt.pid");
    let shown = path.display().to_string();
    // One that ended without removing it.
    std::fs::write(&path, format!("{}\n", std::process::id())).expect("can write");
    check_refused(&["plugin", "reload", "--pid-file", &shown], "is not running");
    let start = || Setup::new(OPEN).argument("--pid-file").argument(&shown);
    let mut broker: Broker = start().start();
    broker.wait_for_log("listening on");
    let (status, log) = start().fail();
    assert!(status.code() == Some(1) && log.contains("another broker has"), "{log}");
    assert!(!log.contains("listening on"), "{log}");
    broker.wait_for_file(&path);
    assert_eq!(std::fs::read_to_string(&path).expect("is there"), format!("{}\n", broker.pid()));
    broker.signal("TERM");
    assert!(broker.wait().success());
    assert!(!path.exists());
    // A slip of whoever types.
    let (status, log) = Setup::new(OPEN).argument("--pid-file").argument(&config_beside(&folder)).fail();
    assert!(status.code() == Some(1) && log.contains("something else than the number of a process"), "{log}");
    assert_eq!(std::fs::read_to_string(folder.path().join("broker.yaml")).expect("is there"), OPEN);
}

fn config_beside(folder: &TempDir) -> String {
    let path = folder.path().join("broker.yaml");
    std::fs::write(&path, OPEN).expect("can write");
    path.display().to_string()
}
