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

/// Looks at what may change, and takes a change only when it is over: a file that is still being written says half of what
/// it will say.
#[derive(Debug)]
pub struct Looks<T> {
    /// What was last taken.
    taken: T,
    /// What the last look has found.
    last: T,
}

/// What a look has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// What was taken before.
    Same,
    /// Something else, which may still be changing.
    Changing,
    /// The same something else as the look before.
    Changed,
}

impl<T: Clone + PartialEq> Looks<T> {
    /// What was found first is taken.
    pub fn new(found: T) -> Self {
        Self { taken: found.clone(), last: found }
    }

    /// What the next look has found.
    pub fn look(&mut self, found: T) -> Look {
        let is_quiet = self.last == found;
        self.last = found;
        if self.last == self.taken {
            Look::Same
        } else if is_quiet {
            Look::Changed
        } else {
            Look::Changing
        }
    }

    /// Takes what the last look has found; until then it counts as changed.
    pub fn take(&mut self) {
        self.taken.clone_from(&self.last);
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
    fn a_change_is_one_when_two_looks_agree_and_until_it_is_taken() {
        use Look::{Changed, Changing, Same};
        let mut looks = Looks::new(1);
        assert_eq!([1, 2, 3, 1].map(|found| looks.look(found)), [Same, Changing, Changing, Same]);
        assert_eq!([2, 2, 2].map(|found| looks.look(found)), [Changing, Changed, Changed]);
        looks.take();
        assert_eq!([2, 1, 1].map(|found| looks.look(found)), [Same, Changing, Changed]);
    }

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
