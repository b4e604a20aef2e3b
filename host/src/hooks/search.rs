//! Where a plugin's name leads: into the binary, else to a file in a folder.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::capabilities::escape;
use super::limits::PLUGIN_DIR_ENTRIES_MAX;

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A plugin that is part of the binary, by its place in the list.
    Embedded(usize),
    /// A file.
    File(PathBuf),
}

/// Finds the plugin `name`. A plugin that is part of the binary cannot be shadowed by a file in a folder.
pub(crate) fn find(name: &str, embedded: &[&str], folders: &[PathBuf]) -> Result<Found, NotFound> {
    let name = normal(name);
    if let Some(place) = embedded.iter().position(|embedded| *embedded == name) {
        return Ok(Found::Embedded(place));
    }
    let mut searched = Vec::new();
    for folder in folders {
        let files = list(folder);
        if let Ok(files) = &files {
            let mut matching = files.iter().filter(|(found, _)| *found == name);
            if let Some((_, file)) = matching.next() {
                return match matching.next() {
                    None => Ok(Found::File(file.clone())),
                    Some((_, other)) => Err(NotFound { name, reason: Reason::Ambiguous(file.clone(), other.clone()) }),
                };
            }
        }
        let names = files.map(|files| files.into_iter().map(|(name, _)| name).collect());
        searched.push((folder.clone(), names));
    }
    let embedded = embedded.iter().map(|&name| name.to_owned()).collect();
    Err(NotFound { name, reason: Reason::Nowhere { embedded, searched } })
}

/// A file of the name of a plugin that is part of the binary, which the search does not come to.
pub(crate) fn shadowed(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let name = normal(name);
    let files = folders.iter().filter_map(|folder| list(folder).ok()).flatten();
    files.into_iter().find_map(|(found, file)| (found == name).then_some(file))
}

/// Dashes and underscores are the same in a name.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// The names of the plugins in a folder, sorted, with their files.
fn list(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)?.take(PLUGIN_DIR_ENTRIES_MAX) {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm")
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
        {
            files.push((normal(stem), path));
        }
    }
    files.sort();
    Ok(files)
}

/// Why a name leads nowhere.
#[derive(Debug)]
pub struct NotFound {
    name: String,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Ambiguous(PathBuf, PathBuf),
    Nowhere { embedded: Vec<String>, searched: Vec<(PathBuf, io::Result<Vec<String>>)> },
}

impl std::error::Error for NotFound {}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.reason {
            Reason::Ambiguous(one, other) => write!(
                f,
                "plugin \"{name}\" is there twice: `{}` and `{}`\nhint: remove one, or name the file with `path:`",
                one.display(),
                other.display()
            ),
            Reason::Nowhere { embedded, searched } => {
                write!(f, "plugin \"{name}\" not found: built in are {}", embedded.join(", "))?;
                if searched.is_empty() {
                    f.write_str("; no folder was searched")?;
                }
                for (folder, names) in searched {
                    write!(f, "; looked in `{}` (", escape(&folder.display().to_string()))?;
                    match names {
                        Ok(names) if names.is_empty() => f.write_str("no plugins there")?,
                        Ok(names) => write!(f, "found {}", names.join(", "))?,
                        Err(error) if error.kind() == io::ErrorKind::NotFound => f.write_str("no such folder")?,
                        Err(error) => write!(f, "{error}")?,
                    }
                    f.write_char(')')?;
                }
                let in_folders = searched.iter().filter_map(|(_, names)| names.as_ref().ok()).flatten();
                if let Some(nearest) = nearest(name, embedded.iter().chain(in_folders)) {
                    return write!(f, "\nhint: did you mean \"{nearest}\"?");
                }
                // A broker that runs cannot be given another folder.
                match searched.iter().rfind(|(_, names)| names.is_ok()) {
                    Some((folder, _)) => write!(
                        f,
                        "\nhint: put the file `{name}.wasm` into `{}`, or name another folder: --plugin-dir DIR",
                        escape(&folder.display().to_string())
                    ),
                    None => write!(f, "\nhint: put the file `{name}.wasm` into a plugin folder: --plugin-dir DIR"),
                }
            }
        }
    }
}

/// The name that differs by a slip or two.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let distance = |other: &String| strsim::damerau_levenshtein(name, other);
    names.min_by_key(|other| distance(other)).filter(|other| distance(other) <= 1 + name.len() / 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMBEDDED: [&str; 2] = ["auth_file", "topic_acl"];

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            fs::write(folder.path().join(file), "").expect("a file");
        }
        folder
    }

    #[test]
    fn embedded_plugins_cannot_be_shadowed() {
        let folder = folder(&["auth_file.wasm"]);
        let folders = [folder.path().to_owned()];
        assert_eq!(find("auth_file", &EMBEDDED, &folders).expect("found"), Found::Embedded(0));
        assert_eq!(find("topic-acl", &EMBEDDED, &folders).expect("found"), Found::Embedded(1));
        assert_eq!(shadowed("auth-file", &folders), Some(folder.path().join("auth_file.wasm")));
        assert_eq!(shadowed("topic_acl", &folders), None);
    }

    #[test]
    fn folders_are_searched_in_order_and_dashes_are_underscores() {
        let (first, second) = (folder(&["my-plugin.wasm", "x.txt"]), folder(&["my_plugin.wasm", "x.wasm"]));
        let folders = [first.path().to_owned(), "/nonexistent".into(), second.path().to_owned()];
        let check = |name: &str, expected: PathBuf| {
            assert_eq!(find(name, &EMBEDDED, &folders).expect(name), Found::File(expected));
        };
        check("my_plugin", first.path().join("my-plugin.wasm"));
        check("my-plugin", first.path().join("my-plugin.wasm"));
        check("x", second.path().join("x.wasm"));
        for name in ["../x", "x.wasm", "", "/etc/passwd"] {
            assert!(find(name, &EMBEDDED, &folders).is_err(), "{name}");
        }
    }

    #[test]
    fn two_spellings_in_one_folder_are_an_error() {
        let folder = folder(&["a-b.wasm", "a_b.wasm"]);
        let error = find("a_b", &EMBEDDED, &[folder.path().to_owned()]).expect_err("ambiguous").to_string();
        assert!(error.starts_with("plugin \"a_b\" is there twice: "), "{error}");
    }

    #[test]
    fn an_unknown_name_is_answered_with_what_there_is() {
        let folder = folder(&["geo-fence.wasm"]);
        let path = folder.path().to_owned();
        let shown = path.display().to_string();
        let folders = [path, "/nonexistent".into()];
        let check = |name: &str, hint: &str| {
            let error = find(name, &EMBEDDED, &folders).expect_err(name).to_string();
            let expected = format!(
                "plugin \"{name}\" not found: built in are auth_file, topic_acl; looked in `{shown}` (found geo_fence); \
                 looked in `/nonexistent` (no such folder)\nhint: {hint}"
            );
            assert_eq!(error, expected);
        };
        check("topic_acll", "did you mean \"topic_acl\"?");
        check("goe_fence", "did you mean \"geo_fence\"?");
        check("quota", &format!("put the file `quota.wasm` into `{shown}`, or name another folder: --plugin-dir DIR"));
        let error = find("quota", &EMBEDDED, &["/nonexistent".into()]).expect_err("is nowhere").to_string();
        assert!(error.ends_with("\nhint: put the file `quota.wasm` into a plugin folder: --plugin-dir DIR"), "{error}");
    }
}
