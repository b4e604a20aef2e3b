//! WebSocket as a stream of bytes: the opening handshake, then frames.
//!
//! Frames are taken apart where they were read to and put together where they are written from: however large one is,
//! nothing of it is kept here.

mod fault;
mod handshake;
mod incoming;
mod outgoing;
mod stream;
#[cfg(test)]
mod tests;

pub use fault::WebSocketFault;
pub use handshake::{HandshakeError, WebSocketSettings};
pub use outgoing::Ending;
pub use stream::WebSocket;

pub(super) use handshake::accept;
