//! The structure that ARCHITECTURE.md promises, read off the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of the library and their layer: none imports one of a higher layer.
const LAYERS: &[(&str, u8)] = &[
    ("types", 0),
    ("codec", 1),
    ("routing", 1),
    ("queue", 1),
    ("protocol", 2),
    ("hooks", 3),
    ("net", 3),
    ("broker", 4),
    ("config", 4),
    ("testing", 4),
    ("command", 5),
    ("logging", 5),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file below `dir`: its path from there, and its text.
fn files(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("is a folder") {
        let path = entry.expect("can read").path();
        if path.is_dir() {
            let name = path.file_name().expect("has a name").to_string_lossy().into_owned();
            found.extend(files(&path).into_iter().map(|(file, text)| (format!("{name}/{file}"), text)));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("is text");
            found.push((path.file_name().expect("has a name").to_string_lossy().into_owned(), text));
        }
    }
    found
}

/// The modules of the library that a text names after `crate::`.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""))
}

#[test]
fn no_module_imports_a_higher_layer() {
    let mut checked = 0;
    for &(module, layer) in LAYERS {
        for (file, text) in files(&source().join(module)) {
            for import in imports(&text) {
                let other = LAYERS.iter().find(|(name, _)| *name == import);
                assert!(other.is_none_or(|(_, other)| *other <= layer), "{module}/{file} imports {import}");
                checked += 1;
            }
        }
    }
    assert!(checked > 50, "only {checked} imports were found");
}

#[test]
fn every_module_has_a_layer() {
    for entry in
        fs::read_dir(source()).expect("is a folder").map_while(Result::ok).filter(|entry| entry.path().is_dir())
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(LAYERS.iter().any(|(module, _)| *module == name), "{name} has no layer");
    }
}

/// Where a word may stand in the code, by the beginnings of paths.
fn check_only_in(word: &str, allowed: &[&str]) {
    for (file, text) in files(&source()) {
        let code =
            text.split("#[cfg(test)]").next().unwrap_or("").lines().filter(|line| !line.trim_start().starts_with("//"));
        let found = code.into_iter().any(|line| line.contains(word));
        assert!(!found || allowed.iter().any(|prefix| file.starts_with(prefix)), "{word:?} in {file}");
    }
}

#[test]
fn the_core_knows_no_runtime_and_no_clock() {
    let outside = ["hooks/", "net/", "broker/", "config/", "testing/", "command/", "main.rs", "lib.rs", "logging/"];
    check_only_in("tokio", &outside);
    check_only_in(
        "Instant::now",
        &[&outside[..], &["protocol/tests.rs", "protocol/simulator/", "queue/messages/tests.rs"]].concat(),
    );
}

#[test]
fn one_place_knows_wasmtime() {
    check_only_in("wasmtime", &["hooks/wasm/"]);
}

/// Versions of the protocol differ in the codec and in one file beside it.
#[test]
fn protocol_versions_are_told_apart_in_one_place() {
    check_only_in(
        "ProtocolVersion::",
        &["codec/", "protocol/dialect.rs", "protocol/tests.rs", "protocol/simulator/", "broker/tests.rs"],
    );
}
