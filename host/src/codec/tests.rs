use bytes::BytesMut;

use super::*;
use crate::types::{QoS, ReasonCode, SubscriptionOptions, TopicError};

const MAX: usize = 1 << 20;

/// The frame that `bytes` are, which have to be one whole packet.
fn frame(bytes: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let frame = next_frame(bytes, MAX)?.expect("a whole packet");
    assert_eq!(frame.header.packet_len(), bytes.len(), "one packet and nothing more");
    Ok(frame)
}

fn check(bytes: &[u8], expected: Packet<'_>) {
    assert_eq!(frame(bytes).and_then(|frame| decode(ProtocolVersion::V311, frame)), Ok(expected), "{bytes:02x?}");
}

fn check_error(bytes: &[u8], expected: DecodeError) {
    let error = frame(bytes).and_then(|frame| decode(ProtocolVersion::V311, frame)).expect_err("malformed");
    assert_eq!(error, expected, "{bytes:02x?}");
}

/// An empty message to the topic `a`.
fn publish() -> Publish<'static> {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        packet_id: None,
        retain: false,
        topic: "a",
        topic_alias: None,
        expiry_secs: None,
        properties: Properties::default(),
        payload: b"",
    }
}

fn id(value: u16) -> PacketId {
    PacketId::new(value).expect("not 0")
}

#[test]
fn acknowledgements_carry_their_identifier() {
    check(&[0x40, 2, 0x12, 0x34], Packet::Puback(id(0x1234).into()));
    check(&[0x50, 2, 0, 1], Packet::Pubrec(id(1).into()));
    check(&[0x62, 2, 0xff, 0xff], Packet::Pubrel(id(65_535).into()));
    check(&[0x70, 2, 0, 9], Packet::Pubcomp(id(9).into()));
    check(&[0xc0, 0], Packet::Pingreq);
    check(
        &[0xe0, 0],
        Packet::Disconnect(Disconnect { reason: ReasonCode::Success, properties: Properties::default() }),
    );
}

#[test]
fn a_publish_is_borrowed_from_the_buffer() {
    let expected = Publish { retain: true, topic: "a/b", payload: b"hi", ..publish() };
    check(b"\x31\x07\0\x03a/bhi", Packet::Publish(expected));
    let expected = Publish { dup: true, qos: QoS::ExactlyOnce, packet_id: Some(id(10)), ..publish() };
    check(b"\x3c\x05\0\x01a\0\x0a", Packet::Publish(expected));
}

/// Each of these ends the connection.
#[test]
fn malformed_packets_are_told_apart() {
    // [MQTT-3.3.1-4] QoS 3; [MQTT-3.3.1-2] DUP at QoS 0
    check_error(b"\x36\x05\0\x01a\0\x01", DecodeError::QoS);
    check_error(b"\x38\x03\0\x01a", DecodeError::DupAtQoS0);
    // [MQTT-2.3.1-1] packet identifier 0
    check_error(b"\x32\x05\0\x01a\0\0", DecodeError::PacketIdZero);
    check_error(&[0x40, 2, 0, 0], DecodeError::PacketIdZero);
    check_error(b"\x82\x06\0\0\0\x01a\0", DecodeError::PacketIdZero);
    // [MQTT-3.3.2-2] wildcards, [MQTT-4.7.3-1] empty, [MQTT-1.5.3-2] U+0000, [MQTT-1.5.3-1] surrogate
    check_error(b"\x30\x03\0\x01#", DecodeError::Topic(TopicError::WildcardInName));
    check_error(b"\x30\x02\0\0", DecodeError::Topic(TopicError::Empty));
    check_error(b"\x30\x03\0\x01\0", DecodeError::Topic(TopicError::Nul));
    check_error(b"\x30\x05\0\x03\xed\xa0\x80", DecodeError::Utf8);
    // [MQTT-2.2.2-2] reserved flags: SUBSCRIBE, UNSUBSCRIBE and PUBREL have 0010, others 0000
    check_error(b"\x80\x06\0\x01\0\x01a\0", DecodeError::Flags { packet_type: 8, flags: 0 });
    check_error(&[0x60, 2, 0, 1], DecodeError::Flags { packet_type: 6, flags: 0 });
    check_error(&[0xa0, 2, 0, 1], DecodeError::Flags { packet_type: 10, flags: 0 });
    check_error(&[0xc1, 0], DecodeError::Flags { packet_type: 12, flags: 1 });
    check_error(&[0x41, 2, 0, 1], DecodeError::Flags { packet_type: 4, flags: 1 });
    // [MQTT-3.8.3-3] [MQTT-3.10.3-2] no filter, [MQTT-3-8.3-4] QoS bits, [MQTT-4.7.1-2] filter
    check_error(&[0x82, 2, 0, 1], DecodeError::NoFilter);
    check_error(&[0xa2, 2, 0, 1], DecodeError::NoFilter);
    check_error(b"\x82\x06\0\x01\0\x01a\x03", DecodeError::RequestedQoS(3));
    check_error(b"\x82\x06\0\x01\0\x01a\x80", DecodeError::RequestedQoS(0x80));
    check_error(b"\x82\x07\0\x01\0\x02a#\0", DecodeError::Topic(TopicError::HashMisplaced));
    check_error(b"\x82\x05\0\x01\0\0\0", DecodeError::Topic(TopicError::Empty));
    // Lengths that do not add up
    check_error(&[0xc0, 1, 0], DecodeError::TrailingBytes(1));
    check_error(&[0x40, 3, 0, 1, 0], DecodeError::TrailingBytes(1));
    check_error(b"\x30\x03\0\x05a", DecodeError::Truncated);
    check_error(b"\x82\x05\0\x01\0\x01a", DecodeError::Truncated);
}

