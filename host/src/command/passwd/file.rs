use std::fs::File;
use std::io;
use std::path::Path;

use amqtt::regular_file;

use super::hash::PasswordHash;
use super::nobody::{NO_USERS, says_no_users};
use super::scram;

/// Bytes of the largest file: as much as the broker hands to a plugin.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The mark that some editors write first.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// A password file as it is, line by line. Comments and lines that are none of our business stay as they are.
#[derive(Debug, Default)]
pub(super) struct PasswordFile {
    /// Each with its line end, but for the last if that has none.
    lines: Vec<Vec<u8>>,
}

impl PasswordFile {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        Self::read_from(&regular_file::open(path)?)
    }

    pub(super) fn read_from(file: &File) -> io::Result<Self> {
        Ok(Self::parse(&regular_file::read_from(file, FILE_BYTES_MAX)?))
    }

    fn parse(content: &[u8]) -> Self {
        Self { lines: content.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() }
    }

    /// The hash of a user: of several lines with the name, the last counts.
    pub(super) fn hash_of(&self, user: &str) -> Option<&str> {
        self.lines.iter().rev().filter_map(|line| user_and_hash(line)).find(|(name, _)| *name == user).map(|it| it.1)
    }

    /// Changes the line of a user, or adds one. Further lines with the name go: the last of them would count.
    pub(super) fn set(&mut self, user: &str, hash: &str) {
        let line = format!("{user}:{hash}\n").into_bytes();
        self.lines.retain(|line| !says_no_users(line));
        let Some(first) = self.lines.iter().position(|line| is_of(line, user)) else {
            return self.append(line);
        };
        let mark = if self.lines[first].starts_with(MARK) { MARK } else { b"" };
        self.lines[first] = [mark, &line].concat();
        let mut index = 0;
        self.lines.retain(|line| {
            index += 1;
            index <= first + 1 || !is_of(line, user)
        });
    }

    /// Takes out every line of a user; whether there was one. Where nobody is left, the file says that this is meant.
    pub(super) fn remove(&mut self, user: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| !is_of(line, user));
        let removed = self.lines.len() < before;
        if removed && !self.lines.iter().any(|line| counts(line) || says_no_users(line)) {
            self.append(format!("{NO_USERS}\n").into_bytes());
        }
        removed
    }

    fn append(&mut self, line: Vec<u8>) {
        if let Some(last) = self.lines.last_mut().filter(|last| !last.ends_with(b"\n")) {
            last.push(b'\n');
        }
        self.lines.push(line);
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lines.concat()
    }
}

fn is_of(line: &[u8], user: &str) -> bool {
    user_and_hash(line).is_some_and(|(name, _)| name == user)
}

/// Whether a plugin takes a line for a user's.
fn counts(line: &[u8]) -> bool {
    user_and_hash(line).is_some_and(|(name, hash)| {
        !name.is_empty() && (hash.starts_with(scram::MARK) || PasswordHash::parse(hash).is_ok())
    })
}

/// What a line says, if it says something, in the plugin's reading.
fn user_and_hash(line: &[u8]) -> Option<(&str, &str)> {
    let line = line.strip_prefix(MARK).unwrap_or(line);
    let text = std::str::from_utf8(line).ok()?.trim();
    if text.starts_with('#') { None } else { text.split_once(':') }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, change: impl Fn(&mut PasswordFile), after: &str) {
        let mut file = PasswordFile::parse(before.as_bytes());
        change(&mut file);
        assert_eq!(String::from_utf8_lossy(&file.bytes()), after, "{before:?}");
    }

    #[test]
    fn a_user_is_added_or_changed_and_all_else_stays() {
        let set = |file: &mut PasswordFile| file.set("bob", "new");
        check("", set, "bob:new\n");
        check("# bob:\n\nalice:a", set, "# bob:\n\nalice:a\nbob:new\n");
        check("bob\nbobby:b\r\n  bob:old\r\nbad line\n", set, "bob\nbobby:b\r\nbob:new\nbad line\n");
        check("bob:1\nalice:a\nbob:2:x\n", set, "bob:new\nalice:a\n");
        check("\u{feff}bob:1\n", set, "\u{feff}bob:new\n");
    }

    #[test]
    fn a_user_is_removed() {
        let remove = |file: &mut PasswordFile| assert!(file.remove("bob"));
        let alice = format!("alice:{}:x\n", scram::MARK);
        check(&format!("#bob:x\nbob:1\n{alice}bob:2"), remove, &format!("#bob:x\n{alice}"));
        assert!(!PasswordFile::parse(b"#bob:1\nBob:1\nbob\n").remove("bob"));
    }

    #[test]
    fn where_nobody_is_left_the_file_says_so() {
        let remove = |file: &mut PasswordFile| assert!(file.remove("bob"));
        check("bob:1\n", remove, "# no users\n");
        check("bob:1\n# no users\n", remove, "# no users\n");
        check("bob:1\nalice:no hash", remove, "alice:no hash\n# no users\n");
        check("# mine\n# no users\n", |file| file.set("bob", "1"), "# mine\nbob:1\n");
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        let mut file = PasswordFile::parse(b"\xff:x\nbob:1\n");
        file.set("bob", "2");
        assert_eq!(file.bytes(), b"\xff:x\nbob:2\n");
    }

    #[test]
    fn the_last_line_of_a_user_counts() {
        let file = PasswordFile::parse(b"bob:1\n bob:2:3 \n#bob:4\n");
        assert_eq!(file.hash_of("bob"), Some("2:3"));
        assert_eq!(file.hash_of("alice"), None);
    }
}
