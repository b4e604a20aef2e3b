use std::path::Path;
use std::time::Instant;

use crate::file_stamp::{FileStamp, Look, Looks};
use crate::hooks::limits::FILE_LOOK_INTERVAL;

/// Tells whether a file has changed, by a number that is another one when two looks in a row have found the same change.
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    number: u64,
    /// When the last look was, and what looks have found.
    looks: Option<(Instant, Looks<FileStamp>)>,
}

impl Stamp {
    /// The number at `now`; looks at the file if the last look is long ago.
    pub(crate) fn number(&mut self, path: &Path, now: Instant) -> u64 {
        match &mut self.looks {
            Some((at, _)) if now.saturating_duration_since(*at) < FILE_LOOK_INTERVAL => {}
            Some((at, looks)) => {
                *at = now;
                if looks.look(FileStamp::of(path)) == Look::Changed {
                    looks.take();
                    self.number += 1;
                }
            }
            None => self.looks = Some((now, Looks::new(FileStamp::of(path)))),
        }
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_changes_with_the_file_when_two_looks_have_found_the_same() {
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
        let write = |text: &'static str| std::fs::write(&path, text).expect("written");
        assert!(!look(&|| {}), "there is no file");
        assert!(!look(&|| write("a")) && !look(&|| write("ab")), "it is being written");
        assert!(look(&|| {}) && !look(&|| {}));
        assert!(!look(&|| std::fs::remove_file(&path).expect("removed")) && look(&|| {}));
    }
}
