//! Finds a compiler that can build for WebAssembly on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt};

/// What plugins are built for: WebAssembly without a system.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// A compiler, and where its standard library for [`TARGET`] comes from.
#[derive(Debug)]
pub(crate) struct Toolchain {
    rustc: PathBuf,
    /// Whether the standard library has to be built from its sources.
    build_std: bool,
    /// The linker to use in place of the compiler's default.
    linker: Option<PathBuf>,
}

impl Toolchain {
    /// Finds the first compiler that has the target installed, else the first that has the sources to build it.
    ///
    /// # Errors
    ///
    /// The text says what to install.
    pub(crate) fn detect() -> Result<Self, String> {
        let compilers = compilers(TARGET);
        if let Some(compiler) = compilers.iter().find(|compiler| compiler.has_target) {
            return Ok(Toolchain { rustc: compiler.rustc.clone(), build_std: false, linker: None });
        }
        if let Some(compiler) = compilers.iter().find(|compiler| compiler.has_sources) {
            let linker = compilers.iter().find_map(|compiler| compiler.linker.clone());
            return Ok(Toolchain { rustc: compiler.rustc.clone(), build_std: true, linker });
        }
        Err(format!(
            "the plugins are WebAssembly, and no Rust compiler here can build for {TARGET}\n\
             hint: run one of\n\
             \x20   .ci/prepare cargo build        # installs what is missing and says what\n\
             \x20   rustup target add {TARGET}\n\
             \x20   apt-get install rustc-web rust-web-src        # on Debian, where rustup cannot download"
        ))
    }

    /// Finds a compiler that has another target installed, and says cargo when to look again.
    #[allow(dead_code, reason = "only the tests' build script has another target")]
    pub(crate) fn with_target(target: &str) -> Option<Self> {
        let compilers = compilers(target);
        for compiler in &compilers {
            println!("cargo::rerun-if-changed={}", compiler.sysroot.join("lib/rustlib/components").display());
        }
        let compiler = compilers.into_iter().find(|compiler| compiler.has_target)?;
        Some(Toolchain { rustc: compiler.rustc, build_std: false, linker: None })
    }

    /// Makes a cargo use this toolchain.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        cargo.env("RUSTC", &self.rustc);
        if self.build_std {
            // A compiler that is not a nightly builds its own standard library only if told so.
            cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let std = if self.build_std { "building its standard library" } else { "with the target installed" };
        write!(f, "`{}`, {std}", self.rustc.display())
    }
}

/// The compilers that there may be, and what they have for a target.
fn compilers(target: &str) -> Vec<Compiler> {
    let ours = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let found = [ours, PathBuf::from("/usr/bin/rustc")].into_iter();
    found.filter_map(|rustc| Compiler::at(rustc, target)).collect()
}

struct Compiler {
    rustc: PathBuf,
    sysroot: PathBuf,
    has_target: bool,
    has_sources: bool,
    linker: Option<PathBuf>,
}

impl Compiler {
    /// Looks at a compiler; none where there is none or it is too old for this workspace.
    fn at(rustc: PathBuf, target: &str) -> Option<Self> {
        let version = ask(&rustc, &["-vV"])?;
        let field = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let wanted = env::var("CARGO_PKG_RUST_VERSION").unwrap_or_default();
        if minor(field("release:")?)? < minor(&wanted).unwrap_or(0) {
            return None;
        }
        let sysroot = PathBuf::from(ask(&rustc, &["--print", "sysroot"])?);
        let libdir = ask(&rustc, &["--print", "target-libdir", "--target", target])?;
        let linker = sysroot.join("lib/rustlib").join(field("host:")?).join("bin/rust-lld");
        Some(Compiler {
            has_target: Path::new(&libdir).is_dir(),
            has_sources: sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file(),
            linker: linker.is_file().then_some(linker),
            sysroot,
            rustc,
        })
    }
}

/// What a compiler answers on stdout; none where it fails.
fn ask(rustc: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new(rustc).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

/// The middle number of a version such as `1.95.0`.
fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}
