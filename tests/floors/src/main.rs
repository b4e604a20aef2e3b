//! Does the work of one message many times, for valgrind to count: `floors NAME`. Without a name, says which there are.

mod broker;

use std::hint::black_box;
use std::num::NonZeroU16;
use std::process::ExitCode;

use amqtt_floors::codec::{PacketId, ProtocolVersion, PublishHead, PublishProperties};
use amqtt_floors::types::QoS;
use broker::{Broker, PAYLOAD, TOPIC};
use bytes::BytesMut;

/// Operations that are counted, after as many that are not. No more than there are packet identifiers in all.
const OPERATIONS: u16 = 1_000;

/// Messages that a subscriber's connection takes at once.
const BATCH: u16 = 8;

/// What is counted, by name.
const SCENARIOS: &[(&str, fn())] = &[
    ("decode-publish", || decode(ProtocolVersion::V311, &[])),
    ("decode-publish-with-properties", || decode(ProtocolVersion::V5, PROPERTIES)),
    ("encode-publish", encode),
    ("route-to-1", || route(1, &[])),
    ("route-to-100", || route(100, &[])),
    ("route-to-100-with-properties", || route(100, PROPERTIES)),
    ("qos-1-round", || count(rounds(QoS::AtLeastOnce))),
    ("qos-2-round", || count(rounds(QoS::ExactlyOnce))),
];

/// Content type, message expiry interval and a user property.
const PROPERTIES: &[u8] = b"\x03\0\x10application/json\x02\0\0\x0e\x10\x26\0\x04unit\0\x07celsius";

fn main() -> ExitCode {
    let name = std::env::args().nth(1);
    match SCENARIOS.iter().find(|(scenario, _)| Some(*scenario) == name.as_deref()) {
        Some((_, run)) => run(),
        None => SCENARIOS.iter().for_each(|(scenario, _)| println!("{scenario}")),
    }
    ExitCode::SUCCESS
}

/// Warms up, then does what is counted.
fn count(mut operate: impl FnMut(u16)) {
    (0..OPERATIONS).for_each(&mut operate);
    count_from_here();
    (OPERATIONS..2 * OPERATIONS).for_each(&mut operate);
    count_to_here();
}

/// The test looks for this name.
#[inline(never)]
fn count_from_here() {
    black_box(());
}

/// The test looks for this name.
#[inline(never)]
fn count_to_here() {
    black_box(());
}

/// From the bytes that were read to a packet that may come now.
fn decode(version: ProtocolVersion, properties: &[u8]) {
    let mut broker = Broker::new(version, 0);
    let packet = broker::publish(version, QoS::AtMostOnce, PacketId::MIN, properties);
    count(|_| {
        black_box(broker.read(black_box(&packet)));
    });
}

/// A PUBLISH to one client.
fn encode() {
    let mut out = BytesMut::with_capacity(256);
    count(|_| {
        let head = PublishHead {
            version: ProtocolVersion::V311,
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: black_box(TOPIC),
            packet_id: NonZeroU16::new(7).map(PacketId),
            properties: PublishProperties::default(),
        };
        out.clear();
        black_box(head.encode(&mut out, PAYLOAD.len()));
        out.extend_from_slice(black_box(PAYLOAD));
    });
}

/// A message of QoS 0, from its packet to bytes for each of so many subscribers, who take several at once.
fn route(subscribers: usize, properties: &[u8]) {
    let version = if properties.is_empty() { ProtocolVersion::V311 } else { ProtocolVersion::V5 };
    let mut broker = Broker::new(version, subscribers);
    let packet = broker::publish(version, QoS::AtMostOnce, PacketId::MIN, properties);
    count(|operation| {
        broker.publish(black_box(&packet));
        if operation % BATCH == 0 {
            broker.take_all();
        }
    });
}

/// A message of QoS 1 or 2 to one subscriber, until both sides have acknowledged it.
fn rounds(qos: QoS) -> impl FnMut(u16) {
    let mut broker = Broker::new(ProtocolVersion::V311, 1);
    let acks: &'static [u8] = if qos == QoS::AtLeastOnce { b"\x40" } else { b"\x50\x70" };
    let mut packet = broker::publish(ProtocolVersion::V311, qos, PacketId::MIN, &[]);
    move |operation| {
        let id = (operation + 1).to_be_bytes();
        broker::set_packet_id(&mut packet, id);
        broker.publish(black_box(&packet));
        if qos == QoS::ExactlyOnce {
            broker.publisher_says(&[0x62, 2, id[0], id[1]]);
        }
        broker.take_all();
        // The subscriber's identifiers are counted from 1 as well.
        acks.iter().for_each(|ack| broker.subscriber_says(&[*ack, 2, id[0], id[1]]));
    }
}
