//! What the command prints of a configuration that it refuses, to the letter.

use std::path::Path;
use std::process::Command;

fn check(arguments: &[&str], stderr: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_amqtt")).args(arguments).output().expect("the command runs");
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
    let message = "amqtt: cannot read the configuration file `/nonexistent/amqtt.yaml`: No such file or directory (os \
                   error 2)\n";
    check(&["-c", "/nonexistent/amqtt.yaml"], message);
    let message = "amqtt: `--plugin-dir`: there is no folder `/nonexistent`\n";
    check(&["--plugin-dir", "/nonexistent"], message);
}
