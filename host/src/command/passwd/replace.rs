use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// What the owner may, and nobody else: of a file that is new.
pub(super) const OWNER_ONLY: u32 = 0o600;

/// What is kept of what an old file grants: its group may be the broker's.
const KEPT: u32 = 0o640;

/// The extended attribute that is the access control list of a file.
#[cfg(target_os = "linux")]
const ACL: &str = "system.posix_acl_access";

/// The tag of its entry for those whom no other is for.
#[cfg(target_os = "linux")]
const ACL_OTHERS: [u8; 2] = [0x20, 0];

/// Bytes of the longest extended attribute.
#[cfg(target_os = "linux")]
const ACL_BYTES_MAX: usize = 64 << 10;

/// Gives a file new content: whoever reads it, whatever fails, there is the old one or the new one, whole. It keeps owner,
/// group and access control list, and what these may read.
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
    let (was, is) = (old.metadata()?, file.metadata()?);
    if (was.uid(), was.gid()) != (is.uid(), is.gid()) {
        fchown(file, Some(was.uid()), Some(was.gid()))?;
    }
    keep_acl(old, file)?;
    // Now that the group is the one that was meant. Where there is an access control list this is what it is limited to.
    file.set_permissions(Permissions::from_mode(was.mode() & KEPT))
}

/// Gives the new file the access control list of the old one, or none: without it the group would be granted what only some
/// users of the list were.
#[cfg(target_os = "linux")]
fn keep_acl(old: &File, new: &File) -> io::Result<()> {
    use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
    use rustix::io::Errno;

    let mut acl = vec![0; ACL_BYTES_MAX];
    let set = match fgetxattr(old, ACL, &mut acl) {
        Ok(len) => {
            let acl = &mut acl[..len];
            // After a version, entries of a tag, what they may, and who it is. Others may not even for a moment.
            for entry in acl.get_mut(4..).unwrap_or_default().chunks_exact_mut(8) {
                if entry.starts_with(&ACL_OTHERS) {
                    entry[2..4].fill(0);
                }
            }
            fsetxattr(new, ACL, acl, XattrFlags::empty())
        }
        // The folder may have one that new files get.
        Err(Errno::NODATA) => {
            fremovexattr(new, ACL).or_else(|error| if error == Errno::NODATA { Ok(()) } else { Err(error) })
        }
        Err(Errno::NOTSUP) => Ok(()),
        Err(error) => Err(error),
    };
    Ok(set?)
}

#[cfg(not(target_os = "linux"))]
fn keep_acl(_: &File, _: &File) -> io::Result<()> {
    Ok(())
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

    /// As `setfacl -m u:12345:r` makes it of a file that its owner alone may read.
    #[cfg(target_os = "linux")]
    #[test]
    fn who_may_read_by_an_access_control_list_still_may_and_nobody_else() {
        use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

        // Of owner, user 12345, group, the limit of the last two, and others: a tag, what they may, and who it is.
        let acl = |others: u16| {
            let entries =
                [(1, 6, u32::MAX), (2, 4, 12_345), (4, 0, u32::MAX), (0x10, 4, u32::MAX), (0x20, others, u32::MAX)];
            let mut acl = 2_u32.to_le_bytes().to_vec();
            for (tag, may, who) in entries {
                acl.extend([u16::to_le_bytes(tag), u16::to_le_bytes(may)].concat());
                acl.extend(who.to_le_bytes());
            }
            acl
        };
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("passwords");
        fs::write(&path, "old").expect("can write");
        let old = File::open(&path).expect("can read");
        if fsetxattr(&old, ACL, &acl(4), XattrFlags::empty()).is_err() {
            eprintln!("this file system has no access control lists");
            return;
        }
        replace(&path, &old, b"new").expect("is replaced");
        let new = File::open(&path).expect("can read");
        let mut kept = [0; 1_024];
        let len = fgetxattr(&new, ACL, &mut kept).expect("has one");
        assert_eq!((&kept[..len], new.metadata().expect("is there").mode() & 0o777), (&acl(0)[..], 0o640));
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
