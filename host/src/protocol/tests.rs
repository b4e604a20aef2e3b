use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};

use super::*;
use crate::codec::{Packet, PacketId, Properties, ProtocolVersion, Publish, decode, next_frame};
use crate::queue::{Outgoing, Queued, Standing};
use crate::types::{Capabilities, Limits, Message, QoS, ReasonCode, TopicName};

/// What a client reads, in words: `PUBLISH 1 q1 dup hello`.
fn sent(session: &mut Session, limits: &Limits) -> Vec<String> {
    let (mut outgoing, _) = session.outbound.take_outgoing(limits, Instant::now());
    words(&outgoing.copy_to_bytes(outgoing.remaining()))
}

fn words(mut bytes: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(frame) = next_frame(bytes, usize::MAX).expect("well formed") {
        words.push(match decode(ProtocolVersion::V311, frame).expect("well formed") {
            Packet::Publish(publish) => describe(&publish),
            Packet::Pubrel(ack) => format!("PUBREL {}", ack.packet_id.value()),
            Packet::Puback(ack) => format!("PUBACK {}", ack.packet_id.value()),
            Packet::Pubrec(ack) => format!("PUBREC {}", ack.packet_id.value()),
            Packet::Pubcomp(ack) => format!("PUBCOMP {}", ack.packet_id.value()),
            other => format!("{other:?}"),
        });
        bytes = &bytes[frame.header.packet_len()..];
    }
    assert!(bytes.is_empty(), "a part of a packet was left");
    words
}

fn describe(publish: &Publish<'_>) -> String {
    let id = publish.packet_id.map_or(0, PacketId::value);
    let dup = if publish.dup { " dup" } else { "" };
    format!("PUBLISH {id} q{}{dup} {}", publish.qos as u8, String::from_utf8_lossy(publish.payload))
}

fn deliver(session: &mut Session, payload: &str, qos: QoS, granted: QoS, limits: &Limits) -> Delivered {
    let topic = TopicName::new("t").expect("valid topic");
    let payload = Payload::Read { bytes: payload.as_bytes(), buffer: None };
    let mut scratch = Scratch::default();
    let mut delivery = Delivery::new(&topic, payload, qos, Instant::now(), &mut scratch);
    session.outbound.deliver(&mut delivery, Terms::new(granted), limits)
}

fn handle(session: &mut Session, packet: Packet<'_>, limits: &Limits) -> Vec<String> {
    let mut replies = BytesMut::new();
    assert_eq!(session.handle(packet, limits, Instant::now(), &mut replies), Event::Handled);
    words(&replies)
}

/// A message of QoS 2 as a client sends it.
fn qos_2(topic: &str, packet_id: u16) -> Publish<'_> {
    Publish {
        dup: false,
        qos: QoS::ExactlyOnce,
        packet_id: Some(id(packet_id)),
        retain: false,
        topic,
        topic_alias: None,
        expiry_secs: None,
        properties: Properties::default(),
        payload: b"a",
    }
}

fn id(value: u16) -> PacketId {
    PacketId::new(value).expect("not 0")
}

fn connected(limits: &Limits) -> Session {
    let mut session = Session::default();
    session.outbound.connect(ClientTerms::default(), limits, Instant::now());
    session
}

/// `[MQTT-3.8.4-6]`: the lower of the published and the granted QoS.
#[test]
fn a_message_is_sent_at_the_lower_qos() {
    let limits = Limits::default();
    let mut session = connected(&limits);
    deliver(&mut session, "a", QoS::ExactlyOnce, QoS::AtMostOnce, &limits);
    deliver(&mut session, "b", QoS::AtLeastOnce, QoS::ExactlyOnce, &limits);
    deliver(&mut session, "c", QoS::AtMostOnce, QoS::ExactlyOnce, &limits);
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 0 q0 a", "PUBLISH 1 q1 b", "PUBLISH 0 q0 c"]);
}

