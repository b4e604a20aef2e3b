//! What no client library does: raw bytes.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::broker::{Broker, PATIENCE};

pub(crate) const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x";
pub(crate) const CONNACK: &[u8] = &[0x20, 2, 0, 0];

pub(crate) fn open(broker: &Broker) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", broker.port)).expect("the broker listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("can set");
    stream
}

/// Sends bytes and returns all that the broker answers until it closes the connection.
pub(crate) fn answer_until_close(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    // The broker may have closed already.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    answer
}

pub(crate) fn check_closed(broker: &Broker, bytes: &[u8], expected: &[u8]) {
    assert_eq!(answer_until_close(&mut open(broker), bytes), expected, "{bytes:02x?}");
}

/// `[MQTT-4.8.0-1]`
#[test]
fn violations_close_the_connection() {
    let mut broker = Broker::open();
    check_closed(&broker, b"GET / HTTP/1.1\r\n\r\n", b"");
    check_closed(&broker, &[0xc0, 0], b""); // [MQTT-3.1.0-1]
    check_closed(&broker, &[CONNECT, CONNECT].concat(), CONNACK); // [MQTT-3.1.0-2]
    check_closed(&broker, b"\x10\x0d\0\x04MQTT\x06\x02\0\0\0\x01x", &[0x20, 2, 0, 1]); // [MQTT-3.1.2-2]
    check_closed(&broker, b"\x10\x0c\0\x04MQTT\x04\x00\0\0\0\0", &[0x20, 2, 0, 2]); // [MQTT-3.1.3-8]
    check_closed(&broker, b"\x10\x0d\0\x04MQTT\x04\x03\0\0\0\x01x", b""); // [MQTT-3.1.2-3]
    let after_connect = |bytes: &[u8]| check_closed(&broker, &[CONNECT, bytes].concat(), CONNACK);
    after_connect(b"\x30\x03\0\x01#"); // [MQTT-3.3.2-2]
    after_connect(b"\x36\x05\0\x01a\0\x01"); // [MQTT-3.3.1-4]
    after_connect(b"\x82\x06\0\x01\0\x01a\x03"); // [MQTT-3-8.3-4]
    after_connect(&[0x82, 2, 0, 1]); // [MQTT-3.8.3-3]
    after_connect(&[0x30, 0xff, 0xff, 0xff, 0xff, 0x01]); // section 2.2.3
    after_connect(&[0x30, 0xff, 0xff, 0xff, 0x7f]); // larger than the broker reads
    for packet_type in [0, 2, 9, 11, 13, 15] {
        after_connect(&[packet_type << 4, 2, 0, 1]); // types that only servers send, and reserved ones
        check_closed(&broker, &[packet_type << 4, 2, 0, 1], b"");
    }
    assert!(broker.is_running());
}

/// Wherever a client goes in the middle of a packet: nothing of it is done, and its session is left in order.
#[test]
fn connections_may_end_after_any_byte() {
    let broker = Broker::open();
    let packets = [
        &b"\x82\x06\0\x01\0\x01a\0"[..],    // SUBSCRIBE a
        b"\x33\x07\0\x01a\0\x02hi",         // PUBLISH a, QoS 1, RETAIN
        b"\x34\x80\x80\x01\0\x01a\0\x03hi", // PUBLISH a, QoS 2, 16 KiB
        b"\xa2\x05\0\x04\0\x01a",           // UNSUBSCRIBE a
        b"\x62\x02\0\x05",                  // PUBREL
    ];
    for packet in packets {
        for end in 1..packet.len() {
            let mut stream = open(&broker);
            stream.write_all(&[CONNECT, &packet[..end]].concat()).expect("is open");
            stream.shutdown(std::net::Shutdown::Write).expect("is open");
            assert_eq!(answer_until_close(&mut stream, b""), CONNACK, "{end} bytes of {packet:02x?}");
        }
    }
    for end in 0..CONNECT.len() {
        let mut stream = open(&broker);
        stream.write_all(&CONNECT[..end]).expect("is open");
        stream.shutdown(std::net::Shutdown::Write).expect("is open");
        assert_eq!(answer_until_close(&mut stream, b""), b"", "{end} bytes of a CONNECT");
    }
    let mut late = open(&broker);
    late.write_all(&[CONNECT, packets[0], &[0xc0, 0]].concat()).expect("is open");
    let mut answer = [0; 4 + 5 + 2];
    late.read_exact(&mut answer).expect("is answered");
    assert_eq!(answer[9..], [0xd0, 0], "nothing was retained");
}

