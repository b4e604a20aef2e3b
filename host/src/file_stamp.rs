//! Telling whether a file has changed.

use std::fs::{self, Metadata};
use std::path::Path;

/// By what a file that was written, replaced or removed is told from what it was before.
///
/// A change that leaves length and times as they were, within the resolution of the file system's clock, is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp(Option<Found>);

impl FileStamp {
    /// Looks at a file, which may take as long as the file system does. A link is followed: where configurations are
    /// mounted, it is what is exchanged.
    pub fn of(path: &Path) -> Self {
        Self(fs::metadata(path).ok().map(|metadata| Found::new(&metadata)))
    }

    /// Whether there was a file.
    pub fn exists(&self) -> bool {
        self.0.is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg(unix)]
struct Found {
    device: u64,
    inode: u64,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[cfg(unix)]
impl Found {
    fn new(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg(not(unix))]
struct Found {
    len: u64,
    modified: Option<std::time::SystemTime>,
}

#[cfg(not(unix))]
impl Found {
    fn new(metadata: &Metadata) -> Self {
        Self { len: metadata.len(), modified: metadata.modified().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_file_shows_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let look = |change: &dyn Fn()| {
            let before = FileStamp::of(&path);
            change();
            FileStamp::of(&path) != before
        };
        let write = |text: &str| fs::write(&path, text).expect("written");
        assert!(!look(&|| {}) && !FileStamp::of(&path).exists(), "there is no file");
        assert!(look(&|| write("a")) && FileStamp::of(&path).exists());
        assert!(!look(&|| {}));
        assert!(look(&|| write("ab")));
        let replace = || {
            fs::write(path.with_extension("new"), "xy").expect("written");
            fs::rename(path.with_extension("new"), &path).expect("renamed");
        };
        assert!(look(&replace), "another file of the same length");
        assert!(look(&|| fs::remove_file(&path).expect("removed")));
    }
}
