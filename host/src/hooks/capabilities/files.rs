use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::stamp::Stamp;
use crate::hooks::limits::FILE_BYTES_MAX;
use crate::regular_file;

/// The capability `files`: whole files whose paths are the values of granted settings keys.
pub(crate) struct Files {
    granted: Vec<Granted>,
    /// How often any content was accepted.
    accepts: AtomicU64,
    /// The same of all plugins together.
    accepts_of_all: Arc<AtomicU64>,
}

struct Granted {
    key: String,
    /// What the settings have for the key.
    value: Option<Value>,
    /// One for all instances of the plugin.
    stamp: Mutex<Stamp>,
    accepted: Mutex<Accepted>,
}

/// The content of a file that all instances of the plugin go by; with the number 0 it is of the one before.
#[derive(Default)]
struct Accepted {
    number: u64,
    content: Option<Arc<[u8]>>,
}

/// Why a file was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileError {
    NotGranted,
    NotSet,
    Refused(String),
    TooLarge(u64),
    Failed(String),
}

impl Files {
    /// Takes the values of the granted keys out of the settings.
    pub(crate) fn new(granted: &[String], settings: &Map<String, Value>, accepts_of_all: Arc<AtomicU64>) -> Self {
        let granted = granted.iter().map(|key| (key.replace('_', "-"), key));
        let granted = granted.map(|(name, key)| {
            let value = settings.get(&name).or_else(|| settings.get(key)).cloned();
            Granted { key: name, value, stamp: Mutex::default(), accepted: Mutex::default() }
        });
        Self { granted: granted.collect(), accepts: AtomicU64::new(0), accepts_of_all }
    }

    /// Whether there is any file to read.
    pub(crate) fn are_granted(&self) -> bool {
        !self.granted.is_empty()
    }

    /// Those of a plugin in whose place this one is loaded: what they have accepted of the same file is what there is
    /// until this plugin accepts something, so that it can tell what has become of the file.
    pub(crate) fn in_place_of(self, before: &Self) -> Self {
        for granted in &self.granted {
            if let Some(same) = before.granted.iter().find(|it| it.key == granted.key && it.value == granted.value) {
                granted.accepted.lock().content.clone_from(&same.accepted.lock().content);
            }
        }
        self
    }

    /// How often any content was accepted, by any instance of the plugin.
    pub(crate) fn accepts(&self) -> u64 {
        self.accepts.load(Ordering::Acquire)
    }

    /// Reads the file that a settings key names.
    pub(crate) fn read(&self, key: &str) -> Result<Vec<u8>, FileError> {
        read_regular(self.granted(key)?.path()?, FILE_BYTES_MAX)
    }

    /// A number that is another one once the file has changed.
    pub(crate) fn stamp(&self, key: &str) -> Result<u64, FileError> {
        let granted = self.granted(key)?;
        Ok(granted.stamp.lock().number(granted.path()?, Instant::now()))
    }

    /// Makes a content the accepted one, and gives its number.
    pub(crate) fn accept(&self, key: &str, content: Arc<[u8]>) -> Result<u64, FileError> {
        let mut accepted = self.granted(key)?.accepted.lock();
        accepted.number += 1;
        accepted.content = Some(content);
        self.accepts.fetch_add(1, Ordering::Release);
        self.accepts_of_all.fetch_add(1, Ordering::Release);
        Ok(accepted.number)
    }

    /// The content that was accepted last; with the number 0 by the plugin that was there before.
    pub(crate) fn accepted(&self, key: &str) -> Result<Option<Arc<[u8]>>, FileError> {
        Ok(self.granted(key)?.accepted.lock().content.clone())
    }

    /// How often a content was accepted.
    pub(crate) fn accepted_number(&self, key: &str) -> Result<u64, FileError> {
        Ok(self.granted(key)?.accepted.lock().number)
    }

    fn granted(&self, key: &str) -> Result<&Granted, FileError> {
        self.granted.iter().find(|granted| granted.key == key).ok_or(FileError::NotGranted)
    }
}

impl Granted {
    fn path(&self) -> Result<&Path, FileError> {
        match &self.value {
            None | Some(Value::Null) => Err(FileError::NotSet),
            Some(Value::String(path)) => Ok(Path::new(path)),
            Some(_) => Err(FileError::Refused(format!("`{}` is not a text", self.key))),
        }
    }
}

