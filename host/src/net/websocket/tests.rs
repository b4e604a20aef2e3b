//! Frames as RFC 6455 has them, and as it does not.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Builder;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::incoming::{Closed, Incoming};
use super::*;
use crate::types::random::{Random, for_each_seed};

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;

const MESSAGE_BYTES_MAX: u64 = 1_000_000;

/// Only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// A frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    masked_frame(first, [0x12, 0xf3, 0x00, 0x7e], payload)
}

fn masked_frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, 0x80, payload.len());
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn header(first: u8, mask_bit: u8, len: usize) -> Vec<u8> {
    match len {
        0..=125 => vec![first, mask_bit | len as u8],
        126..=0xffff => [&[first, mask_bit | 126][..], &(len as u16).to_be_bytes()].concat(),
        _ => [&[first, mask_bit | 127][..], &(len as u64).to_be_bytes()].concat(),
    }
}

/// What is left of bytes that come in pieces of at most `piece`, and why it ended.
fn decode(bytes: &[u8], mut piece: impl FnMut() -> usize) -> (Vec<u8>, Result<(), Closed>) {
    let mut incoming = Incoming::new(MESSAGE_BYTES_MAX);
    let (mut rest, mut payload) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (now, later) = rest.split_at(piece().clamp(1, rest.len()));
        rest = later;
        let mut now = now.to_vec();
        let (len, result) = incoming.decode(&mut now);
        payload.extend_from_slice(&now[..len]);
        if result.is_err() {
            return (payload, result);
        }
    }
    (payload, Ok(()))
}

#[test]
fn any_frames_in_any_pieces_give_the_same_bytes() {
    for_each_seed(300, |seed| {
        let mut random = Random::new(seed);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..1 + random.below(6) {
            let fragments = 1 + random.below(3);
            for index in 0..fragments {
                if random.one_in(3) {
                    let kind = if random.one_in(2) { PING } else { PONG };
                    bytes.extend(frame(FINAL | kind, &b"ping"[..random.below(5)]));
                }
                let len = [0, 1, 125, 126, 300, 0xffff, 0x1_0000][random.below(7)];
                let payload: Vec<u8> = (0..len).map(|_| random.bits() as u8).collect();
                let fin = if index + 1 == fragments { FINAL } else { 0 };
                let kind = if index == 0 { BINARY } else { CONTINUATION };
                bytes.extend(masked_frame(fin | kind, (random.bits() as u32).to_ne_bytes(), &payload));
                expected.extend(payload);
            }
        }
        let largest = [1, 3, 20, 5_000, 100_000][random.below(5)];
        let (payload, result) = decode(&bytes, || 1 + random.below(largest));
        assert_eq!(result, Ok(()));
        assert!(payload == expected, "{} bytes became {}", expected.len(), payload.len());
    });
}

#[test]
fn what_a_client_may_not_send_has_a_status() {
    let check = |bytes: &[u8], fault: WebSocketFault, status: u16| {
        // What came before it counts.
        let bytes = [&frame(FINAL | BINARY, b"before"), bytes].concat();
        for piece in [1, usize::MAX] {
            assert_eq!(decode(&bytes, || piece), (b"before".to_vec(), Err(Closed::Fault(fault))), "{bytes:?}");
        }
        assert_eq!(u16::from(fault.close_code()), status);
    };
    check(&frame(FINAL | TEXT, b"text"), WebSocketFault::Text, 1003);
    check(&[header(FINAL | BINARY, 0, 1), vec![0]].concat(), WebSocketFault::Unmasked, 1002);
    check(&frame(FINAL | 0x40 | BINARY, b"x"), WebSocketFault::Reserved, 1002);
    check(&frame(FINAL | 3, b"x"), WebSocketFault::Reserved, 1002);
    check(&frame(FINAL | 11, b"x"), WebSocketFault::Reserved, 1002);
    check(&frame(FINAL | CONTINUATION, b"x"), WebSocketFault::Fragments, 1002);
    check(&[frame(BINARY, b""), frame(FINAL | BINARY, b"x")].concat(), WebSocketFault::Fragments, 1002);
    check(&frame(PING, b"x"), WebSocketFault::Control, 1002);
    check(&frame(FINAL | PING, &[0; 126]), WebSocketFault::Control, 1002);
    check(&frame(FINAL | CLOSE, &[3]), WebSocketFault::Control, 1002);
    check(&frame(FINAL | CLOSE, &1005_u16.to_be_bytes()), WebSocketFault::Control, 1002);
    // At the header already.
    let too_large = header(FINAL | BINARY, 0x80, MESSAGE_BYTES_MAX as usize + 1);
    check(&[&too_large[..], &[0; 4]].concat(), WebSocketFault::TooLarge, 1009);
    check(&[&[FINAL | BINARY][..], &[0xff; 9], &[0; 4]].concat(), WebSocketFault::TooLarge, 1009);
}

