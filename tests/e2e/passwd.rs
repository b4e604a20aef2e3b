//! `amqtt passwd`.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::broker::{Setup, amqtt};
use crate::included::connect_as;

/// Runs `amqtt passwd FILE` with more arguments and a password on standard input; gives the status and what is printed.
fn passwd(file: &Path, arguments: &[&str], password: &str) -> (Option<i32>, String) {
    let mut command = amqtt();
    command.arg("passwd").arg(file).args(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("can start");
    // It may have ended without reading.
    let _ = child.stdin.take().expect("is piped").write_all(password.as_bytes());
    let output = child.wait_with_output().expect("ends");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text.into_owned())
}

fn check(file: &Path, arguments: &[&str], password: &str, code: i32, expected: &str) {
    let (status, text) = passwd(file, arguments, password);
    assert!(status == Some(code) && text.contains(expected), "{arguments:?}: {status:?} {text}");
}

fn folder_with(content: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("passwords");
    std::fs::write(&path, content).expect("can write");
    (folder, path)
}

#[test]
fn a_user_is_added_changed_checked_and_deleted() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("passwords");
    check(&path, &["alice"], "first\n", 0, "");
    check(&path, &["alice", "--check"], "first\n", 0, "OK");
    check(&path, &["bob", "--rounds", "1000"], "bob's\r\nsecond line", 0, "");
    check(&path, &["bob", "--check"], "bob's", 0, "OK");
    check(&path, &["alice"], "second", 0, "");
    check(&path, &["alice", "--check"], "first", 1, "this is not the password of `alice`");
    check(&path, &["alice", "--check"], "second", 0, "OK");
    let text = std::fs::read_to_string(&path).expect("is text");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.starts_with("alice:$6$rounds=50000$") && text.contains("\nbob:$6$rounds=1000$"), "{text}");
    assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
    check(&path, &["alice", "--delete"], "", 0, "");
    check(&path, &["alice", "--delete"], "", 1, "there is no user `alice`");
    check(&path, &["alice", "--check"], "second", 1, "there is no user `alice`");
    check(&path, &["bob", "--check"], "bob's", 0, "OK");
}

/// It would lock the user out of the plugin that reads the file.
#[test]
fn a_line_of_one_plugin_does_not_become_one_of_the_other() {
    for (first, second, expected) in [
        (&["alice"][..], &["alice", "--scram"][..], "a hash for `auth_file` there"),
        (&["alice", "--scram"], &["alice"], "a verifier for `auth_scram` there"),
    ] {
        let (_folder, path) = folder_with("");
        check(&path, first, "secret", 0, "");
        let before = std::fs::read_to_string(&path).expect("is text");
        check(&path, second, "secret", 1, expected);
        check(&path, second, "secret", 1, "hint: ");
        assert_eq!(std::fs::read_to_string(&path).expect("is text"), before);
        check(&path, first, "other", 0, "");
        check(&path, &["alice", "--delete"], "", 0, "");
        check(&path, second, "secret", 0, "");
    }
}

#[test]
fn what_no_file_can_have_is_refused() {
    let (_folder, path) = folder_with("# mine\n");
    for name in ["a:b", "a\tb", "", "#a"] {
        check(&path, &[name], "x", 2, "a user name");
    }
    check(&path, &["a"], "\n", 1, "the password is empty");
    check(&path, &["a"], &"x".repeat(512), 1, "more than 511 bytes");
    check(&path, &["a", "--rounds", "999"], "x", 2, "--rounds");
    check(&path, &["a", "--rounds", "2000001"], "x", 1, "`--rounds 2000001`: a number from 1000 to 2000000");
    check(&path, &["a", "--rounds", "4095", "--scram"], "x", 1, "`--rounds 4095`: a number from 4096 to 10000000");
    check(&path, &["a", "--delete", "--check"], "x", 2, "cannot be used with");
    check(Path::new("/nonexistent/passwords"), &["a"], "x", 1, "cannot write `/nonexistent/passwords`");
    check(Path::new("/nonexistent/passwords"), &["a", "--check"], "x", 1, "cannot read the password file");
    assert_eq!(std::fs::read_to_string(&path).expect("is text"), "# mine\n");
}

/// Where the file is not the broker's alone, its group goes on reading it.
#[test]
fn a_file_keeps_what_its_group_may_read() {
    let (_folder, path) = folder_with("");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("is ours");
    check(&path, &["alice", "--rounds", "1000"], "secret", 0, "");
    assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o640);
}