#[test]
fn a_first_byte_that_no_client_sends_is_refused_at_once() {
    for first in [0x00, 0x20, 0x90, 0xb0, 0xd0] {
        assert_eq!(FixedHeader::read(&[first], MAX), Err(DecodeError::PacketType(first >> 4)));
    }
}

/// Table 2.4 of the standard.
#[test]
fn remaining_lengths_have_one_to_four_bytes() {
    let check = |bytes: &[u8], expected: usize| {
        let header = FixedHeader::read(bytes, usize::MAX).expect("valid").expect("complete");
        assert_eq!(header.remaining_len, expected);
    };
    check(&[0x30, 0x00], 0);
    check(&[0x30, 0x7f], 127);
    check(&[0x30, 0x80, 0x01], 128);
    check(&[0x30, 0xff, 0x7f], 16_383);
    check(&[0x30, 0x80, 0x80, 0x01], 16_384);
    check(&[0x30, 0xff, 0xff, 0x7f], 2_097_151);
    check(&[0x30, 0x80, 0x80, 0x80, 0x01], 2_097_152);
    check(&[0x30, 0xff, 0xff, 0xff, 0x7f], 268_435_455);
    assert_eq!(FixedHeader::read(&[0x30, 0x80, 0x80, 0x80], MAX), Ok(None));
    assert_eq!(FixedHeader::read(&[0x30, 0x80, 0x80, 0x80, 0x80], MAX), Err(DecodeError::RemainingLength));
    let too_large = DecodeError::PacketTooLarge { bytes: 102, max: 101 };
    assert_eq!(FixedHeader::read(&[0x30, 100], 101), Err(too_large));
}

fn connect_bytes(name: &[u8], level: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x10, (name.len() + 6 + payload.len()) as u8, 0, name.len() as u8];
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&[level, flags, 0, 60]);
    bytes.extend_from_slice(payload);
    bytes
}

fn check_connect_error(bytes: &[u8], expected: DecodeError) {
    assert_eq!(frame(bytes).and_then(decode_connect), Err(expected), "{bytes:02x?}");
}

#[test]
fn a_connect_has_its_fields_in_order() {
    let payload = b"\0\x02id\0\x01w\0\x02by\0\x04user\0\x02pw";
    let expected = Connect {
        version: ProtocolVersion::V311,
        clean_start: false,
        keep_alive_secs: 60,
        properties: Properties::default(),
        client_id: "id",
        will: Some(Will {
            topic: "w",
            payload: b"by",
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: Properties::default(),
        }),
        username: Some("user"),
        password: Some(b"pw"),
    };
    let bytes = connect_bytes(b"MQTT", 4, 0b1110_1100, payload);
    assert_eq!(frame(&bytes).and_then(decode_connect), Ok(expected));
    assert!(!format!("{expected:?}").contains("pw"), "passwords stay out of logs");
}

