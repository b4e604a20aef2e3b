use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::*;
use crate::hooks::limits::{CODE_CACHE_FILES_MAX, CODE_CACHE_UNFINISHED_MAX};
use crate::hooks::wasm::engine_config::base_config;

/// A component that nothing is in, and one that has a name beside it.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
const OTHER: &[u8] = b"\0asm\x0d\0\x01\0\0\x02\x01a";

fn ask(folder: &Path, bytes: &[u8]) {
    let engine = Engine::new(&base_config()).expect("an engine");
    let cache = CodeCache { folder, engine: &engine };
    assert!(cache.component(&Sha256::digest(bytes).into(), bytes).is_ok());
}

/// The files of a folder, with their content.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).expect("a file"))).collect();
    files.sort();
    files
}

/// The one file that is kept for a plugin.
fn kept(folder: &Path, bytes: &[u8]) -> PathBuf {
    let name = hex(&<[u8; 32]>::from(Sha256::digest(bytes)));
    let mut files = content(folder).into_iter().map(|(path, _)| path);
    files.find(|path| path.to_str().is_some_and(|path| path.contains(&name))).expect("is kept")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

/// Whether what stands in the place of a plugin's code is run; else it is compiled, and put in its place.
fn is_run(folder: &Path, file: &Path) -> bool {
    let before = fs::symlink_metadata(file).expect("is there").ino();
    ask(folder, EMPTY);
    fs::symlink_metadata(file).expect("is there").ino() == before
}

#[test]
fn code_is_kept_by_what_it_was_made_of_for_nobody_else_to_write() {
    let outer = tempfile::tempdir().expect("a folder");
    let folder = outer.path().join("made/by/it");
    ask(&folder, EMPTY);
    ask(&folder, OTHER);
    let files = content(&folder);
    assert_eq!(files.len(), 2);
    for path in files.iter().map(|(path, _)| path.as_path()).chain([folder.as_path()]) {
        let mode = fs::metadata(path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    assert!(is_run(&folder, &kept(&folder, EMPTY)), "nothing was compiled again");
}

#[test]
fn what_others_can_write_is_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    ask(folder, EMPTY);
    let (file, whole) = content(folder).remove(0);
    for folder_mode in [0o777, 0o720] {
        fs::write(&file, b"not code").expect("can write");
        set_mode(folder, folder_mode);
        ask(folder, EMPTY);
        assert_eq!(content(folder)[0].1, b"not code", "a folder of mode {folder_mode:o} is left alone");
        set_mode(folder, 0o700);
    }
    for mode in [0o622, 0o620, 0o602] {
        fs::write(&file, &whole).expect("can write");
        set_mode(&file, mode);
        assert!(!is_run(folder, &file), "a file of mode {mode:o}");
    }
    assert!(is_run(folder, &file));
}

#[test]
fn what_is_damaged_is_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    ask(folder, EMPTY);
    ask(folder, OTHER);
    let file = kept(folder, EMPTY);
    let whole = fs::read(&file).expect("is there");
    assert!(is_run(folder, &file));
    // In the sum, in the code, at its end, and in what says whose it is.
    for at in [0, MAGIC.len(), MAGIC.len() + SUM_BYTES, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&file, damaged).expect("can write");
        assert!(!is_run(folder, &file), "byte {at}");
    }
    for length in [0, 1, MAGIC.len(), MAGIC.len() + SUM_BYTES, whole.len() - 1] {
        fs::write(&file, &whole[..length]).expect("can write");
        assert!(!is_run(folder, &file), "{length} bytes");
    }
    fs::write(&file, [&whole[..], b"more"].concat()).expect("can write");
    assert!(!is_run(folder, &file), "more than there was");
    // Whole code of another plugin.
    fs::copy(kept(folder, OTHER), &file).expect("can copy");
    assert!(!is_run(folder, &file), "another's");
    assert!(is_run(folder, &file), "what replaced it");
    assert_eq!(fs::read(&file).expect("is there"), whole);
}

