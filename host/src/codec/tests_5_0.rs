//! What MQTT 5.0 has that earlier versions have not: properties, reason codes, options.

use super::*;
use crate::types::{QoS, ReasonCode, RetainHandling, SubscriptionId, TopicError};

/// The frame that a first byte and a body make.
fn with_frame<R>(first: u8, body: &[u8], look: impl FnOnce(Frame<'_>) -> R) -> R {
    assert!(body.len() < 128, "the remaining length is one byte");
    let bytes = [&[first, body.len() as u8], body].concat();
    look(next_frame(&bytes, 1 << 20).expect("well formed").expect("whole"))
}

/// A packet that is read, or the reason that its client is told.
fn check(first: u8, body: &[u8], expected: Result<(), ReasonCode>) {
    let read = with_frame(first, body, |frame| decode(ProtocolVersion::V5, frame).map(drop));
    assert_eq!(read.map_err(|error| error.reason_code()), expected, "{first:02x} {body:02x?}: {read:?}");
}

/// The same for a CONNECT with these properties, and these of its will.
fn check_connect(properties: &[u8], will: Option<&[u8]>, expected: Result<(), ReasonCode>) {
    let mut body = b"\0\x04MQTT\x05".to_vec();
    body.extend_from_slice(&[if will.is_some() { 4 } else { 0 }, 0, 60, properties.len() as u8]);
    body.extend_from_slice(properties);
    body.extend_from_slice(b"\0\x02id");
    if let Some(will) = will {
        body.push(will.len() as u8);
        body.extend_from_slice(will);
        body.extend_from_slice(b"\0\x01w\0\x02by");
    }
    let read = with_frame(0x10, &body, |frame| decode_connect(frame).map(drop));
    assert_eq!(read.map_err(|error| error.reason_code()), expected, "{properties:02x?} {will:02x?}: {read:?}");
}

const MALFORMED: Result<(), ReasonCode> = Err(ReasonCode::MalformedPacket);
const PROTOCOL_ERROR: Result<(), ReasonCode> = Err(ReasonCode::ProtocolError);

/// Every property that a packet of a client may have, by itself and twice, and every one that it may not have (table
/// 2-4, and `[MQTT-2.2.2.2]`: what does not belong there makes the packet malformed).
#[test]
fn each_packet_has_its_properties_once() {
    let properties: [(u8, &[u8]); 27] = [
        (0x01, b"\x01"),
        (0x02, b"\0\0\0\x09"),
        (0x03, b"\0\x01c"),
        (0x08, b"\0\x01r"),
        (0x09, b"\0\x01\xff"),
        (0x0b, b"\x80\x01"),
        (0x11, b"\0\0\0\x09"),
        (0x12, b"\0\x01i"),
        (0x13, b"\0\x09"),
        (0x15, b"\0\x01m"),
        (0x16, b"\0\x01\xff"),
        (0x17, b"\0"),
        (0x18, b"\0\0\0\x09"),
        (0x19, b"\x01"),
        (0x1a, b"\0\x01i"),
        (0x1c, b"\0\x01s"),
        (0x1f, b"\0\x01w"),
        (0x21, b"\0\x09"),
        (0x22, b"\0\0"),
        (0x23, b"\0\x09"),
        (0x24, b"\x01"),
        (0x25, b"\x01"),
        (0x26, b"\0\x01n\0\x01v"),
        (0x27, b"\0\0\0\x09"),
        (0x28, b"\x01"),
        (0x29, b"\x01"),
        (0x2a, b"\x01"),
    ];
    /// A first byte, what comes before the properties, what comes behind them, and the properties that are allowed.
    type Form = (u8, &'static [u8], &'static [u8], &'static [u8]);
    let packets: [Form; 8] = [
        (0x30, b"\0\x01t", b"payload", &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x23, 0x26]),
        (0x40, b"\0\x01\x10", b"", &[0x1f, 0x26]),
        (0x50, b"\0\x01\x10", b"", &[0x1f, 0x26]),
        (0x62, b"\0\x01\x92", b"", &[0x1f, 0x26]),
        (0x70, b"\0\x01\x92", b"", &[0x1f, 0x26]),
        (0x82, b"\0\x01", b"\0\x01f\0", &[0x0b, 0x26]),
        (0xa2, b"\0\x01", b"\0\x01f", &[0x26]),
        (0xf0, b"\x18", b"", &[0x15, 0x16, 0x1f, 0x26]),
    ];
    for (first, before, behind, allowed) in packets {
        for (id, value) in properties {
            let once = [&[id], value].concat();
            let body = |properties: &[u8]| [before, &[properties.len() as u8], properties, behind].concat();
            let is_allowed = allowed.contains(&id);
            check(first, &body(&once), if is_allowed { Ok(()) } else { MALFORMED });
            let repeats = id == 0x26 || (id == 0x0b && first == 0x30);
            if is_allowed {
                check(first, &body(&once.repeat(2)), if repeats { Ok(()) } else { PROTOCOL_ERROR });
            }
        }
    }
    for (id, value) in properties {
        let once = [&[id], value].concat();
        // Authentication data is nothing without a method.
        let in_connect = [0x11, 0x15, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27].contains(&id);
        let expected = if id == 0x16 {
            PROTOCOL_ERROR
        } else if in_connect {
            Ok(())
        } else {
            MALFORMED
        };
        check_connect(&once, None, expected);
        if in_connect {
            check_connect(&once.repeat(2), None, if id == 0x26 { Ok(()) } else { PROTOCOL_ERROR });
        }
        let in_will = [0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26].contains(&id);
        check_connect(b"", Some(&once), if in_will { Ok(()) } else { MALFORMED });
        if in_will {
            check_connect(b"", Some(&once.repeat(2)), if id == 0x26 { Ok(()) } else { PROTOCOL_ERROR });
        }
    }
    check_connect(b"\x15\0\x01m\x16\0\x01d", None, Ok(()));
}

#[test]
fn values_that_a_property_may_not_have_are_protocol_errors() {
    for properties in [&b"\x21\0\0"[..], b"\x27\0\0\0\0", b"\x17\x02", b"\x19\x02"] {
        check_connect(properties, None, PROTOCOL_ERROR);
    }
    check_connect(b"", Some(b"\x01\x02"), PROTOCOL_ERROR);
    check_connect(b"", Some(b"\x08\0\x01#"), PROTOCOL_ERROR); // [MQTT-3.3.2-14]
    check(0x82, b"\0\x01\x02\x0b\0\0\x01f\0", PROTOCOL_ERROR); // 3.8.2.1.2: an identifier of 0
    check(0x30, b"\0\x01t\x03\x23\0\0", Err(ReasonCode::TopicAliasInvalid)); // [MQTT-3.3.2-8]
    check(0x30, b"\0\x01t\x05\x08\0\x02a+", PROTOCOL_ERROR);
}

/// Lengths that go on too long, end too early, or count too much.
#[test]
fn property_lengths_add_up() {
    check(0x30, b"\0\x01t\0", Ok(()));
    check(0x30, b"\0\x01t", MALFORMED);
    check(0x30, b"\0\x01t\x02\x01", MALFORMED);
    check(0x30, b"\0\x01t\x01\x01\x01", MALFORMED); // the value lies outside
    check(0x30, b"\0\x01t\x80\x80\x80\x80\x01", MALFORMED); // [MQTT-1.5.5-1]
    check(0x30, b"\0\x01t\x80\x80\x80\x00payload", Ok(()));
    check(0x30, b"\0\x01t\x02\x80\x01", MALFORMED); // no such property
    check(0x40, b"\0\x01\x10\0\0", MALFORMED); // a byte too many
    check(0x30, b"\0\x01t\x07\x26\0\x01\0\0\x01v", MALFORMED); // [MQTT-1.5.4-2] U+0000
    check(0x30, b"\0\x01t\x07\x26\0\x01\xff\0\x01v", MALFORMED); // [MQTT-1.5.4-1]
}

/// `[MQTT-3.4.2-1]` `[MQTT-3.5.2-1]` `[MQTT-3.6.2-1]` `[MQTT-3.7.2-1]` `[MQTT-3.14.2-1]` `[MQTT-3.15.2-1]`: codes that
/// belong to the packet; left out, it is a success.
#[test]
fn reason_codes_are_those_of_the_packet() {
    let puback = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    let disconnect = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    for value in 0..=u8::MAX {
        let expect = |allowed: &[u8]| if allowed.contains(&value) { Ok(()) } else { PROTOCOL_ERROR };
        check(0x40, &[0, 1, value], expect(&puback));
        check(0x50, &[0, 1, value], expect(&puback));
        check(0x62, &[0, 1, value], expect(&[0x00, 0x92]));
        check(0x70, &[0, 1, value], expect(&[0x00, 0x92]));
        check(0xe0, &[value], expect(&disconnect));
        check(0xf0, &[value], expect(&[0x18, 0x19]));
    }
    with_frame(0x50, &[0, 9], |frame| {
        let Ok(Packet::Pubrec(ack)) = decode(ProtocolVersion::V5, frame) else { panic!("a PUBREC") };
        assert_eq!((ack.packet_id.value(), ack.reason), (9, ReasonCode::Success));
    });
    with_frame(0xe0, &[], |frame| {
        let Ok(Packet::Disconnect(disconnect)) = decode(ProtocolVersion::V5, frame) else { panic!("a DISCONNECT") };
        assert_eq!(disconnect.reason, ReasonCode::Success);
    });
}

/// Earlier versions have none of it.
#[test]
fn what_is_new_is_malformed_before_5_0() {
    let old = |first: u8, body: &[u8]| with_frame(first, body, |frame| decode(ProtocolVersion::V311, frame).map(drop));
    assert_eq!(old(0x40, &[0, 1, 0]), Err(DecodeError::TrailingBytes(1)));
    assert_eq!(old(0xe0, &[4]), Err(DecodeError::TrailingBytes(1)));
    assert_eq!(old(0xf0, &[]), Err(DecodeError::PacketType(15)));
    assert_eq!(old(0x82, b"\0\x01\0\x01f\x04"), Err(DecodeError::RequestedQoS(4)));
    assert_eq!(old(0x30, b"\0\0"), Err(DecodeError::Topic(TopicError::Empty)));
}

/// `[MQTT-3.8.3-4]` `[MQTT-3.8.3-5]`, and 3.8.3.1.
#[test]
fn subscription_options_are_checked() {
    let with_options = |filter: &[u8], options: u8| {
        [b"\0\x01\0", &(filter.len() as u16).to_be_bytes()[..], filter, &[options]].concat()
    };
    check(0x82, &with_options(b"f", 0b0010_1110), Ok(()));
    for options in [0b0100_0000, 0b1000_0000, 0b0000_0011] {
        check(0x82, &with_options(b"f", options), MALFORMED);
    }
    check(0x82, &with_options(b"f", 0b0011_0000), PROTOCOL_ERROR); // retain handling 3
    check(0x82, &with_options(b"$share/g/f", 0b0000_0100), PROTOCOL_ERROR);
    check(0x82, &with_options(b"$share/g/f", 0b0000_1001), Ok(()));
    check(0x82, &with_options(b"f/#/g", 0), Err(ReasonCode::TopicFilterInvalid));
    check(0x82, b"\0\x01\0", PROTOCOL_ERROR); // [MQTT-3.8.3-2]
    check(0xa2, b"\0\x01\0", PROTOCOL_ERROR); // [MQTT-3.10.3-2]
    with_frame(0x82, b"\0\x01\x05\x0b\xff\xff\xff\x7f\0\x01f\x1a", |frame| {
        let Ok(Packet::Subscribe(subscribe)) = decode(ProtocolVersion::V5, frame) else { panic!("a SUBSCRIBE") };
        assert_eq!(subscribe.id.map(SubscriptionId::value), Some(268_435_455));
        let (_, options) = subscribe.filters().next().expect("has one");
        assert_eq!((options.qos, options.retain_handling), (QoS::ExactlyOnce, RetainHandling::IfNew));
        assert!(options.retain_as_published && !options.no_local);
    });
}

/// 3.3.2.1: only an alias can stand for a topic.
#[test]
fn a_publish_without_a_topic_needs_an_alias() {
    check(0x30, b"\0\0\0", PROTOCOL_ERROR);
    check(0x30, b"\0\0\x03\x23\0\x01", Ok(()));
    check(0x30, b"\0\x01#\x03\x23\0\x01", Err(ReasonCode::TopicNameInvalid)); // [MQTT-3.3.2-2]
}

/// 3.1.2.9: since 5.0 a password needs no user name.
#[test]
fn a_password_may_stand_alone() {
    let body = b"\0\x04MQTT\x05\x40\0\0\0\0\x02id\0\x02pw";
    let password = with_frame(0x10, body, |frame| decode_connect(frame).map(|c| c.password.map(<[u8]>::to_vec)));
    assert_eq!(password, Ok(Some(b"pw".to_vec())));
}

#[test]
fn authentication_data_stays_out_of_logs() {
    let body = b"\0\x04MQTT\x05\0\0\0\x0c\x15\0\x01m\x16\0\x05PROOF\0\x02id";
    let printed = with_frame(0x10, body, |frame| format!("{:?}", decode_connect(frame).expect("valid")));
    assert!(
        printed.contains("AuthenticationMethod") && !printed.contains("Data") && !printed.contains("80"),
        "{printed}"
    );
}
