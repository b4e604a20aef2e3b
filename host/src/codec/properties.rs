//! What holds for every packet, tried with random ones.

use bytes::BytesMut;

use super::*;
use crate::types::random::{Random, for_each_seed};
use crate::types::{QoS, TopicFilter, TopicName};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::V31, ProtocolVersion::V311];

fn text(random: &mut Random, chars: &[char]) -> String {
    (0..random.below(6)).map(|_| chars[random.below(chars.len())]).collect()
}

/// A valid topic name.
fn topic(random: &mut Random) -> String {
    format!("{}/{}", text(random, &['a', '/', ' ', 'ü', '雪']), text(random, &['$', '\u{10ffff}']))
}

/// A valid topic filter.
fn filter(random: &mut Random) -> String {
    let mut levels: Vec<String> = Vec::new();
    for _ in 0..random.below(4) {
        levels.push(if random.one_in(3) { "+".into() } else { text(random, &['a', 'ü']) });
    }
    levels.push(if random.one_in(2) { "#".into() } else { "b".into() });
    levels.join("/")
}

fn id(random: &mut Random) -> PacketId {
    PacketId::new(1 + random.below(65_535) as u16).expect("not 0")
}

fn payload(random: &mut Random) -> Vec<u8> {
    let len = if random.one_in(20) { random.below(40_000) } else { random.below(300) };
    (0..len).map(|index| index as u8).collect()
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// The packet that `bytes` are, and nothing else.
fn whole(bytes: &[u8]) -> Frame<'_> {
    let frame = next_frame(bytes, usize::MAX).expect("well formed").expect("whole");
    assert_eq!(frame.header.packet_len(), bytes.len());
    frame
}

fn check_publish(random: &mut Random) -> BytesMut {
    let (qos, topic, payload) = (random.qos(), topic(random), payload(random));
    let packet_id = (qos != QoS::AtMostOnce).then(|| id(random));
    let (dup, retain) = (packet_id.is_some() && random.one_in(2), random.one_in(2));
    let mut out = BytesMut::new();
    PublishHead { dup, qos, retain, topic: &topic, packet_id }.encode(&mut out, payload.len());
    out.extend_from_slice(&payload);
    let expected = Packet::Publish(Publish { dup, qos, packet_id, retain, topic: &topic, payload: &payload });
    for version in VERSIONS {
        assert_eq!(decode(version, whole(&out)), Ok(expected));
    }
    out
}

fn check_ack(random: &mut Random) -> BytesMut {
    let id = id(random);
    let (ack, expected) = [
        (Ack::Puback, Packet::Puback(id)),
        (Ack::Pubrec, Packet::Pubrec(id)),
        (Ack::Pubrel, Packet::Pubrel(id)),
        (Ack::Pubcomp, Packet::Pubcomp(id)),
    ][random.below(4)];
    let mut out = BytesMut::new();
    encode_ack(&mut out, ack, id);
    for version in VERSIONS {
        assert_eq!(decode(version, whole(&out)), Ok(expected));
    }
    out
}

/// SUBSCRIBE and UNSUBSCRIBE are only read: here they are written by hand.
fn check_filters(random: &mut Random) -> BytesMut {
    let id = id(random);
    let wanted: Vec<(String, QoS)> = (0..1 + random.below(5)).map(|_| (filter(random), random.qos())).collect();
    let subscribes = random.one_in(2);
    let mut body = id.value().to_be_bytes().to_vec();
    for (filter, qos) in &wanted {
        put_string(&mut body, filter.as_bytes());
        body.extend(subscribes.then_some(*qos as u8));
    }
    assert!(body.len() < 128, "the remaining length is one byte");
    let mut out = BytesMut::from(&[if subscribes { 0x82 } else { 0xa2 }, body.len() as u8][..]);
    out.extend_from_slice(&body);
    match decode(ProtocolVersion::V311, whole(&out)).expect("well formed") {
        Packet::Subscribe(subscribe) if subscribes => {
            assert_eq!(subscribe.packet_id, id);
            assert!(subscribe.filters().eq(wanted.iter().map(|(filter, qos)| (filter.as_str(), *qos))));
        }
        Packet::Unsubscribe(unsubscribe) if !subscribes => {
            assert_eq!(unsubscribe.packet_id, id);
            assert!(unsubscribe.filters().eq(wanted.iter().map(|(filter, _)| filter.as_str())));
        }
        other => panic!("{other:?}"),
    }
    out
}

