use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// What the owner may, and nobody else: of a file that is new.
pub(super) const OWNER_ONLY: u32 = 0o600;

/// What is kept of what an old file grants: its group may be the broker's.
const KEPT: u32 = 0o640;

/// Gives a file new content: whoever reads it, whatever fails, there is the old one or the new one, whole. It keeps owner,
/// group and what these may read.
pub(super) fn replace(path: &Path, old: &File, content: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let (temporary, mut file) = create_beside(path, folder)?;
    let written = keep_owner(old, &file)
        .and_then(|()| file.write_all(content))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    // So that the new name outlives a power cut as well. Not every file system does that for folders, and the content is in
    // force by now.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
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
fn keep_owner(old: &File, file: &File) -> io::Result<()> {
    let (old, new) = (old.metadata()?, file.metadata()?);
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    // Now that the group is the one that was meant.
    file.set_permissions(Permissions::from_mode(old.mode() & KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_others_may_not_read_it() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("passwords");
        fs::write(&path, "old").expect("can write");
        for (before, after) in [(0o600, 0o600), (0o640, 0o640), (0o400, 0o400), (0o666, 0o640), (0o777, 0o640)] {
            fs::set_permissions(&path, Permissions::from_mode(before)).expect("is ours");
            replace(&path, &File::open(&path).expect("can read"), b"new").expect("is replaced");
            let mode = fs::metadata(&path).expect("is there").mode() & 0o777;
            assert_eq!((fs::read_to_string(&path).expect("text").as_str(), mode), ("new", after), "{before:o}");
        }
        let names: Vec<_> =
            fs::read_dir(folder.path()).expect("a folder").map(|it| it.expect("is there").path()).collect();
        assert_eq!(names, [path], "nothing else is left");
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_no_reason_to_fail() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("passwords");
        fs::write(&path, "old").expect("can write");
        let set = |mode| fs::set_permissions(folder.path(), Permissions::from_mode(mode)).expect("is ours");
        let old = File::open(&path).expect("can read");
        set(0o300);
        let replaced = replace(&path, &old, b"new");
        set(0o700);
        assert_eq!(
            (replaced.is_ok(), fs::read_to_string(&path).expect("text").as_str()),
            (true, "new"),
            "{replaced:?}"
        );
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        // A folder cannot be replaced by a file.
        let path = folder.path().join("folder");
        fs::create_dir(&path).expect("can make it");
        assert!(replace(&path, &File::open(&path).expect("can open"), b"one").is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
