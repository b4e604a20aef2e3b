use std::path::Path;

use crate::broker::{Setup, amqtt};

#[test]
fn version_is_bare_and_wins() {
    for args in [&["--version"][..], &["-c", "missing.yaml", "--version"]] {
        let output = amqtt().args(args).output().expect("can start");
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn help_names_every_option() {
    let output = amqtt().arg("-h").output().expect("can start");
    assert!(output.status.success());
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for option in ["-c", "-d", "--plugin-dir", "--version", "--help"] {
        assert!(help.contains(option), "{option} is not in: {help}");
    }
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for arguments in [&["--no-such-option"][..], &["no-such-command"], &["check"], &["-c", "x.yaml", "check"]] {
        let output = amqtt().args(arguments).output().expect("can start");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

/// Never a broker with other settings than those it was given.
#[test]
fn a_bad_config_never_starts_a_broker() {
    let missing = amqtt().args(["-c", "/nonexistent/broker.yaml"]).output().expect("can start");
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nonexistent/broker.yaml"));
    for (config, expected) in [
        ("plugins: [\n", "broker.yaml"),
        ("auth:\n  allow-anonymos: true\nplugins: [auth_anonymous]\n", "allow-anonymos"),
        ("auth:\n  allow-anonymous: true / false\nplugins: [auth_anonymous]\n", "true / false"),
        ("auth:\n  password-file: nowhere\nplugins: [auth_file]\n", "nowhere"),
        ("topic-check:\n  enabled: true\nplugins: [auth_anonymous]\n", "topic-check"),
    ] {
        let (status, stderr) = Setup::new(config).fail();
        assert_eq!(status.code(), Some(1), "{config}\n{stderr}");
        assert!(stderr.contains(expected), "{expected:?} is not in: {stderr}");
        assert!(!stderr.contains("listening"), "{stderr}");
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_it() {
    let first = Setup::new("plugins: [auth_anonymous]\n").start();
    let taken = format!("127.0.0.1:{}", first.port);
    let dir = tempfile::TempDir::new().expect("a temporary folder");
    let path = dir.path().join("broker.yaml");
    let config = format!("listeners:\n  mine:\n    type: tcp\n    bind: {taken}\nplugins: [auth_anonymous]\n");
    std::fs::write(&path, config).expect("can write");
    let output = amqtt().arg("-c").arg(&path).output().expect("can start");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("amqtt: {}: listener `mine`: cannot listen on `{taken}`: ", path.display());
    assert!(stderr.contains(&expected) && stderr.contains("\n  hint: another program listens there"), "{stderr}");
}

/// What is printed of a configuration that is refused, to the letter.
fn check(arguments: &[&str], stderr: &str) {
    let output = amqtt().args(arguments).output().expect("the command runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr, "{arguments:?}");
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
}

#[test]
fn a_refused_configuration_is_explained() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused.yaml");
    let text = "listeners: {default: {bind: 0}}\nauth: {allow-anonymous: true / false}\n";
    std::fs::write(&path, text).expect("the file is written");
    let path = path.to_str().expect("UTF-8");
    let message = format!(
        "amqtt: {path}:2:25: key `auth.allow-anonymous`: found `true / false`, wanted `true` or `false`\n  \
         hint: choose one of the two\n"
    );
    check(&["-c", path], &message);
    let message = "amqtt: cannot read `/nonexistent/amqtt.yaml`: No such file or directory (os \
                   error 2)\n";
    check(&["-c", "/nonexistent/amqtt.yaml"], message);
    let message = "amqtt: `--plugin-dir`: there is no folder `/nonexistent`\n";
    check(&["--plugin-dir", "/nonexistent"], message);
}