/// `[MQTT-4.4.0-1]` `[MQTT-3.3.1-1]` `[MQTT-4.6.0-1]`: what is not acknowledged is sent again, in order, with DUP.
#[test]
fn unacknowledged_messages_are_sent_again_in_order() {
    let limits = Limits { inflight_max: 3, ..Limits::default() };
    let mut session = connected(&limits);
    for payload in ["a", "b", "c", "d", "e"] {
        deliver(&mut session, payload, QoS::AtLeastOnce, QoS::AtLeastOnce, &limits);
    }
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 1 q1 a", "PUBLISH 2 q1 b", "PUBLISH 3 q1 c"]);
    assert!(handle(&mut session, Packet::Puback(id(2).into()), &limits).is_empty());
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 4 q1 d"]);
    session.outbound.disconnect();
    session.outbound.connect(ClientTerms::default(), &limits, Instant::now());
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 1 q1 dup a", "PUBLISH 3 q1 dup c", "PUBLISH 4 q1 dup d"]);
    for packet_id in [3, 1, 4] {
        handle(&mut session, Packet::Puback(id(packet_id).into()), &limits);
    }
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 5 q1 e"]);
}

/// `[MQTT-4.3.3-1]`: after a PUBREC only the PUBREL is sent again.
#[test]
fn a_released_message_is_not_sent_again() {
    let limits = Limits::default();
    let mut session = connected(&limits);
    deliver(&mut session, "a", QoS::ExactlyOnce, QoS::ExactlyOnce, &limits);
    deliver(&mut session, "b", QoS::ExactlyOnce, QoS::ExactlyOnce, &limits);
    sent(&mut session, &limits);
    assert_eq!(handle(&mut session, Packet::Pubrec(id(1).into()), &limits), ["PUBREL 1"]);
    session.outbound.disconnect();
    session.outbound.connect(ClientTerms::default(), &limits, Instant::now());
    assert_eq!(sent(&mut session, &limits), ["PUBREL 1", "PUBLISH 2 q2 dup b"]);
    // A PUBACK is not what a QoS 2 message waits for.
    handle(&mut session, Packet::Puback(id(2).into()), &limits);
    handle(&mut session, Packet::Pubcomp(id(2).into()), &limits);
    assert_eq!(session.outbound.inflight_len(), 2);
    assert_eq!(handle(&mut session, Packet::Pubrec(id(2).into()), &limits), ["PUBREL 2"]);
    handle(&mut session, Packet::Pubcomp(id(2).into()), &limits);
    handle(&mut session, Packet::Pubcomp(id(1).into()), &limits);
    assert_eq!(session.outbound.inflight_len(), 0);
}

#[test]
fn acknowledgements_of_nothing_change_nothing() {
    let limits = Limits::default();
    let mut session = connected(&limits);
    handle(&mut session, Packet::Puback(id(1).into()), &limits);
    handle(&mut session, Packet::Pubcomp(id(65_535).into()), &limits);
    // The client waits for a PUBREL, or it would not have sent a PUBREC.
    assert_eq!(handle(&mut session, Packet::Pubrec(id(7).into()), &limits), ["PUBREL 7"]);
    assert_eq!(session.outbound.inflight_len(), 0);
    deliver(&mut session, "a", QoS::AtLeastOnce, QoS::AtLeastOnce, &limits);
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 1 q1 a"]);
    handle(&mut session, Packet::Puback(id(2).into()), &limits);
    assert_eq!(session.outbound.inflight_len(), 1);
}

/// `[MQTT-4.3.3-2]`: method A, the message is passed on once and its identifier kept until the PUBREL.
#[test]
fn a_qos_2_message_that_comes_twice_is_passed_on_once() {
    let limits = Limits::default();
    let mut session = connected(&limits);
    let publish = qos_2("t", 5);
    let mut replies = BytesMut::new();
    assert_eq!(
        session.handle(Packet::Publish(publish), &limits, Instant::now(), &mut replies),
        Event::Publish(publish)
    );
    assert!(replies.is_empty(), "nothing is acknowledged before it is accepted");
    session.published(QoS::ExactlyOnce, id(5), ReasonCode::Success, &mut replies);
    assert_eq!(words(&replies), ["PUBREC 5"]);
    // Also on the next connection.
    session.outbound.disconnect();
    session.outbound.connect(ClientTerms::default(), &limits, Instant::now());
    let again = Publish { dup: true, ..publish };
    assert_eq!(handle(&mut session, Packet::Publish(again), &limits), ["PUBREC 5"]);
    assert_eq!(handle(&mut session, Packet::Pubrel(id(5).into()), &limits), ["PUBCOMP 5"]);
    assert_eq!(
        session.handle(Packet::Publish(publish), &limits, Instant::now(), &mut replies),
        Event::Publish(publish)
    );
}

