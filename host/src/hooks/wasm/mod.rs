//! Runs plugins as WebAssembly components.

mod embedded;
mod engine_config;
