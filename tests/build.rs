//! Builds the plugins of the folder `guests` to components, and writes down where they are.

#[path = "../host/build/component.rs"]
mod component;
#[path = "../host/src/hooks/wasm/pack.rs"]
mod pack;
#[path = "../host/build/wasm_toolchain.rs"]
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
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the tests have no folder above them")?;
    component::rerun_if_changed(workspace, &["tests/guests"]);
    let guests = component::build(workspace, &component::packages_in(&workspace.join("tests/guests"))?)?;

    let out_dir = env::var("OUT_DIR").map_err(|err| format!("OUT_DIR: {err}"))?;
    let dir = Path::new(&out_dir).join("guests");
    let failed = |path: &Path, err| format!("cannot write `{}`: {err}", path.display());
    fs::create_dir_all(&dir).map_err(|err| failed(&dir, err))?;
    let mut code = format!("/// The folder of all guests, for `--plugin-dir`.\npub const DIR: &str = {dir:?};\n");
    for Built { name, component } in guests {
        let path = dir.join(format!("{name}.wasm"));
        fs::write(&path, component).map_err(|err| failed(&path, err))?;
        let constant = name.trim_start_matches("guest_").to_uppercase();
        let _ = writeln!(code, "/// The component `{name}`.\npub const {constant}: &str = {path:?};");
    }
    let wasi = component::build_for(workspace, "wasm32-wasip2", "guest_wasi")?;
    let path = dir.join("guest_wasip2.wasm");
    if let Some(component) = &wasi {
        fs::write(&path, component).map_err(|err| failed(&path, err))?;
    }
    let wasi = wasi.map(|_| &path);
    let _ = writeln!(
        code,
        "/// `guest_wasi` as a component for `wasm32-wasip2`, where that is installed.\n\
         pub const WASIP2: Option<&str> = {wasi:?};"
    );
    let path = Path::new(&out_dir).join("guests.rs");
    fs::write(&path, code).map_err(|err| failed(&path, err))
}