#[test]
fn identifiers_are_used_again_after_65535_messages() {
    let limits = Limits { inflight_max: 10, ..Limits::default() };
    let mut session = connected(&limits);
    for round in 0..70_000_u32 {
        deliver(&mut session, "a", QoS::AtLeastOnce, QoS::AtLeastOnce, &limits);
        let expected = (round % 65_535 + 1) as u16;
        assert_eq!(sent(&mut session, &limits), [format!("PUBLISH {expected} q1 a")]);
        handle(&mut session, Packet::Puback(id(expected).into()), &limits);
    }
    assert_eq!(session.outbound.inflight_len(), 0);
}

/// `[MQTT-2.3.1-4]`: an identifier in use is never given to another message.
#[test]
fn a_message_that_is_never_acknowledged_keeps_its_identifier() {
    let limits = Limits { inflight_max: 10, ..Limits::default() };
    let mut session = connected(&limits);
    deliver(&mut session, "stuck", QoS::AtLeastOnce, QoS::AtLeastOnce, &limits);
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 1 q1 stuck"]);
    let mut seen = 0;
    loop {
        deliver(&mut session, "a", QoS::AtLeastOnce, QoS::AtLeastOnce, &limits);
        let (mut outgoing, messages) = session.outbound.take_outgoing(&limits, Instant::now());
        if messages == 0 {
            break;
        }
        let bytes = outgoing.copy_to_bytes(outgoing.remaining());
        let packet_id = u16::from_be_bytes([bytes[5], bytes[6]]);
        assert_ne!(packet_id, 1);
        handle(&mut session, Packet::Puback(id(packet_id).into()), &limits);
        seen += 1;
        assert!(seen < 65_535, "the identifier would come again");
    }
    // Once it is acknowledged, what has waited goes on.
    handle(&mut session, Packet::Puback(id(1).into()), &limits);
    assert_eq!(sent(&mut session, &limits).len(), 1);
}

#[test]
fn what_waits_for_an_absent_client_keeps_its_order() {
    let limits = Limits { inflight_max: 2, ..Limits::default() };
    let mut session = Session::default();
    assert_eq!(deliver(&mut session, "lost", QoS::AtMostOnce, QoS::ExactlyOnce, &limits), Delivered::Away);
    for payload in ["a", "b", "c"] {
        let delivered = deliver(&mut session, payload, QoS::AtLeastOnce, QoS::ExactlyOnce, &limits);
        assert_eq!(delivered, Delivered::Queued);
    }
    session.outbound.connect(ClientTerms::default(), &limits, Instant::now());
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 1 q1 a", "PUBLISH 2 q1 b"]);
    handle(&mut session, Packet::Puback(id(1).into()), &limits);
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 3 q1 c"]);
}

#[test]
fn what_comes_while_the_line_is_held_waits_and_keeps_its_order() {
    let limits = Limits::default();
    let mut session = connected(&limits);
    deliver(&mut session, "a", QoS::AtLeastOnce, QoS::AtLeastOnce, &limits);
    session.outbound.hold();
    assert_eq!(deliver(&mut session, "b", QoS::AtMostOnce, QoS::AtMostOnce, &limits), Delivered::Queued);
    assert_eq!(deliver(&mut session, "c", QoS::AtLeastOnce, QoS::AtLeastOnce, &limits), Delivered::Queued);
    // What was bytes already goes out, and an acknowledgement sends nothing else.
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 1 q1 a"]);
    assert!(handle(&mut session, Packet::Puback(id(1).into()), &limits).is_empty());
    assert!(sent(&mut session, &limits).is_empty());
    session.outbound.release(&limits, Instant::now());
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 0 q0 b", "PUBLISH 2 q1 c"]);
}

