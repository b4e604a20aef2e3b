use std::fs::{self, Metadata};
use std::path::Path;
use std::time::Instant;

use crate::hooks::limits::FILE_LOOK_INTERVAL;

/// Tells whether a file has changed, by a number that is another one then.
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    number: u64,
    last: Option<Look>,
}

/// What a look at a file has found.
#[derive(Debug)]
struct Look {
    at: Instant,
    /// None where there is no file.
    found: Option<Found>,
}

impl Stamp {
    /// The number at `now`; looks at the file if the last look is long ago.
    pub(crate) fn number(&mut self, path: &Path, now: Instant) -> u64 {
        let recent = |look: &Look| now.saturating_duration_since(look.at) < FILE_LOOK_INTERVAL;
        if self.last.as_ref().is_some_and(recent) {
            return self.number;
        }
        // A link is followed: where configurations are mounted, it is what is exchanged.
        let found = fs::metadata(path).ok().map(|metadata| Found::new(&metadata));
        if self.last.as_ref().is_some_and(|last| last.found != found) {
            self.number += 1;
        }
        self.last = Some(Look { at: now, found });
        self.number
    }
}

/// What is another one for a file that was written or replaced.
#[derive(Debug, PartialEq, Eq)]
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

#[derive(Debug, PartialEq, Eq)]
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
    fn the_number_changes_with_the_file_and_only_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let (mut stamp, mut now) = (Stamp::default(), Instant::now());
        let mut look = |change: &dyn Fn()| {
            let before = stamp.number(&path, now);
            change();
            assert_eq!(stamp.number(&path, now), before, "it is not looked at again at once");
            now += FILE_LOOK_INTERVAL;
            stamp.number(&path, now) != before
        };
        let write = |text: &str| fs::write(&path, text).expect("written");
        assert!(!look(&|| {}), "there is no file");
        assert!(look(&|| write("a")), "made");
        assert!(!look(&|| {}));
        assert!(look(&|| write("ab")), "written");
        assert!(look(&|| {
            fs::write(path.with_extension("new"), "xy").expect("written");
            fs::rename(path.with_extension("new"), &path).expect("renamed");
        }));
        assert!(look(&|| fs::remove_file(&path).expect("removed")), "deleted");
        assert!(!look(&|| {}));
    }
}
