//! An MQTT broker whose every decision is a sandboxed WebAssembly component.

pub mod codec;
pub mod config;
pub mod hooks;
pub mod net;
pub mod protocol;
pub mod queue;
pub mod routing;
pub mod types;
