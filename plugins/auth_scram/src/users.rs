use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::verifier::{ITERATIONS_MIN, Verifier};

/// Bytes of a made-up salt where there is no user: those that PostgreSQL and `amqtt passwd` take.
const SALT_BYTES: usize = 16;

/// The users of a password file.
#[derive(Debug)]
pub(crate) struct Users {
    by_name: HashMap<String, Verifier>,
    /// Lines that do not count, as text for the log.
    bad_lines: Vec<String>,
    /// Of the content, which nobody else knows.
    digest: [u8; 32],
    /// Iterations and bytes of the salt of the first user, which those of decoys are.
    like: (u32, usize),
}

impl Users {
    /// Reads `username:verifier` lines.
    pub(crate) fn parse(content: &[u8]) -> Self {
        let (digest, like) = (Sha256::digest(content).into(), (ITERATIONS_MIN, SALT_BYTES));
        let mut users = Self { by_name: HashMap::new(), bad_lines: Vec::new(), digest, like };
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
        for (line, text) in (1..).zip(content.split(|byte| *byte == b'\n')) {
            match parse_line(text) {
                Ok(Some((name, verifier))) => {
                    if users.by_name.is_empty() {
                        users.like = (verifier.iterations, verifier.salt.len());
                    }
                    if users.by_name.insert(name.to_owned(), verifier).is_some() {
                        users.bad_lines.push(format!("password file line {line} names a user again: it counts"));
                    }
                }
                Ok(None) => {}
                Err(reason) => users.bad_lines.push(format!("password file line {line} is left out: {reason}")),
            }
        }
        users
    }

    /// What verifies a user's proof, and whether there is this user. For others it is one that no proof fits, so that
    /// nobody learns which names there are: it is derived from `decoy_key`, or else from the content of the file.
    pub(crate) fn find(&self, name: &str, decoy_key: Option<&str>) -> (Verifier, bool) {
        match self.by_name.get(name) {
            Some(verifier) => (verifier.clone(), true),
            None => {
                let key = decoy_key.map_or(&self.digest[..], str::as_bytes);
                (Verifier::decoy(key, name, self.like.0, self.like.1), false)
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn bad_lines(&self) -> &[String] {
        &self.bad_lines
    }
}

/// Reads one line; none where it is blank or a comment.
fn parse_line(text: &[u8]) -> Result<Option<(&str, Verifier)>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8")?.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (name, verifier) = text.split_once(':').ok_or("there is no `:` between user name and verifier")?;
    if name.is_empty() {
        return Err("there is no user name before the `:`".to_owned());
    }
    Ok(Some((name, Verifier::parse(verifier)?)))
}
