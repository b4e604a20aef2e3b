use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use amqtt::regular_file;

use super::file::PasswordFile;
use super::replace::{OWNER_ONLY, folder_of, replace};

/// How often it is tried to have the file for oneself, and the time between: ten seconds in all.
const ATTEMPTS: u32 = 500;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// A password file that nobody else changes meanwhile.
pub(super) struct Locked {
    path: PathBuf,
    file: File,
    /// Whether it is to go again unless it gets a content.
    is_new: bool,
}

impl Locked {
    /// Waits for whoever changes the file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, |path| Ok((open_to_lock(path)?, false)))
    }

    /// The same; makes the file if it is missing.
    pub(super) fn open_or_make(path: &Path) -> io::Result<Self> {
        Self::open_with(path, |path| match open_to_lock(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create_new(true).mode(OWNER_ONLY);
                Ok((options.open(path)?, true))
            }
            opened => Ok((opened?, false)),
        })
    }

    fn open_with(path: &Path, open: impl Fn(&Path) -> io::Result<(File, bool)>) -> io::Result<Self> {
        let path = followed(path)?;
        for _ in 0..ATTEMPTS {
            match open(&path) {
                Ok((file, is_new)) => match file.try_lock() {
                    // Whoever had it may have put another one in its place.
                    Ok(()) if regular_file::is_at(&file, &path).unwrap_or(false) => {
                        return Ok(Self { path, file, is_new });
                    }
                    Ok(()) => continue,
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(error)) => return Err(error),
                },
                // Somebody else has just made it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            thread::sleep(BETWEEN_ATTEMPTS);
        }
        Err(io::Error::new(ErrorKind::WouldBlock, "another process has it locked to change it"))
    }

    pub(super) fn read(&self) -> io::Result<PasswordFile> {
        PasswordFile::read_from(&self.file)
    }

    /// Gives it new content.
    pub(super) fn replace(mut self, content: &[u8]) -> io::Result<()> {
        // Whatever becomes of it from here on, it may have its content by then.
        let was_new = std::mem::take(&mut self.is_new);
        replace(&self.path, &self.file, content).inspect_err(|_| {
            self.is_new = was_new && fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == 0);
        })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if self.is_new {
            // It is empty and nobody has asked for that.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// To be read, and to be written if possible: a network file system locks for one alone only what may be written.
fn open_to_lock(path: &Path) -> io::Result<File> {
    match regular_file::open_as(OpenOptions::new().read(true).write(true), path) {
        // Its folder is what has to be written to.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            regular_file::open(path)
        }
        opened => opened,
    }
}

/// What a path leads to: a link stays one, also where there is nothing yet at its end.
fn followed(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => followed(&folder_of(path).join(target)),
            Err(_) => Ok(path.to_owned()),
        },
        path => path,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let (path, link) = (folder.path().join("passwords"), folder.path().join("link"));
        symlink("passwords", &link).expect("can link");
        for content in ["made", "replaced"] {
            Locked::open_or_make(&link).expect("can be had").replace(content.as_bytes()).expect("is replaced");
            assert!(fs::symlink_metadata(&link).expect("is there").is_symlink());
            assert_eq!(fs::read_to_string(&path).expect("text"), content);
        }
    }

    /// NFS has locks of one process alone only on files that are open to be written.
    #[test]
    fn what_is_locked_is_open_to_be_written_where_that_is_allowed() {
        use rustix::fs::{OFlags, fcntl_getfl};
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("passwords");
        fs::write(&path, "").expect("can write");
        for open in [Locked::open, Locked::open_or_make] {
            let locked = open(&path).expect("can be had");
            assert!(fcntl_getfl(&locked.file).expect("is open").contains(OFlags::RDWR));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("is ours");
        Locked::open(&path).expect("can be had").replace(b"new").expect("is replaced");
        assert_eq!(fs::read_to_string(&path).expect("text"), "new");
    }

    #[test]
    fn what_is_not_written_leaves_nothing_behind() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        drop(Locked::open_or_make(&folder.path().join("passwords")).expect("can be had"));
        assert!(Locked::open_or_make(folder.path()).is_err());
        assert!(Locked::open_or_make(&folder.path().join("missing/passwords")).is_err());
        assert!(Locked::open(&folder.path().join("passwords")).is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn what_others_wrote_meanwhile_stays() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("passwords");
        thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let locked = Locked::open_or_make(path).expect("can be had");
                    let mut users = locked.read().expect("can be read");
                    users.set(&format!("user{number}"), "hash");
                    locked.replace(&users.bytes()).expect("is replaced");
                });
            }
        });
        assert_eq!(fs::read_to_string(&path).expect("text").lines().count(), 8);
    }
}
