//! Reading files that somebody names, and nothing else: of a pipe opening may wait for ever, and a device has no end.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a file to read it, if it is a regular file.
///
/// # Errors
/// Of another kind of file, [`ErrorKind::InvalidInput`].
pub fn open(path: &Path) -> io::Result<File> {
    open_as(OpenOptions::new().read(true), path)
}

/// Opens a file in some way, if it is a regular file. It may be made, and is not to be truncated before it is known.
///
/// # Errors
/// Of another kind of file, [`ErrorKind::InvalidInput`].
pub fn open_as(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = without_waiting(options).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// Whether a file is the one that a path names now, which leads through no link itself.
pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    Ok(is_same(&file.metadata()?, &fs::symlink_metadata(path)?))
}

#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, b: &Metadata) -> bool {
    b.is_file()
}

/// Opens a file to read it that may be a pipe as well, such as a shell's `<(...)`. Reading waits for what others write.
///
/// # Errors
/// Of another kind of file, [`ErrorKind::InvalidInput`].
#[cfg(unix)]
pub fn open_or_pipe(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::FileTypeExt;

    let file = without_waiting(OpenOptions::new().read(true)).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_fifo() {
        rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::empty())?;
    } else if !kind.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is neither a regular file nor a pipe"));
    }
    Ok(file)
}

/// Opens a file to read it.
///
/// # Errors
/// Of another kind of file, [`ErrorKind::InvalidInput`].
#[cfg(not(unix))]
pub fn open_or_pipe(path: &Path) -> io::Result<File> {
    open(path)
}

/// The whole content of a regular file.
///
/// # Errors
/// Of another kind of file, [`ErrorKind::InvalidInput`]; of a longer one, [`ErrorKind::FileTooLarge`].
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    read_from(open(path)?, bytes_max)
}

/// All that there is to read.
///
/// # Errors
/// [`ErrorKind::FileTooLarge`] where that is more.
pub fn read_from(file: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}

fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;
    use std::path::PathBuf;

    use super::*;

    fn pipe(folder: &tempfile::TempDir) -> PathBuf {
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("a pipe");
        path
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [pipe(&folder).as_path(), folder.path(), Path::new("/dev/null")] {
            let error = read(path, 10).expect_err("is none");
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}: {error}");
        }
        assert_eq!(read(&folder.path().join("none"), 10).expect_err("is none").kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_read_up_to_a_bound() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), [7; 10]).expect("written");
        assert_eq!(read(file.path(), 10).expect("fits"), [7; 10]);
        assert_eq!(read(file.path(), 9).expect_err("is larger").kind(), ErrorKind::FileTooLarge);
        // Says that it is empty and is not.
        assert_eq!(read(Path::new("/proc/cpuinfo"), 10).expect_err("is larger").kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_pipe_that_somebody_writes_to_may_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = pipe(&folder);
        let read = |path: &Path| read_from(open_or_pipe(path)?, 10);
        assert_eq!(read(&path).expect("has no writer"), b"");
        let mut writer = File::options().read(true).write(true).open(&path).expect("has two ends");
        let reading = open_or_pipe(&path).expect("is a pipe");
        writer.write_all(b"text").expect("has room");
        drop(writer);
        assert_eq!(read_from(reading, 10).expect("is short"), b"text");
        assert_eq!(read(Path::new("/dev/null")).expect_err("is a device").kind(), ErrorKind::InvalidInput);
    }
}
