//! Lines of `auth_scram`: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, as PostgreSQL writes them.

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What such a line begins with, after the user name.
pub(super) const MARK: &str = "SCRAM-SHA-256$";

/// Bytes of a salt.
const SALT_BYTES: usize = 16;

/// What verifies a password from now on.
pub(super) fn make_verifier(password: &[u8], iterations: u32) -> Result<String, String> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    Ok(derive(password, iterations, &salt))
}

/// Whether a verifier is of this password.
pub(super) fn fits(verifier: &str, password: &[u8]) -> Result<bool, String> {
    let malformed = || format!("it is not `{MARK}<iterations>:<salt>$<StoredKey>:<ServerKey>`");
    let parameters = verifier.strip_prefix(MARK).and_then(|rest| rest.split('$').next()).ok_or_else(malformed)?;
    let (iterations, salt) = parameters.split_once(':').ok_or_else(malformed)?;
    let iterations = iterations.parse().map_err(|_| malformed())?;
    let salt = Base64::decode_vec(salt).map_err(|_| malformed())?;
    Ok(derive(password, iterations, &salt) == verifier)
}

/// RFC 5802, section 3.
fn derive(password: &[u8], iterations: u32, salt: &[u8]) -> String {
    let salted: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations);
    let stored_key = Sha256::digest(key(&salted, b"Client Key"));
    let server_key = key(&salted, b"Server Key");
    let base64 = Base64::encode_string;
    format!("{MARK}{iterations}:{}${}:{}", base64(salt), base64(&stored_key), base64(&server_key))
}

fn key(salted: &[u8], name: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(salted).expect("HMAC takes keys of any length");
    mac.update(name);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the salt and the iterations of RFC 7677, section 3.
    const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn a_verifier_is_that_of_the_rfc() {
        let salt = Base64::decode_vec("W22ZaJ0SNY7soEsUEjb6gQ==").expect("is Base64");
        assert_eq!(derive(b"pencil", 4_096, &salt), PENCIL);
        assert_eq!((fits(PENCIL, b"pencil"), fits(PENCIL, b"pen")), (Ok(true), Ok(false)));
        assert!(fits("SCRAM-SHA-256$4096", b"pencil").is_err());
    }

    #[test]
    fn a_new_verifier_has_a_salt_of_its_own() {
        let make = || make_verifier(b"pencil", 4_096).expect("has random bytes");
        let (one, other) = (make(), make());
        assert_ne!(one, other);
        assert_eq!(fits(&one, b"pencil"), Ok(true));
    }
}
