//! Bytes to packets and back.
//!
//! Decoding borrows: a [`Packet`] points into the buffer it was read from, so nothing is copied or allocated for a
//! packet that is only looked at. Who wants to keep a payload shares the buffer with `Bytes::slice_ref`. Encoding
//! appends to a `BytesMut`. This folder and `protocol/dialect.rs` are the only places that know protocol versions.

mod decode;
mod encode;
mod error;
mod frame;
mod glance;
mod packet;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use decode::{decode, decode_connect};
pub use encode::{PublishHead, encode_ack, encode_connack, encode_pingresp, encode_suback, encode_unsuback};
pub use error::DecodeError;
pub use frame::{FixedHeader, Frame, PacketType, next_frame};
pub use glance::{Glance, PublishGlance};
pub use packet::{
    Ack, Connect, ConnectReturnCode, Packet, PacketId, ProtocolVersion, Publish, SubackCode, Subscribe, Unsubscribe,
    Will,
};
