//! Builds the folder `plugins` to WebAssembly components, and makes them and the sources of the SDK part of the broker.

mod component;
#[path = "../src/hooks/wasm/engine_config.rs"]
mod engine_config;
#[path = "../src/hooks/wasm/pack.rs"]
#[expect(unreachable_pub, reason = "the broker's library exports it")]
mod pack;
mod sdk;
mod wasm_toolchain;

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use component::Built;

fn main() {
    if let Err(message) = run() {
        for line in message.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn run() -> Result<(), String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the host has no folder above it")?;
    let packages = component::packages_in(&workspace.join("plugins"))?;
    // Not the whole folder: there are examples in it. A plugin that is new changes the lock file.
    let folders: Vec<_> = packages.iter().map(|name| format!("plugins/{name}")).collect();
    component::rerun_if_changed(workspace, &folders);
    let plugins = component::build(workspace, &packages)?;
    embed(&plugins)?;
    write("sdk.rs", sdk::embed(workspace)?.as_bytes())
}

/// Writes a file for the code that includes it.
fn write(file: &str, bytes: &[u8]) -> Result<(), String> {
    let out_dir = env::var("OUT_DIR").map_err(|err| format!("OUT_DIR: {err}"))?;
    let path = Path::new(&out_dir).join(file);
    fs::write(&path, bytes).map_err(|err| format!("cannot write `{}`: {err}", path.display()))
}

/// Writes the components, compiled where possible, and the Rust code that includes them.
fn embed(plugins: &[Built]) -> Result<(), String> {
    let engine = baseline_engine()?;
    let mut code = String::from("static EMBEDDED: &[EmbeddedPlugin] = &[\n");
    for Built { name, component } in plugins {
        write(&format!("{name}.wasm"), component)?;
        let include = |file: String| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\"))");
        let precompiled = match &engine {
            Some(engine) => {
                let compiled = engine
                    .precompile_component(component)
                    .map_err(|err| format!("cannot compile the component of plugin `{name}`: {err:#}"))?;
                write(&format!("{name}.cwasm"), &compiled)?;
                format!("Some({})", include(format!("{name}.cwasm")))
            }
            None => "None".to_owned(),
        };
        let component = include(format!("{name}.wasm"));
        let _ = writeln!(
            code,
            "    EmbeddedPlugin {{ name: {name:?}, component: {component}, precompiled: {precompiled} }},"
        );
    }
    code.push_str("];\n");
    write("embedded.rs", code.as_bytes())
}

/// An engine that compiles for the target without any extension of its CPU, so that the broker starts wherever it is
/// copied to; none where the compiler built in here is for another architecture.
fn baseline_engine() -> Result<Option<wasmtime::Engine>, String> {
    let target = env::var("TARGET").map_err(|err| format!("TARGET: {err}"))?;
    if env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok(env::consts::ARCH) {
        return Ok(None);
    }
    let mut config = engine_config::base_config();
    let engine = config.target(&target).and_then(|config| wasmtime::Engine::new(config));
    engine.map(Some).map_err(|err| format!("cannot set up wasmtime for {target}: {err:#}"))
}
