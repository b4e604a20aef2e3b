//! What calls of plugins cost on this machine.
//!
//!     cargo bench -p amqtt --bench plugin_calls
//!
//! Without a release build of everything else:
//!
//!     cargo bench -p amqtt --bench plugin_calls --profile dev --config 'profile.dev.package.amqtt.opt-level=3'

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a benchmark ends where something fails")]

#[path = "../../src/hooks/wasm/engine_config.rs"]
mod engine_config;
mod loaded;
mod shapes;
#[path = "../stand_in/mod.rs"]
mod stand_in;

use criterion::{criterion_group, criterion_main};

const CLIENT_ID: &str = "sensor-0123456789ab";
const USERNAME: &str = "username1";
const TOPIC: &str = "buildings/7/floors/3/rooms/123/temperature";

criterion_group!(benches, loaded::bench, shapes::bench);
criterion_main!(benches);
