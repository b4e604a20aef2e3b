//! MQTT over WebSocket as RFC 6455 and chapter 6 of the standard have it.

use std::io::{Read, Write};
use std::net::TcpStream;

use rumqttc::QoS::AtLeastOnce;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::broker::{Broker, Setup};
use crate::carrier::{binary, read, websocket};
use crate::client::Client;
use crate::protocol::{CONNACK, CONNECT, answer_until_close, open};

const OPEN: &str = "plugins: [auth_anonymous]\n";

type Socket = tungstenite::WebSocket<TcpStream>;

fn connect(broker: &Broker, path: &str) -> Result<Socket, String> {
    websocket(open(broker), path)
}

/// Reads to the end; the MQTT that came, and the status of the close.
fn read_to_close(socket: &mut Socket) -> (Vec<u8>, Option<CloseCode>) {
    let mut bytes = Vec::new();
    loop {
        match socket.read().expect("is closed in order") {
            Message::Binary(part) => bytes.extend_from_slice(&part),
            Message::Close(frame) => return (bytes, frame.map(|frame| frame.code)),
            _ => {}
        }
    }
}

/// `[MQTT-6.0.0-2]`
#[test]
fn packets_need_not_fit_the_frames() {
    let broker = Setup::new(OPEN).websocket().start();
    let mut socket = connect(&broker, "/any/path?and=query").expect("is taken");
    // Everything in one frame: CONNECT, SUBSCRIBE to `a`, PUBLISH to it at QoS 1.
    let packets = [CONNECT, b"\x82\x06\0\x01\0\x01a\0", b"\x32\x07\0\x01a\0\x02hi"].concat();
    socket.send(binary(&packets)).expect("is open");
    let expected = 4 + 5 + 4 + 7;
    let answer = read(&mut socket, expected);
    assert!(answer.starts_with(CONNACK) && answer.windows(2).any(|bytes| bytes == b"hi"), "{answer:?}");
    // Then every byte in a frame of its own, the last ones as fragments with a ping between them.
    let publish = b"\x32\x07\0\x01a\0\x03ho";
    for byte in &publish[..7] {
        socket.send(binary(&[*byte])).expect("is open");
    }
    let fragment = |kind: Data, is_final: bool, byte: u8| {
        let header =
            FrameHeader { is_final, opcode: OpCode::Data(kind), mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
        let mut bytes = Vec::new();
        Frame::from_payload(header, vec![byte].into()).format(&mut bytes).expect("has room");
        bytes
    };
    let stream = socket.get_mut();
    stream.write_all(&fragment(Data::Binary, false, publish[7])).expect("is open");
    socket.send(Message::Ping(b"still there?".to_vec().into())).expect("is open");
    socket.get_mut().write_all(&fragment(Data::Continue, true, publish[8])).expect("is open");
    let (mut bytes, mut pong) = (Vec::new(), None);
    while bytes.len() < 4 + 7 || pong.is_none() {
        match socket.read().expect("is answered") {
            Message::Binary(part) => bytes.extend_from_slice(&part),
            Message::Pong(payload) => pong = Some(payload),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pong.as_deref(), Some(&b"still there?"[..]));
    assert!(bytes.windows(2).any(|bytes| bytes == b"ho"), "{bytes:?}");
}

/// Clients of both kinds of listeners share everything.
#[test]
fn messages_go_from_tcp_to_websocket_and_back() {
    let mut broker = Setup::new(OPEN).another_listener("web: {bind: 127.0.0.1:0, type: ws}").start();
    let (tcp, web) = (broker.port_of("default"), broker.port_of("web"));
    broker.port = web;
    let mut socket = connect(&broker, "/").expect("is taken");
    socket.send(binary(&[CONNECT, b"\x82\x06\0\x01\0\x01a\x01"].concat())).expect("is open");
    read(&mut socket, 4 + 5);
    broker.port = tcp;
    let mut client = Client::connect(&broker, "client");
    client.subscribe("b", AtLeastOnce);
    // More than one frame of what the broker sends.
    let payload = "x".repeat(3_000_000);
    client.publish("a", AtLeastOnce, false, payload.clone());
    let message = read(&mut socket, 1 + 4 + 3 + 2 + payload.len());
    assert!(message.ends_with(payload.as_bytes()));
    socket.send(binary(b"\x30\x05\0\x01bhi")).expect("is open");
    assert_eq!(client.receive_words(), "b hi");
}

#[test]
fn every_end_has_its_status() {
    let mut broker = Setup::new("plugins: [auth_anonymous]\nauth: {allow-anonymous: false}\n").websocket().start();
    let refused = connect(&broker, "/").map(|mut socket| {
        socket.send(binary(CONNECT)).expect("is open");
        read_to_close(&mut socket)
    });
    let (connack, status) = refused.expect("is taken");
    assert!(connack.starts_with(&[0x20, 2, 0]) && connack[3] != 0, "{connack:?}");
    assert_eq!(status, Some(CloseCode::Policy));
    broker = Setup::new(OPEN).websocket().start();
    let after = |bytes: Message| {
        let mut socket = connect(&broker, "/").expect("is taken");
        socket.send(binary(CONNECT)).expect("is open");
        assert_eq!(read(&mut socket, 4), CONNACK);
        socket.send(bytes).expect("is open");
        read_to_close(&mut socket).1
    };
    assert_eq!(after(binary(&[0xe0, 0])), Some(CloseCode::Normal), "DISCONNECT");
    assert_eq!(after(Message::Text("text".into())), Some(CloseCode::Unsupported), "[MQTT-6.0.0-1]");
    assert_eq!(after(binary(CONNECT)), Some(CloseCode::Protocol), "[MQTT-3.1.0-2]");
    assert_eq!(after(Message::Close(None)), None, "the client's own");
    broker.wait_for_log("WebSocket violation: a text frame");
    let mut socket = connect(&broker, "/").expect("is taken");
    socket.send(binary(CONNECT)).expect("is open");
    assert_eq!(read(&mut socket, 4), CONNACK);
    broker.signal("TERM");
    assert_eq!(read_to_close(&mut socket).1, Some(CloseCode::Away), "shutdown");
    drop(socket);
    assert!(broker.wait().success());
}

#[test]
fn a_listener_may_have_one_path() {
    let broker = Setup::new(OPEN).websocket().listener("path: /mqtt").start();
    assert!(connect(&broker, "/mqtt").is_ok());
    let refused = connect(&broker, "/").expect_err("is another path");
    assert!(refused.contains("404"), "{refused}");
}

/// A browser says which page asks. Other clients need not say anything.
#[test]
fn a_listener_may_have_origins() {
    let mut broker =
        Setup::new(OPEN).websocket().listener("origins: [https://app.example, 'http://localhost:8080']").start();
    let ask = |origin: &str| {
        let mut stream = open(&broker);
        let request = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n{origin}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("is open");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("is answered");
        String::from_utf8_lossy(&status[9..]).into_owned()
    };
    for origin in
        ["", "Origin: https://app.example\r\n", "origin: https://APP.example\r\n", "Origin: http://localhost:8080\r\n"]
    {
        assert_eq!(ask(origin), "101", "{origin}");
    }
    for origin in [
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "null",
        "",
        "https://app.example\r\nOrigin: https://evil.example",
    ] {
        assert_eq!(ask(&format!("Origin: {origin}\r\n")), "403", "{origin}");
    }
    broker.wait_for_log("HTTP request refused: pages of this origin may not connect");
}

/// A web browser that is pointed there, and whoever comes to the wrong port.
#[test]
fn what_is_no_websocket_is_told_so() {
    let mut broker = Setup::new(OPEN).websocket().start();
    let ask = |bytes: &[u8]| {
        let mut stream = open(&broker);
        String::from_utf8_lossy(&answer_until_close(&mut stream, bytes)).into_owned()
    };
    let answer = ask(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n") && answer.contains("MQTT over WebSocket"),
        "{answer}"
    );
    assert_eq!(ask(CONNECT), "");
    assert_eq!(ask(b"\x16\x03\x01\x02\0\x01"), "");
    broker.wait_for_log("refused: WebSocket handshake: no HTTP request");
    broker.wait_for_log("refused: WebSocket handshake: the client speaks TLS, and this listener does not");
    assert!(connect(&broker, "/").is_ok());
}

#[test]
fn a_slow_handshake_ends_in_time_and_blocks_nobody() {
    let broker = Setup::new("plugins: [auth_anonymous]\nlimits: {connect-timeout-secs: 1}\n").websocket().start();
    let mut slow: Vec<TcpStream> = (0..50).map(|_| open(&broker)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HTTP/1.1\r\nHost:").expect("is open");
    }
    assert!(connect(&broker, "/").is_ok(), "others are served meanwhile");
    for mut stream in slow {
        let mut answer = Vec::new();
        assert!(stream.read_to_end(&mut answer).is_ok() && answer.is_empty(), "{answer:?}");
    }
    // A WebSocket without a CONNECT has no more time than a connection.
    let mut socket = connect(&broker, "/").expect("is taken");
    assert_eq!(read_to_close(&mut socket), (Vec::new(), Some(CloseCode::Protocol)));
}

#[test]
fn connections_of_a_websocket_listener_are_bounded() {
    let broker = Setup::new(OPEN).websocket().listener("max-connections: 1").start();
    let first = connect(&broker, "/").expect("is taken");
    assert!(connect(&broker, "/").is_err(), "is one too many");
    drop(first);
    // A place is given back when the broker has seen the end.
    while connect(&broker, "/").is_err() {}
}
