//! Makes the project of a plugin.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use amqtt::hooks::{escape, inspect_built_in};
use clap::Args;

use crate::command::{Failure, print};

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Make the project of a plugin in Rust: a plugin that works, with settings and tests
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The name of the plugin: letters, digits, `-` and `_`
    name: String,

    /// The folder to make; without it, one of that name in this folder
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,

    /// A folder with amqtt-plugin-sdk to use, instead of a copy within the project
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// Bytes of the longest name: it is the name of a file as well.
const NAME_BYTES_MAX: usize = 64;

/// Names that cargo or the language has for something else.
const TAKEN: [&str; 54] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "sdk",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "use",
    "where",
    "while",
];

const MANIFEST: &str = include_str!("project/Cargo.toml.in");

/// The crates that a project depends on.
fn dependencies() -> impl Iterator<Item = &'static str> {
    let lines = MANIFEST.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    lines.map_while(|line| line.split_once(" = ")).map(|(name, _)| name)
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments { name, path, sdk } = arguments;
    check_name(name)?;
    let folder = path.clone().unwrap_or_else(|| PathBuf::from(name));
    let sdk = sdk.as_deref().map(find_sdk).transpose()?;
    claim(&folder)?;
    let file = name.replace('-', "_");
    let fill_in = |template: &str| {
        template.replace("MyPlugin", &camel_case(name)).replace("my-plugin", name).replace("my_plugin", &file)
    };
    let mut manifest = fill_in(MANIFEST);
    let mut readme = fill_in(include_str!("project/README.md.in"));
    if let Some(sdk) = &sdk {
        manifest = manifest.replace("path = \"sdk\"", &format!("path = {sdk:?}"));
        let (before_sdk, _) = readme.split_once("\nThe folder `sdk` is").ok_or("the README has lost its end")?;
        readme = before_sdk.to_owned();
    } else {
        SDK.iter().try_for_each(|(path, text)| write(&folder.join("sdk").join(path), text))?;
    }
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&folder.join("src/lib.rs"), &fill_in(include_str!("project/lib.rs.in")))?;
    write(&folder.join("cases.yaml"), &fill_in(include_str!("project/cases.yaml.in")))?;
    write(&folder.join("README.md"), &readme)?;
    write(&folder.join(".gitignore"), "/target\n/*.wasm\n")?;
    print(&format!(
        "made `{}`: its README.md says how to build, test and load it\n\n    cd {0}\n    cargo test\n    \
         cargo build --release --target wasm32-unknown-unknown\n    \
         amqtt plugin pack target/wasm32-unknown-unknown/release/{file}.wasm\n",
        escape(&folder.display().to_string())
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn check_name(name: &str) -> Result<(), Failure> {
    let wrong = |why: &str, hint: &str| Err(format!("`{}` {why}\n  hint: {hint}", name.escape_debug()).into());
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        return wrong("is not the name of a plugin", "a name has letters, digits, `-` and `_`");
    }
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return wrong("is not the name of a plugin", "a name begins with a letter");
    }
    if name.len() > NAME_BYTES_MAX {
        return wrong("is too long for a name", &format!("a name has at most {NAME_BYTES_MAX} characters"));
    }
    let plain = name.replace('-', "_");
    if TAKEN.contains(&plain.as_str()) {
        return wrong("means something else to Rust or cargo", "choose another name, or add to it");
    }
    if dependencies().any(|dependency| dependency.replace('-', "_") == plain) {
        return wrong("is a crate that the plugin is made with", "choose another name, or add to it");
    }
    if inspect_built_in(&plain).is_some() {
        return wrong(
            "is built in",
            "a configuration that names it without `path` gets the one that is built in: choose another name",
        );
    }
    Ok(())
}

/// The SDK's folder as the manifest names it.
fn find_sdk(folder: &Path) -> Result<PathBuf, Failure> {
    let manifest = folder.join("Cargo.toml");
    let text =
        fs::read_to_string(&manifest).map_err(|error| format!("cannot read `{}`: {error}", manifest.display()))?;
    if !text.lines().any(|line| line == "name = \"amqtt-plugin-sdk\"") {
        return Err(format!("`{}` is not the manifest of amqtt-plugin-sdk", manifest.display()).into());
    }
    Ok(fs::canonicalize(folder)?)
}

/// Makes the folder; one with anything in it is left alone.
fn claim(folder: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| format!("cannot make the folder `{}`: {error}", folder.display());
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(format!(
                "`{}` is there already, and not empty\n  hint: choose another folder with `--path`",
                folder.display()
            )
            .into()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(fs::create_dir_all(folder).map_err(failed)?),
        Err(error) => Err(failed(error).into()),
    }
}

/// Writes a file that is not there.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| format!("cannot write `{}`: {error}", path.display());
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    let mut file = fs::File::create_new(path).map_err(failed)?;
    Ok(file.write_all(text.as_bytes()).map_err(failed)?)
}

/// A name as a type has it.
fn camel_case(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split(['-', '_']).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["a", "geo-fence", "geo_fence2", "A1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let check = |name: &str, expected: &str| {
            let problem = check_name(name).expect_err(name).to_string();
            assert!(problem.contains(expected), "{problem}");
        };
        check("", "begins with a letter");
        check("1st", "begins with a letter");
        check("-a", "begins with a letter");
        check("a b", "letters, digits");
        check("../a", "letters, digits");
        check("ünï", "letters, digits");
        check(&"a".repeat(65), "at most 64");
        check("test", "means something else");
        check("topic-acl", "is built in");
        for name in ["amqtt-plugin-sdk", "amqtt_plugin_sdk", "serde", "log"] {
            check(
                name,
                &format!("`{name}` is a crate that the plugin is made with\n  hint: choose another name, or add to it"),
            );
        }
    }

    #[test]
    fn a_name_becomes_a_type() {
        let check = |name: &str, expected: &str| assert_eq!(camel_case(name), expected);
        check("geo-fence", "GeoFence");
        check("a_b2__c-", "AB2C");
        check("geoFence", "GeoFence");
    }
}
