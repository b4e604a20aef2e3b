//! What waits for a client: messages in a bounded queue, bytes in an outgoing buffer.

mod messages;
mod outgoing;
mod spare;

pub use messages::{Judged, MessageQueue, Pushed, Queued, Standing, large_bytes, large_entry_bytes, queued_bytes};
pub use outgoing::{Outgoing, SHARED_BYTES_MIN};
pub use spare::SpareBuffers;
