//! Compiled code of plugins in a folder, so that a start does not compile again.
//!
//! Whoever can write compiled code can make the broker do anything: only files are taken that this very user has
//! written, from a folder that nobody else can write to. A folder or a file that is not so is left alone, with a word in
//! the log, and the plugin is compiled.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::{check_kind, compile, load_compiled};
use super::inspect::hex;
use super::unusable::Unusable;
use crate::hooks::limits::{CODE_CACHE_FILES_MAX, COMPILED_BYTES_MAX};

/// How the names of files with compiled code end.
const ENDING: &str = "cwasm";

pub(super) struct CodeCache<'a> {
    pub(super) folder: &'a Path,
    pub(super) engine: &'a Engine,
}

impl CodeCache<'_> {
    /// The component of these bytes, whose SHA-256 this is: from the folder, else compiled and put there.
    pub(super) fn component(&self, digest: &[u8; 32], bytes: &[u8]) -> Result<Component, Unusable> {
        check_kind(bytes)?;
        let file = self.file(digest);
        if let Err(error) = private_folder(self.folder) {
            tracing::warn!("`plugin-cache` is not used: `{}`: {error}", self.folder.display());
            return compile(self.engine, bytes);
        }
        match read(&file).and_then(|code| load_compiled(self.engine, &code).map_err(io::Error::other)) {
            Ok(component) => return Ok(component),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!("compiling a plugin, as `{}` is not used: {error}", file.display()),
        }
        let component = compile(self.engine, bytes)?;
        if let Err(error) = self.keep(&file, &component) {
            tracing::warn!("compiled code is not kept in `plugin-cache`: `{}`: {error}", file.display());
        }
        Ok(component)
    }

    /// Code for another compiler or CPU has another name.
    fn file(&self, digest: &[u8; 32]) -> PathBuf {
        let mut settings = DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut settings);
        self.folder.join(format!("{}-{:016x}.{ENDING}", hex(digest), settings.finish()))
    }

    fn keep(&self, file: &Path, component: &Component) -> io::Result<()> {
        let code = component.serialize().map_err(io::Error::other)?;
        let unfinished = file.with_extension(format!("{}.new", std::process::id()));
        let written = private_file(&unfinished)
            .and_then(|mut file| file.write_all(&code))
            .and_then(|()| fs::rename(&unfinished, file));
        if written.is_err() {
            // It may not even be there.
            let _ = fs::remove_file(&unfinished);
        }
        written.and_then(|()| self.delete_old())
    }

    fn delete_old(&self) -> io::Result<()> {
        let entries = fs::read_dir(self.folder)?.filter_map(Result::ok).map(|entry| entry.path());
        let compiled = entries.filter(|path| path.extension().is_some_and(|extension| extension == ENDING));
        let written = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let mut by_age: Vec<_> = compiled.map(|path| (written(&path), path)).collect();
        by_age.sort();
        let too_many = by_age.len().saturating_sub(CODE_CACHE_FILES_MAX);
        by_age.iter().take(too_many).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    // Of what was opened: what the name leads to may change meanwhile.
    check_owner(&file.metadata()?)?;
    let mut code = Vec::new();
    file.take(COMPILED_BYTES_MAX).read_to_end(&mut code)?;
    Ok(code)
}

/// Makes the folder if it is missing.
#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    check_owner(&fs::metadata(folder)?)
}

#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(unix)]
fn check_owner(metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other("others can write to it; hint: `chmod go-w`"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private_folder(_: &Path) -> io::Result<()> {
    Err(io::Error::other("who can write to a folder is known on Unix only"))
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> io::Result<File> {
    File::create(path)
}

#[cfg(not(unix))]
fn check_owner(_: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::hooks::wasm::engine_config::base_config;

    /// A component that nothing is in, and one that has a name beside it.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
    const OTHER: &[u8] = b"\0asm\x0d\0\x01\0\0\x02\x01a";

    fn ask(folder: &Path, bytes: &[u8]) {
        let engine = Engine::new(&base_config()).expect("an engine");
        let cache = CodeCache { folder, engine: &engine };
        assert!(cache.component(&Sha256::digest(bytes).into(), bytes).is_ok());
    }

    /// The files of a folder, with their content.
    fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).expect("a file"))).collect();
        files.sort();
        files
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    }

    #[test]
    fn code_is_kept_by_what_it_was_made_of_for_nobody_else_to_write() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("made/by/it");
        ask(&folder, EMPTY);
        ask(&folder, OTHER);
        let kept = content(&folder);
        assert_eq!(kept.len(), 2);
        for path in kept.iter().map(|(path, _)| path.as_path()).chain([folder.as_path()]) {
            let mode = fs::metadata(path).expect("is there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
        let times =
            || content(&folder).into_iter().map(|(path, _)| fs::metadata(path).and_then(|it| it.modified()).ok());
        let before: Vec<_> = times().collect();
        ask(&folder, EMPTY);
        assert_eq!(times().collect::<Vec<_>>(), before, "nothing was compiled again");
    }

    /// Code of another plugin under this one's name shows what is taken.
    #[test]
    fn what_others_can_write_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        ask(folder, EMPTY);
        let (file, whole) = content(folder).remove(0);
        let is_taken = |folder_mode, file_mode| {
            fs::write(&file, b"not code").expect("can write");
            set_mode(&file, file_mode);
            set_mode(folder, folder_mode);
            ask(folder, EMPTY);
            // What is looked at and is no code is replaced; what may not be looked at stays where the folder is not used.
            content(folder)[0].1 == whole
        };
        assert!(is_taken(0o700, 0o600));
        assert!(!is_taken(0o777, 0o600) && !is_taken(0o720, 0o600), "the folder");
        set_mode(folder, 0o700);
        set_mode(&file, 0o622);
        fs::write(&file, &whole).expect("can write");
        assert!(read(&file).is_err_and(|error| error.to_string().contains("others can write")));
    }

    #[test]
    fn old_code_is_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..CODE_CACHE_FILES_MAX + 5 {
            fs::write(folder.path().join(format!("{number}.{ENDING}")), "").expect("can write");
        }
        fs::write(folder.path().join("something else"), "").expect("can write");
        ask(folder.path(), EMPTY);
        assert_eq!(content(folder.path()).len(), CODE_CACHE_FILES_MAX + 1);
        ask(folder.path(), EMPTY);
        assert!(content(folder.path()).iter().any(|(_, code)| !code.is_empty()), "the newest is kept");
    }
}
