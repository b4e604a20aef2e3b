//! Write plugins for the `amqtt` MQTT broker: a struct, a trait for each hook, one macro.
//!
//! A plugin is a WebAssembly component. It exports the hooks that [`plugin!`] names and imports the capabilities whose
//! modules it uses ([`log`], [`clock`], [`random`], [`files`], [`publisher`], [`broker_info`], [`sessions`], [`invalidate`]): what it imports is what the broker's
//! configuration has to grant.
//!
//! A whole plugin, which refuses one user:
//!
//! ```
//! use amqtt_plugin_sdk::{Auth, Client, Decision, NoSettings, Plugin, plugin};
//!
//! struct RefuseMallory;
//!
//! impl Plugin for RefuseMallory {
//!     type Settings = NoSettings;
//!     fn new(_: NoSettings) -> Result<Self, String> {
//!         Ok(RefuseMallory)
//!     }
//! }
//!
//! impl Auth for RefuseMallory {
//!     fn authenticate(&mut self, _: &Client, username: Option<&str>, _: Option<&[u8]>) -> Decision {
//!         if username == Some("mallory") { Decision::Deny } else { Decision::Abstain }
//!     }
//! }
//!
//! plugin!(RefuseMallory: Auth);
//! ```
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown` and make the result a component (`amqtt plugin pack`), or for
//! `wasm32-wasip2`, which makes one itself. `amqtt plugin new NAME` makes a project that has all of this; the README of
//! this crate is the way from there to a plugin that a broker trusts.
//!
//! On every other target a plugin compiles too, so that its logic can be tested with `cargo test`: the module `testing`
//! tells how.

pub mod broker_info;
mod client;
pub mod clock;
mod entries;
mod event;
mod exchange;
mod export;
mod facts;
pub mod files;
pub mod invalidate;
pub mod log;
mod plugin;
pub mod publisher;
pub mod random;
mod request;
pub mod sessions;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod topic;
mod vote;
mod watched;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub use export::{Hook, Slot, bytes};

/// The README's example is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use client::Client;
#[cfg(not(target_family = "wasm"))]
pub use client::ClientFacts;
pub use entries::{BadLine, Entries};
#[cfg(not(target_family = "wasm"))]
pub use event::EventFacts;
pub use event::{Event, EventKind, Packet};
pub use exchange::Step;
pub use facts::{Certificate, UserProperty};
pub use plugin::{Auth, EnhancedAuth, Events, Interests, NoSettings, Plugin, ReadSettings, Ticks, TopicCheck};
#[cfg(not(target_family = "wasm"))]
pub use request::RequestFacts;
pub use request::{Reason, Request};
pub use topic::TopicFilter;
pub use vote::{Action, CacheFor, Decision, Qos, Verdict};
pub use watched::{Looked, Parse, Unusable, Watched};
