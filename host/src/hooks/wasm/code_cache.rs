//! Compiled code of plugins in a folder, so that a start does not compile again.
//!
//! Whoever can write compiled code can make the broker do anything: only files are taken that this very user has
//! written, from a folder that nobody else can write to. A folder or a file that is not so is left alone, with a word in
//! the log, and the plugin is compiled.
//!
//! The folder is opened once and looked at as what was opened; files are found in it by that, whatever its path leads to
//! meanwhile, and never by way of a link. A file begins with a sum over its code and the plugin that it was made of: one that is
//! damaged, or has got another's name, is not run. The sum does not keep out who can write as this user, who needs no plugin
//! for that.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::{check_kind, compile, load_compiled};
use super::inspect::hex;
use super::unusable::Unusable;

#[cfg(unix)]
use folder::Folder;
#[cfg(not(unix))]
use no_folder::Folder;

/// How the names of files with compiled code end.
const ENDING: &str = ".cwasm";

/// What a file begins with, before its sum. Another layout has another one.
const MAGIC: &[u8; 16] = b"amqtt code 1\n\0\0\0";

/// Bytes of the sum.
const SUM_BYTES: usize = 32;

pub(super) struct CodeCache<'a> {
    pub(super) folder: &'a Path,
    pub(super) engine: &'a Engine,
}

impl CodeCache<'_> {
    /// The component of these bytes, whose SHA-256 this is: from the folder, else compiled and put there.
    pub(super) fn component(&self, digest: &[u8; 32], bytes: &[u8]) -> Result<Component, Unusable> {
        check_kind(bytes)?;
        let folder = match Folder::open(self.folder) {
            Ok(folder) => folder,
            Err(error) => {
                tracing::warn!("`plugin-cache` is not used: `{}`: {error}", self.folder.display());
                return compile(self.engine, bytes).map(|(component, _)| component);
            }
        };
        let name = self.file_name(digest);
        let shown = self.folder.join(&name);
        let kept = folder
            .read(&name)
            .and_then(|file| load_compiled(self.engine, code_of(&file, digest)?).map_err(io::Error::other));
        match kept {
            Ok(component) => return Ok(component),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!("compiling a plugin, as `{}` is not used: {error}", shown.display()),
        }
        let (component, code) = compile(self.engine, bytes)?;
        let written = folder.write(&name, &[MAGIC, &sum(&code, digest), &code]);
        // What is left over may be what there was no room for.
        let deleted = folder.delete_old();
        if let Err(error) = written.and(deleted) {
            tracing::warn!("compiled code is not kept in `plugin-cache`: `{}`: {error}", shown.display());
        }
        Ok(component)
    }

    /// Code for another compiler or CPU has another name.
    fn file_name(&self, digest: &[u8; 32]) -> String {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut settings = DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut settings);
        format!("{}-{:016x}{ENDING}", hex(digest), settings.finish())
    }
}

/// Over the code, and what it was made of.
fn sum(code: &[u8], digest: &[u8; 32]) -> [u8; SUM_BYTES] {
    Sha256::new_with_prefix(digest).chain_update(code).finalize().into()
}

/// The code in a file, if it is whole and of this plugin.
fn code_of<'a>(file: &'a [u8], digest: &[u8; 32]) -> io::Result<&'a [u8]> {
    let parts = file.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk::<SUM_BYTES>());
    match parts {
        Some((found, code)) if *found == sum(code, digest) => Ok(code),
        Some(_) => Err(io::Error::other("it is damaged, or was made of another plugin")),
        None => Err(io::Error::other("it is none of ours, or of another version of the broker")),
    }
}

#[cfg(unix)]
mod folder {
    use std::fs::{DirBuilder, File};
    use std::io::{self, Read, Write};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    use std::path::Path;
    use std::time::{SystemTime, UNIX_EPOCH};

    use rustix::fs::{AtFlags, Dir, Mode, OFlags, open, openat, renameat, statat, unlinkat};

    use super::ENDING;
    use crate::hooks::limits::{CODE_CACHE_FILES_MAX, CODE_CACHE_UNFINISHED_MAX, COMPILED_BYTES_MAX};

    /// How the names of files end that are being written.
    const UNFINISHED: &str = ".new";

    /// A folder that nobody else can write to.
    pub(super) struct Folder(File);

    impl Folder {
        /// Makes it if it is missing.
        pub(super) fn open(path: &Path) -> io::Result<Self> {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = File::from(open(path, flags, Mode::empty())?);
            check_owner(&folder)?;
            Ok(Self(folder))
        }

        pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
            // A pipe would wait for somebody to write.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = File::from(openat(&self.0, name, flags, Mode::empty())?);
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is not a file"));
            }
            check_owner(&file)?;
            let mut content = Vec::new();
            file.take(COMPILED_BYTES_MAX).read_to_end(&mut content)?;
            Ok(content)
        }

        /// Puts a file there at one moment, in place of one of its name.
        pub(super) fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
            // Not by the number of this process: in a container it is the same at each start, as is that of one that has
            // left such a file behind.
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
            let unfinished = format!("{name}.{:016x}{UNFINISHED}", u64::from_ne_bytes(random));
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(openat(&self.0, &*unfinished, flags, Mode::RUSR | Mode::WUSR)?);
            let written = parts.iter().try_for_each(|part| file.write_all(part));
            let written = written.and_then(|()| Ok(renameat(&self.0, &*unfinished, &self.0, name)?));
            if written.is_err() {
                // It may have got its name in the end.
                let _ = unlinkat(&self.0, &*unfinished, AtFlags::empty());
            }
            written
        }

        /// Deletes what there is too much of, and what a broker has left unfinished.
        pub(super) fn delete_old(&self) -> io::Result<()> {
            let mut by_age = Vec::new();
            for entry in Dir::read_from(&self.0)? {
                let name = entry?.file_name().to_owned();
                let is = |ending: &str| name.to_bytes().ends_with(ending.as_bytes());
                // It may be gone.
                let Ok(stat) = statat(&self.0, &*name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
                let written = (stat.st_mtime, stat.st_mtime_nsec);
                if is(ENDING) {
                    by_age.push((written, name));
                } else if is(UNFINISHED) && stat.st_mtime < now_secs() - CODE_CACHE_UNFINISHED_MAX.as_secs() as i64 {
                    unlinkat(&self.0, &*name, AtFlags::empty())?;
                }
            }
            by_age.sort();
            let too_many = by_age.len().saturating_sub(CODE_CACHE_FILES_MAX);
            by_age.iter().take(too_many).try_for_each(|(_, name)| Ok(unlinkat(&self.0, &**name, AtFlags::empty())?))
        }
    }

    fn now_secs() -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    /// Of what was opened: what a name leads to may change meanwhile.
    fn check_owner(file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it belongs to another user"));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(io::Error::other("others can write to it; hint: `chmod go-w`"));
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod no_folder {
    use std::io;
    use std::path::Path;

    /// There is none.
    pub(super) enum Folder {}

    impl Folder {
        pub(super) fn open(_: &Path) -> io::Result<Self> {
            Err(io::Error::other("who can write to a folder is known on Unix only"))
        }

        pub(super) fn read(&self, _: &str) -> io::Result<Vec<u8>> {
            match *self {}
        }

        pub(super) fn write(&self, _: &str, _: &[&[u8]]) -> io::Result<()> {
            match *self {}
        }

        pub(super) fn delete_old(&self) -> io::Result<()> {
            match *self {}
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
