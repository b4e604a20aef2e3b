use super::FixedHeader;
use super::frame::PacketType;
use crate::types::QoS;

/// What can be seen of any packet at a glance, whoever sent it: for those who only watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Glance<'a> {
    /// The upper half of the first byte (table 2.1).
    pub packet_type: u8,
    /// The lower half of it.
    pub flags: u8,
    /// Bytes of the whole packet.
    pub packet_len: usize,
    /// The packet identifier, if the packet has one (2.3.1).
    pub packet_id: Option<u16>,
    /// What is in a PUBLISH.
    pub publish: Option<PublishGlance<'a>>,
    /// The return or reason code, if there is one on the wire.
    pub reason_code: Option<u8>,
}

/// What can be seen of a PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishGlance<'a> {
    /// Its topic name; empty where an alias stands for it.
    pub topic: &'a str,
    /// Its QoS.
    pub qos: QoS,
    /// Its RETAIN flag.
    pub retain: bool,
}

impl<'a> Glance<'a> {
    /// Looks at a packet. Of its body, everything but the payload of a PUBLISH has to be there; what is cut short or
    /// malformed is not seen.
    pub fn new(header: FixedHeader, body: &'a [u8]) -> Self {
        let packet_type = header.packet_type;
        let glance = Self {
            packet_type: packet_type as u8,
            flags: header.flags,
            packet_len: header.packet_len(),
            ..Self::default()
        };
        match packet_type {
            PacketType::Publish => glance.publish(header, body),
            PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp => {
                Self { packet_id: u16_at(body, 0), reason_code: body.get(2).copied(), ..glance }
            }
            PacketType::Subscribe | PacketType::Suback | PacketType::Unsubscribe | PacketType::Unsuback => {
                Self { packet_id: u16_at(body, 0), ..glance }
            }
            PacketType::Connack => Self { reason_code: body.get(1).copied(), ..glance },
            PacketType::Disconnect | PacketType::Auth => Self { reason_code: body.first().copied(), ..glance },
            PacketType::Connect | PacketType::Pingreq | PacketType::Pingresp => glance,
        }
    }

    fn publish(self, header: FixedHeader, body: &'a [u8]) -> Self {
        let topic = u16_at(body, 0).and_then(|len| body.get(2..2 + usize::from(len)));
        let topic = topic.and_then(|topic| std::str::from_utf8(topic).ok());
        let (Some(topic), Some(qos)) = (topic, QoS::from_bits(header.flags >> 1 & 0b11)) else { return self };
        let packet_id = if qos == QoS::AtMostOnce { None } else { u16_at(body, 2 + topic.len()) };
        let publish = PublishGlance { topic, qos, retain: header.flags & 1 != 0 };
        Self { packet_id, publish: Some(publish), ..self }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glance(bytes: &[u8]) -> Glance<'_> {
        let header = FixedHeader::read_any(bytes).expect("a packet");
        Glance::new(header, &bytes[header.header_len..])
    }

    #[test]
    fn every_packet_shows_its_type_length_and_identifier() {
        let check = |bytes: &[u8], packet_type: u8, packet_id: Option<u16>, reason_code: Option<u8>| {
            let expected = Glance {
                packet_type,
                flags: bytes[0] & 0x0f,
                packet_len: bytes.len(),
                packet_id,
                publish: None,
                reason_code,
            };
            assert_eq!(glance(bytes), expected, "{bytes:x?}");
        };
        check(b"\x20\x02\x01\x00", 2, None, Some(0));
        check(b"\x20\x02\x00\x05", 2, None, Some(5));
        check(b"\x40\x02\x12\x34", 4, Some(0x1234), None);
        check(b"\x50\x03\x00\x01\x87", 5, Some(1), Some(0x87));
        check(b"\x62\x02\x00\x01", 6, Some(1), None);
        check(b"\x82\x06\x00\x07\x00\x01a\x00", 8, Some(7), None);
        check(b"\x90\x03\x00\x07\x80", 9, Some(7), None);
        check(b"\xb0\x02\x00\x08", 11, Some(8), None);
        check(b"\xc0\x00", 12, None, None);
        check(b"\xd0\x00", 13, None, None);
        check(b"\xe0\x00", 14, None, None);
    }

    #[test]
    fn a_publish_shows_its_topic_also_without_its_payload() {
        let bytes = b"\x3b\x0a\x00\x03a/b\x00\x09";
        let publish = PublishGlance { topic: "a/b", qos: QoS::AtLeastOnce, retain: true };
        let seen = glance(bytes);
        assert_eq!((seen.packet_id, seen.publish, seen.packet_len), (Some(9), Some(publish), 12));
        assert_eq!(glance(b"\x30\x05\x00\x01axx").packet_id, None);
        // Nobody has to see more than is there.
        for len in 2..bytes.len() {
            glance(&bytes[..len]);
        }
        assert_eq!(glance(b"\x36\x05\x00\x01axx").publish, None);
    }
}
