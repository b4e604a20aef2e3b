//! The settings of wasmtime that compiled code depends on.
//!
//! The build script compiles the embedded plugins with them and the broker runs them with them: wasmtime refuses
//! compiled code whose settings differ. What only matters while running is set elsewhere.

use wasmtime::Config;

/// Address space set aside for the memory of an instance, in bytes: enough that no ordinary plugin's memory moves, and
/// little enough for many instances.
const MEMORY_RESERVATION_BYTES: u64 = 64 << 20;

/// Unmapped bytes after that reservation, so that most accesses need no check.
const MEMORY_GUARD_BYTES: u64 = 64 << 10;

/// The settings that the build script and the broker have to agree on.
pub(crate) fn base_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Sync calls cost a multiple where concurrent ones are possible.
        .concurrency_support(false)
        // A plugin that does not come back is interrupted.
        .epoch_interruption(true)
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_guard_size(MEMORY_GUARD_BYTES);
    config
}