#[test]
fn connects_that_contradict_themselves_are_refused() {
    let no_id = b"\0\0";
    check_connect_error(&connect_bytes(b"HTTP", 4, 2, no_id), DecodeError::ProtocolName); // [MQTT-3.1.2-1]
    check_connect_error(&connect_bytes(b"MQTT", 6, 2, no_id), DecodeError::ProtocolLevel(6)); // [MQTT-3.1.2-2]
    check_connect_error(&connect_bytes(b"MQTT", 3, 2, no_id), DecodeError::ProtocolLevel(3));
    for flags in [
        0b0000_0011, // [MQTT-3.1.2-3] reserved bit
        0b0000_1010, // [MQTT-3.1.2-13] will QoS without will
        0b0010_0010, // [MQTT-3.1.2-15] will retain without will
        0b0100_0010, // [MQTT-3.1.2-22] password without user name
    ] {
        check_connect_error(&connect_bytes(b"MQTT", 4, flags, no_id), DecodeError::ConnectFlags(flags));
    }
    check_connect_error(&connect_bytes(b"MQTT", 4, 0b0001_1110, no_id), DecodeError::QoS); // [MQTT-3.1.2-14]
    check_connect_error(&connect_bytes(b"MQTT", 4, 2, b"\0\x01\0"), DecodeError::Nul);
    check_connect_error(&connect_bytes(b"MQTT", 4, 0b1000_0010, no_id), DecodeError::Truncated); // [MQTT-3.1.2-19]
    check_connect_error(&connect_bytes(b"MQTT", 4, 2, b"\0\0\0\x01u"), DecodeError::TrailingBytes(3));
}

#[test]
fn mqtt_3_1_is_read_as_its_own_text_says() {
    // The flag promises a user name, the remaining length takes precedence.
    let bytes = connect_bytes(b"MQIsdp", 3, 0b1100_0010, b"\0\x02id");
    let connect = frame(&bytes).and_then(decode_connect).expect("valid");
    assert_eq!((connect.version, connect.username, connect.password), (ProtocolVersion::V31, None, None));
    // A SUBSCRIBE that is sent again has DUP set.
    let subscribe = frame(b"\x8a\x06\0\x01\0\x01a\0").expect("framed");
    assert!(decode(ProtocolVersion::V31, subscribe).is_ok());
    assert!(decode(ProtocolVersion::V311, subscribe).is_err());
}

#[test]
fn filters_come_in_the_order_of_the_packet() {
    let bytes = b"\x82\x0b\0\x07\0\x01a\x01\0\x02+/\x02";
    let Ok(Packet::Subscribe(subscribe)) = decode(ProtocolVersion::V311, frame(bytes).expect("framed")) else {
        panic!("a SUBSCRIBE");
    };
    assert_eq!(subscribe.packet_id, id(7));
    let (once, exactly) = (SubscriptionOptions::new(QoS::AtLeastOnce), SubscriptionOptions::new(QoS::ExactlyOnce));
    assert_eq!(subscribe.filters().collect::<Vec<_>>(), [("a", once), ("+/", exactly)]);
    let bytes = b"\xa2\x08\0\x07\0\x01a\0\x01#";
    let Ok(Packet::Unsubscribe(unsubscribe)) = decode(ProtocolVersion::V311, frame(bytes).expect("framed")) else {
        panic!("an UNSUBSCRIBE");
    };
    assert_eq!(unsubscribe.filters().collect::<Vec<_>>(), ["a", "#"]);
}

#[test]
fn a_packet_that_is_not_complete_is_waited_for() {
    let bytes = b"\x3c\x07\0\x01a\0\x0ahi";
    for end in 0..bytes.len() {
        assert!(matches!(next_frame(&bytes[..end], MAX), Ok(None)), "{end} bytes");
    }
    assert!(matches!(next_frame(bytes, MAX), Ok(Some(_))));
}

/// Cut off after each byte, with a remaining length that says so: malformed, but where only a payload is shorter.
#[test]
fn packets_that_end_too_early_are_malformed_at_every_byte() {
    let connect = connect_bytes(b"MQTT", 4, 0b1110_1100, b"\0\x02id\0\x01w\0\x02by\0\x04user\0\x02pw");
    let publish_head_len = 5;
    for (bytes, valid_from) in [
        (&connect[..], usize::MAX),
        (b"\x82\x08\0\x07\0\x03a/b\x01", usize::MAX),
        (b"\xa2\x07\0\x07\0\x03a/b", usize::MAX),
        (b"\x3c\x07\0\x01a\0\x0ahi", publish_head_len),
        (b"\x40\x02\0\x01", usize::MAX),
        (b"\x50\x02\0\x01", usize::MAX),
        (b"\x62\x02\0\x01", usize::MAX),
        (b"\x70\x02\0\x01", usize::MAX),
    ] {
        let whole = frame(bytes).expect("is framed");
        for len in 0..=whole.body.len() {
            let cut = Frame { header: FixedHeader { remaining_len: len, ..whole.header }, body: &whole.body[..len] };
            let is_valid = match cut.header.packet_type {
                PacketType::Connect => decode_connect(cut).is_ok(),
                _ => decode(ProtocolVersion::V311, cut).is_ok(),
            };
            assert_eq!(is_valid, len == whole.body.len() || len >= valid_from, "{len} bytes of {bytes:02x?}");
        }
    }
}

