//! Builds packages of this workspace to WebAssembly components. The tests' build script includes this file too.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::pack::pack;
use crate::wasm_toolchain::{TARGET, Toolchain};

/// A component that was built.
pub(crate) struct Built {
    /// The name of its package.
    pub(crate) name: String,
    /// The component's bytes.
    pub(crate) component: Vec<u8>,
}

/// Builds packages of the workspace that has its root at `workspace`.
///
/// # Errors
///
/// The text says what failed and what to do about it.
pub(crate) fn build(workspace: &Path, packages: &[String]) -> Result<Vec<Built>, String> {
    let toolchain = Toolchain::detect()?;
    let target_dir = target_dir()?;
    run_cargo(workspace, &target_dir, &toolchain, TARGET, packages)?;
    let made = target_dir.join(TARGET).join("plugin");
    packages.iter().map(|name| componentize(name, &made.join(format!("{name}.wasm")))).collect()
}

/// Builds one package for a target whose output is a component already; none where its standard library is not installed.
///
/// # Errors
///
/// The text says what failed.
#[allow(dead_code, reason = "only the tests' build script has such a package")]
pub(crate) fn build_for(workspace: &Path, target: &str, package: &str) -> Result<Option<Vec<u8>>, String> {
    let Some(toolchain) = Toolchain::with_target(target) else { return Ok(None) };
    let target_dir = target_dir()?;
    run_cargo(workspace, &target_dir, &toolchain, target, &[package.to_owned()])?;
    let made = target_dir.join(target).join("plugin").join(format!("{package}.wasm"));
    fs::read(&made).map(Some).map_err(|err| format!("cannot read `{}`: {err}", made.display()))
}

/// The packages in the folders of `dir`, sorted. A package is called like its folder.
///
/// # Errors
///
/// The text says which folder cannot be read.
pub(crate) fn packages_in(dir: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(dir).map_err(|err| format!("cannot read the folder `{}`: {err}", dir.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Tells cargo which changes make components out of date.
pub(crate) fn rerun_if_changed(workspace: &Path, sources: &[impl AsRef<Path>]) {
    const COMMON: [&str; 5] = ["Cargo.lock", "Cargo.toml", "wit", "plugin-sdk/Cargo.toml", "plugin-sdk/src"];
    for path in COMMON.iter().map(Path::new).chain(sources.iter().map(AsRef::as_ref)) {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
}

/// The target folder of all components: another than that of the cargo that runs this, which holds the lock on its own.
fn target_dir() -> Result<PathBuf, String> {
    // <target>/[<triple>/]<profile>/build/<package>-<hash>/out
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?);
    let profile = out_dir.ancestors().nth(3).ok_or("OUT_DIR is not where cargo puts it")?;
    let mut target = profile.parent().ok_or("OUT_DIR is not where cargo puts it")?;
    if target.file_name() == env::var_os("TARGET").as_deref() {
        target = target.parent().unwrap_or(target);
    }
    Ok(target.join("wasm"))
}

fn run_cargo(
    workspace: &Path,
    target_dir: &Path,
    toolchain: &Toolchain,
    target: &str,
    packages: &[String],
) -> Result<(), String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if is_of_the_outer_build(&name) {
            cargo.env_remove(name);
        }
    }
    // Set, even to nothing, they win over the flags of a configuration file, which are meant for the host.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remapped_paths(workspace));
    cargo.current_dir(workspace).args(["build", "--quiet", "--lib", "--profile", "plugin", "--target", target]);
    cargo.arg("--target-dir").arg(target_dir);
    for package in packages {
        cargo.args(["--package", package]);
    }
    toolchain.apply(&mut cargo);

    let output = cargo.output().map_err(|err| format!("cannot run cargo to build the plugins: {err}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("building the plugins to WebAssembly failed ({toolchain}):\n{}", stderr.trim_end()))
}

/// Whether a variable is about the build that runs this script, and would mislead the one that it starts.
fn is_of_the_outer_build(name: &OsStr) -> bool {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    const OUTER: [&str; 18] = [
        "CLIPPY_ARGS",
        "DEBUG",
        "HOST",
        "MAKEFLAGS",
        "MFLAGS",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC",
        "RUSTC_BOOTSTRAP",
        "RUSTC_LINKER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "TARGET",
    ];
    let Some(name) = name.to_str() else { return false };
    OUTER.contains(&name)
        || name == "CARGO"
        || name.starts_with("DEP_")
        || (name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept)))
}

/// Flags that keep the folders of the machine that builds out of the messages of panics.
fn remapped_paths(workspace: &Path) -> String {
    let mut flags = vec![format!("--remap-path-prefix={}=amqtt", workspace.display())];
    let home = |name, below: &str| env::var_os(name).map(|home| PathBuf::from(home).join(below));
    if let Some(cargo_home) = home("CARGO_HOME", "").or_else(|| home("HOME", ".cargo")) {
        flags.push(format!("--remap-path-prefix={}=cargo", cargo_home.display()));
    }
    flags.join("\x1f")
}

fn componentize(name: &str, module: &Path) -> Result<Built, String> {
    let bytes = fs::read(module).map_err(|err| format!("cannot read `{}`: {err}", module.display()))?;
    let component = pack(&bytes).map_err(|err| format!("cannot make a component of plugin `{name}`: {err}"))?;
    Ok(Built { name: name.to_owned(), component })
}
