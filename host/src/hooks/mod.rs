//! What plugins are asked and told, free of how they are run.

mod event;
mod spec;
mod wasm;

pub use event::{Event, EventKind};
pub use spec::{Grants, HookSpec, PluginSpec, TopicCheckSpec};

/// What a client wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a message to a topic name.
    Publish,
    /// Have the messages of a topic filter delivered.
    Subscribe,
    /// Be delivered one message of a topic name.
    Receive,
}
