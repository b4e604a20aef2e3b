//! Packets as bytes: made before the clock runs, and told apart as they come.

/// Which MQTT the load speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V3_1_1,
    V5_0,
}

/// First bytes of packets, without their flags but for the fixed ones.
pub(crate) mod kind {
    pub(crate) const CONNACK: u8 = 0x20;
    pub(crate) const PUBLISH: u8 = 0x30;
    pub(crate) const PUBACK: u8 = 0x40;
    pub(crate) const PUBREC: u8 = 0x50;
    pub(crate) const PUBREL: u8 = 0x62;
    pub(crate) const PUBCOMP: u8 = 0x70;
    pub(crate) const SUBACK: u8 = 0x90;
}

/// What ends a connection in order.
pub(crate) const DISCONNECT: [u8; 2] = [0xe0, 0];

/// A CONNECT with a user name, no password, a clean session and no keep-alive.
pub(crate) fn connect(version: Version, client_id: &str, username: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', if version == Version::V5_0 { 5 } else { 4 }, 0x82, 0, 0];
    no_properties(&mut body, version);
    put_text(&mut body, client_id);
    put_text(&mut body, username);
    packet(0x10, &body)
}

/// A SUBSCRIBE of all `filters` at one QoS.
pub(crate) fn subscribe(version: Version, id: u16, filters: &[String], qos: u8) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    no_properties(&mut body, version);
    for filter in filters {
        put_text(&mut body, filter);
        body.push(qos);
    }
    packet(0x82, &body)
}

/// An acknowledgement of `kind`: the same bytes in both versions.
pub(crate) fn ack(kind: u8, id: [u8; 2]) -> [u8; 4] {
    [kind, 2, id[0], id[1]]
}

/// A PUBLISH that is copied for each message, with its identifier and its time put in.
#[derive(Debug)]
pub(crate) struct Publish {
    bytes: Vec<u8>,
    /// Where the packet identifier is; none at QoS 0.
    id_at: Option<usize>,
    payload_at: usize,
}

/// Bytes of the time at the start of a payload.
const STAMP_BYTES: usize = 8;

impl Publish {
    /// A message of `payload` bytes; with fewer than 8 it has no room for a time.
    pub(crate) fn new(version: Version, topic: &str, qos: u8, retain: bool, payload: usize) -> Self {
        let mut body = Vec::new();
        put_text(&mut body, topic);
        let id_at = (qos > 0).then_some(body.len());
        if qos > 0 {
            body.extend([0, 0]);
        }
        no_properties(&mut body, version);
        body.resize(body.len() + payload, b'x');
        let length = body.len();
        let bytes = packet(kind::PUBLISH | qos << 1 | u8::from(retain), &body);
        let header = bytes.len() - length;
        Self { id_at: id_at.map(|at| at + header), payload_at: bytes.len() - payload, bytes }
    }

    /// Whether the broker answers it: above QoS 0.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.id_at.is_some()
    }

    /// Appends the packet to what goes out.
    pub(crate) fn append(&self, out: &mut Vec<u8>, id: u16, stamp: Option<u64>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        if let Some(at) = self.id_at {
            out[start + at..start + at + 2].copy_from_slice(&id.to_be_bytes());
        }
        if let Some(stamp) = stamp
            && self.bytes.len() - self.payload_at >= STAMP_BYTES
        {
            let at = start + self.payload_at;
            out[at..at + STAMP_BYTES].copy_from_slice(&stamp.to_be_bytes());
        }
    }
}

/// A packet that has come whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// Its first byte.
    pub(crate) first: u8,
    pub(crate) body: &'a [u8],
}

/// The first packet of `bytes` and how long it is; none while it is not whole.
pub(crate) fn frame(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let (mut length, mut digits) = (0, 0);
    loop {
        let &digit = rest.get(digits)?;
        length |= usize::from(digit & 0x7f) << (7 * digits);
        digits += 1;
        if digit & 0x80 == 0 || digits == 4 {
            break;
        }
    }
    let whole = 1 + digits + length;
    Some((Frame { first, body: bytes.get(1 + digits..whole)? }, whole))
}

