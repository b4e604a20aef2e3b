//! An MQTT broker whose every decision is a sandboxed WebAssembly component.

pub mod hooks;
pub mod types;