#[test]
fn a_message_in_fragments_is_bounded_as_a_whole() {
    let half = vec![0; MESSAGE_BYTES_MAX as usize / 2];
    let fits = [frame(BINARY, &half), frame(FINAL | CONTINUATION, &half)].concat();
    assert_eq!(decode(&[fits.clone(), fits].concat(), || usize::MAX).1, Ok(()));
    let too_large = [frame(BINARY, &half), frame(CONTINUATION, &half), frame(FINAL | CONTINUATION, b"x")].concat();
    assert_eq!(decode(&too_large, || usize::MAX).1, Err(Closed::Fault(WebSocketFault::TooLarge)));
}

#[test]
fn a_client_that_is_done_may_say_why() {
    let check = |payload: &[u8], code: Option<CloseCode>| {
        let bytes = [frame(FINAL | CLOSE, payload), frame(FINAL | BINARY, b"after")].concat();
        assert_eq!(decode(&bytes, || usize::MAX), (Vec::new(), Err(Closed::ByPeer(code))));
    };
    check(b"", None);
    check(b"\x03\xe8", Some(CloseCode::Normal));
    check(b"\x03\xe9tab closed", Some(CloseCode::Away));
}

/// Runs a test with both ends of a WebSocket, with room for `room` bytes between them.
fn with_socket<F: Future>(room: usize, test: impl FnOnce(WebSocket<DuplexStream>, DuplexStream) -> F) {
    let (ours, theirs) = duplex(room);
    let socket = WebSocket::new(ours, MESSAGE_BYTES_MAX);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { timeout(PATIENCE, test(socket, theirs)).await }).expect("ends in time");
}

async fn next_frame(peer: &mut DuplexStream) -> (u8, Vec<u8>) {
    let first = peer.read_u8().await.expect("a frame");
    let len = match peer.read_u8().await.expect("its length") {
        126 => usize::from(peer.read_u16().await.expect("its length")),
        127 => peer.read_u64().await.expect("its length") as usize,
        len => usize::from(len),
    };
    let mut payload = vec![0; len];
    peer.read_exact(&mut payload).await.expect("its payload");
    (first, payload)
}

#[test]
fn a_ping_is_answered_while_somebody_reads() {
    with_socket(1_000, |mut socket, mut peer| async move {
        let bytes = [frame(FINAL | PING, b"one"), frame(FINAL | PING, b"two"), frame(FINAL | BINARY, b"data")].concat();
        peer.write_all(&bytes).await.expect("has room");
        let mut read = [0; 100];
        let count = socket.read(&mut read).await.expect("comes");
        assert_eq!(&read[..count], b"data");
        // The latest of several is answered.
        assert_eq!(next_frame(&mut peer).await, (FINAL | PONG, b"two".to_vec()));
    });
}

/// Neither the answer to a ping nor the close falls into a frame that has begun, nor a frame into them.
#[test]
fn what_is_written_through_a_narrow_way_is_whole_frames() {
    const PAYLOAD: &[u8; 100] = &[b'p'; 100];
    with_socket(7, |mut socket, mut peer| async move {
        let sent: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        let expected = sent.clone();
        let ours = async move {
            socket.write_all(&sent[..5]).await.expect("is taken");
            socket.write_all(&sent[5..]).await.expect("is taken");
            let mut read = [0; 1];
            socket.read_exact(&mut read).await.expect("comes");
            // The answer to the ping is not through yet.
            socket.write_all(b"after").await.expect("is taken");
            socket.shutdown().await.expect("is taken");
            assert_eq!(socket.read(&mut read).await.expect("ends"), 0);
        };
        let theirs = async move {
            let ping = frame(FINAL | PING, PAYLOAD);
            peer.write_all(&ping[..4]).await.expect("has room");
            let mut data = Vec::new();
            while data.len() < expected.len() {
                let (first, payload) = next_frame(&mut peer).await;
                assert_eq!(first, FINAL | BINARY);
                assert!(payload.len() <= outgoing::FRAME_BYTES_MAX);
                data.extend(payload);
            }
            assert!(data == expected);
            peer.write_all(&[&ping[4..], &frame(FINAL | BINARY, b"x")].concat()).await.expect("is read");
            assert_eq!(next_frame(&mut peer).await, (FINAL | PONG, PAYLOAD.to_vec()));
            assert_eq!(next_frame(&mut peer).await, (FINAL | BINARY, b"after".to_vec()));
            assert_eq!(next_frame(&mut peer).await, (FINAL | CLOSE, 1000_u16.to_be_bytes().to_vec()));
            peer.write_all(&frame(FINAL | CLOSE, &1000_u16.to_be_bytes())).await.expect("is read");
        };
        tokio::join!(ours, theirs);
    });
}

#[test]
fn a_close_is_answered_and_ends_the_stream() {
    with_socket(1_000, |mut socket, mut peer| async move {
        let close = frame(FINAL | CLOSE, b"\x03\xe9bye");
        peer.write_all(&[frame(FINAL | BINARY, b"last"), close].concat()).await.expect("has room");
        let mut read = Vec::new();
        socket.read_to_end(&mut read).await.expect("ends well");
        assert_eq!(read, b"last");
        assert_eq!(next_frame(&mut peer).await, (FINAL | CLOSE, 1001_u16.to_be_bytes().to_vec()));
        assert!(socket.write_all(b"more").await.is_err());
    });
}

