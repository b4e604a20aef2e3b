//! How a password file says that it is meant to have no user.

/// The line that says so. Without it, where there were users, a file without any is one that somebody is about to write.
pub(crate) const NO_USERS: &str = "# no users";

/// Whether a line is that one.
pub(crate) fn says_no_users(line: &[u8]) -> bool {
    line.trim_ascii() == NO_USERS.as_bytes()
}
