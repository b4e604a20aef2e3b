use amqtt_plugin_sdk::Entries;
use sha2::{Digest, Sha256};

use crate::verifier::{ITERATIONS_MIN, Verifier};

/// Bytes of a made-up salt where there is no user: those that PostgreSQL and `amqtt passwd` take.
const SALT_BYTES: usize = 16;

/// The users of a password file.
#[derive(Debug)]
pub(crate) struct Users {
    entries: Entries<Verifier>,
    /// Of the content, which nobody else knows.
    digest: [u8; 32],
}

impl Users {
    /// Reads `username:verifier` lines.
    pub(crate) fn parse(content: &[u8]) -> Self {
        Self { entries: Entries::parse(content, Verifier::parse), digest: Sha256::digest(content).into() }
    }

    /// What verifies a user's proof, and whether there is this user. For others it is one that no proof fits, so that
    /// nobody learns which names there are: it is derived from `decoy_key`, or else from the content of the file.
    pub(crate) fn find(&self, name: &str, decoy_key: Option<&str>) -> (Verifier, bool) {
        if let Some(verifier) = self.entries.get(name) {
            return (verifier.clone(), true);
        }
        let key = decoy_key.map_or(&self.digest[..], str::as_bytes);
        // Iterations and bytes of the salt are those of the first user.
        let first = self.entries.nth(0);
        let (iterations, salt_bytes) = first.map_or((ITERATIONS_MIN, SALT_BYTES), |it| (it.iterations, it.salt.len()));
        (Verifier::decoy(key, name, iterations, salt_bytes), false)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Writes the lines that do not count to the log.
    pub(crate) fn warn_of_bad_lines(&self) {
        self.entries.warn_of_bad_lines("password file");
    }
}
