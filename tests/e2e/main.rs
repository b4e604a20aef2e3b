//! The built `amqtt` as its users meet it: started as a command, spoken to by real clients.

#![allow(clippy::panic, reason = "a test says so what went wrong")]

mod broker;
mod browser;
mod carrier;
mod certificates;
mod client;
#[path = "../../host/build/wasm_toolchain.rs"]
mod wasm_toolchain;

mod auth;
mod author;
#[cfg(target_os = "linux")]
mod benchmark;
mod bounds;
mod command;
mod compiler;
mod config;
mod conformance;
mod conformance_5_0;
mod examples;
mod files;
mod idle;
mod included;
mod layers;
mod log;
mod messages;
mod originals_faults;
mod passwd;
mod plugins;
mod protocol;
mod reload;
mod round;
mod scram;
mod seeds;
mod sessions;
mod slow_plugins;
mod tls;
mod turns;
mod websocket;
