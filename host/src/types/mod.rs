//! Checked values that every layer shares: once one of these exists, nobody validates it again.

mod client;
mod limits;
mod message;
mod qos;
mod rate;
mod topic;

#[cfg(test)]
pub(crate) mod random;

pub use client::{ClientId, ClientInfo, Identity};
pub use limits::Limits;
pub use message::Message;
pub use qos::QoS;
pub use rate::TokenBucket;
pub use topic::{TopicError, TopicFilter, TopicName, levels};
