//! Bytes to packets and back.
//!
//! Decoding borrows: a [`Packet`] points into the buffer it was read from, so nothing is copied or allocated for a
//! packet that is only looked at. Who wants to keep a payload shares the buffer with `Bytes::slice_ref`. Encoding
//! appends to a `BytesMut`. This folder and `protocol/dialect.rs` are the only places that know protocol versions.

mod connect;
mod decode;
mod encode;
mod error;
mod fields;
mod frame;
mod glance;
mod packet;
mod properties;

#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_5_0;

pub use connect::{connect_version, decode_connect};
pub use decode::decode;
pub use encode::{
    Answer, Connack, PublishHead, PublishProperties, encode_ack, encode_auth, encode_connack, encode_disconnect,
    encode_pingresp, encode_suback, encode_unsuback,
};
pub use error::DecodeError;
pub use frame::{FixedHeader, Frame, PacketType, next_frame};
pub use glance::{Glance, PublishGlance};
pub use packet::{
    Ack, Acknowledgement, Auth, Connect, Disconnect, PUBLISH_FORMS, Packet, PacketId, ProtocolVersion, Publish,
    Subscribe, Unsubscribe, Will,
};
pub use properties::{Properties, Property};
