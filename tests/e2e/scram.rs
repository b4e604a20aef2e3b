//! `auth_scram`, with mqtt.js, which knows enhanced authentication.

use std::path::Path;
use std::process::Command;

use crate::broker::{Broker, Setup, amqtt};
use crate::protocol::{CONNACK, CONNECT, answer_until_close, open};

/// What a client prints that logs in with a password, and proves it again.
fn login(broker: &Broker, user: &str, password: &str) -> String {
    let bundle = std::env::var("AMQTT_TEST_MQTT_JS").expect("mqtt.js is there: `.ci/prepare --tests` installs it");
    let folder = Path::new(&bundle).ancestors().nth(2).expect("is `mqtt/dist/mqtt.min.js`");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/e2e/scram.js");
    let mut command = Command::new("timeout");
    command.args(["20", "node"]).arg(script).arg(folder).arg(broker.port.to_string()).args([user, password]);
    let output = command.output().expect("node can start: `.ci/prepare --tests` installs it");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Adds a user as people do.
fn add_user(file: &Path, user: &str, password: &str) {
    let passwd = format!("printf %s '{password}' | \"$0\" passwd '{}' {user} --scram --rounds 4096", file.display());
    let mut command = Command::new("sh");
    assert!(command.arg("-c").arg(passwd).arg(amqtt().get_program()).status().expect("can start").success());
}

#[test]
fn a_client_proves_that_it_knows_the_password() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("users");
    add_user(&file, "alice", "pencil");
    let config = format!("plugins:\n  - auth_scram: {{password-file: '{}'}}\n", file.display());
    let mut broker = Setup::new(&config).start();
    assert_eq!(login(&broker, "alice", "pencil"), "proved\nproved again\n");
    assert_eq!(login(&broker, "alice", "pen"), "refused 135\n");
    assert_eq!(login(&broker, "eve", "pencil"), "refused 135\n");
    add_user(&file, "eve", "apple");
    broker.wait_for_log("`password-file` has changed and is in force: 2 users");
    assert_eq!(login(&broker, "eve", "apple"), "proved\nproved again\n");
}

/// Beside `auth_anonymous`, a name is proved or vouched for, or it is no name.
#[test]
fn nobody_is_let_in_under_a_name_without_proof() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("users");
    add_user(&file, "alice", "pencil");
    for plugins in ["auth_scram: {FILE}, auth_anonymous", "auth_anonymous, auth_scram: {FILE}"] {
        let plugins = plugins.replace("FILE", &format!("password-file: '{}'", file.display()));
        let broker = Setup::new(&format!("plugins: [{plugins}]\n")).start();
        let named = |name: &[u8]| [b"\x10\x14\0\x04MQTT\x04\x82\0\0\0\x01x\0\x05", name].concat();
        assert_eq!(answer_until_close(&mut open(&broker), &named(b"alice")), [0x20, 2, 0, 4]);
        assert_eq!(answer_until_close(&mut open(&broker), &named(b"other")), [0x20, 2, 0, 4]);
        assert_eq!(answer_until_close(&mut open(&broker), &[CONNECT, &[0xe0, 0]].concat()), CONNACK);
        assert_eq!(login(&broker, "alice", "pencil"), "proved\nproved again\n");
    }
}
