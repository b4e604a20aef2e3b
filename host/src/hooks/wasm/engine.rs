use std::io;
use std::thread;

use wasmtime::component::Component;
use wasmtime::{Engine, EngineWeak};

use super::embedded::EmbeddedPlugin;
use super::engine_config::base_config;
use super::unusable::Unusable;
use crate::hooks::limits::EPOCH_TICK;

/// What all plugins share: one compiler, and one thread that lets running calls look at their deadlines.
pub(crate) struct Runtime {
    pub(super) engine: Engine,
}

impl Runtime {
    /// Starts the thread. It ends with the last plugin.
    pub(crate) fn start() -> io::Result<Self> {
        let engine = Engine::new(&base_config()).map_err(|error| io::Error::other(format!("{error:#}")))?;
        let weak = engine.weak();
        thread::Builder::new().name("amqtt-deadlines".into()).spawn(move || count_epochs(&weak))?;
        Ok(Self { engine })
    }
}

/// A thread of the system rather than a timer of tokio: load makes the latter late, then catch up all at once.
fn count_epochs(engine: &EngineWeak) {
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        thread::sleep(EPOCH_TICK);
    }
}

/// Tells a component from what else a file may be.
pub(super) fn check_kind(bytes: &[u8]) -> Result<(), Unusable> {
    // The first bytes are `\0asm`, the version and the layer: 0 for a core module, 1 for a component.
    match bytes {
        [0, b'a', b's', b'm', _, _, 0, _, ..] => Err(Unusable::CoreModule),
        [0, b'a', b's', b'm', _, _, 1, _, ..] => Ok(()),
        _ => Err(Unusable::NotWasm),
    }
}

/// Compiles a component from its bytes.
pub(super) fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, Unusable> {
    check_kind(bytes)?;
    Component::from_binary(engine, bytes).map_err(|error| Unusable::Invalid(format!("{error:#}")))
}

/// Loads a plugin of the binary: compiled by the build where that fits, else from its component.
#[expect(unsafe_code, reason = "there is no safe way to load compiled code")]
pub(super) fn load_embedded(engine: &Engine, plugin: &EmbeddedPlugin) -> Result<Component, Unusable> {
    if let Some(compiled) = plugin.precompiled {
        // SAFETY: `deserialize` trusts that wasmtime made the bytes. These are part of this very binary: the build script
        // let the same wasmtime make them, and whoever can change them can change any other code of the binary as well.
        // That version and settings are the same is what `deserialize` checks.
        match unsafe { Component::deserialize(engine, compiled) } {
            Ok(component) => return Ok(component),
            Err(error) => tracing::debug!(plugin = plugin.name, "compiling, as the build's code is refused: {error:#}"),
        }
    }
    compile(engine, plugin.component)
}
