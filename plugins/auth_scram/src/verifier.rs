use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of a key, a signature and a proof: those of a SHA-256.
pub(crate) const KEY_BYTES: usize = 32;

/// The fewest iterations (RFC 7677, section 4).
pub(crate) const ITERATIONS_MIN: u32 = 4_096;

/// The most: the client's work, which a mistake in a file must not make endless.
pub(crate) const ITERATIONS_MAX: u32 = 10_000_000;

/// Bytes of the longest salt.
const SALT_BYTES_MAX: usize = 64;

/// What verifies a client's proof (RFC 5802, section 3). It does not hold the password, nor what one could log in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    pub(crate) iterations: u32,
    pub(crate) salt: Vec<u8>,
    stored_key: [u8; KEY_BYTES],
    server_key: [u8; KEY_BYTES],
}

impl Verifier {
    /// Reads `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, as PostgreSQL writes it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let form = "it is not `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`";
        let rest = text.strip_prefix("SCRAM-SHA-256$").ok_or(form)?;
        let (parameters, keys) = rest.split_once('$').ok_or(form)?;
        let (iterations, salt) = parameters.split_once(':').ok_or(form)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(form)?;
        let iterations = iterations.parse().map_err(|_| format!("`{iterations}` is not a number of iterations"))?;
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(format!("{iterations} iterations are not from {ITERATIONS_MIN} to {ITERATIONS_MAX}"));
        }
        let salt = Base64::decode_vec(salt).map_err(|_| "the salt is not Base64")?;
        if salt.is_empty() || salt.len() > SALT_BYTES_MAX {
            return Err(format!("a salt has from 1 to {SALT_BYTES_MAX} bytes, not {}", salt.len()));
        }
        Ok(Self { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }

    /// One that looks like a user's, always the same for a name, and that no proof fits.
    pub(crate) fn decoy(key: &[u8], name: &str, iterations: u32, salt_bytes: usize) -> Self {
        let bytes = hmac(key, &[b"salt", name.as_bytes()]);
        let salt = bytes.iter().copied().cycle().take(salt_bytes).collect();
        let stored_key = hmac(key, &[b"stored key", name.as_bytes()]);
        Self { iterations, salt, stored_key, server_key: stored_key }
    }

    /// Whether a proof is that of somebody who knows the password.
    pub(crate) fn accepts(&self, auth_message: &[&str], proof: &[u8; KEY_BYTES]) -> bool {
        let parts: Vec<_> = auth_message.iter().map(|part| part.as_bytes()).collect();
        let mut client_key = hmac(&self.stored_key, &parts);
        client_key.iter_mut().zip(proof).for_each(|(byte, proof)| *byte ^= proof);
        let stored_key: [u8; KEY_BYTES] = Sha256::digest(client_key).into();
        stored_key.ct_eq(&self.stored_key).into()
    }

    /// What proves to the client that the server knows the user.
    pub(crate) fn server_signature(&self, auth_message: &[&str]) -> [u8; KEY_BYTES] {
        let parts: Vec<_> = auth_message.iter().map(|part| part.as_bytes()).collect();
        hmac(&self.server_key, &parts)
    }
}

fn key(text: &str) -> Result<[u8; KEY_BYTES], String> {
    let bytes = Base64::decode_vec(text).map_err(|_| "a key is not Base64")?;
    <[u8; KEY_BYTES]>::try_from(bytes).map_err(|bytes| format!("a key has {KEY_BYTES} bytes, not {}", bytes.len()))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pencil` with the salt and the iterations of RFC 7677, section 3.
    pub(crate) const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn a_line_of_postgresql_is_read() {
        let verifier = Verifier::parse(PENCIL).expect("well-formed");
        assert_eq!((verifier.iterations, verifier.salt.len()), (4_096, 16));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (from, to, expected) in [
            ("SCRAM-SHA-256", "SCRAM-SHA-1", "it is not `SCRAM-SHA-256$"),
            ("4096", "4095", "4095 iterations are not from 4096 to"),
            ("4096", "x", "`x` is not a number"),
            ("W22", "W!2", "the salt is not Base64"),
            ("W22ZaJ0SNY7soEsUEjb6gQ==", "", "a salt has from 1 to 64 bytes, not 0"),
            ("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=", "WG5d", "a key has 32 bytes, not 3"),
            ("Y=:", "Y=", "it is not `SCRAM-SHA-256$"),
        ] {
            let error = Verifier::parse(&PENCIL.replacen(from, to, 1)).expect_err(expected);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_decoy_is_the_same_for_a_name_and_fits_nothing() {
        let decoy = |name| Verifier::decoy(b"key", name, 4_096, 16);
        assert_eq!(decoy("alice"), decoy("alice"));
        assert_ne!(decoy("alice").salt, decoy("bob").salt);
        assert!(!decoy("alice").accepts(&["a"], &[0; KEY_BYTES]));
    }
}
