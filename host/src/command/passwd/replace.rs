use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// What the owner may, and nobody else.
const OWNER_ONLY: u32 = 0o600;

/// Gives a file new content: whoever reads it, whatever fails, there is the old one or the new one, whole. It keeps its
/// owner and is for the owner's eyes only.
pub(super) fn replace(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    // A link stays one: what it points to is replaced.
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        path => path?,
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let (temporary, mut file) = create_beside(&path, folder)?;
    let written = keep_owner(&path, &file)
        .and_then(|()| file.write_all(content.as_ref()))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    // So that the new name outlives a power cut as well.
    File::open(folder)?.sync_all()
}

/// A new file that nobody else can read at any time, in the folder of the old one: only there is renaming atomic.
fn create_beside(path: &Path, folder: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this is not a file"))?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{:016x}", u64::from_ne_bytes(random)));
    let temporary = folder.join(temporary);
    let file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&temporary)?;
    Ok((temporary, file))
}

/// Lets the new file belong to whom the old one belongs: to the broker's user, even if the administrator changes it.
fn keep_owner(path: &Path, file: &File) -> io::Result<()> {
    let old = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        old => old?,
    };
    let new = file.metadata()?;
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("is there").permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_made_or_replaced_for_its_owner_only() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("passwords");
        replace(&path, "one").expect("is made");
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("is ours");
        replace(&path, "two").expect("is replaced");
        assert_eq!((fs::read_to_string(&path).expect("text").as_str(), mode(&path)), ("two", 0o600));
        let names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").map(|it| it.expect("is there").path()).collect();
        assert_eq!(names, [path], "nothing else is left");
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let (path, link) = (folder.path().join("passwords"), folder.path().join("link"));
        fs::write(&path, "one").expect("can write");
        symlink(&path, &link).expect("can link");
        replace(&link, "two").expect("is replaced");
        assert!(fs::symlink_metadata(&link).expect("is there").is_symlink());
        assert_eq!(fs::read_to_string(&path).expect("text"), "two");
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        // A folder cannot be replaced by a file.
        let path = folder.path().join("folder");
        fs::create_dir(&path).expect("can make it");
        assert!(replace(&path, "one").is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        assert!(replace(&folder.path().join("missing/passwords"), "one").is_err());
    }
}
