use std::io;
use std::thread;

use wasmtime::component::Component;
use wasmtime::{Engine, EngineWeak};

use super::compiled::Compiled;
use super::compiler;
use super::embedded::EmbeddedPlugin;
use super::engine_config::base_config;
use super::unusable::Unusable;
use crate::hooks::limits::EPOCH_TICK;

/// What all plugins share: one compiler, and one thread that lets running calls look at their deadlines.
pub(crate) struct Runtime {
    pub(super) engine: Engine,
    pub(crate) compiled: Compiled,
}

impl Runtime {
    /// Starts the thread, which does something more at each look. It ends with the last plugin.
    pub(crate) fn start(at_each_look: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let engine = Engine::new(&base_config()).map_err(|error| io::Error::other(format!("{error:#}")))?;
        let weak = engine.weak();
        thread::Builder::new().name("amqtt-deadlines".into()).spawn(move || count_epochs(&weak, at_each_look))?;
        Ok(Self { engine, compiled: Compiled::default() })
    }
}

/// A thread of the system rather than a timer of tokio: load makes the latter late, then catch up all at once.
fn count_epochs(engine: &EngineWeak, mut at_each_look: impl FnMut()) {
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        at_each_look();
        thread::sleep(EPOCH_TICK);
    }
}

/// Tells a whole component from what else a file may be.
pub(super) fn check_kind(bytes: &[u8]) -> Result<(), Unusable> {
    // The first bytes are `\0asm`, the version and the layer: 0 for a core module, 1 for a component.
    match bytes {
        [0, b'a', b's', b'm', _, _, 0, _, ..] => Err(Unusable::CoreModule),
        [0, b'a', b's', b'm', _, _, 1, _, sections @ ..] if ends_within_section(sections) => Err(Unusable::NotWhole),
        [0, b'a', b's', b'm', _, _, 1, _, ..] => Ok(()),
        [0, b'a', b's', b'm', rest @ ..] if rest.len() < 4 => Err(Unusable::NotWhole),
        _ => Err(Unusable::NotWasm),
    }
}

/// The last kind of section that a component has.
const SECTION_MAX: u8 = 11;

/// Whether bytes are sections of a component of which the last one lacks its end. What is no section is left to the
/// compiler, which knows more to say about it.
fn ends_within_section(mut bytes: &[u8]) -> bool {
    while let [kind, rest @ ..] = bytes {
        if *kind > SECTION_MAX {
            return false;
        }
        // The length, seven bits in each byte, the lowest first.
        let Some(last) = rest.iter().position(|byte| *byte < 0x80) else { return rest.len() < 5 };
        let (length, content) = rest.split_at(last + 1);
        if length.len() > 5 {
            return false;
        }
        let length = length.iter().rev().fold(0_u64, |length, byte| length << 7 | u64::from(byte & 0x7f));
        match usize::try_from(length).ok().and_then(|length| content.get(length..)) {
            Some(others) => bytes = others,
            None => return true,
        }
    }
    false
}

/// Compiles a component from its bytes. Its code comes beside it.
pub(super) fn compile(engine: &Engine, bytes: &[u8]) -> Result<(Component, Vec<u8>), Unusable> {
    let code = compiler::compile(engine, bytes)?;
    // Made by this program of these bytes, in a process that nobody else has a way into.
    let component = load_compiled(engine, &code).map_err(|error| Unusable::CompilerFailed(format!("{error:#}")))?;
    Ok((component, code))
}

/// Loads a plugin of the binary: compiled by the build where that fits, else from its component.
pub(super) fn load_embedded(engine: &Engine, plugin: &EmbeddedPlugin) -> Result<Component, Unusable> {
    if let Some(compiled) = plugin.precompiled {
        // Part of this very binary: the build script let the same wasmtime make it, and whoever can change it can change
        // any other code of the binary as well.
        match load_compiled(engine, compiled) {
            Ok(component) => return Ok(component),
            Err(error) => tracing::debug!(plugin = plugin.name, "compiling, as the build's code is refused: {error:#}"),
        }
    }
    compile(engine, plugin.component).map(|(component, _)| component)
}

/// Loads compiled code, which has to be from where nobody else can write: the binary, `compiler`, or `code_cache`.
#[expect(unsafe_code, reason = "there is no safe way to load compiled code")]
pub(super) fn load_compiled(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` trusts that wasmtime made the bytes. All callers say why that is so. That version and settings
    // are the same is what it checks.
    unsafe { Component::deserialize(engine, code) }
}