fn check_connect(random: &mut Random) -> BytesMut {
    let version = VERSIONS[random.below(2)];
    let (client_id, will_topic, username) = (text(random, &['x', 'ü']), topic(random), text(random, &['u', '雪']));
    let (payload, password) = (vec![7; random.below(9)], vec![0; random.below(5)]);
    let (qos, retain) = (random.qos(), random.one_in(2));
    let will = random.one_in(2).then_some(Will { topic: &will_topic, payload: &payload, qos, retain });
    let username = random.one_in(2).then_some(username.as_str());
    let password = (username.is_some() && random.one_in(2)).then_some(&password[..]);
    let (clean_session, keep_alive_secs) = (random.one_in(2), random.bits() as u16);

    let mut body = Vec::new();
    put_string(&mut body, if version == ProtocolVersion::V31 { b"MQIsdp" } else { b"MQTT" });
    body.push(if version == ProtocolVersion::V31 { 3 } else { 4 });
    let will_flags = will.map_or(0, |will| 4 | (will.qos as u8) << 3 | u8::from(will.retain) << 5);
    let user_flags = u8::from(username.is_some()) << 7 | u8::from(password.is_some()) << 6;
    body.push(will_flags | user_flags | u8::from(clean_session) << 1);
    body.extend_from_slice(&keep_alive_secs.to_be_bytes());
    put_string(&mut body, client_id.as_bytes());
    will.iter().for_each(|will| {
        put_string(&mut body, will.topic.as_bytes());
        put_string(&mut body, will.payload);
    });
    username.iter().for_each(|username| put_string(&mut body, username.as_bytes()));
    password.iter().for_each(|password| put_string(&mut body, password));
    assert!(body.len() < 16_384, "the remaining length is at most two bytes");
    let mut out = BytesMut::from(&[0x10, body.len() as u8 | 0x80, (body.len() >> 7) as u8][..]);
    out.extend_from_slice(&body);
    let client_id = client_id.as_str();
    let expected = Connect { version, clean_session, keep_alive_secs, client_id, will, username, password };
    assert_eq!(decode_connect(whole(&out)), Ok(expected));
    out
}

fn check_any(random: &mut Random) -> BytesMut {
    match random.below(4) {
        0 => check_publish(random),
        1 => check_ack(random),
        2 => check_filters(random),
        _ => check_connect(random),
    }
}

#[test]
fn what_is_encoded_is_decoded_as_it_was() {
    for_each_seed(4_000, |seed| drop(check_any(&mut Random::new(seed))));
}

/// Nothing a peer sends is a panic, and whatever is decoded has been checked.
#[test]
fn mutated_packets_are_refused_or_consistent() {
    for_each_seed(20_000, |seed| {
        let random = &mut Random::new(seed);
        let mut bytes = if random.one_in(8) { BytesMut::new() } else { check_any(random) };
        for _ in 0..1 + random.below(4) {
            mutate(random, &mut bytes);
        }
        let mut rest = &bytes[..];
        while let Ok(Some(frame)) = next_frame(rest, MAX) {
            let packet_len = frame.header.packet_len();
            assert!(packet_len <= MAX && packet_len == frame.header.header_len + frame.body.len());
            assert!(matches!(next_frame(&rest[..packet_len - 1], MAX), Ok(None)), "no byte too many");
            for packet in VERSIONS.into_iter().filter_map(|version| decode(version, frame).ok()) {
                check_decoded(&packet, frame);
            }
            rest = &rest[packet_len..];
        }
    });
}

const MAX: usize = 50_000;

fn mutate(random: &mut Random, bytes: &mut BytesMut) {
    let at = random.below(bytes.len().min(40) + 1);
    match random.below(4) {
        0 => bytes.truncate(at),
        1 => bytes.extend_from_slice(&random.bits().to_be_bytes()[..random.below(9)]),
        2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        _ if at < bytes.len() => bytes[at] = [0, 1, 2, 0x7f, 0x80, 0xff, b'#', b'+'][random.below(8)],
        _ => bytes.extend_from_slice(&[random.bits() as u8]),
    }
}

/// Every byte of the body belongs to a field, and every field is what its type promises.
fn check_decoded(packet: &Packet<'_>, frame: Frame<'_>) {
    let fields: usize = match packet {
        Packet::Publish(publish) => {
            assert_eq!(TopicName::check(publish.topic), Ok(()));
            assert_eq!(publish.packet_id.is_some(), publish.qos != QoS::AtMostOnce);
            2 + publish.topic.len() + 2 * usize::from(publish.packet_id.is_some()) + publish.payload.len()
        }
        Packet::Subscribe(subscribe) => {
            assert!(subscribe.filters().all(|(filter, _)| TopicFilter::check(filter).is_ok()));
            2 + subscribe.filters().map(|(filter, _)| 3 + filter.len()).sum::<usize>()
        }
        Packet::Unsubscribe(unsubscribe) => {
            assert!(unsubscribe.filters().all(|filter| TopicFilter::check(filter).is_ok()));
            2 + unsubscribe.filters().map(|filter| 2 + filter.len()).sum::<usize>()
        }
        Packet::Puback(_) | Packet::Pubrec(_) | Packet::Pubrel(_) | Packet::Pubcomp(_) => 2,
        Packet::Pingreq | Packet::Disconnect => 0,
        Packet::Connect(connect) => {
            let will = connect.will.map_or(0, |will| 4 + will.topic.len() + will.payload.len());
            let username = connect.username.map_or(0, |username| 2 + username.len());
            let password = connect.password.map_or(0, |password| 2 + password.len());
            let name = if connect.version == ProtocolVersion::V31 { 8 } else { 6 };
            name + 4 + 2 + connect.client_id.len() + will + username + password
        }
    };
    assert_eq!(fields, frame.body.len(), "{packet:?}");
}