fn read_regular(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let refused = |why: &str| FileError::Refused(format!("{why}: `{}`", path.display()));
    let failed = |error: std::io::Error| FileError::Failed(format!("{error}: `{}`", path.display()));
    if !path.is_absolute() {
        return Err(refused("the path is not absolute"));
    }
    // A `..` is the administrator's, as the whole path is: the folder is what the system makes of it.
    let folder = path.parent().ok_or_else(|| refused("the path names no file"))?;
    // What was opened is what is checked: whoever exchanges the path meanwhile gains nothing.
    let file = regular_file::open(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => refused("not a regular file"),
        _ => failed(error),
    })?;
    let opened = file.metadata().map_err(failed)?;
    let target = fs::canonicalize(path).map_err(failed)?;
    if !target.starts_with(fs::canonicalize(folder).map_err(failed)?) {
        let link = path.display();
        let hint = "name the file that it leads to in its place, or have it lead to a file below its folder";
        return Err(FileError::Refused(format!("the link leads out of its folder: `{link}`; hint: {hint}")));
    }
    if !regular_file::is_at(&file, &target).map_err(failed)? {
        return Err(refused("exchanged while it was opened"));
    }
    if opened.len() > bytes_max {
        return Err(FileError::TooLarge(opened.len()));
    }
    regular_file::read_from(file, bytes_max).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => FileError::TooLarge(bytes_max + 1),
        _ => failed(error),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;

    /// Reads `file`, a path within a folder that has a bit of everything.
    fn read(file: &str) -> Result<Vec<u8>, FileError> {
        let home = tempfile::tempdir().expect("a folder");
        let at = |path: &str| home.path().join(path);
        fs::create_dir_all(at("in/..data")).expect("folders");
        fs::write(at("out"), "secret").expect("a file");
        fs::write(at("in/passwd"), "plain").expect("a file");
        fs::write(at("in/..data/passwd"), "mounted").expect("a file");
        symlink("..data/passwd", at("in/link")).expect("a link");
        symlink("../out", at("in/link-out")).expect("a link");
        symlink(at("out"), at("in/link-out-absolute")).expect("a link");
        symlink("/dev/zero", at("in/device")).expect("a link");
        symlink("in", at("in-link")).expect("a link");
        read_regular(&at(file), 10)
    }

    #[test]
    fn plain_files_and_links_within_the_folder_are_read() {
        assert_eq!(read("in/passwd"), Ok(b"plain".to_vec()));
        assert_eq!(read("in/link"), Ok(b"mounted".to_vec()));
        assert_eq!(read("in-link/passwd"), Ok(b"plain".to_vec()), "the folder itself may be a link");
        assert_eq!(read("in/../out"), Ok(b"secret".to_vec()), "the administrator may say where");
        assert_eq!(read("in/..data/../../in/link"), Ok(b"mounted".to_vec()));
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for file in ["in/link-out", "in/link-out-absolute", "in/device", "in/../in/link-out", "in/..", "in"] {
            assert!(matches!(read(file), Err(FileError::Refused(_))), "{file}: {:?}", read(file));
        }
        assert!(matches!(read("in/missing"), Err(FileError::Failed(_))));
        assert!(matches!(read_regular(Path::new("passwd"), 10), Err(FileError::Refused(_))));
    }

    #[test]
    fn large_files_are_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), [0; 11]).expect("written");
        assert_eq!(read_regular(file.path(), 10), Err(FileError::TooLarge(11)));
        assert_eq!(read_regular(file.path(), 11), Ok(vec![0; 11]));
        // Says that it is empty and is not.
        assert!(matches!(read_regular(Path::new("/proc/cpuinfo"), 10), Err(FileError::TooLarge(_))));
    }

    #[test]
    fn only_the_granted_key_counts() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let settings = json!({ "password-file": file.path(), "other": file.path(), "number": 1 });
        let settings = settings.as_object().expect("an object");
        let granted = ["password_file", "number", "missing"].map(str::to_owned);
        let of_all = Arc::<AtomicU64>::default();
        let files = Files::new(&granted, settings, Arc::clone(&of_all));
        assert_eq!(files.read("password-file"), Ok(Vec::new()));
        assert_eq!(files.read("other"), Err(FileError::NotGranted));
        assert_eq!(files.read("missing"), Err(FileError::NotSet));
        assert!(matches!(files.read("number"), Err(FileError::Refused(_))));
        assert_eq!(files.read(&file.path().display().to_string()), Err(FileError::NotGranted));
        assert_eq!(files.stamp("password-file"), files.stamp("password-file"));
        assert_eq!(files.stamp("other"), Err(FileError::NotGranted));
        assert_eq!(files.stamp("missing"), Err(FileError::NotSet));
        assert_eq!((files.accepted("password-file"), files.accepted_number("password-file")), (Ok(None), Ok(0)));
        let content: Arc<[u8]> = Arc::from(*b"users");
        assert_eq!(files.accept("password-file", Arc::clone(&content)), Ok(1));
        assert_eq!(
            (files.accepted("password-file"), files.accepted_number("password-file")),
            (Ok(Some(content)), Ok(1))
        );
        assert_eq!(files.accept("other", Arc::from([])), Err(FileError::NotGranted));
        assert_eq!((files.accepts(), of_all.load(Ordering::Relaxed)), (1, 1));
    }

    #[test]
    fn what_was_accepted_is_known_to_who_comes_next_and_names_the_same_file() {
        let content: Arc<[u8]> = Arc::from(*b"users");
        let files = |path: &str| {
            let settings = json!({ "file": path });
            Files::new(&["file".to_owned()], settings.as_object().expect("an object"), Arc::default())
        };
        let before = files("/a");
        assert_eq!(before.accept("file", Arc::clone(&content)), Ok(1));
        let check = |path: &str, expected: Option<&Arc<[u8]>>| {
            // Also where the one in between has accepted nothing.
            let next = files(path).in_place_of(&files(path).in_place_of(&before));
            assert_eq!(next.accepted("file"), Ok(expected.cloned()), "{path}");
            assert_eq!((next.accepted_number("file"), next.accepts()), (Ok(0), 0), "{path}");
        };
        check("/a", Some(&content));
        check("/b", None);
    }
}