#[test]
fn a_new_connection_is_sent_only_what_is_kept_of_the_unsent() {
    let limits = Limits { inflight_max: 3, ..Limits::default() };
    let mut session = connected(&limits);
    for payload in ["a", "b", "c", "d", "e"] {
        deliver(&mut session, payload, QoS::ExactlyOnce, QoS::ExactlyOnce, &limits);
    }
    sent(&mut session, &limits);
    handle(&mut session, Packet::Pubrec(id(3).into()), &limits);
    session.outbound.disconnect();
    session.outbound.connect_held(ClientTerms::default(), &limits);
    let unsent: Vec<_> = session.outbound.unsent().map(|message| message.payload.clone()).collect();
    assert_eq!(unsent, ["a", "b", "d", "e"], "c was received and waits only for its PUBCOMP");
    assert_eq!(session.outbound.retain_unsent(|message| message.payload != "a" && message.payload != "d"), 2);
    assert!(sent(&mut session, &limits).is_empty(), "held until it is released");
    session.outbound.release(&limits, Instant::now());
    assert_eq!(sent(&mut session, &limits), ["PUBLISH 2 q2 dup b", "PUBREL 3", "PUBLISH 4 q2 e"]);
    // On a connection that stands, what was sent is not taken back.
    session.outbound.hold();
    assert_eq!(session.outbound.unsent().count(), 0);
    assert_eq!(session.outbound.retain_unsent(|_| false), 0);
    assert_eq!(session.outbound.inflight_len(), 3);
}

#[test]
fn a_client_that_reads_nothing_has_bounded_memory() {
    let limits = Limits { queue_messages_max: 100, ..Limits::default() };
    let mut session = connected(&limits);
    let payload = "x".repeat(1_000);
    let mut dropped = 0;
    for _ in 0..10_000 {
        if deliver(&mut session, &payload, QoS::AtMostOnce, QoS::AtMostOnce, &limits) == Delivered::Dropped {
            dropped += 1;
        }
    }
    let mut received = 0;
    loop {
        let (_, messages) = session.outbound.take_outgoing(&limits, Instant::now());
        if messages == 0 {
            break;
        }
        received += messages;
    }
    assert_eq!(received + dropped, 10_000);
    assert!(received < 500, "256 KiB of bytes and 100 messages in the queue, not {received}");
}

/// What its connection took over and it does not take counts as well, and no second buffer is filled meanwhile.
#[test]
fn a_client_that_stops_reading_has_one_buffer() {
    let limits = Limits { outgoing_bytes_max: 1_000, ..Limits::default() };
    let mut session = connected(&limits);
    let payload = "x".repeat(200);
    let pass_on = |session: &mut Session| deliver(session, &payload, QoS::AtMostOnce, QoS::AtMostOnce, &limits);
    let is_buffered =
        |session: &Session| session.outbound.has_outgoing(&Limits { outgoing_bytes_max: 0, ..limits.clone() });
    while pass_on(&mut session) == Delivered::Buffered {}
    (0..5).for_each(|_| assert_eq!(pass_on(&mut session), Delivered::Queued));
    let (outgoing, messages) = session.outbound.take_outgoing(&limits, Instant::now());
    assert!(messages == 5 && !is_buffered(&session) && session.outbound.has_outgoing(&limits));
    // The peer takes 100 bytes of it.
    session.outbound.set_unwritten(outgoing.len() - 100);
    assert_eq!(pass_on(&mut session), Delivered::Queued);
    let (again, messages) = session.outbound.take_outgoing(&limits, Instant::now());
    assert!(messages == 1 && again.len() < 300, "there was room for one");
    session.outbound.set_unwritten(outgoing.len() + again.len() - 100);
    assert!(!session.outbound.has_outgoing(&limits));
    // It takes the rest.
    session.outbound.set_unwritten(0);
    assert!(session.outbound.has_outgoing(&limits));
    let rest: Vec<_> = std::iter::from_fn(|| {
        let (_, messages) = session.outbound.take_outgoing(&limits, Instant::now());
        (messages > 0).then_some(messages)
    })
    .collect();
    assert_eq!(rest, [5, 1]);
    // What it is sent directly has no more room than that either.
    session.outbound.set_unwritten(900);
    assert_eq!([pass_on(&mut session), pass_on(&mut session)], [Delivered::Buffered, Delivered::Queued]);
    assert!(!session.outbound.may_be_taken(&limits));
}

