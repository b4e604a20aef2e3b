//! Ends cached verdicts before their time, for a plugin whose rules have changed. The broker's configuration grants it.
//!
//! What was allowed by such a verdict is judged anew: subscriptions, messages that wait, retained messages.
//!
//! On targets other than WebAssembly it is counted, for `take_invalidated`.

/// Ends those of all clients: when this returns, no verdict from before is given any more.
pub fn all() {
    host::all();
}

#[cfg(target_family = "wasm")]
mod host {
    pub(super) use crate::bindings::capabilities::amqtt::plugin::invalidate::all;
}

#[cfg(not(target_family = "wasm"))]
pub use host::take_invalidated;

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::Cell;

    thread_local! {
        static INVALIDATED: Cell<usize> = const { Cell::new(0) };
    }

    /// How often this thread has ended the verdicts of all clients since the last call, in unit tests.
    pub fn take_invalidated() -> usize {
        INVALIDATED.take()
    }

    pub(super) fn all() {
        INVALIDATED.set(INVALIDATED.get() + 1);
    }
}
