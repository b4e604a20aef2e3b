//! Packets as bytes, valid or not: nothing here looks at what it is given.

/// Flags of a PUBLISH.
pub(crate) const Q0: u8 = 0b0000;
pub(crate) const Q1: u8 = 0b0010;
pub(crate) const Q2: u8 = 0b0100;
pub(crate) const DUP: u8 = 0b1000;
pub(crate) const RETAIN: u8 = 0b0001;

/// Flags of a CONNECT.
pub(crate) const CLEAN: u8 = 0b0000_0010;
pub(crate) const WILL: u8 = 0b0000_0100;
pub(crate) const WILL_Q1: u8 = 0b0000_1000;
pub(crate) const WILL_Q2: u8 = 0b0001_0000;
pub(crate) const WILL_RETAIN: u8 = 0b0010_0000;
pub(crate) const PASSWORD: u8 = 0b0100_0000;
pub(crate) const USER: u8 = 0b1000_0000;

pub(crate) const PINGREQ: [u8; 2] = [0xc0, 0];
pub(crate) const PINGRESP: [u8; 2] = [0xd0, 0];
pub(crate) const DISCONNECT: [u8; 2] = [0xe0, 0];

/// A packet with this first byte.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut len = body.len();
    while len > 0x7f {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn put_field(body: &mut Vec<u8>, field: &[u8]) {
    body.extend_from_slice(&(field.len() as u16).to_be_bytes());
    body.extend_from_slice(field);
}

/// A CONNECT of any protocol, with these fields in its payload.
pub(crate) fn connect_as(name: &[u8], level: u8, flags: u8, keep_alive_secs: u16, fields: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    put_field(&mut body, name);
    body.extend_from_slice(&[level, flags]);
    body.extend_from_slice(&keep_alive_secs.to_be_bytes());
    fields.iter().for_each(|field| put_field(&mut body, field));
    packet(0x10, &body)
}

/// A CONNECT of MQTT 3.1.1 without a keep-alive.
pub(crate) fn connect_with(flags: u8, fields: &[&[u8]]) -> Vec<u8> {
    connect_as(b"MQTT", 4, flags, 0, fields)
}

/// A CONNECT that asks for a clean session.
pub(crate) fn connect(client_id: &str) -> Vec<u8> {
    connect_with(CLEAN, &[client_id.as_bytes()])
}

/// A CONNECT that asks for the session that there was.
pub(crate) fn resume(client_id: &str) -> Vec<u8> {
    connect_with(0, &[client_id.as_bytes()])
}

pub(crate) fn connack(session_present: bool, code: u8) -> Vec<u8> {
    packet(0x20, &[u8::from(session_present), code])
}

/// A PUBLISH; the identifier is left out at QoS 0.
pub(crate) fn publish(flags: u8, topic: impl AsRef<[u8]>, packet_id: u16, payload: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put_field(&mut body, topic.as_ref());
    if flags & (Q1 | Q2) != 0 {
        body.extend_from_slice(&packet_id.to_be_bytes());
    }
    body.extend_from_slice(payload.as_bytes());
    packet(0x30 | flags, &body)
}

pub(crate) fn puback(packet_id: u16) -> Vec<u8> {
    packet(0x40, &packet_id.to_be_bytes())
}

pub(crate) fn pubrec(packet_id: u16) -> Vec<u8> {
    packet(0x50, &packet_id.to_be_bytes())
}

pub(crate) fn pubrel(packet_id: u16) -> Vec<u8> {
    packet(0x62, &packet_id.to_be_bytes())
}

pub(crate) fn pubcomp(packet_id: u16) -> Vec<u8> {
    packet(0x70, &packet_id.to_be_bytes())
}

/// A SUBSCRIBE for filters, each with the byte that asks for a QoS.
pub(crate) fn subscribe<F: AsRef<[u8]>>(packet_id: u16, filters: &[(F, u8)]) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    for (filter, qos) in filters {
        put_field(&mut body, filter.as_ref());
        body.push(*qos);
    }
    packet(0x82, &body)
}

pub(crate) fn suback(packet_id: u16, codes: &[u8]) -> Vec<u8> {
    packet(0x90, &[&packet_id.to_be_bytes(), codes].concat())
}

pub(crate) fn unsubscribe<F: AsRef<[u8]>>(packet_id: u16, filters: &[F]) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    filters.iter().for_each(|filter| put_field(&mut body, filter.as_ref()));
    packet(0xa2, &body)
}

pub(crate) fn unsuback(packet_id: u16) -> Vec<u8> {
    packet(0xb0, &packet_id.to_be_bytes())
}