/// A client that reads and never acknowledges must not hold its number of messages at any size.
#[test]
fn large_messages_in_flight_are_bounded_in_bytes() {
    let limits = Limits { queue_bytes_max: 25_000, ..Limits::default() };
    let mut session = connected(&limits);
    let large = "x".repeat(10_000);
    let mut dropped = 0;
    for _ in 0..10 {
        match deliver(&mut session, &large, QoS::ExactlyOnce, QoS::ExactlyOnce, &limits) {
            Delivered::Dropped => dropped += 1,
            _ => drop(session.outbound.take_outgoing(&limits, Instant::now())),
        }
    }
    assert_eq!((session.outbound.inflight_len(), session.outbound.queue_len(), dropped), (2, 2, 6));
    assert_eq!(session.outbound.queue_bytes(), 4 * (64 + 1 + 10_000));
    // With the client, a message is held no more, and makes room.
    for packet_id in 1..=4 {
        handle(&mut session, Packet::Pubrec(id(packet_id).into()), &limits);
        handle(&mut session, Packet::Pubcomp(id(packet_id).into()), &limits);
        drop(session.outbound.take_outgoing(&limits, Instant::now()));
    }
    assert_eq!((session.outbound.inflight_len(), session.outbound.queue_len()), (0, 0));
    assert_eq!(session.outbound.queue_bytes(), 0);
    // One is always, however large; small ones are bounded by their number.
    let too_large = "x".repeat(30_000);
    for payload in [&too_large[..], "small", "small"] {
        let delivered = deliver(&mut session, payload, QoS::AtLeastOnce, QoS::AtLeastOnce, &limits);
        assert_eq!(delivered, Delivered::Buffered);
    }
    assert_eq!(session.outbound.inflight_len(), 3);
}

/// Whoever asks again and again, and reads nothing, must not hold the store of retained messages many times over.
#[test]
fn retained_messages_that_wait_are_bounded_in_bytes() {
    let limits = Limits { queue_bytes_max: 10_000, queue_messages_max: 3, ..Limits::default() };
    let mut session = Session::default();
    let topic = TopicName::new("t").expect("valid topic");
    let message = Message::new(topic, Bytes::from(vec![1; 35]), QoS::AtLeastOnce, true);
    let queued = Queued { message: message.into(), qos: QoS::AtLeastOnce, retain: true, subscription_id: None };
    let store = || std::iter::repeat_n(queued.clone(), 60);
    assert_eq!(session.outbound.deliver_retained(store(), Standing::Judged, &limits, Instant::now()), 0);
    assert_eq!(session.outbound.deliver_retained(store(), Standing::Judged, &limits, Instant::now()), 20);
    assert_eq!(session.outbound.queue_len(), 100);
    assert_eq!(session.outbound.deliver_retained(store(), Standing::Judged, &limits, Instant::now()), 60);
}

#[test]
fn large_payloads_are_shared_and_small_ones_copied() {
    let limits = Limits::default();
    let topic = TopicName::new("t").expect("valid topic");
    let buffer = Bytes::from(vec![1; 20_000]);
    let mut scratch = Scratch::default();
    let payload = Payload::Read { bytes: &buffer[10..], buffer: Some(&buffer) };
    let mut delivery = Delivery::new(&topic, payload, QoS::AtMostOnce, Instant::now(), &mut scratch);
    let chunk = |outgoing: &Outgoing| {
        let mut slices = [std::io::IoSlice::new(&[]); 2];
        assert_eq!(outgoing.chunks_vectored(&mut slices), 2);
        slices[1].as_ptr()
    };
    for _ in 0..2 {
        let mut session = connected(&limits);
        session.outbound.deliver(&mut delivery, Terms::new(QoS::AtMostOnce), &limits);
        let (outgoing, _) = session.outbound.take_outgoing(&limits, Instant::now());
        assert_eq!(chunk(&outgoing), buffer[10..].as_ptr());
    }
}

