//! An MQTT broker whose every decision is a sandboxed WebAssembly component.

pub mod config;
pub mod hooks;
pub mod net;
pub mod types;
