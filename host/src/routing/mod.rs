//! Which subscribers a topic has, and which retained messages a filter has.
//!
//! Both are trees with one node per topic level, so that the cost of a lookup depends on the levels of the topic and
//! on what matches, not on how much else is stored. Neither knows locks, sessions or the network.

mod children;
mod level;
mod retained;
mod tree;

#[cfg(test)]
mod properties;

pub use retained::{Progress, RetainedTree};
pub use tree::SubscriptionTree;
