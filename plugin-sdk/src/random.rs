//! Gives random bytes that nobody can guess. Needs no grant.
//!
//! On targets other than WebAssembly the bytes are those that `stand_in` set on this thread, over and over, 0 at first.

/// So many random bytes. More than 1,024 at once end the call, in a unit test with a panic.
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

    /// What a broker gives in one call.
    const BYTES_MAX: u32 = 1_024;

    thread_local! {
        static BYTES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// Sets the bytes that this thread is given, in unit tests.
    pub fn stand_in(bytes: impl Into<Vec<u8>>) {
        BYTES.replace(bytes.into());
    }

    pub(super) fn bytes(count: u32) -> Vec<u8> {
        assert!(
            count <= BYTES_MAX,
            "{count} random bytes at once: a broker ends a call that asks for more than {BYTES_MAX}"
        );
        BYTES.with_borrow(|bytes| {
            bytes.iter().copied().chain(bytes.is_empty().then_some(0)).cycle().take(count as usize).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_that_were_set_over_and_over() {
        assert_eq!(bytes(2), [0, 0]);
        stand_in([1_u8, 2, 3]);
        assert_eq!(bytes(5), [1, 2, 3, 1, 2]);
        assert_eq!(bytes(1_024).len(), 1_024);
    }

    #[test]
    #[should_panic(expected = "1025 random bytes at once")]
    fn more_than_a_broker_gives_end_the_call() {
        bytes(1_025);
    }
}
