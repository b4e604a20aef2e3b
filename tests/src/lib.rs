//! What the tests of the whole broker share.

/// Plugins that the tests load, built to components: `DIR/guest_….wasm`.
pub mod guests {
    include!(concat!(env!("OUT_DIR"), "/guests.rs"));
}
