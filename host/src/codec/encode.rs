use bytes::{BufMut, BytesMut};

use super::{Ack, ConnectReturnCode, PacketId, PacketType, SubackCode};
use crate::types::QoS;

/// Appends a CONNACK (section 3.2).
pub fn encode_connack(out: &mut BytesMut, session_present: bool, code: ConnectReturnCode) {
    out.put_slice(&[first_byte(PacketType::Connack, 0), 2, u8::from(session_present), code as u8]);
}

/// Appends a PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7).
pub fn encode_ack(out: &mut BytesMut, ack: Ack, packet_id: PacketId) {
    let first = match ack {
        Ack::Puback => first_byte(PacketType::Puback, 0),
        Ack::Pubrec => first_byte(PacketType::Pubrec, 0),
        Ack::Pubrel => first_byte(PacketType::Pubrel, 0b0010),
        Ack::Pubcomp => first_byte(PacketType::Pubcomp, 0),
    };
    let [high, low] = packet_id.value().to_be_bytes();
    out.put_slice(&[first, 2, high, low]);
}

/// Appends a SUBACK with one code for each filter of the SUBSCRIBE, in its order `[MQTT-3.8.4-5]`.
pub fn encode_suback(out: &mut BytesMut, packet_id: PacketId, codes: &[SubackCode]) {
    out.put_u8(first_byte(PacketType::Suback, 0));
    put_remaining_len(out, 2 + codes.len());
    out.put_u16(packet_id.value());
    out.extend(codes.iter().map(|code| match code {
        SubackCode::Granted(qos) => *qos as u8,
        SubackCode::Failure => 0x80,
    }));
}

/// Appends an UNSUBACK (section 3.11).
pub fn encode_unsuback(out: &mut BytesMut, packet_id: PacketId) {
    let [high, low] = packet_id.value().to_be_bytes();
    out.put_slice(&[first_byte(PacketType::Unsuback, 0), 2, high, low]);
}

/// Appends a PINGRESP (section 3.13).
pub fn encode_pingresp(out: &mut BytesMut) {
    out.put_slice(&[first_byte(PacketType::Pingresp, 0), 0]);
}

/// A PUBLISH but for its payload (section 3.3).
#[derive(Debug, Clone, Copy)]
pub struct PublishHead<'a> {
    /// Whether it is sent again.
    pub dup: bool,
    /// Its delivery guarantee.
    pub qos: QoS,
    /// Whether it comes from the store of retained messages.
    pub retain: bool,
    /// A valid topic name.
    pub topic: &'a str,
    /// None at QoS 0.
    pub packet_id: Option<PacketId>,
}

impl PublishHead<'_> {
    /// Appends everything that comes before a payload of `payload_len` bytes.
    ///
    /// The packet identifier, if there is one, is in the last two bytes.
    pub fn encode(&self, out: &mut BytesMut, payload_len: usize) {
        let flags = u8::from(self.dup) << 3 | (self.qos as u8) << 1 | u8::from(self.retain);
        let topic = self.topic.as_bytes();
        let id_len = if self.packet_id.is_some() { 2 } else { 0 };
        let remaining_len = 2 + topic.len() + id_len + payload_len;
        out.reserve(5 + remaining_len - payload_len);
        out.put_u8(first_byte(PacketType::Publish, flags));
        put_remaining_len(out, remaining_len);
        // A `TopicName` is no longer than 65,535 bytes.
        out.put_u16(topic.len() as u16);
        out.put_slice(topic);
        if let Some(packet_id) = self.packet_id {
            out.put_u16(packet_id.value());
        }
    }
}

fn first_byte(packet_type: PacketType, flags: u8) -> u8 {
    (packet_type as u8) << 4 | flags
}

/// Section 2.2.3: seven bits a byte, the lowest first. Never more than the four bytes that any packet read here had.
fn put_remaining_len(out: &mut BytesMut, mut len: usize) {
    loop {
        let low = (len & 0x7f) as u8;
        len >>= 7;
        if len == 0 {
            out.put_u8(low);
            return;
        }
        out.put_u8(low | 0x80);
    }
}
