use std::io::Write;
use std::process::{Command, Stdio};

use super::{FILES_HINT, LARGE_BYTES, MANY, TOOLS_HINT};
use crate::broker::Broker;

/// Runs a function of `paho.py`, which prints a line when all is well.
fn paho(broker: &Broker, function: &str, argument: usize) {
    let python = std::env::var("AMQTT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(&python);
    command.args(["-", &broker.port.to_string(), function, &argument.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {python}: {error}; {TOOLS_HINT}"));
    child.stdin.take().expect("is piped").write_all(include_bytes!("paho.py")).expect("reads its program");
    let output = child.wait_with_output().expect("can wait");
    assert!(output.status.success(), "{}\n{TOOLS_HINT}; {FILES_HINT}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{function} complete\n"));
}

#[test]
fn paho_does_the_round() {
    paho(&Broker::open(), "round", LARGE_BYTES);
}

#[test]
fn a_thousand_paho_clients_at_once() {
    paho(&Broker::open(), "many", MANY);
}
