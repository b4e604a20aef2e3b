use amqtt_plugin_sdk::{BadLine, Entries};

use crate::hash::PasswordHash;

/// The users of a password file.
#[derive(Debug)]
pub(crate) struct Users(Entries<PasswordHash>);

impl Users {
    /// Reads `username:hash` lines.
    pub(crate) fn parse(content: &[u8]) -> Self {
        Users(Entries::parse(content, PasswordHash::parse))
    }

    /// The lines of the file that do not count.
    pub(crate) fn bad_lines(&self) -> &[BadLine] {
        self.0.bad_lines()
    }

    /// Writes them to the log.
    pub(crate) fn warn_of_bad_lines(&self) {
        self.0.warn_of_bad_lines("password file");
    }

    /// How many users there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
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
        match self.0.get(name) {
            Some(hash) => Some((hash, true)),
            None => self.0.nth(stand_in(name) % self.0.len().max(1)).map(|hash| (hash, false)),
        }
    }
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
        let expected = [(1, "no `:`"), (2, "no name"), (3, "`$6$`"), (4, "86 characters")];
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
        check_bad_lines(content.as_bytes(), 1, &[(1, "line 2 has the same name")]);
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
        assert!(Users::parse(b"").hash_to_verify("mallory").is_none());
    }
}
