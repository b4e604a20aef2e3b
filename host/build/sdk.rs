//! Makes the sources of the SDK part of the command: `amqtt plugin new` writes them into the projects that it makes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Rust code of a list of the SDK's files, by their paths.
///
/// # Errors
///
/// The text says what cannot be read, or what of the manifest is in a form that this does not know.
pub(crate) fn embed(workspace: &Path) -> Result<String, String> {
    let sdk = workspace.join("plugin-sdk");
    let manifest = standalone(&read(&sdk.join("Cargo.toml"))?, &read(&workspace.join("Cargo.toml"))?)?;
    let mut code = format!("static SDK: &[(&str, &str)] = &[\n    (\"Cargo.toml\", {manifest:?}),\n");
    let mut files = vec!["LICENSE".to_owned(), "README.md".to_owned()];
    for folder in ["src", "wit"] {
        files.extend(files_in(&sdk.join(folder))?.into_iter().map(|file| format!("{folder}/{file}")));
    }
    for file in files {
        // Writing to a string does not fail.
        let _ = writeln!(code, "    ({file:?}, include_str!({:?})),", sdk.join(&file));
    }
    code.push_str("];\n");
    Ok(code)
}

fn files_in(folder: &Path) -> Result<Vec<String>, String> {
    let entries =
        fs::read_dir(folder).map_err(|err| format!("cannot read the folder `{}`: {err}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|err| format!("cannot read `{}`: {err}", path.display()))
}

/// A manifest of the workspace with what it inherits written out, so that it stands alone.
fn standalone(manifest: &str, workspace: &str) -> Result<String, String> {
    let (mut section, mut lines) = ("", Vec::new());
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let table = if section == "[package]" { "[workspace.package]" } else { "[workspace.dependencies]" };
        if section == "[lints]" {
            continue;
        } else if let Some(key) = line.strip_suffix(".workspace = true") {
            lines.push(inherited(workspace, table, key)?.to_owned());
        } else if let Some((key, rest)) = line.split_once(" = { workspace = true, ") {
            let definition = inherited(workspace, table, key)?;
            let open = definition.strip_suffix(" }").filter(|open| !open.contains(" features = "));
            let open = open.ok_or_else(|| format!("Cargo.toml: `{definition}` cannot be added to"))?;
            lines.push(format!("{open}, {rest}"));
        } else if line.contains("workspace") {
            return Err(format!("plugin-sdk/Cargo.toml: `{line}` is inherited in a form that is not known"));
        } else {
            lines.push(line.to_owned());
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// The line that defines a key in a table of the workspace's manifest.
fn inherited<'a>(workspace: &'a str, table: &str, key: &str) -> Result<&'a str, String> {
    let mut lines =
        workspace.lines().skip_while(|line| *line != table).skip(1).take_while(|line| !line.starts_with('['));
    let definition = lines.find(|line| line.split_once(" = ").is_some_and(|(name, _)| name == key));
    definition.ok_or_else(|| format!("Cargo.toml: `{key}` is not in `{table}`"))
}
