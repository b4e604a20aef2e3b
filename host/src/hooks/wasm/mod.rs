//! Runs plugins as WebAssembly components: the only place that knows wasmtime.
//!
//! `pack` makes a component of a module, which `declare` says the world of · `compiler` makes code of that, which `engine` loads ·
//! `manifest` reads what a component has and wants · `plugin` is a component ready to run ·
//! `instance` is one running copy · `bindings` translates.

mod anatomy;
mod bindings;
mod code_cache;
mod compiled;
mod compiler;
mod declare;
mod embedded;
mod engine;
mod engine_config;
mod inspect;
mod instance;
mod manifest;
mod pack;
mod plugin;
mod room;
mod state;
mod unusable;
mod wasi;

#[cfg(test)]
mod newer_host;

pub use compiler::compile_apart;
pub use declare::declare_world;
pub(crate) use embedded::{EmbeddedPlugin, embedded};
pub(crate) use engine::Runtime;
pub(crate) use inspect::{inspect, inspect_embedded, inspect_file};
pub(crate) use instance::{Fault, Instance};
#[cfg(test)]
pub(crate) use manifest::INTERFACE_VERSION;
pub use pack::{PackError, pack};
pub(crate) use plugin::{Code, Plugin, StartError};
pub use unusable::Unusable;
