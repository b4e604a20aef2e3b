//! What calls of plugins cost on this machine.
//!
//!     cargo bench -p amqtt --bench plugin_calls
//!
//! `shapes` and `ways` say what a call costs by itself, `loaded` what it costs through the broker's loader, `components` and
//! `passwords` what takes longer. Plugins that are no part of the build, such as those in other languages, are measured by
//! `languages`.
//!
//! Without a release build of everything else:
//!
//!     cargo bench -p amqtt --bench plugin_calls --profile dev --config 'profile.dev.package.amqtt.opt-level=3'

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a benchmark ends where something fails")]

mod components;
#[path = "../../src/hooks/wasm/engine_config.rs"]
mod engine_config;
mod guest;
mod loaded;
mod passwords;
mod shapes;
#[path = "../stand_in/mod.rs"]
mod stand_in;
mod ways;

use criterion::{criterion_group, criterion_main};

const CLIENT_ID: &str = "sensor-0123456789ab";
const USERNAME: &str = "username1";
const TOPIC: &str = "buildings/7/floors/3/rooms/123/temperature";

criterion_group!(benches, loaded::bench, shapes::bench, ways::bench, components::bench, passwords::bench);
criterion_main!(benches);