#[test]
fn what_is_encoded_is_what_the_standard_shows() {
    let mut out = BytesMut::new();
    let (v311, success) = (ProtocolVersion::V311, ReasonCode::Success);
    encode_connack(&mut out, v311, Connack { session_present: true, answer: success.into() });
    encode_ack(&mut out, v311, Ack::Puback, id(1), success.into());
    encode_ack(&mut out, v311, Ack::Pubrec, id(2), ReasonCode::NotAuthorized.into());
    encode_ack(&mut out, v311, Ack::Pubrel, id(3), success.into());
    encode_ack(&mut out, v311, Ack::Pubcomp, id(0x1234), success.into());
    encode_suback(&mut out, v311, id(10), &[ReasonCode::GrantedQoS2, ReasonCode::QuotaExceeded], &[]);
    encode_unsuback(&mut out, v311, id(11), &[success], &[]);
    encode_disconnect(&mut out, v311, ReasonCode::ServerShuttingDown.into());
    encode_pingresp(&mut out);
    let expected = [
        0x20, 2, 1, 0, 0x40, 2, 0, 1, 0x50, 2, 0, 2, 0x62, 2, 0, 3, 0x70, 2, 0x12, 0x34, 0x90, 4, 0, 10, 2, 0x80, 0xb0,
        2, 0, 11, 0xd0, 0,
    ];
    assert_eq!(out[..], expected);
}

#[test]
fn a_publish_that_was_encoded_is_decoded_as_it_was() {
    for payload_len in [0, 1, 100, 121, 122, 123, 16_370, 16_380, 70_000] {
        for (dup, qos, packet_id) in [
            (false, QoS::AtMostOnce, None),
            (true, QoS::AtLeastOnce, PacketId::new(7)),
            (false, QoS::ExactlyOnce, PacketId::new(65_535)),
        ] {
            let payload = vec![7; payload_len];
            let mut out = BytesMut::new();
            let version = ProtocolVersion::V311;
            let properties = PublishProperties::default();
            let head = PublishHead { version, dup, qos, retain: dup, topic: "a/ü", packet_id, properties };
            head.encode(&mut out, payload_len);
            out.extend_from_slice(&payload);
            assert_eq!(out.len(), head.packet_len(payload_len));
            let expected = Publish { dup, qos, packet_id, retain: dup, topic: "a/ü", payload: &payload, ..publish() };
            check(&out, Packet::Publish(expected));
        }
    }
}

#[test]
fn identifiers_follow_each_other_around_zero() {
    assert_eq!(id(65_535).next(), id(1));
    assert_eq!(id(5).distance_from(id(3)), 2);
    assert_eq!(id(2).distance_from(id(65_534)), 3);
    let mut later = id(65_530);
    for distance in 0..20 {
        assert_eq!(later.distance_from(id(65_530)), distance);
        later = later.next();
    }
}

/// Table 3.1 of MQTT 3.1.1; `[MQTT-3.2.2-6]`: no CONNACK where it has no code.
#[test]
fn a_refusal_before_5_0_has_the_nearest_return_code() {
    let check = |reason: ReasonCode, expected: &[u8]| {
        let mut out = BytesMut::new();
        encode_connack(&mut out, ProtocolVersion::V31, Connack { session_present: false, answer: reason.into() });
        assert_eq!(out[..], *expected, "{reason:?}");
    };
    check(ReasonCode::UnsupportedProtocolVersion, &[0x20, 2, 0, 1]);
    check(ReasonCode::ClientIdentifierNotValid, &[0x20, 2, 0, 2]);
    check(ReasonCode::ServerUnavailable, &[0x20, 2, 0, 3]);
    check(ReasonCode::ConnectionRateExceeded, &[0x20, 2, 0, 3]);
    check(ReasonCode::BadUserNameOrPassword, &[0x20, 2, 0, 4]);
    check(ReasonCode::NotAuthorized, &[0x20, 2, 0, 5]);
    check(ReasonCode::Banned, &[0x20, 2, 0, 5]);
    check(ReasonCode::BadAuthenticationMethod, &[]);
    check(ReasonCode::MalformedPacket, &[]);
}
