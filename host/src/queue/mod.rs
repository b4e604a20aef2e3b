//! What waits for a client: messages in a bounded queue, bytes in an outgoing buffer.

mod messages;
mod outgoing;

pub use messages::{MessageQueue, Pushed, Queued};
pub use outgoing::{Outgoing, SHARED_BYTES_MIN};
