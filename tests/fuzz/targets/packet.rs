//! Arbitrary bytes, as packets of both versions: never a panic, and what is read as PUBLISH or acknowledgement is
//! written as it was.
#![no_main]

use amqtt_fuzz::codec::{
    Ack, Frame, Packet, ProtocolVersion, PublishHead, decode, decode_connect, encode_ack, next_frame,
};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

const PACKET_BYTES_MAX: usize = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some(frame)) = next_frame(rest, PACKET_BYTES_MAX) {
        let (packet, after) = rest.split_at(frame.header.packet_len());
        assert_eq!(frame.body.len(), frame.header.remaining_len);
        if let Ok(connect) = decode_connect(frame) {
            assert!(connect.will.is_none_or(|will| !will.topic.is_empty()));
        }
        for version in [ProtocolVersion::V31, ProtocolVersion::V311] {
            if let Ok(decoded) = decode(version, frame) {
                check(packet, frame, decoded);
            }
        }
        rest = after;
    }
});

fn check(bytes: &[u8], frame: Frame<'_>, packet: Packet<'_>) {
    let mut again = BytesMut::new();
    let ack = match packet {
        Packet::Publish(publish) => {
            let (dup, qos, retain, topic) = (publish.dup, publish.qos, publish.retain, publish.topic);
            let head = PublishHead { dup, qos, retain, topic, packet_id: publish.packet_id };
            head.encode(&mut again, publish.payload.len());
            again.extend_from_slice(publish.payload);
            // A peer may write the remaining length in more bytes than it needs.
            let written = next_frame(&again, usize::MAX).expect("was written here").expect("is whole");
            assert_eq!((again[0], written.body), (bytes[0], frame.body));
            return;
        }
        Packet::Subscribe(subscribe) => {
            let len: usize = subscribe.filters().map(|(filter, _)| filter.len() + 3).sum();
            assert_eq!(len + 2, frame.body.len(), "every filter is handed out");
            return;
        }
        Packet::Unsubscribe(unsubscribe) => {
            let len: usize = unsubscribe.filters().map(|filter| filter.len() + 2).sum();
            assert_eq!(len + 2, frame.body.len(), "every filter is handed out");
            return;
        }
        Packet::Puback(id) => (Ack::Puback, id),
        Packet::Pubrec(id) => (Ack::Pubrec, id),
        Packet::Pubrel(id) => (Ack::Pubrel, id),
        Packet::Pubcomp(id) => (Ack::Pubcomp, id),
        Packet::Connect(_) | Packet::Pingreq | Packet::Disconnect => return,
    };
    encode_ack(&mut again, ack.0, ack.1);
    assert_eq!(&again[2..], frame.body);
}
