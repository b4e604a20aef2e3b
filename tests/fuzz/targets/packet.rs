//! Arbitrary bytes, as packets of every version: never a panic, and what is read as PUBLISH or acknowledgement is
//! written as it was.
#![no_main]

use amqtt_fuzz::codec::{
    Ack, Answer, Frame, Packet, Property, ProtocolVersion, PublishHead, PublishProperties, decode, decode_connect,
    encode_ack, next_frame,
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
        for version in [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5] {
            if let Ok(decoded) = decode(version, frame) {
                check(version, packet, frame, decoded);
            }
        }
        rest = after;
    }
});

fn check(version: ProtocolVersion, bytes: &[u8], frame: Frame<'_>, packet: Packet<'_>) {
    let mut again = BytesMut::new();
    let properties: Vec<Property<'_>> = packet.properties().iter().collect();
    let user_properties = properties.iter().filter(|property| matches!(property, Property::UserProperty(..))).count();
    assert_eq!(user_properties, packet.properties().user_properties_len());
    let (ack, answered) = match packet {
        Packet::Publish(publish) => {
            let mut passed_on = Vec::new();
            publish.properties.copy_passed_on(&mut passed_on);
            let told = PublishProperties {
                passed_on: &passed_on,
                expiry_secs: publish.expiry_secs,
                subscription_ids: &[],
                topic_alias: publish.topic_alias,
            };
            let (dup, qos, retain, topic) = (publish.dup, publish.qos, publish.retain, publish.topic);
            let head = PublishHead { version, dup, qos, retain, topic, packet_id: publish.packet_id, properties: told };
            head.encode(&mut again, publish.payload.len());
            again.extend_from_slice(publish.payload);
            // A peer may write a length in more bytes than it needs, and properties in any order.
            let written = next_frame(&again, usize::MAX).expect("was written here").expect("is whole");
            let Ok(Packet::Publish(read)) = decode(version, written) else { panic!("was written here") };
            assert_eq!((again[0], read.topic, read.payload), (bytes[0], publish.topic, publish.payload));
            assert_eq!((read.packet_id, read.topic_alias), (publish.packet_id, publish.topic_alias));
            assert_eq!(read.expiry_secs, publish.expiry_secs);
            if version != ProtocolVersion::V5 {
                assert_eq!(written.body, frame.body);
            }
            return;
        }
        Packet::Subscribe(subscribe) => {
            let len: usize = subscribe.filters().map(|(filter, _)| filter.len() + 3).sum();
            assert!(subscribe.filters().count() > 0 && len + 2 <= frame.body.len(), "every filter is handed out");
            return;
        }
        Packet::Unsubscribe(unsubscribe) => {
            let len: usize = unsubscribe.filters().map(|filter| filter.len() + 2).sum();
            assert!(unsubscribe.filters().count() > 0 && len + 2 <= frame.body.len(), "every filter is handed out");
            return;
        }
        Packet::Puback(ack) => (Ack::Puback, ack),
        Packet::Pubrec(ack) => (Ack::Pubrec, ack),
        Packet::Pubrel(ack) => (Ack::Pubrel, ack),
        Packet::Pubcomp(ack) => (Ack::Pubcomp, ack),
        Packet::Pingreq | Packet::Disconnect(_) | Packet::Auth(_) => return,
    };
    let answer = Answer { reason: answered.reason, properties: &properties };
    encode_ack(&mut again, version, ack, answered.packet_id, answer);
    let written = next_frame(&again, usize::MAX).expect("was written here").expect("is whole");
    assert_eq!(decode(version, written), Ok(packet));
}
