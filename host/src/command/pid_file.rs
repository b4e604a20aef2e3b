//! The file that tells the number of a broker's process. Whoever has it locked is that broker.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use amqtt::regular_file;

/// Bytes of the longest number, with a line break.
const BYTES_MAX: u64 = 16;

/// How often it is tried to have the file, and the time between: whoever looks whether its broker runs has it for a moment.
const ATTEMPTS: u32 = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// Why a file is not what it is to be.
#[derive(Debug, thiserror::Error)]
pub(super) enum PidFileError {
    #[error("cannot use `{}`: {source}", path.display())]
    System { path: PathBuf, source: io::Error },
    #[error("cannot use `{path}`: {source}\nhint: is the broker running with `--pid-file {path}`?", path = path.display())]
    Missing { path: PathBuf, source: io::Error },
    #[error("`{}` holds something else than the number of a process: it is left as it is", .0.display())]
    OtherContent(PathBuf),
    #[error("another broker has `{}`{}", path.display(), process(pid))]
    InUse { path: PathBuf, pid: String },
    #[error("the broker of `{}` is not running", .0.display())]
    NotRunning(PathBuf),
    #[error("the broker of `{}` has not started yet", .0.display())]
    NotStarted(PathBuf),
}

/// Says which one it is; it may not have written that yet.
fn process(pid: &str) -> String {
    if pid.is_empty() { String::new() } else { format!(": process {pid}") }
}

/// A place for the number of this process.
pub(super) struct Claim {
    path: PathBuf,
    /// An old file, which nobody else can take from now on; none where there is none.
    old: Option<File>,
}

impl Claim {
    /// Looks whether the file may be had, and changes nothing that somebody may have written there.
    pub(super) fn new(path: PathBuf) -> Result<Self, PidFileError> {
        match regular_file::open_as(OpenOptions::new().read(true).write(true), &path) {
            Ok(file) => {
                lock(&file, &path)?;
                // What it says is of a broker that has ended: nobody should believe it meanwhile.
                file.set_len(0).map_err(of_system(&path))?;
                Ok(Self { path, old: Some(file) })
            }
            // Only the file itself is missing, and can be made.
            Err(error) if error.kind() == ErrorKind::NotFound && folder(&path).is_dir() => Ok(Self { path, old: None }),
            Err(source) => Err(PidFileError::System { path, source }),
        }
    }

    /// Writes the number: from now on the process may be sent signals.
    pub(super) fn write(self) -> Result<PidFile, PidFileError> {
        let Self { path, old } = self;
        // Somebody may have removed the old one.
        let mut file = match old.filter(|file| is_at(file, &path)) {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                let file = options.read(true).write(true).create(true).truncate(false);
                let file = regular_file::open_as(file, &path).map_err(of_system(&path))?;
                lock(&file, &path)?;
                file.set_len(0).map_err(of_system(&path))?;
                file
            }
        };
        file.write_all(content().as_bytes()).map_err(of_system(&path))?;
        Ok(PidFile { path, _locked: file })
    }
}

