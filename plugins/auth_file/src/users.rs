use std::collections::HashMap;
use std::fmt;

use crate::hash::PasswordHash;

/// The users of a password file.
#[derive(Debug, Default)]
pub(crate) struct Users {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    bad_lines: Vec<BadLine>,
}

#[derive(Debug)]
struct Entry {
    hash: PasswordHash,
    /// Where it stands in the file, counted from 1.
    line: usize,
}

/// A line of a password file that does not count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// Counted from 1.
    line: usize,
    reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "password file line {} is left out: {}", self.line, self.reason)
    }
}

impl Users {
    /// Reads `username:hash` lines.
    pub(crate) fn parse(content: &[u8]) -> Self {
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
        let mut users = Users::default();
        for (index, text) in content.split(|byte| *byte == b'\n').enumerate() {
            let line = index + 1;
            match parse_line(text) {
                Ok(Some((name, hash))) => {
                    if let Some(line_before) = users.insert(name, Entry { hash, line }) {
                        let reason = format!("line {line} has the same user name");
                        users.bad_lines.push(BadLine { line: line_before, reason });
                    }
                }
                Ok(None) => {}
                Err(reason) => users.bad_lines.push(BadLine { line, reason }),
            }
        }
        users
    }

    /// The lines of the file that do not count.
    pub(crate) fn bad_lines(&self) -> &[BadLine] {
        &self.bad_lines
    }

    /// How many users there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a user has this password. An unknown user takes the time of a wrong password.
    pub(crate) fn accept(&self, name: &str, password: &[u8]) -> bool {
        let Some((hash, known)) = self.hash_to_verify(name) else {
            return false;
        };
        let fits = hash.fits(password);
        fits && known
    }

    /// The hash of a user, or one that stands in for an unknown user, and whether the user is known.
    ///
    /// The stand-in depends on the name alone, so that lines that differ in their rounds tell nothing either.
    fn hash_to_verify(&self, name: &str) -> Option<(&PasswordHash, bool)> {
        let known = self.by_name.get(name).copied();
        let index = known.unwrap_or_else(|| stand_in(name) % self.entries.len().max(1));
        self.entries.get(index).map(|entry| (&entry.hash, known.is_some()))
    }

    /// Adds a user, or replaces one and gives the line where that one stood.
    fn insert(&mut self, name: &str, entry: Entry) -> Option<usize> {
        if let Some(index) = self.by_name.get(name) {
            return Some(std::mem::replace(&mut self.entries[*index], entry).line);
        }
        self.by_name.insert(name.to_owned(), self.entries.len());
        self.entries.push(entry);
        None
    }
}

/// Reads one line; none where it is blank or a comment.
fn parse_line(text: &[u8]) -> Result<Option<(&str, PasswordHash)>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8")?.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (name, hash) = text.split_once(':').ok_or("there is no `:` between user name and hash")?;
    if name.is_empty() {
        return Err("there is no user name before the `:`".to_owned());
    }
    Ok(Some((name, PasswordHash::parse(hash)?)))
}

/// A number that is always the same for a name (FNV-1a).
fn stand_in(name: &str) -> usize {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash as usize
}

#[cfg(test)]
mod tests {
    use super::Users;

    /// The password of these is `secret`, of `TEST_HASH` it is `test`.
    const HASH: &str =
        "$6$rounds=1000$xy$c9aXEsVGfLfUXt7tNYgM8d4iUrfqossx9C6Q0lksBwt04R/fUyK79e5lpuuHo8JyyXN8zM.pcrz3C2PpYGRDA/";
    const TEST_HASH: &str =
        "$6$rounds=1000$xy$j/z/Uv1eftDvvi46Jh3z7vhyAMWQrEsTPDyOLuNBS06xUvchBhvZtLJA8gMWbwDksvjJXa/w8Mixa6tmYodDj.";
    const OTHER: &str = "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.";

    fn check_bad_lines(content: &[u8], users: usize, expected: &[(usize, &str)]) {
        let parsed = Users::parse(content);
        let bad = parsed.bad_lines();
        assert_eq!(parsed.len(), users);
        assert_eq!(bad.len(), expected.len(), "{bad:?}");
        for (bad, (line, reason)) in bad.iter().zip(expected) {
            assert_eq!(bad.line, *line, "{bad}");
            assert!(bad.to_string().contains(reason), "{bad}");
        }
    }

    #[test]
    fn reads_lines_comments_and_blanks() {
        let content = format!("\u{feff}# users\r\n\r\n  alice:{HASH}\r\n   \n #bob:{HASH}\ncarol:{OTHER}");
        check_bad_lines(content.as_bytes(), 2, &[]);
        let users = Users::parse(content.as_bytes());
        assert!(users.accept("alice", b"secret"));
        assert!(users.accept("carol", b"secret"));
        assert!(!users.accept("carol", b"Secret"));
        assert!(!users.accept("bob", b"secret"));
    }

    #[test]
    fn tells_bad_lines_by_number_and_keeps_the_rest() {
        let content = format!("alice\n:{HASH}\nbob:secret\ncarol:{HASH}:x\ndave:{HASH}\n");
        let expected = [(1, "no `:`"), (2, "no user name"), (3, "`$6$`"), (4, "86 characters")];
        check_bad_lines(content.as_bytes(), 1, &expected);
        check_bad_lines(b"al\xffice:x", 0, &[(1, "UTF-8")]);
    }

    #[test]
    fn a_warning_never_repeats_the_line() {
        let users = Users::parse(b"alice:hunter2\n");
        let bad = users.bad_lines();
        assert!(!bad[0].to_string().contains("hunter2"), "{}", bad[0]);
    }

    #[test]
    fn a_line_that_asks_for_too_many_rounds_is_left_out() {
        let content = format!("alice:{}", HASH.replace("1000", "999999999"));
        check_bad_lines(content.as_bytes(), 0, &[(1, "rounds")]);
    }

    #[test]
    fn the_last_of_two_equal_names_wins() {
        let content = format!("alice:{TEST_HASH}\nalice:{HASH}\n");
        check_bad_lines(content.as_bytes(), 1, &[(1, "line 2 has the same user name")]);
        let users = Users::parse(content.as_bytes());
        assert!(users.accept("alice", b"secret"));
        assert!(!users.accept("alice", b"test"));
    }

    #[test]
    fn an_unknown_user_is_verified_too() {
        let users = Users::parse(format!("alice:{HASH}\nbob:{OTHER}").as_bytes());
        let (_, known) = users.hash_to_verify("mallory").expect("a hash to verify");
        assert!(!known);
        assert!(!users.accept("mallory", b"secret"), "the stand-in's password lets nobody in");
        assert!(Users::default().hash_to_verify("mallory").is_none());
    }
}
