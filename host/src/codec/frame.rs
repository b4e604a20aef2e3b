use super::DecodeError;

/// The kinds of packets, by the upper half of their first byte (table 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum PacketType {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// The type of a packet with this first byte, whoever sends it.
    fn from_anyone(first_byte: u8) -> Option<Self> {
        match first_byte >> 4 {
            2 => Some(Self::Connack),
            9 => Some(Self::Suback),
            11 => Some(Self::Unsuback),
            13 => Some(Self::Pingresp),
            _ => Self::from_client(first_byte).ok(),
        }
    }

    /// The type of a packet with this first byte, if it is one that a client sends.
    fn from_client(first_byte: u8) -> Result<Self, DecodeError> {
        Ok(match first_byte >> 4 {
            1 => Self::Connect,
            3 => Self::Publish,
            4 => Self::Puback,
            5 => Self::Pubrec,
            6 => Self::Pubrel,
            7 => Self::Pubcomp,
            8 => Self::Subscribe,
            10 => Self::Unsubscribe,
            12 => Self::Pingreq,
            14 => Self::Disconnect,
            15 => Self::Auth,
            other => return Err(DecodeError::PacketType(other)),
        })
    }
}

/// The first two to five bytes of every packet (section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedHeader {
    /// What kind of packet follows.
    pub packet_type: PacketType,
    /// The lower half of the first byte.
    pub flags: u8,
    /// Bytes of this header.
    pub header_len: usize,
    /// Bytes that follow it.
    pub remaining_len: usize,
}

impl FixedHeader {
    /// Reads the header at the start of `bytes`; none while it is not complete.
    ///
    /// The first byte is judged as soon as it is there, so that a peer that speaks something else is not waited for.
    pub fn read(bytes: &[u8], packet_bytes_max: usize) -> Result<Option<Self>, DecodeError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let Some(header) = Self::read_type(PacketType::from_client(first)?, first, rest)? else {
            return Ok(None);
        };
        let bytes = header.packet_len();
        if bytes > packet_bytes_max {
            return Err(DecodeError::PacketTooLarge { bytes, max: packet_bytes_max });
        }
        Ok(Some(header))
    }

    /// Reads the header of a packet that this broker has encoded, or read before.
    pub fn read_any(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        Self::read_type(PacketType::from_anyone(first)?, first, rest).ok()?
    }

    /// Reads what follows the first byte.
    fn read_type(packet_type: PacketType, first: u8, rest: &[u8]) -> Result<Option<Self>, DecodeError> {
        let mut remaining_len = 0_usize;
        for (index, &byte) in rest.iter().take(4).enumerate() {
            remaining_len |= usize::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(Some(Self { packet_type, flags: first & 0x0f, header_len: index + 2, remaining_len }));
            }
        }
        if rest.len() >= 4 { Err(DecodeError::RemainingLength) } else { Ok(None) }
    }

    /// Bytes of the whole packet.
    pub fn packet_len(&self) -> usize {
        self.header_len + self.remaining_len
    }
}

/// One whole packet, not yet decoded.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Its fixed header.
    pub header: FixedHeader,
    /// What follows the fixed header.
    pub body: &'a [u8],
}

/// Splits the first whole packet off `bytes`; none while it is not complete.
pub fn next_frame(bytes: &[u8], packet_bytes_max: usize) -> Result<Option<Frame<'_>>, DecodeError> {
    let Some(header) = FixedHeader::read(bytes, packet_bytes_max)? else {
        return Ok(None);
    };
    Ok(bytes.get(header.header_len..header.packet_len()).map(|body| Frame { header, body }))
}
