//! Packets of MQTT 5.0 as bytes, valid or not: nothing here looks at what it is given.

pub(super) use crate::conformance::packets::{
    CLEAN, DUP, PASSWORD, Q0, Q1, Q2, RETAIN, USER, WILL, WILL_Q1, WILL_Q2, WILL_RETAIN, packet, puback, pubcomp,
    pubrec, pubrel, put_field,
};

/// Options of a subscription beside its QoS.
pub(super) const NO_LOCAL: u8 = 0b0000_0100;
pub(super) const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
pub(super) const RETAIN_IF_NEW: u8 = 0b0001_0000;
pub(super) const RETAIN_NEVER: u8 = 0b0010_0000;

/// A DISCONNECT that says that all is well.
pub(super) const DISCONNECT: [u8; 2] = [0xe0, 0];

/// A property whose value is a number of four bytes.
pub(super) fn four(id: u8, value: u32) -> Vec<u8> {
    [&[id][..], &value.to_be_bytes()].concat()
}

/// A property whose value is a number of two bytes.
pub(super) fn two(id: u8, value: u16) -> Vec<u8> {
    [&[id][..], &value.to_be_bytes()].concat()
}

/// A property whose value is a string or binary data.
pub(super) fn text(id: u8, value: &str) -> Vec<u8> {
    let mut property = vec![id];
    put_field(&mut property, value.as_bytes());
    property
}

/// A user property.
pub(super) fn user(name: &str, value: &str) -> Vec<u8> {
    let mut property = text(0x26, name);
    put_field(&mut property, value.as_bytes());
    property
}

pub(super) fn session_expiry(secs: u32) -> Vec<u8> {
    four(0x11, secs)
}

pub(super) fn message_expiry(secs: u32) -> Vec<u8> {
    four(0x02, secs)
}

/// A subscription identifier of one byte.
pub(super) fn subscription_id(id: u8) -> Vec<u8> {
    vec![0x0b, id]
}

pub(super) fn topic_alias(alias: u16) -> Vec<u8> {
    two(0x23, alias)
}

fn put_properties(body: &mut Vec<u8>, properties: &[Vec<u8>]) {
    let properties = properties.concat();
    let mut len = properties.len();
    while len > 0x7f {
        body.push(len as u8 | 0x80);
        len >>= 7;
    }
    body.push(len as u8);
    body.extend_from_slice(&properties);
}

/// A CONNECT, to be changed as needed.
#[derive(Clone)]
pub(super) struct Connect {
    pub(super) flags: u8,
    pub(super) keep_alive_secs: u16,
    pub(super) properties: Vec<Vec<u8>>,
    pub(super) client_id: String,
    /// Properties, topic and payload.
    pub(super) will: Option<(Vec<Vec<u8>>, String, String)>,
    /// User name and password, as the flags say.
    pub(super) credentials: Vec<String>,
}

impl Connect {
    /// One that begins a new session, which ends with the connection.
    pub(super) fn clean(client_id: &str) -> Self {
        Self {
            flags: CLEAN,
            keep_alive_secs: 0,
            properties: Vec::new(),
            client_id: client_id.to_owned(),
            will: None,
            credentials: Vec::new(),
        }
    }

    /// One that goes on with a session that waits for so many seconds.
    pub(super) fn resume(client_id: &str, expiry_secs: u32) -> Self {
        Self { flags: 0, ..Self::clean(client_id) }.with(session_expiry(expiry_secs))
    }

    pub(super) fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.push(property);
        self
    }

    pub(super) fn keep_alive(self, keep_alive_secs: u16) -> Self {
        Self { keep_alive_secs, ..self }
    }

    /// With a will to the topic `will`.
    pub(super) fn will(mut self, flags: u8, properties: &[Vec<u8>], payload: &str) -> Self {
        self.flags |= WILL | flags;
        self.will = Some((properties.to_vec(), "will".to_owned(), payload.to_owned()));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = b"\0\x04MQTT\x05".to_vec();
        body.push(self.flags);
        body.extend_from_slice(&self.keep_alive_secs.to_be_bytes());
        put_properties(&mut body, &self.properties);
        put_field(&mut body, self.client_id.as_bytes());
        if let Some((properties, topic, payload)) = &self.will {
            put_properties(&mut body, properties);
            put_field(&mut body, topic.as_bytes());
            put_field(&mut body, payload.as_bytes());
        }
        self.credentials.iter().for_each(|field| put_field(&mut body, field.as_bytes()));
        packet(0x10, &body)
    }
}

/// A PUBLISH; the identifier is left out at QoS 0.
pub(super) fn publish(flags: u8, topic: &str, packet_id: u16, properties: &[Vec<u8>], payload: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put_field(&mut body, topic.as_bytes());
    if flags & (Q1 | Q2) != 0 {
        body.extend_from_slice(&packet_id.to_be_bytes());
    }
    put_properties(&mut body, properties);
    body.extend_from_slice(payload.as_bytes());
    packet(0x30 | flags, &body)
}

/// An acknowledgement with a reason.
pub(super) fn with_reason(acknowledgement: &[u8], reason: u8) -> Vec<u8> {
    packet(acknowledgement[0], &[&acknowledgement[2..4], &[reason][..]].concat())
}

/// The same with properties.
pub(super) fn with_words(acknowledgement: &[u8], reason: u8, properties: &[Vec<u8>]) -> Vec<u8> {
    let mut body = [&acknowledgement[2..4], &[reason][..]].concat();
    put_properties(&mut body, properties);
    packet(acknowledgement[0], &body)
}

/// A SUBSCRIBE for filters, each with its options.
pub(super) fn subscribe(packet_id: u16, properties: &[Vec<u8>], filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    put_properties(&mut body, properties);
    for (filter, options) in filters {
        put_field(&mut body, filter.as_bytes());
        body.push(*options);
    }
    packet(0x82, &body)
}

pub(super) fn suback(packet_id: u16, reasons: &[u8]) -> Vec<u8> {
    packet(0x90, &[&packet_id.to_be_bytes()[..], &[0], reasons].concat())
}

/// The same with properties.
pub(super) fn suback_with_words(packet_id: u16, reasons: &[u8], properties: &[Vec<u8>]) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    put_properties(&mut body, properties);
    body.extend_from_slice(reasons);
    packet(0x90, &body)
}

pub(super) fn unsubscribe(packet_id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    body.push(0);
    filters.iter().for_each(|filter| put_field(&mut body, filter.as_bytes()));
    packet(0xa2, &body)
}

pub(super) fn unsuback(packet_id: u16, reasons: &[u8]) -> Vec<u8> {
    packet(0xb0, &[&packet_id.to_be_bytes()[..], &[0], reasons].concat())
}

pub(super) fn disconnect(reason: u8, properties: &[Vec<u8>]) -> Vec<u8> {
    if properties.is_empty() {
        return packet(0xe0, &[reason]);
    }
    let mut body = vec![reason];
    put_properties(&mut body, properties);
    packet(0xe0, &body)
}