impl Frame<'_> {
    pub(crate) fn is_publish(&self) -> bool {
        self.first & 0xf0 == kind::PUBLISH
    }

    /// The identifier of an acknowledgement.
    pub(crate) fn acknowledged(&self) -> Option<[u8; 2]> {
        self.body.first_chunk().copied()
    }

    /// The QoS of a PUBLISH and its identifier, if it has one.
    pub(crate) fn delivered(&self) -> Option<(u8, [u8; 2])> {
        let qos = self.first >> 1 & 3;
        if qos == 0 {
            return Some((0, [0, 0]));
        }
        let topic = u16::from_be_bytes(*self.body.first_chunk()?);
        Some((qos, *self.body.get(2 + usize::from(topic)..)?.first_chunk()?))
    }

    /// Topic and payload of a PUBLISH of MQTT 3.1.1 at QoS 0 that was published just now: not one that was retained.
    pub(crate) fn live_message(&self) -> Option<(&[u8], &[u8])> {
        if self.first != kind::PUBLISH {
            return None;
        }
        let topic = u16::from_be_bytes(*self.body.first_chunk()?);
        self.body.get(2..)?.split_at_checked(topic.into())
    }

    /// The time at the start of a PUBLISH's payload of `payload` bytes, which are its last ones.
    pub(crate) fn stamp(&self, payload: usize) -> Option<u64> {
        let at = self.body.len().checked_sub(payload)?;
        Some(u64::from_be_bytes(*self.body.get(at..)?.first_chunk()?))
    }

    /// Whether a CONNACK or SUBACK accepts all that was asked for.
    pub(crate) fn accepts(&self, version: Version) -> bool {
        match self.first {
            kind::CONNACK => self.body.get(1) == Some(&0),
            kind::SUBACK => {
                // The length of properties, which are short here, comes before the codes.
                let properties = match version {
                    Version::V3_1_1 => 0,
                    Version::V5_0 => 1 + usize::from(self.body.get(2).copied().unwrap_or(0)),
                };
                self.body.get(2 + properties..).is_some_and(|codes| codes.iter().all(|&code| code < 0x80))
            }
            _ => false,
        }
    }
}

fn no_properties(body: &mut Vec<u8>, version: Version) {
    if version == Version::V5_0 {
        body.push(0);
    }
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    // Texts of the benchmark are some ten bytes long.
    body.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    body.extend_from_slice(text.as_bytes());
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let digit = (length & 0x7f) as u8;
        length >>= 7;
        bytes.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_comes_back_as_it_was_made() {
        for version in [Version::V3_1_1, Version::V5_0] {
            for (qos, payload) in [(0, 8), (1, 64), (2, 4096)] {
                let publish = Publish::new(version, "a/b", qos, false, payload);
                let mut out = Vec::new();
                publish.append(&mut out, 0x1234, Some(77));
                let (frame, whole) = frame(&out).expect("is whole");
                assert_eq!(whole, out.len());
                assert!(frame.is_publish());
                assert_eq!(frame.delivered(), Some((qos, if qos == 0 { [0, 0] } else { [0x12, 0x34] })));
                assert_eq!(frame.stamp(payload), Some(77));
            }
        }
    }

    #[test]
    fn a_retained_message_is_not_live() {
        let live = |retain| {
            let mut out = Vec::new();
            Publish::new(Version::V3_1_1, "a/b", 0, retain, 3).append(&mut out, 0, None);
            let (frame, _) = frame(&out).expect("is whole");
            frame.live_message().map(|(topic, payload)| (topic.to_owned(), payload.to_owned()))
        };
        assert_eq!(live(false), Some((b"a/b".to_vec(), b"xxx".to_vec())));
        assert_eq!(live(true), None);
    }

    #[test]
    fn a_packet_that_is_not_whole_is_none() {
        let mut out = Vec::new();
        Publish::new(Version::V5_0, "a/b", 1, false, 200).append(&mut out, 1, None);
        for length in 0..out.len() {
            assert!(frame(&out[..length]).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn a_refused_filter_is_seen() {
        let accepts = |version, bytes: &[u8]| frame(bytes).expect("is whole").0.accepts(version);
        assert!(accepts(Version::V3_1_1, &[0x90, 4, 0, 1, 0, 2]));
        assert!(!accepts(Version::V3_1_1, &[0x90, 4, 0, 1, 0, 0x80]));
        assert!(accepts(Version::V5_0, &[0x90, 4, 0, 1, 0, 1]));
        assert!(!accepts(Version::V5_0, &[0x90, 4, 0, 1, 0, 0x87]));
    }
}