/// `[MQTT-3.1.2-24]`: one and a half times the keep-alive, or less where a delay is set.
#[test]
fn silence_is_measured_against_the_keep_alive() {
    let limits = Limits::default();
    let start = Instant::now();
    let check = |keep_alive_secs, delay: Option<u64>, expected: Option<Duration>| {
        let mut connection = Connection::new(start, &limits);
        connection.accept(start, keep_alive_secs, delay.map(Duration::from_secs));
        assert_eq!(connection.poll_timeout().map(|deadline| deadline - start), expected);
    };
    check(60, None, Some(Duration::from_secs(90)));
    check(60, Some(2), Some(Duration::from_secs(62)));
    check(60, Some(1_000), Some(Duration::from_secs(90)));
    check(1, None, Some(Duration::from_millis(1_500)));
    check(0, None, None);
    check(0, Some(2), None);
}

#[test]
fn the_first_packet_has_to_come_in_time() {
    let limits = Limits { connect_timeout_secs: 5, ..Limits::default() };
    let start = Instant::now();
    let mut connection = Connection::new(start, &limits);
    connection.heard(start + Duration::from_secs(4));
    assert_eq!(connection.handle_timeout(start + Duration::from_millis(4_999)), Ok(()));
    assert_eq!(connection.handle_timeout(start + Duration::from_secs(5)), Err(Violation::ConnectTimeout));
}

#[test]
fn packets_come_in_the_order_that_the_standard_asks_for() {
    let limits = Limits::default();
    let mut connection = Connection::new(Instant::now(), &limits);
    let ping = next_frame(&[0xc0, 0], 100).expect("valid").expect("whole");
    // [MQTT-3.1.0-1]
    assert_eq!(
        connection.handle_connect(ping, &limits, &Capabilities::default()),
        Err(Rejection::Close(Violation::NotConnect))
    );
    let bytes = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01x";
    let connect = next_frame(bytes, 100).expect("valid").expect("whole");
    assert!(connection.handle_connect(connect, &limits, &Capabilities::default()).is_ok());
    assert_eq!(connection.handle_packet(ping, &limits, &Capabilities::default()), Ok(Packet::Pingreq));
    let first = |bytes| Connection::new(Instant::now(), &limits).first_frame(bytes, &limits).map(drop);
    assert_eq!(first(b"\x16\x03\x01\x02\0\x01"), Err(Violation::Tls));
    assert_eq!(first(b"\x30\x03\x01"), Err(Violation::NotConnect));
    // [MQTT-3.1.0-2]
    assert_eq!(connection.handle_packet(connect, &limits, &Capabilities::default()), Err(Violation::SecondConnect));
}

#[test]
fn client_identifiers_are_judged_by_version() {
    let check = |name: &str, level: u8, clean: bool, id: &str, expected: Result<(), Rejection>| {
        let limits = Limits { client_id_bytes_max: 30, ..Limits::default() };
        let mut bytes = vec![0x10, (name.len() + 8 + id.len()) as u8, 0, name.len() as u8];
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&[level, u8::from(clean) << 1, 0, 0, 0, id.len() as u8]);
        bytes.extend_from_slice(id.as_bytes());
        let frame = next_frame(&bytes, 100).expect("valid").expect("whole");
        let result =
            Connection::new(Instant::now(), &limits).handle_connect(frame, &limits, &Capabilities::default()).map(drop);
        assert_eq!(result, expected, "{name} {level} {clean} {id}");
    };
    let rejected = |why| Err(Rejection::ClientId(ProtocolVersion::V311, why));
    let rejected_31 = |why| Err(Rejection::ClientId(ProtocolVersion::V31, why));
    check("MQTT", 4, true, "", Ok(())); // [MQTT-3.1.3-6]
    check("MQTT", 4, false, "", rejected(BadClientId::Missing)); // [MQTT-3.1.3-8]
    check("MQTT", 4, false, &"x".repeat(30), Ok(()));
    check("MQTT", 4, false, &"x".repeat(31), rejected(BadClientId::TooLong { bytes: 31, max: 30 }));
    check("MQIsdp", 3, true, "", rejected_31(BadClientId::Missing31));
    check("MQIsdp", 3, true, &"x".repeat(23), Ok(()));
    check("MQIsdp", 3, true, &"x".repeat(24), rejected_31(BadClientId::TooLong31(24)));
    check("MQTT", 6, true, "x", Err(Rejection::Connack(ProtocolVersion::V311, ReasonCode::UnsupportedProtocolVersion))); // [MQTT-3.1.2-2]
}
