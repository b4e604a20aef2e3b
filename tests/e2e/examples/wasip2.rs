use std::io::{self, Write};

use amqtt_tests::guests;
use rumqttc::ConnectReturnCode::{BadUserNamePassword, ServiceUnavailable};

use crate::broker::{Broker, Setup};
use crate::client::{Client, options};
use crate::round::TOOLS_HINT;

fn connect(broker: &Broker, username: &str) -> Result<(), rumqttc::ConnectReturnCode> {
    let mut options = options(broker, username);
    options.set_credentials(username, "");
    Client::connect_with(options).map(drop)
}

/// Says that a test has nothing to test with, which passes only where it is agreed on.
pub(crate) fn skip(test: &str) {
    const AGREED: &str = "AMQTT_TEST_NO_WASIP2";
    // `.ci/prepare` sets it where there is no rustup, which is who has the target.
    assert!(std::env::var_os(AGREED).is_some(), "no target wasm32-wasip2; {TOOLS_HINT}");
    let line = format!("SKIPPED {test}: the target wasm32-wasip2 is not installed, and {AGREED} is set\n");
    // Not with a macro: of a test that passes, what those print is not shown.
    io::stderr().write_all(line.as_bytes()).expect("can write");
}

/// A plugin that cargo has built for `wasm32-wasip2`: what it prints is in the log, clocks and random numbers work, and
/// there is nothing else.
#[test]
fn a_plugin_for_wasip2_finds_clocks_and_random_numbers_and_nothing_else() {
    let Some(component) = guests::WASIP2 else { return skip("a plugin for wasm32-wasip2") };
    let mut broker = Setup::new("plugins: [guest_wasip2]\n").plugin_dir_with(component).start();
    broker.wait_for_log("INFO - wakes up plugin=\"guest_wasip2\"");
    for username in ["clocks", "random", "environment", "files", "sockets"] {
        assert_eq!(connect(&broker, username), Ok(()), "{username}");
        broker.wait_for_log(&format!("WARN - was asked about Some(\"{username}\"): true plugin=\"guest_wasip2\""));
    }
    assert_eq!(connect(&broker, "stranger"), Err(BadUserNamePassword));
    for (username, fault) in [("exit", "it called `exit` with status"), ("panic", "it panicked or aborted")] {
        assert_eq!(connect(&broker, username), Err(ServiceUnavailable));
        let line = broker.wait_for_log(fault);
        assert!(line.contains("plugin \"guest_wasip2\" ") && line.contains("trapped in auth: "), "{line}");
    }
    broker.wait_for_log("panicked at");
    broker.wait_for_log("on purpose");
    assert!(broker.is_running());
}
