//! Plugins that take long, and the clients that do not need them.

use std::io::{Read, Write};
use std::num::NonZeroUsize;

use amqtt_tests::guests;
use rumqttc::QoS::AtLeastOnce;

use crate::broker::{Broker, Setup};
use crate::client::Client;
use crate::protocol::{CONNACK, CONNECT, open};

/// Messages of the client that needs slow checks: some four seconds of them.
const SLOW_MESSAGES: u16 = 200;

/// Round trips of a client beside it.
const ROUND_TRIPS: usize = 100;

fn start() -> Broker {
    let plugins =
        "plugins:\n  - auth_anonymous\n  - guest_slow_check: {deadline: 5 s}\n  - broker_sys\nsys-interval: 1\n";
    Setup::new(plugins).plugin_dir_with(guests::SLOW_CHECK).start()
}

/// As many connections as bring the next one to the same worker as the last one before them.
fn others(broker: &Broker) -> Vec<Client> {
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    (1..workers).map(|number| Client::connect(broker, &format!("idle-{number}"))).collect()
}

/// Counted in turns: each slow check would hold up the other client once, if it were made where that is served.
#[test]
fn a_slow_check_holds_up_only_who_needs_it() {
    let mut broker = start();
    let mut slow = open(&broker);
    slow.write_all(CONNECT).expect("is open");
    let mut connack = [0; CONNACK.len()];
    slow.read_exact(&mut connack).expect("is answered");
    assert_eq!(connack, CONNACK);
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    for packet_id in 1..=SLOW_MESSAGES {
        let publish = [b"\x32\x0a\0\x06slow/x".as_slice(), &packet_id.to_be_bytes()].concat();
        slow.write_all(&publish).expect("is open");
    }
    broker.wait_for_log("is slow: a topic-check took");
    for _ in 0..ROUND_TRIPS {
        quick.publish("quick/x", AtLeastOnce, false, "");
    }
    slow.set_nonblocking(true).expect("can set");
    let mut acknowledged = vec![0; 4 * usize::from(SLOW_MESSAGES)];
    let acknowledged = slow.read(&mut acknowledged).map_or(0, |bytes| bytes / 4);
    assert!(acknowledged < ROUND_TRIPS / 2, "{acknowledged} slow checks in {ROUND_TRIPS} round trips");

    // None of them is lost: the rest is answered in order.
    slow.set_nonblocking(false).expect("can set");
    let mut rest = vec![0; 4 * (usize::from(SLOW_MESSAGES) - acknowledged)];
    slow.read_exact(&mut rest).expect("is answered");
    assert_eq!(rest[rest.len() - 4..], [0x40, 2, 0, SLOW_MESSAGES as u8]);
    assert!(broker.is_running());
}
