//! What holds for every packet, tried with random ones.

use bytes::BytesMut;

use super::properties::{Owner, put_properties};
use super::*;
use crate::types::random::{Random, for_each_seed};
use crate::types::{QoS, ReasonCode, RetainHandling, SubscriptionId, SubscriptionOptions, TopicFilter, TopicName};

const VERSIONS: [ProtocolVersion; 3] = [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5];

fn version(random: &mut Random) -> ProtocolVersion {
    VERSIONS[random.below(3)]
}

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

/// What strings and binary data are made of here.
const TEXTS: [&str; 3] = ["", "a/b", "ü雪"];

/// Some property that may stand in `owner`.
fn property(random: &mut Random, owner: Owner) -> Property<'static> {
    let (text, other) = (TEXTS[random.below(3)], TEXTS[random.below(3)]);
    let (number, flag) = (random.bits() as u32, random.one_in(2));
    let not_zero = std::num::NonZeroU16::new(number as u16 | 1).expect("is odd");
    let of_message = [
        Property::PayloadFormatIndicator(flag),
        Property::MessageExpiryInterval(number),
        Property::ContentType(text),
        Property::ResponseTopic("a/b"),
        Property::CorrelationData(text.as_bytes()),
    ];
    let id = SubscriptionId::new(1 + number % SubscriptionId::MAX).expect("is in range");
    let all: Vec<Property<'static>> = match owner {
        Owner::Publish => {
            [&of_message[..], &[Property::SubscriptionIdentifier(id), Property::TopicAlias(not_zero)]].concat()
        }
        Owner::Will => [&of_message[..], &[Property::WillDelayInterval(number)]].concat(),
        Owner::Connect => vec![
            Property::SessionExpiryInterval(number),
            Property::AuthenticationMethod(text),
            Property::RequestProblemInformation(flag),
            Property::RequestResponseInformation(flag),
            Property::ReceiveMaximum(not_zero),
            Property::TopicAliasMaximum(number as u16),
            Property::MaximumPacketSize(not_zero.into()),
        ],
        Owner::Connack => vec![
            Property::SessionExpiryInterval(number),
            Property::AssignedClientIdentifier(text),
            Property::ServerKeepAlive(number as u16),
            Property::AuthenticationMethod(text),
            Property::AuthenticationData(text.as_bytes()),
            Property::ResponseInformation(text),
            Property::ServerReference(text),
            Property::ReasonString(text),
            Property::ReceiveMaximum(not_zero),
            Property::TopicAliasMaximum(number as u16),
            Property::MaximumQoS(if flag { QoS::AtLeastOnce } else { QoS::AtMostOnce }),
            Property::RetainAvailable(flag),
            Property::MaximumPacketSize(not_zero.into()),
            Property::WildcardSubscriptionAvailable(flag),
            Property::SubscriptionIdentifierAvailable(flag),
            Property::SharedSubscriptionAvailable(flag),
        ],
        Owner::Subscribe => vec![Property::SubscriptionIdentifier(id)],
        Owner::Acknowledgement | Owner::Suback => vec![Property::ReasonString(text)],
        Owner::Unsubscribe => vec![],
        Owner::Disconnect => {
            vec![Property::SessionExpiryInterval(number), Property::ServerReference(text), Property::ReasonString(text)]
        }
        Owner::Auth => vec![
            Property::AuthenticationMethod(text),
            Property::AuthenticationData(text.as_bytes()),
            Property::ReasonString(text),
        ],
    };
    if all.is_empty() || random.one_in(3) {
        return Property::UserProperty(text, other);
    }
    all[random.below(all.len())]
}

/// Properties as a packet may have them: none twice but those that may repeat.
fn properties(random: &mut Random, owner: Owner) -> Vec<Property<'static>> {
    let mut chosen: Vec<Property<'static>> = Vec::new();
    for _ in 0..random.below(8) {
        let property = property(random, owner);
        let repeats = matches!(property, Property::UserProperty(..))
            || owner == Owner::Publish && matches!(property, Property::SubscriptionIdentifier(_));
        if repeats || chosen.iter().all(|other| other.id() != property.id()) {
            chosen.push(property);
        }
    }
    chosen
}