#[test]
fn no_link_is_followed_and_nothing_but_a_file_is_read() {
    let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let folder = folder.path();
    ask(folder, EMPTY);
    let file = kept(folder, EMPTY);
    let target = elsewhere.path().join("code");
    fs::rename(&file, &target).expect("can rename");
    symlink(&target, &file).expect("can link");
    ask(folder, EMPTY);
    assert!(!fs::symlink_metadata(&file).expect("is there").is_symlink(), "the link was replaced, not followed");
    fs::remove_file(&file).expect("is there");
    let made = std::process::Command::new("mkfifo").arg(&file).status().expect("is there");
    assert!(made.success());
    ask(folder, EMPTY);
    assert!(fs::metadata(&file).expect("is there").is_file());
}

/// Also where another folder has got the path meanwhile.
#[test]
fn files_are_found_in_the_folder_that_was_looked_at() {
    let outer = tempfile::tempdir().expect("a folder");
    let (path, moved) = (outer.path().join("cache"), outer.path().join("moved"));
    let opened = Folder::open(&path).expect("ours");
    fs::rename(&path, &moved).expect("can rename");
    fs::create_dir(&path).expect("can make folders");
    set_mode(&path, 0o777);
    fs::write(path.join("a"), b"foreign").expect("can write");
    opened.write("a", &[b"o", b"urs"]).expect("can write");
    assert_eq!(opened.read("a").expect("is there"), b"ours");
    assert_eq!(content(&moved), [(moved.join("a"), b"ours".to_vec())]);
    assert_eq!(content(&path), [(path.join("a"), b"foreign".to_vec())]);
}

#[test]
fn old_code_is_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..CODE_CACHE_FILES_MAX + 5 {
        fs::write(folder.path().join(format!("{number}{ENDING}")), "").expect("can write");
    }
    fs::write(folder.path().join("something else"), "").expect("can write");
    // One that is being written, and one that a broker has left there.
    let old = SystemTime::now() - CODE_CACHE_UNFINISHED_MAX - Duration::from_secs(60);
    for (name, time) in [("now.new", SystemTime::now()), ("old.new", old)] {
        let file = File::create(folder.path().join(name)).expect("can write");
        file.set_modified(time).expect("ours");
    }
    ask(folder.path(), EMPTY);
    let is_there = |name: &str| folder.path().join(name).exists();
    assert!(is_there("something else") && is_there("now.new") && !is_there("old.new"));
    assert_eq!(content(folder.path()).len(), CODE_CACHE_FILES_MAX + 2);
    ask(folder.path(), EMPTY);
    assert!(content(folder.path()).iter().any(|(_, code)| code.starts_with(MAGIC)), "the newest is kept");
}

/// In a container each start may have the number of the process that was ended as it wrote.
#[test]
fn what_was_left_unfinished_is_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    ask(folder, EMPTY);
    let file = kept(folder, EMPTY);
    for number in 0..100 {
        let unfinished = format!("{}.{}-{number}.new", file.display(), std::process::id());
        fs::write(unfinished, "").expect("can write");
    }
    fs::remove_file(&file).expect("ours");
    ask(folder, EMPTY);
    assert!(file.is_file());
}

#[test]
fn what_was_left_unfinished_goes_although_nothing_can_be_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    ask(folder, EMPTY);
    let file = kept(folder, EMPTY);
    fs::remove_file(&file).expect("ours");
    fs::create_dir(&file).expect("can make it");
    let unfinished = folder.join("left.new");
    let old = SystemTime::now() - CODE_CACHE_UNFINISHED_MAX - Duration::from_secs(60);
    File::create(&unfinished).and_then(|file| file.set_modified(old)).expect("can write");
    ask(folder, EMPTY);
    assert!(file.is_dir() && !unfinished.exists());
}
