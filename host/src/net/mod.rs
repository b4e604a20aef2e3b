//! Where clients come in: listeners, and connections as streams of bytes.

mod bind;
mod listener;
mod transport;

pub use bind::{BindAddress, BindError};
pub use listener::{Accepted, Admission, Listener, TurnedAway};
pub use transport::Transport;
