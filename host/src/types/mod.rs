//! Checked values that every layer shares: once one of these exists, nobody validates it again.

mod capabilities;
mod client;
mod expiry;
mod few;
mod limits;
mod message;
mod network;
mod overlapping;
mod qos;
mod rate;
mod reason;
mod share;
mod shared_keys;
mod subscription;
mod topic;

#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
pub(crate) mod visits;

pub use capabilities::Capabilities;
pub use client::{
    CertificateFacts, ClientId, ClientInfo, ConnectFacts, Identity, Peer, TlsFacts, TransportKind, UserProperties,
    UserProperty,
};
pub use expiry::SessionExpiry;
pub use few::Few;
pub use limits::{Limits, SESSION_BYTES_ALWAYS, TopicExcess, counted_connect_bytes};
pub use message::{Message, MessageProperties};
pub use network::network;
pub use overlapping::Overlapping;
pub use qos::QoS;
pub use rate::TokenBucket;
pub use reason::ReasonCode;
pub use share::ShareStrategy;
pub use shared_keys::SharedKeys;
pub use subscription::{RetainHandling, SubscriptionId, SubscriptionOptions};
pub use topic::{TopicError, TopicFilter, TopicName, levels};
