//! Makes a component of what a compiler has made.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use amqtt::hooks::{PackError, declare_world, grants_listed, inspect_bytes, pack};
use amqtt::regular_file;
use clap::Args;

use crate::command::{Failure, print};

/// Make a plugin of the module that `cargo build --target wasm32-unknown-unknown` or another compiler has made
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The module: target/wasm32-unknown-unknown/release/NAME.wasm
    file: PathBuf,

    /// The file to write, or a folder for it; without it, this folder
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// The world that a module has which does not say so itself, for example one in C; its package is that of `--wit`
    #[arg(long, value_name = "NAME", requires = "wit")]
    world: Option<String>,

    /// A folder with a package of WIT files, and those that it needs in `deps`
    #[arg(long, value_name = "DIR", requires = "world")]
    wit: Option<PathBuf>,
}

/// Bytes of the largest module that is read. With its sections for debuggers it is many times what it is without.
const MODULE_BYTES_MAX: u64 = 1 << 30;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments { file, output, world, wit } = arguments;
    let shown = file.display();
    let failed = |error: std::io::Error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => {
                "\n  hint: build it first; where `CARGO_TARGET_DIR` or `build.target-dir` is set, it is in that folder"
            }
            _ => "",
        };
        format!("cannot read `{shown}`: {error}{hint}")
    };
    let mut bytes = regular_file::read(file, MODULE_BYTES_MAX).map_err(failed)?;
    let refused = |error: PackError| format!("cannot make a plugin of `{shown}`: {error}");
    // What is not a module is refused in the words of `pack`.
    if let (Some(world), Some(wit), [0, b'a', b's', b'm', _, _, 0, _, ..]) = (world, wit, &bytes[..]) {
        declare_world(&mut bytes, wit, world).map_err(refused)?;
    }
    let component = match pack(&bytes) {
        Ok(component) => component,
        Err(PackError::AlreadyComponent) => {
            print(&format!("`{shown}` is a component already: nothing has to be packed\n"))?;
            if output.is_none() {
                return Ok(ExitCode::SUCCESS);
            }
            bytes
        }
        Err(error) => return Err(refused(error).into()),
    };
    let inspection = inspect_bytes(&component);
    if let Some(problem) = inspection.problem {
        return Err(format!("`{shown}` is not a plugin: {problem}").into());
    }
    let out = place(file, output.as_deref())?;
    fs::write(&out, &component).map_err(|error| format!("cannot write `{}`: {error}{}", out.display(), hint(&out)))?;
    let hooks = if inspection.hooks.is_empty() { "none".to_owned() } else { inspection.hooks.join(", ") };
    let grants = grants_listed(&inspection.grants).unwrap_or_else(|| "needs none".to_owned());
    print(&format!(
        "wrote    {}, {} bytes\nhooks    {hooks}\ngrants   {grants}\nsha256   {}\n",
        out.display(),
        component.len(),
        inspection.sha256
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// What to do where a file cannot be written: a folder may be missing.
fn hint(out: &Path) -> String {
    let is_folder = out.as_os_str().as_encoded_bytes().ends_with(b"/");
    let folder = if is_folder { Some(out) } else { out.parent().filter(|folder| !folder.as_os_str().is_empty()) };
    match folder.filter(|folder| !folder.exists()) {
        Some(folder) => format!("\n  hint: there is no folder `{}`: make it, or name another file", folder.display()),
        None => String::new(),
    }
}

/// Where the component goes; never over the module.
fn place(file: &Path, output: Option<&Path>) -> Result<PathBuf, Failure> {
    let name = file.file_name().ok_or_else(|| format!("`{}` is not a file", file.display()))?;
    let out = match output {
        None => PathBuf::from(name),
        Some(folder) if folder.is_dir() => folder.join(name),
        Some(file) => file.to_owned(),
    };
    if out.exists() && fs::canonicalize(&out)? == fs::canonicalize(file)? {
        return Err(format!("`{}` would be overwritten\n  hint: name another file with `-o`", out.display()).into());
    }
    Ok(out)
}
