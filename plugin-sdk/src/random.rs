//! Gives random bytes that nobody can guess. Needs no grant.
//!
//! On targets other than WebAssembly the bytes are those that `stand_in` set on this thread, over and over, 0 at first.

/// So many random bytes. More than 1,024 at once end the call.
pub fn bytes(count: u32) -> Vec<u8> {
    host::bytes(count)
}

#[cfg(target_family = "wasm")]
use crate::bindings::capabilities::amqtt::plugin::random as host;

#[cfg(not(target_family = "wasm"))]
pub use host::stand_in;

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::RefCell;

    thread_local! {
        static BYTES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// Sets the bytes that this thread is given, in unit tests.
    pub fn stand_in(bytes: impl Into<Vec<u8>>) {
        BYTES.replace(bytes.into());
    }

    pub(super) fn bytes(count: u32) -> Vec<u8> {
        BYTES.with_borrow(|bytes| {
            bytes.iter().copied().chain(bytes.is_empty().then_some(0)).cycle().take(count as usize).collect()
        })
    }
}
