//! Plugins that take long, and the clients that do not need them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;

use amqtt_tests::guests;
use rumqttc::LastWill;
use rumqttc::QoS::{AtLeastOnce, AtMostOnce};

use crate::broker::{Broker, Setup};
use crate::client::{Client, options};
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

fn connected(broker: &Broker) -> TcpStream {
    let mut stream = open(broker);
    stream.write_all(CONNECT).expect("is open");
    let mut connack = [0; CONNACK.len()];
    stream.read_exact(&mut connack).expect("is answered");
    assert_eq!(connack, CONNACK);
    stream
}

/// Counted in turns: each slow check would hold up the other client once, if it were made where that is served.
#[test]
fn a_slow_check_holds_up_only_who_needs_it() {
    let mut broker = start();
    let mut slow = connected(&broker);
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    for packet_id in 1..=SLOW_MESSAGES {
        let publish = [b"\x32\x12\0\x0eslow-publish/x".as_slice(), &packet_id.to_be_bytes()].concat();
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

/// How often a client asks and is answered until the other stream has something to read.
fn round_trips_until(stream: &TcpStream, quick: &mut Client) -> usize {
    stream.set_nonblocking(true).expect("can set");
    let mut round_trips = 0;
    while stream.peek(&mut [0]).is_err() {
        quick.publish("quick/x", AtLeastOnce, false, "");
        round_trips += 1;
        assert!(round_trips < 100_000, "nothing comes");
    }
    stream.set_nonblocking(false).expect("can set");
    round_trips
}

/// The filters of one SUBSCRIBE are asked about together, and all of them again when permissions have changed: some two
/// seconds each, in which the client waits and nobody else does.
#[test]
fn a_slow_check_of_subscriptions_holds_up_only_whose_they_are() {
    const FILTERS: u8 = 100;
    let mut broker = start();
    let mut slow = connected(&broker);
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    let subscribe = |number: u8| {
        let filter = format!("slow-subscribe/{number:03}");
        [[0, filter.len() as u8].as_slice(), filter.as_bytes(), &[0]].concat()
    };
    // A few first, by which the broker learns that the plugin is slow.
    for packet in [(0..4), (0..FILTERS)] {
        let (body, count) = (packet.clone().flat_map(subscribe).collect::<Vec<_>>(), packet.len());
        let length = body.len() + 2;
        let header =
            if length < 128 { vec![0x82, length as u8] } else { vec![0x82, length as u8 | 0x80, (length >> 7) as u8] };
        slow.write_all(&[header.as_slice(), &[0, 1], &body].concat()).expect("is open");
        let round_trips = round_trips_until(&slow, &mut quick);
        let mut suback = vec![0; 4 + count];
        slow.read_exact(&mut suback).expect("is answered");
        assert_eq!(suback[4..], vec![0; count], "all are granted");
        assert!(count < 10 || round_trips > 50, "{round_trips} round trips meanwhile");
    }
    // A message that waits until the session has been judged anew.
    broker.signal("HUP");
    broker.wait_for_log("the configuration was taken anew");
    quick.publish("slow-subscribe/000", AtLeastOnce, false, "after");
    let round_trips = round_trips_until(&slow, &mut quick);
    let mut publish = [0; 2 + 2 + 18 + 5];
    slow.read_exact(&mut publish).expect("comes");
    assert!(publish.ends_with(b"slow-subscribe/000after"));
    assert!(round_trips > 50, "{round_trips} round trips meanwhile");
    assert!(broker.is_running());
}

/// Nobody waits for what plugins say of a will.
#[test]
fn a_slow_check_of_wills_holds_up_nobody() {
    const WILLS: usize = 50;
    let broker = start();
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("slow-publish/#", AtMostOnce);
    let with_will = |number: usize| {
        let mut options = options(&broker, &format!("will-{number}"));
        options.set_last_will(LastWill::new("slow-publish/will", number.to_string(), AtLeastOnce, false));
        Client::connect_with(options).expect("accepted")
    };
    let gone: Vec<Client> = (0..WILLS).map(with_will).collect();
    let _idle = others(&broker);
    let mut quick = Client::connect(&broker, "quick");
    let mut round_trips = 0;
    let mut wills = std::collections::HashSet::new();
    std::thread::scope(|scope| {
        // Meanwhile: to let go of a client takes a moment, and its will is due at once.
        scope.spawn(|| gone.into_iter().for_each(Client::vanish));
        while wills.len() < WILLS {
            quick.publish("quick/x", AtLeastOnce, false, "");
            round_trips += 1;
            assert!(round_trips < 100_000, "{} wills", wills.len());
            wills.extend(watcher.received_so_far().into_iter().map(|publish| publish.payload));
        }
    });
    assert!(round_trips > WILLS, "{round_trips} round trips meanwhile");
}