#[test]
fn packets_may_come_in_any_pieces() {
    let broker = Broker::open();
    let mut bytes = CONNECT.to_vec();
    bytes.extend_from_slice(b"\x82\x06\0\x01\0\x01a\0"); // SUBSCRIBE a
    bytes.extend_from_slice(b"\x32\x07\0\x01a\0\x02hi"); // PUBLISH a, QoS 1
    bytes.extend_from_slice(&[0xc0, 0]); // PINGREQ
    bytes.extend_from_slice(&[0xe0, 0]); // DISCONNECT
    let mut expected = CONNACK.to_vec();
    expected.extend_from_slice(&[0x90, 3, 0, 1, 0]);
    expected.extend_from_slice(&[0x40, 2, 0, 2]);
    expected.extend_from_slice(&[0xd0, 0]);
    // The message that it sent itself may come anywhere after the SUBACK.
    let message = b"\x30\x05\0\x01ahi";
    for piece in [1, 2, 3, 7, bytes.len()] {
        let mut stream = open(&broker);
        stream.set_nodelay(true).expect("can set");
        for part in bytes[..bytes.len() - 2].chunks(piece) {
            stream.write_all(part).expect("is open");
        }
        let mut answer = vec![0; expected.len() + message.len()];
        stream.read_exact(&mut answer).expect("everything is answered");
        assert!(answer_until_close(&mut stream, &[0xe0, 0]).is_empty());
        let at = answer.windows(message.len()).position(|window| window == message).expect("has the message");
        answer.drain(at..at + message.len());
        assert_eq!(answer, expected, "{piece} bytes at a time");
    }
}

/// `[MQTT-3.1.2-24]`: a keep-alive of one second.
#[test]
fn a_silent_client_is_closed_after_its_keep_alive() {
    let broker = Broker::open();
    let mut stream = open(&broker);
    let connect = b"\x10\x0d\0\x04MQTT\x04\x02\0\x01\0\x01x";
    assert_eq!(answer_until_close(&mut stream, connect), CONNACK);
}

#[test]
fn mqtt_3_1_clients_are_served() {
    let broker = Broker::open();
    let mut stream = open(&broker);
    let mut bytes = b"\x10\x0f\0\x06MQIsdp\x03\x02\0\0\0\x01x".to_vec();
    bytes.extend_from_slice(b"\x82\x06\0\x01\0\x01a\0\x32\x07\0\x01a\0\x02hi");
    stream.write_all(&bytes).expect("is open");
    let mut answer = [0; 4 + 5 + 4 + 7];
    stream.read_exact(&mut answer).expect("everything is answered");
    assert_eq!(answer[..9], [0x20, 2, 0, 0, 0x90, 3, 0, 1, 0]);
}

/// A SUBSCRIBE to these filters at QoS 0, with the packet identifier 1.
pub(crate) fn subscribe(filters: impl IntoIterator<Item = String>) -> Vec<u8> {
    let asked = filters.into_iter().map(|filter| {
        let length = u16::try_from(filter.len()).expect("short").to_be_bytes();
        [length.as_slice(), filter.as_bytes(), &[0]].concat()
    });
    let body = [vec![0, 1], asked.flatten().collect()].concat();
    let (mut packet, mut rest) = (vec![0x82], body.len());
    while rest >= 0x80 {
        packet.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    packet.push(rest as u8);
    packet.extend(body);
    packet
}