#[test]
fn what_is_no_file_stays_and_what_a_link_leads_to_is_made() {
    let folder = TempDir::new().expect("a temporary folder");
    let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("is part of Debian's base").success());
    check(&pipe, &["alice"], "secret", 1, "it is not a regular file");
    check(&pipe, &["alice", "--delete"], "", 1, "it is not a regular file");
    assert!(!std::fs::metadata(&pipe).expect("is there").is_file());
    std::os::unix::fs::symlink("passwords", &link).expect("can link");
    check(&link, &["alice", "--rounds", "1000"], "secret", 0, "");
    assert!(std::fs::symlink_metadata(&link).expect("is there").is_symlink());
    check(&folder.path().join("passwords"), &["alice", "--check"], "secret", 0, "OK");
}

#[test]
fn who_is_added_while_another_password_is_asked_for_stays() {
    let (_folder, path) = folder_with("");
    let mut command = amqtt();
    command.arg("passwd").arg(&path).args(["slow", "--rounds", "1000"]);
    let mut slow = command.stdin(Stdio::piped()).spawn().expect("can start");
    // It waits for the rest of the line.
    slow.stdin.as_mut().expect("is piped").write_all(b"sec").expect("is taken");
    check(&path, &["quick", "--rounds", "1000"], "secret", 0, "");
    slow.stdin.take().expect("is piped").write_all(b"ret").expect("is taken");
    assert!(slow.wait().expect("ends").success());
    check(&path, &["quick", "--check"], "secret", 0, "OK");
    check(&path, &["slow", "--check"], "secret", 0, "OK");
}

#[test]
fn the_last_user_is_gone_once_deleted() {
    let (_folder, path) = folder_with("");
    check(&path, &["alice", "--rounds", "1000"], "secret", 0, "");
    let config = format!("plugins: [auth_file]\nauth: {{password-file: \"{}\"}}\n", path.display());
    let mut broker = Setup::new(&config).start();
    assert!(connect_as(&broker, "alice", "secret").is_ok());
    check(&path, &["alice", "--delete"], "", 0, "");
    broker.wait_for_log("`password-file` has changed and is in force: 0 users");
    assert!(connect_as(&broker, "alice", "secret").is_err());
}

/// Lines that other tools made.
#[test]
fn files_of_other_tools_are_read() {
    let (_folder, path) = folder_with(
        "# Test user with 'test' password encrypted with sha-512\n\
         test:$6$l4zQEHEcowc1Pnv4$HHrh8xnsZoLItQ8BmpFHM4r6q5UqK3DnXp2GaTm5zp5buQ7NheY3Xt9f6godVKbEtA.hOC7IEDwnok3pbAOip.\n\
         # passlib.hash.sha512_crypt\n\
         passlib:$6$rounds=656000$abcdefghijklmnop$z9xJ0y9RW3OBrlS6NcWPGwdenhYZEfWfk/pE3f9Yi4fg6SOtfkCkdCMOHQU98M5EBxrur4.yLTmNNcqIWS8Cq0\n\
         plain:secret\n",
    );
    check(&path, &["test", "--check"], "test", 0, "OK");
    check(&path, &["test", "--check"], "Test", 1, "this is not the password");
    check(&path, &["passlib", "--check"], "secret", 0, "OK");
    let (status, text) = passwd(&path, &["plain", "--check"], "secret");
    assert!(status == Some(1) && text.contains("no hash that starts with `$6$`") && !text.contains("secret"), "{text}");
}

/// Our lines, as the system's own `crypt` sees them: perl's function is that of the C library.
#[test]
fn the_system_knows_our_hashes() {
    let (_folder, path) = folder_with("");
    check(&path, &["alice", "--rounds", "1000"], "sécret", 0, "");
    let line = std::fs::read_to_string(&path).expect("is text");
    let hash = line.trim_end().strip_prefix("alice:").expect("has the name");
    let perl = Command::new("perl").args(["-e", "print crypt($ARGV[0], $ARGV[1])", "sécret", hash]).output();
    assert_eq!(String::from_utf8_lossy(&perl.expect("perl is part of Debian's base").stdout), hash);
}

#[test]
fn a_broker_lets_in_whom_it_made() {
    let (_folder, path) = folder_with("");
    check(&path, &["alice", "--rounds", "1000"], "secret", 0, "");
    let users = std::fs::read(&path).expect("is there");
    let config = "plugins: [auth_file]\nauth: {password-file: users}\n";
    let broker = Setup::new(config).file("users", users).start();
    let connect = |password: &str| {
        let port = broker.port.to_string();
        let arguments = ["-p", &port, "-u", "alice", "-P", password, "-t", "a", "-m", "b", "-q", "1"];
        Command::new("mosquitto_pub")
            .args(arguments)
            .output()
            .expect("mosquitto-clients are installed")
            .status
            .success()
    };
    assert!(connect("secret"));
    assert!(!connect("Secret"));
}
