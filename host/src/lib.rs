//! An MQTT broker whose every decision is a sandboxed WebAssembly component.
//!
//! # The journey of a PUBLISH
//!
//! 1. [`net`]`::listener` accepts the connection, if there is room for it, on one of the workers, for that whose turn it is.
//! 2. [`net`]`::transport` makes one stream of bytes of it.
//! 3. [`codec`] finds packets in the bytes and borrows their fields.
//! 4. [`protocol`] checks that the packet may come now and what it means for the session.
//! 5. `broker::publish` asks [`hooks`] whether this client may publish to this topic, unless it knows.
//! 6. [`routing`] finds the subscribers of the topic, unless the worker remembers them.
//! 7. [`protocol`]`::outbound` of each subscriber takes the message: as bytes that were encoded once for all of them,
//!    or into its [`queue`].
//! 8. The publisher is acknowledged.
//! 9. The subscriber's connection is woken once, and `broker::writer` writes all that has come together.
//!
//! Steps 3 to 8 are one call, on the thread that owns the publisher's connection. Modules are layers:
//! [`types`], then [`codec`], [`routing`] and [`queue`], then [`protocol`], then [`hooks`] and [`net`], then [`broker`],
//! [`config`] and [`testing`]. None imports a later one.

pub mod broker;
pub mod codec;
pub mod config;
pub mod file_stamp;
pub mod hooks;
pub mod net;
pub mod protocol;
pub mod queue;
pub mod regular_file;
pub mod routing;
pub mod testing;
pub mod types;
