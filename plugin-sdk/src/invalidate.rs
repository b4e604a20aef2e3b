//! Ends cached verdicts of `topic-check` before their time, for a plugin whose rules have changed. The broker's
//! configuration grants it.
//!
//! Subscriptions that exist and messages that wait are asked about again. On targets other than WebAssembly the calls of
//! this thread are kept for `take_calls`.

/// Ends those of all clients.
pub fn all() {
    host::all();
}

/// Ends those of the client with this identifier; others may be ended as well.
pub fn client(client_id: &str) {
    host::client(client_id);
}

/// Ends those of all clients of a user, none for the anonymous ones; others may be ended as well.
pub fn user(username: Option<&str>) {
    host::user(username);
}

#[cfg(target_family = "wasm")]
use crate::bindings::capabilities::amqtt::plugin::invalidate as host;

#[cfg(not(target_family = "wasm"))]
pub use host::{Ended, take_calls};

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::RefCell;

    thread_local! {
        static CALLS: RefCell<Vec<Ended>> = const { RefCell::new(Vec::new()) };
    }

    /// Whose verdicts a plugin ended in a unit test.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Ended {
        /// Everybody's.
        All,
        /// Those of a client.
        Client(String),
        /// Those of a user's clients.
        User(Option<String>),
    }

    /// Takes the calls of this thread so far, in unit tests.
    pub fn take_calls() -> Vec<Ended> {
        CALLS.take()
    }

    pub(super) fn all() {
        CALLS.with_borrow_mut(|calls| calls.push(Ended::All));
    }

    pub(super) fn client(client_id: &str) {
        CALLS.with_borrow_mut(|calls| calls.push(Ended::Client(client_id.to_owned())));
    }

    pub(super) fn user(username: Option<&str>) {
        CALLS.with_borrow_mut(|calls| calls.push(Ended::User(username.map(str::to_owned))));
    }
}
