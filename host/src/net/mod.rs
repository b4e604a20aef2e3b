//! Where clients come in: listeners, and connections as streams of bytes.

mod bind;

pub use bind::{BindAddress, BindError};
