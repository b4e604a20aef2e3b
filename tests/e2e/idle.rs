//! What those cost who do nothing: memory of the broker for each of them.

use crate::broker::{Broker, Setup};
use crate::carrier::Carrier;
use crate::certificates::Authority;

/// Clients before the first look, so that what there is once is there.
const BEFORE: usize = 100;

/// A broker that a client reaches over everything there is.
fn broker(authority: &Authority) -> Broker {
    Setup::new("plugins: [auth_anonymous]\n")
        .another_listener("ws: {bind: 127.0.0.1:0, type: ws}")
        .another_listener("tls: {bind: 127.0.0.1:0, ssl: on, certfile: server.pem}")
        .another_listener("wss: {bind: 127.0.0.1:0, type: ws, ssl: on, certfile: server.pem}")
        .file("server.pem", authority.server().pem())
        .start()
}

/// Connects a client with a persistent session, and subscribes for it to a topic of its own.
fn connect(broker: &mut Broker, authority: &Authority, listener: &str, number: usize) -> Carrier {
    let mut hello = b"\x10\x19\0\x04MQTT\x04\0\0\x3c\0\x0d".to_vec();
    hello.extend_from_slice(format!("client-{number:06}").as_bytes());
    hello.extend_from_slice(b"\x82\x1b\0\x01\0\x16");
    hello.extend_from_slice(format!("device/{number:06}/commands\x01").as_bytes());
    let mut carrier = Carrier::open(broker, authority, listener);
    assert_eq!(carrier.exchange(&hello, 9), b"\x20\x02\0\0\x90\x03\0\x01\x01");
    carrier
}

/// Bytes of the broker for each of so many more.
fn bytes_each(broker: &mut Broker, count: usize, mut one_more: impl FnMut(&mut Broker, usize)) -> usize {
    (0..BEFORE).for_each(|number| one_more(broker, number));
    let before = broker.resident_bytes();
    (BEFORE..BEFORE + count).for_each(|number| one_more(broker, number));
    match (before, broker.resident_bytes()) {
        (Some(before), Some(after)) => after.saturating_sub(before) / count,
        // Where the system does not tell, nothing is known.
        _ => 0,
    }
}

fn check_connection(listener: &str, count: usize, bytes_max: usize) {
    let authority = Authority::new();
    let mut broker = broker(&authority);
    let mut connected = Vec::new();
    let each = bytes_each(&mut broker, count, |broker, number| {
        connected.push(connect(broker, &authority, listener, number));
    });
    println!("{listener}: {each} bytes for each connection");
    assert!(each <= bytes_max, "a connection with one subscription takes {each} bytes, and is to take {bytes_max}");
}

#[test]
fn an_idle_connection_is_small() {
    check_connection("default", 1_000, 2_560);
}

#[test]
fn an_idle_websocket_is_small() {
    check_connection("ws", 500, 3_072);
}

/// Most of it is what rustls keeps: a buffer of 4 KiB and the secrets of the session.
#[test]
fn an_idle_connection_with_tls_is_not_large() {
    check_connection("tls", 300, 11_264);
    check_connection("wss", 300, 11_264);
}

#[test]
fn a_session_whose_client_is_away_is_small() {
    let authority = Authority::new();
    let mut broker = broker(&authority);
    let each = bytes_each(&mut broker, 2_000, |broker, number| {
        drop(connect(broker, &authority, "default", number));
    });
    println!("{each} bytes for each session");
    assert!(each <= 1_536, "a session with one subscription takes {each} bytes while its client is away");
}