/// The file with the number of this process; removed when dropped.
pub(super) struct PidFile {
    path: PathBuf,
    _locked: File,
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else may have removed it, or put another one in its place.
        if regular_file::read(&self.path, BYTES_MAX).is_ok_and(|found| found == content().as_bytes()) {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// The number of the broker that has this file.
pub(super) fn read(path: &Path) -> Result<i32, PidFileError> {
    let file = regular_file::open(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => PidFileError::Missing { path: path.to_owned(), source },
        _ => of_system(path)(source),
    })?;
    match file.try_lock_shared() {
        Ok(()) => return Err(PidFileError::NotRunning(path.to_owned())),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(of_system(path)(error)),
    }
    match number_in(&file, path)?.as_str() {
        "" => Err(PidFileError::NotStarted(path.to_owned())),
        number => number.parse().map_err(|_| PidFileError::OtherContent(path.to_owned())),
    }
}

/// Makes a file ours that holds a number or nothing.
fn lock(file: &File, path: &Path) -> Result<(), PidFileError> {
    let pid = number_in(file, path)?;
    let mut locked = file.try_lock();
    for _ in 1..ATTEMPTS {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        thread::sleep(BETWEEN_ATTEMPTS);
        locked = file.try_lock();
    }
    match locked {
        Ok(()) if is_at(file, path) => Ok(()),
        // Its broker was just about to end.
        Ok(()) => Err(of_system(path)(io::Error::other("it was removed meanwhile"))),
        Err(TryLockError::WouldBlock) => Err(PidFileError::InUse { path: path.to_owned(), pid }),
        Err(TryLockError::Error(error)) => Err(of_system(path)(error)),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    fs::canonicalize(path).and_then(|path| regular_file::is_at(file, &path)).unwrap_or(false)
}

/// The digits in a file; none in one that is empty.
fn number_in(mut file: &File, path: &Path) -> Result<String, PidFileError> {
    let content = match regular_file::read_from(file, BYTES_MAX) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => None,
        content => String::from_utf8(content.map_err(of_system(path))?).ok(),
    };
    file.rewind().map_err(of_system(path))?;
    let number = content.as_deref().map(str::trim).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.map(ToOwned::to_owned).ok_or_else(|| PidFileError::OtherContent(path.to_owned()))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

fn content() -> String {
    format!("{}\n", std::process::id())
}

fn of_system(path: &Path) -> impl Fn(io::Error) -> PidFileError {
    move |source| PidFileError::System { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(path: &Path, expected: &str) {
        let error = Claim::new(path.to_owned()).and_then(Claim::write).map(drop).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_file_is_of_one_broker_as_long_as_that_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pid");
        for old in [None, Some(""), Some("12345\n")] {
            if let Some(old) = old {
                fs::write(&path, old).expect("can write");
                assert!(matches!(read(&path), Err(PidFileError::NotRunning(_))), "{old:?}");
            }
            let claim = Claim::new(path.clone()).expect("may be had");
            match old {
                // It is made when the broker has started, and not before.
                None => assert!(!path.exists()),
                Some(_) => assert!(matches!(read(&path), Err(PidFileError::NotStarted(_)))),
            }
            let file = claim.write().expect("is written");
            assert_eq!(read(&path).expect("runs").unsigned_abs(), std::process::id());
            check_refused(&path, &format!("process {}", std::process::id()));
            drop(file);
            assert!(!path.exists());
        }
    }

    /// Whoever asks for a reload looks whether there is a broker, just as one starts.
    #[test]
    fn who_has_it_for_a_moment_keeps_no_broker_from_starting() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pid");
        let starts = || {
            fs::write(&path, "").expect("can write");
            let looking = File::open(&path).expect("is there");
            looking.lock_shared().expect("nobody has it");
            thread::scope(|scope| {
                let claimed = scope.spawn(|| Claim::new(path.clone()).is_ok());
                thread::sleep(Duration::from_millis(1));
                drop(looking);
                claimed.join().expect("no panic")
            })
        };
        // Where the machine is busy, a moment may be long.
        assert!((0..100).any(|_| starts()));
    }

    #[test]
    fn what_is_no_pid_file_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broker.yaml");
        for content in ["plugins: [auth_anonymous]\n", "-1", "1 2", "12345678901234567"] {
            fs::write(&path, content).expect("can write");
            check_refused(&path, "something else");
            assert_eq!(fs::read_to_string(&path).expect("is there"), content);
        }
        check_refused(folder.path(), "cannot use");
        check_refused(&folder.path().join("missing/pid"), "No such file");
        check_refused(Path::new("/dev/null"), "not a regular file");
    }

    #[test]
    fn one_that_is_no_longer_ours_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pid");
        let file = Claim::new(path.clone()).and_then(Claim::write).expect("is written");
        fs::remove_file(&path).expect("can remove");
        fs::write(&path, "1\n").expect("can write");
        drop(file);
        assert_eq!(fs::read_to_string(&path).expect("is there"), "1\n");
    }
}
