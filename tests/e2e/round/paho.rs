use std::io::Write;
use std::process::{Command, Stdio};

use super::{FILES_HINT, LARGE_BYTES, MANY, TOOLS_HINT};
use crate::broker::{Broker, Setup};
use crate::certificates::Authority;

/// Runs a function of `paho.py`.
fn paho(broker: &Broker, function: &str, argument: usize) {
    run(broker, include_bytes!("paho.py"), &[function, &argument.to_string()], function);
}

/// Runs a program, which prints a line about `what` when all is well.
pub(super) fn run(broker: &Broker, program: &[u8], args: &[&str], what: &str) {
    let python = std::env::var("AMQTT_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(&python);
    command.args(["-", &broker.port.to_string()]).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {python}: {error}; {TOOLS_HINT}"));
    child.stdin.take().expect("is piped").write_all(program).expect("reads its program");
    let output = child.wait_with_output().expect("can wait");
    assert!(output.status.success(), "{}\n{TOOLS_HINT}; {FILES_HINT}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{what} complete\n"));
}

#[test]
fn paho_does_the_round() {
    paho(&Broker::open(), "round", LARGE_BYTES);
}

/// Over WebSocket, paho loses a message that the system does not take from it at once.
const LARGE_OVER_WEBSOCKET_BYTES: usize = 1 << 20;

#[test]
fn paho_does_the_round_over_tls_and_websocket() {
    let authority = Authority::new();
    for carrier in ["tls", "ws", "wss"] {
        let mut setup = Setup::new("plugins: [auth_anonymous]\n").file("ca.pem", &authority.pem);
        if carrier != "ws" {
            setup = setup.file("server.pem", authority.server().pem());
            setup = setup.listener("ssl: on").listener("certfile: server.pem");
        }
        if carrier != "tls" {
            setup = setup.websocket();
        }
        let broker = setup.start();
        let ca = broker.path("ca.pem").display().to_string();
        let bytes = if carrier == "tls" { LARGE_BYTES } else { LARGE_OVER_WEBSOCKET_BYTES };
        run(&broker, include_bytes!("paho.py"), &["round", &bytes.to_string(), carrier, &ca], "round");
    }
}

#[test]
fn a_thousand_paho_clients_at_once() {
    paho(&Broker::open(), "many", MANY);
}
