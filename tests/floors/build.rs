//! Tells the test what the counted code is built by.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| format!("no {name}"));
    let compiler = Command::new(variable("RUSTC")).arg("--version").output();
    let version = compiler.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let version = version.unwrap_or_else(|error| format!("an unknown compiler ({error})"));
    println!("cargo::rustc-env=BUILT_BY={version} for {}, profile {}", variable("TARGET"), variable("PROFILE"));
}