/// Some properties and, in a version that has them, their encoding.
fn written(random: &mut Random, version: ProtocolVersion, owner: Owner) -> (Vec<Property<'static>>, BytesMut) {
    let mut bytes = BytesMut::new();
    if version != ProtocolVersion::V5 {
        return (Vec::new(), bytes);
    }
    let properties = properties(random, owner);
    put_properties(&mut bytes, &properties);
    (properties, bytes)
}

fn check_properties(read: Properties<'_>, written: &[Property<'_>]) {
    assert_eq!(read.iter().collect::<Vec<_>>(), written);
    let user = written.iter().filter(|property| matches!(property, Property::UserProperty(..))).count();
    assert_eq!((read.user_properties().count(), read.user_properties_len()), (user, user));
}

/// A packet with this first byte around a body.
fn packet(first: u8, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::from(&[first][..]);
    super::fields::put_variable(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

/// What the broker sends, as a client would read it.
fn check_publish(random: &mut Random) -> BytesMut {
    let (version, qos, topic, payload) = (version(random), random.qos(), topic(random), payload(random));
    let packet_id = (qos != QoS::AtMostOnce).then(|| id(random));
    let (dup, retain) = (packet_id.is_some() && random.one_in(2), random.one_in(2));
    let (mut passed_on, mut expected) = (BytesMut::new(), Vec::new());
    let ids: Vec<_> = (1..1 + random.below(3) as u32).filter_map(|id| SubscriptionId::new(id * 1_000)).collect();
    let mut told = PublishProperties { subscription_ids: &ids, ..PublishProperties::default() };
    for property in properties(random, Owner::Publish) {
        match property {
            Property::MessageExpiryInterval(secs) => told.expiry_secs = Some(secs),
            Property::TopicAlias(alias) => told.topic_alias = Some(alias),
            Property::SubscriptionIdentifier(_) => {}
            property => {
                property.encode(&mut passed_on);
                expected.push(property);
            }
        }
    }
    told.passed_on = &passed_on;
    let head = PublishHead { version, dup, qos, retain, topic: &topic, packet_id, properties: told };
    let mut out = BytesMut::new();
    let id_at = head.encode(&mut out, payload.len());
    out.extend_from_slice(&payload);
    assert_eq!(out.len(), head.packet_len(payload.len()));
    if let Some(packet_id) = packet_id {
        assert_eq!(out[id_at..id_at + 2], packet_id.value().to_be_bytes());
    }
    let Ok(Packet::Publish(read)) = decode(version, whole(&out)) else { panic!("a PUBLISH") };
    assert_eq!((read.dup, read.qos, read.packet_id, read.retain), (dup, qos, packet_id, retain));
    assert_eq!((read.topic, read.payload), (topic.as_str(), &payload[..]));
    if version == ProtocolVersion::V5 {
        assert_eq!((read.topic_alias, read.expiry_secs), (told.topic_alias, told.expiry_secs));
        let mut again = Vec::new();
        read.properties.copy_passed_on(&mut again);
        assert_eq!(again, passed_on);
        let head = usize::from(told.expiry_secs.is_some()) + usize::from(told.topic_alias.is_some());
        let all: Vec<_> = read.properties.iter().collect();
        let read_ids = all[head..head + ids.len()].iter().copied();
        assert!(read_ids.eq(ids.iter().map(|id| Property::SubscriptionIdentifier(*id))));
        assert_eq!(all[head + ids.len()..], expected);
    } else {
        assert!(read.properties.is_empty());
    }
    out
}

fn check_ack(random: &mut Random) -> BytesMut {
    let (version, id) = (version(random), id(random));
    let (ack, reasons) = [
        (Ack::Puback, [ReasonCode::Success, ReasonCode::NotAuthorized]),
        (Ack::Pubrec, [ReasonCode::Success, ReasonCode::QuotaExceeded]),
        (Ack::Pubrel, [ReasonCode::Success, ReasonCode::PacketIdentifierNotFound]),
        (Ack::Pubcomp, [ReasonCode::Success, ReasonCode::PacketIdentifierNotFound]),
    ][random.below(4)];
    let (reason, properties) = (reasons[random.below(2)], properties(random, Owner::Acknowledgement));
    let mut out = BytesMut::new();
    encode_ack(&mut out, version, ack, id, Answer { reason, properties: &properties });
    let read = match decode(version, whole(&out)).expect("well formed") {
        Packet::Puback(read) if ack == Ack::Puback => read,
        Packet::Pubrec(read) if ack == Ack::Pubrec => read,
        Packet::Pubrel(read) if ack == Ack::Pubrel => read,
        Packet::Pubcomp(read) if ack == Ack::Pubcomp => read,
        other => panic!("{other:?}"),
    };
    assert_eq!(read.packet_id, id);
    if version == ProtocolVersion::V5 {
        assert_eq!(read.reason, reason);
        check_properties(read.properties, &properties);
    } else {
        assert_eq!(read, id.into());
    }
    out
}

/// CONNACK, SUBACK and UNSUBACK are only written: here they are read by hand.
fn check_answers(random: &mut Random) {
    let (id, success) = (id(random), ReasonCode::Success);
    let connack = properties(random, Owner::Connack);
    let mut out = BytesMut::new();
    let answer = Answer { reason: success, properties: &connack };
    encode_connack(&mut out, ProtocolVersion::V5, Connack { session_present: true, answer });
    check_answer(&out, &[1, 0], Owner::Connack, &connack, &[]);
    let properties = properties(random, Owner::Suback);
    let reasons = [success, ReasonCode::QuotaExceeded];
    let id_bytes = id.value().to_be_bytes();
    out.clear();
    encode_suback(&mut out, ProtocolVersion::V5, id, &reasons, &properties);
    check_answer(&out, &id_bytes, Owner::Suback, &properties, &[0, 0x97]);
    out.clear();
    encode_unsuback(&mut out, ProtocolVersion::V5, id, &reasons, &properties);
    check_answer(&out, &id_bytes, Owner::Suback, &properties, &[0, 0x97]);
}

fn check_answer(packet: &[u8], before: &[u8], owner: Owner, properties: &[Property<'_>], after: &[u8]) {
    let mut rest = &packet[1..];
    let len = super::fields::read_variable(&mut rest).expect("is there") as usize;
    assert_eq!(len, rest.len());
    rest = rest.strip_prefix(before).expect("comes first");
    check_properties(Properties::read(&mut rest, owner).expect("well formed"), properties);
    assert_eq!(rest, after);
}

/// DISCONNECT and AUTH, which both sides send.
fn check_farewell(random: &mut Random) -> BytesMut {
    let mut out = BytesMut::new();
    if random.one_in(2) {
        let properties = properties(random, Owner::Disconnect);
        let reason = [ReasonCode::Success, ReasonCode::DisconnectWithWill][random.below(2)];
        encode_disconnect(&mut out, ProtocolVersion::V5, Answer { reason, properties: &properties });
        let Ok(Packet::Disconnect(read)) = decode(ProtocolVersion::V5, whole(&out)) else { panic!("a DISCONNECT") };
        assert_eq!(read.reason, reason);
        check_properties(read.properties, &properties);
    } else {
        let properties = properties(random, Owner::Auth);
        let reason = [ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate][random.below(2)];
        encode_auth(&mut out, Answer { reason, properties: &properties });
        let Ok(Packet::Auth(read)) = decode(ProtocolVersion::V5, whole(&out)) else { panic!("an AUTH") };
        assert_eq!(read.reason, reason);
        check_properties(read.properties, &properties);
    }
    out
}

fn options(random: &mut Random, version: ProtocolVersion) -> SubscriptionOptions {
    let qos = random.qos();
    if version != ProtocolVersion::V5 {
        return SubscriptionOptions::new(qos);
    }
    let retain_handling = RetainHandling::from_bits(random.below(3) as u8).expect("is one");
    SubscriptionOptions { qos, no_local: random.one_in(2), retain_as_published: random.one_in(2), retain_handling }
}

/// SUBSCRIBE and UNSUBSCRIBE are only read: here they are written by hand.
fn check_filters(random: &mut Random) -> BytesMut {
    let (version, id) = (version(random), id(random));
    let wanted: Vec<(String, SubscriptionOptions)> =
        (0..1 + random.below(5)).map(|_| (filter(random), options(random, version))).collect();
    let subscribes = random.one_in(2);
    let owner = if subscribes { Owner::Subscribe } else { Owner::Unsubscribe };
    let (properties, encoded) = written(random, version, owner);
    let mut body = id.value().to_be_bytes().to_vec();
    body.extend_from_slice(&encoded);
    for (filter, options) in &wanted {
        put_string(&mut body, filter.as_bytes());
        let flags = u8::from(options.no_local) << 2 | u8::from(options.retain_as_published) << 3;
        let bits = options.qos as u8 | flags | (options.retain_handling as u8) << 4;
        body.extend(subscribes.then_some(bits));
    }
    let out = packet(if subscribes { 0x82 } else { 0xa2 }, &body);
    match decode(version, whole(&out)).expect("well formed") {
        Packet::Subscribe(subscribe) if subscribes => {
            assert_eq!(subscribe.packet_id, id);
            assert!(subscribe.filters().eq(wanted.iter().map(|(filter, options)| (filter.as_str(), *options))));
            check_properties(subscribe.properties, &properties);
            let id = subscribe.id.map(Property::SubscriptionIdentifier);
            assert_eq!(id, properties.iter().copied().find(|property| !matches!(property, Property::UserProperty(..))));
        }
        Packet::Unsubscribe(unsubscribe) if !subscribes => {
            assert_eq!(unsubscribe.packet_id, id);
            assert!(unsubscribe.filters().eq(wanted.iter().map(|(filter, _)| filter.as_str())));
            check_properties(unsubscribe.properties, &properties);
        }
        other => panic!("{other:?}"),
    }
    out
}

fn check_connect(random: &mut Random) -> BytesMut {
    let version = version(random);
    let (client_id, will_topic, username) = (text(random, &['x', 'ü']), topic(random), text(random, &['u', '雪']));
    let (payload, password) = (vec![7; random.below(9)], vec![0; random.below(5)]);
    let (qos, retain) = (random.qos(), random.one_in(2));
    let (has_will, has_username) = (random.one_in(2), random.one_in(2));
    // Before 5.0 there is no password without a user name.
    let has_password = (has_username || version == ProtocolVersion::V5) && random.one_in(2);
    let (clean_start, keep_alive_secs) = (random.one_in(2), random.bits() as u16);
    let (properties, encoded) = written(random, version, Owner::Connect);
    let (will_properties, encoded_of_will) = written(random, version, Owner::Will);

    let mut body = Vec::new();
    let (name, level) = match version {
        ProtocolVersion::V31 => (&b"MQIsdp"[..], 3),
        ProtocolVersion::V311 => (&b"MQTT"[..], 4),
        ProtocolVersion::V5 => (&b"MQTT"[..], 5),
    };
    put_string(&mut body, name);
    body.push(level);
    let will_flags = if has_will { 4 | (qos as u8) << 3 | u8::from(retain) << 5 } else { 0 };
    let user_flags = u8::from(has_username) << 7 | u8::from(has_password) << 6;
    body.push(will_flags | user_flags | u8::from(clean_start) << 1);
    body.extend_from_slice(&keep_alive_secs.to_be_bytes());
    body.extend_from_slice(&encoded);
    put_string(&mut body, client_id.as_bytes());
    if has_will {
        body.extend_from_slice(&encoded_of_will);
        put_string(&mut body, will_topic.as_bytes());
        put_string(&mut body, &payload);
    }
    if has_username {
        put_string(&mut body, username.as_bytes());
    }
    if has_password {
        put_string(&mut body, &password);
    }
    let out = packet(0x10, &body);
    let read = decode_connect(whole(&out)).expect("well formed");
    assert_eq!(connect_version(whole(&out)), Some(version));
    assert_eq!((read.version, read.clean_start, read.keep_alive_secs), (version, clean_start, keep_alive_secs));
    assert_eq!((read.client_id, read.username), (client_id.as_str(), has_username.then_some(username.as_str())));
    assert_eq!(read.password, has_password.then_some(&password[..]));
    check_properties(read.properties, &properties);
    assert_eq!(read.will.is_some(), has_will);
    if let Some(will) = read.will {
        assert_eq!((will.topic, will.payload, will.qos, will.retain), (will_topic.as_str(), &payload[..], qos, retain));
        check_properties(will.properties, &will_properties);
    }
    out
}

fn check_any(random: &mut Random) -> BytesMut {
    match random.below(5) {
        0 => check_publish(random),
        1 => check_ack(random),
        2 => check_filters(random),
        3 => check_farewell(random),
        _ => check_connect(random),
    }
}

#[test]
fn what_is_encoded_is_decoded_as_it_was() {
    for_each_seed(4_000, |seed| {
        let random = &mut Random::new(seed);
        check_any(random);
        check_answers(random);
    });
}

/// A packet whose header and body both end early is an error, or one with less in it.
#[test]
fn packets_may_be_cut_anywhere() {
    for_each_seed(600, |seed| {
        let bytes = check_any(&mut Random::new(seed));
        let body = whole(&bytes).body;
        for len in (0..body.len()).filter(|len| *len < 400) {
            let cut = packet(bytes[0], &body[..len]);
            let frame = whole(&cut);
            if let Ok(connect) = decode_connect(frame) {
                // Its flags may promise more than there is.
                assert_eq!(connect.version, ProtocolVersion::V31, "half a CONNECT: {connect:?}");
            }
            for version in VERSIONS {
                if let Ok(packet) = decode(version, frame) {
                    check_decoded(version, &packet, frame);
                }
            }
        }
    });
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
            // It has nothing that could be inconsistent: just no panic.
            let _ = decode_connect(frame);
            for version in VERSIONS {
                if let Ok(packet) = decode(version, frame) {
                    check_decoded(version, &packet, frame);
                }
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
fn check_decoded(version: ProtocolVersion, packet: &Packet<'_>, frame: Frame<'_>) {
    let properties = packet.properties();
    assert!(version == ProtocolVersion::V5 || properties.is_empty());
    // Read again they are as they were, though a peer may write a length in more bytes than it needs.
    let mut again = BytesMut::new();
    put_properties(&mut again, &properties.iter().collect::<Vec<_>>());
    let fields: usize = match packet {
        Packet::Publish(publish) => {
            let has_alias_only = publish.topic.is_empty() && publish.topic_alias.is_some();
            assert!(has_alias_only || TopicName::check(publish.topic).is_ok());
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
        Packet::Pingreq | Packet::Disconnect(_) | Packet::Auth(_) => 0,
    };
    if version != ProtocolVersion::V5 {
        assert_eq!(fields, frame.body.len(), "{packet:?}");
        return;
    }
    // A reason, a length of properties of up to four bytes, and an identifier in more bytes than it needs.
    let (least, most) = (fields + properties.bytes(), fields + properties.bytes() + 5);
    assert!((least..=most).contains(&frame.body.len()), "{packet:?}");
    assert!(again.len() <= properties.bytes() + 4, "{packet:?}");
}