#[test]
fn a_fault_is_told_to_both_sides_and_the_rest_is_ignored() {
    with_socket(1_000, |mut socket, mut peer| async move {
        let bytes = [frame(FINAL | BINARY, b"ok"), frame(FINAL | TEXT, b"no"), frame(FINAL | BINARY, b"late")].concat();
        peer.write_all(&bytes).await.expect("has room");
        let mut read = [0; 10];
        assert_eq!(socket.read(&mut read).await.expect("what came before"), 2);
        let error = socket.read(&mut read).await.expect_err("a text frame");
        let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<WebSocketFault>());
        assert_eq!(fault, Some(&WebSocketFault::Text));
        assert_eq!(next_frame(&mut peer).await, (FINAL | CLOSE, 1003_u16.to_be_bytes().to_vec()));
        peer.write_all(&frame(FINAL | BINARY, b"later")).await.expect("has room");
        drop(peer);
        assert_eq!(socket.read(&mut read).await.expect("only the end"), 0);
    });
}

/// A request as browsers send it, each line replaceable.
fn request(replaced: &str, by: &str) -> String {
    let request = "GET /mqtt?token=1 HTTP/1.1\r\nHost: broker\r\nConnection: keep-alive, Upgrade\r\nUpgrade: \
                   websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \
                   dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: amqp, mqtt\r\n\r\n";
    assert!(request.contains(replaced));
    request.replacen(replaced, by, 1)
}

/// What a listener answers, and whether it took the client.
fn answer(request: &[u8], path: Option<&str>) -> (String, bool) {
    let (mut client, server) = duplex(100_000);
    let settings =
        WebSocketSettings { path: path.map(ToOwned::to_owned), origins: None, message_bytes_max: MESSAGE_BYTES_MAX };
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let talk = async {
        client.write_all(request).await.expect("has room");
        client.shutdown().await.expect("is open");
        let accepted = accept(server, &settings).await.is_ok();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("is text");
        (answer, accepted)
    };
    runtime.block_on(async { timeout(PATIENCE, talk).await }).expect("is answered in time")
}

#[test]
fn a_handshake_agrees_on_mqtt() {
    for (offer, agreed) in [
        ("amqp, mqtt", "mqtt"),
        ("mqttv3.1", "mqttv3.1"),
        ("mqtt,mqttv3.1", "mqtt"),
        ("x\r\nSec-WebSocket-Protocol: mqtt", "mqtt"),
    ] {
        for path in [None, Some("/mqtt")] {
            let (answer, accepted) = answer(request("amqp, mqtt", offer).as_bytes(), path);
            assert!(accepted && answer.starts_with("HTTP/1.1 101 "), "{answer}");
            // The example of RFC 6455, 1.3.
            assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
            assert!(answer.contains(&format!("sec-websocket-protocol: {agreed}\r\n")), "{answer}");
        }
    }
}

#[test]
fn what_asks_for_no_websocket_is_answered() {
    let check = |request: &str, status: &str, why: &str| {
        let (answer, accepted) = answer(request.as_bytes(), Some("/mqtt"));
        assert!(!accepted && answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}\n{answer}");
        assert!(answer.contains(why) && answer.contains("\r\nConnection: close\r\n"), "{answer}");
        answer
    };
    let bare = check("GET / HTTP/1.1\r\nHost: broker\r\n\r\n", "426 Upgrade Required", "MQTT over WebSocket");
    assert!(bare.contains("\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), "{bare}");
    check(&request("Upgrade: websocket", "Upgrade: h2c"), "426 Upgrade Required", "");
    check(&request("Version: 13", "Version: 8"), "426 Upgrade Required", "");
    check(&request("GET", "POST"), "400 Bad Request", "");
    check(&request("HTTP/1.1", "HTTP/1.0"), "400 Bad Request", "");
    check(&request("dGhlIHNhbXBsZSBub25jZQ==", "short"), "400 Bad Request", "");
    check(&request("amqp, mqtt", "amqp"), "400 Bad Request", "subprotocol `mqtt`");
    check(&request("Sec-WebSocket-Protocol: amqp, mqtt\r\n", ""), "400 Bad Request", "subprotocol `mqtt`");
    check(&request("/mqtt?", "/other?"), "404 Not Found", "path");
    check(&request("\r\n\r\n", "\r\n\r\nmore"), "400 Bad Request", "");
    check("PRI * HTTP/2.0\r\n\r\n", "400 Bad Request", "");
    check(&request("broker", &"x".repeat(8 << 10)), "431 Request Header Fields Too Large", "");
    check(&request("\r\n\r\n", &format!("{}\r\n\r\n", "\r\na: b".repeat(200))), "400 Bad Request", "");
}

#[test]
fn what_is_no_http_is_not_answered() {
    for bytes in [&b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x"[..], b"\x16\x03\x01\0\x05hello", b""] {
        assert_eq!(answer(bytes, None), (String::new(), false));
    }
}
