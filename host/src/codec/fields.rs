//! The data representations of section 1.5, read from and written to a packet.

use bytes::{BufMut, BytesMut};

use super::{DecodeError, PacketId};

pub(super) fn read_u8(rest: &mut &[u8]) -> Result<u8, DecodeError> {
    let (&value, tail) = rest.split_first().ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(value)
}

pub(super) fn read_u16(rest: &mut &[u8]) -> Result<u16, DecodeError> {
    let (value, tail) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(u16::from_be_bytes(*value))
}

pub(super) fn read_u32(rest: &mut &[u8]) -> Result<u32, DecodeError> {
    let (value, tail) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(u32::from_be_bytes(*value))
}

/// Seven bits a byte, the lowest first, at most four bytes (MQTT 5.0, 1.5.5).
pub(super) fn read_variable(rest: &mut &[u8]) -> Result<u32, DecodeError> {
    let mut value = 0;
    for index in 0..4 {
        let byte = read_u8(rest)?;
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::VariableInteger)
}

/// Two bytes of length and what they count.
pub(super) fn read_bytes<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let len = usize::from(read_u16(rest)?);
    read_slice(rest, len)
}

pub(super) fn read_slice<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], DecodeError> {
    let (value, tail) = rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(value)
}

pub(super) fn read_string<'a>(rest: &mut &'a [u8]) -> Result<&'a str, DecodeError> {
    let text = utf8(read_bytes(rest)?)?;
    if text.bytes().any(|byte| byte == 0) { Err(DecodeError::Nul) } else { Ok(text) }
}

pub(super) fn read_packet_id(rest: &mut &[u8]) -> Result<PacketId, DecodeError> {
    PacketId::new(read_u16(rest)?).ok_or(DecodeError::PacketIdZero)
}

pub(super) fn nothing_left(rest: &[u8]) -> Result<(), DecodeError> {
    if rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes(rest.len())) }
}

/// Rust's UTF-8 excludes the surrogates, as `[MQTT-1.5.3-1]` asks for.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8)
}

/// Never more than the four bytes that any packet read here had for its length.
pub(super) fn put_variable(out: &mut BytesMut, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.put_u8(low);
            return;
        }
        out.put_u8(low | 0x80);
    }
}

/// Bytes that [`put_variable`] takes.
pub(super) const fn variable_len(value: usize) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// Writes two bytes of length and `bytes`, of which there are at most 65,535.
pub(super) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u16(bytes.len() as u16);
    out.put_slice(bytes);
}
