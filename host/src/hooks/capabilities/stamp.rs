use std::path::Path;
use std::time::Instant;

use crate::file_stamp::FileStamp;
use crate::hooks::limits::FILE_LOOK_INTERVAL;

/// Tells whether a file has changed, by a number that is another one then.
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    number: u64,
    /// When the last look was, and what it found.
    last: Option<(Instant, FileStamp)>,
}

impl Stamp {
    /// The number at `now`; looks at the file if the last look is long ago.
    pub(crate) fn number(&mut self, path: &Path, now: Instant) -> u64 {
        if self.last.is_some_and(|(at, _)| now.saturating_duration_since(at) < FILE_LOOK_INTERVAL) {
            return self.number;
        }
        let found = FileStamp::of(path);
        if self.last.is_some_and(|(_, last)| last != found) {
            self.number += 1;
        }
        self.last = Some((now, found));
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_changes_with_the_file_at_the_next_look() {
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
        assert!(!look(&|| {}), "there is no file");
        assert!(look(&|| std::fs::write(&path, "a").expect("written")));
        assert!(!look(&|| {}));
        assert!(look(&|| std::fs::remove_file(&path).expect("removed")));
    }
}
