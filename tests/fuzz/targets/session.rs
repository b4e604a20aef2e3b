//! A connection and its session, fed with arbitrary bytes after a CONNECT: never a panic, every answer well formed, the
//! limits kept. What it publishes comes back to it.
#![no_main]

use std::time::Instant;

use amqtt_fuzz::codec::next_frame;
use amqtt_fuzz::protocol::{ClientTerms, Connection, Delivery, Event, Payload, Scratch, Session, Terms};
use amqtt_fuzz::types::{Capabilities, Limits, QoS, ReasonCode, TopicName};
use bytes::{Buf, BytesMut};
use libfuzzer_sys::fuzz_target;

const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x00\0\0\0\x01x";

fuzz_target!(|input: (u8, &[u8])| {
    let (granted, bytes) = input;
    let granted = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(granted % 3)];
    let limits = Limits {
        packet_bytes_max: 1 << 16,
        inflight_max: 3,
        queue_messages_max: 4,
        queue_bytes_max: 200,
        outgoing_bytes_max: 40,
        ..Limits::default()
    };
    let mut session = Session::default();
    let mut rest = bytes;
    // What is malformed ends the connection; the client comes again with what is behind it.
    while !rest.is_empty() {
        let mut connection = Connection::new(Instant::now(), &limits);
        let connect = next_frame(CONNECT, 100).expect("valid").expect("whole");
        let terms = connection.handle_connect(connect, &limits, &Capabilities::default()).map(|c| ClientTerms::new(&c));
        let terms = terms.expect("a valid CONNECT");
        session.outbound.connect(terms, &limits, Instant::now());
        let consumed = exchange(&mut connection, &mut session, granted, rest, &limits);
        session.outbound.disconnect();
        rest = rest.get(consumed.max(1)..).unwrap_or_default();
    }
});

/// Returns how many bytes were looked at before the connection ended.
fn exchange(connection: &mut Connection, session: &mut Session, granted: QoS, bytes: &[u8], limits: &Limits) -> usize {
    let mut consumed = 0;
    let mut replies = BytesMut::new();
    let mut scratch = Scratch::default();
    while let Ok(Some(frame)) = next_frame(&bytes[consumed..], limits.packet_bytes_max) {
        consumed += frame.header.packet_len();
        let Ok(packet) = connection.handle_packet(frame, limits, &Capabilities::default()) else { break };
        match session.handle(packet, limits, Instant::now(), &mut replies) {
            Event::Publish(publish) => {
                let topic = TopicName::new(publish.topic).expect("was checked when decoded");
                let payload = Payload::Read { bytes: publish.payload, buffer: None };
                let mut delivery = Delivery::new(&topic, payload, publish.qos, Instant::now(), &mut scratch);
                session.outbound.deliver(&mut delivery, Terms { retain: publish.retain, ..Terms::new(granted) }, limits);
                if let Some(packet_id) = publish.packet_id {
                    session.published(publish.qos, packet_id, ReasonCode::Success, &mut replies);
                }
            }
            Event::Subscribe(subscribe) => assert!(subscribe.filters().count() > 0),
            Event::Unsubscribe(unsubscribe) => assert!(unsubscribe.filters().count() > 0),
            Event::Disconnect(_) | Event::Violation(_) => break,
            Event::Handled => {}
        }
        assert!(session.outbound.inflight_len() <= usize::from(limits.inflight_max));
        assert!(session.outbound.queue_len() <= limits.queue_messages_max);
        if consumed % 3 == 0 {
            let (mut outgoing, _) = session.outbound.take_outgoing(limits, Instant::now());
            check_well_formed(&outgoing.copy_to_bytes(outgoing.remaining()));
        }
    }
    check_well_formed(&replies);
    consumed
}

/// Nothing but whole packets of the types that both sides send; but for the answer to a ping.
fn check_well_formed(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        if let Some(after) = bytes.strip_prefix(b"\xd0\0") {
            bytes = after;
            continue;
        }
        let frame = next_frame(bytes, usize::MAX).expect("well formed").expect("whole");
        amqtt_fuzz::codec::decode(amqtt_fuzz::codec::ProtocolVersion::V311, frame).expect("well formed");
        bytes = &bytes[frame.header.packet_len()..];
    }
}
