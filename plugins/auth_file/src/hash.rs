use sha_crypt::{PasswordVerifier, ShaCrypt};

/// The most rounds that a line may ask for: three times as many as passlib's default of 656,000, and with the longest
/// password still within the time that the broker gives a login.
pub(crate) const ROUNDS_MAX: u32 = 2_000_000;

/// The fewest rounds that there are, by the definition of the format.
pub(crate) const ROUNDS_MIN: u32 = 1_000;

/// The longest salt, by the definition of the format.
const SALT_BYTES_MAX: usize = 16;

/// The characters of a hash, each standing for its index, the lowest bits first.
const ALPHABET: &[u8] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What is said of a line that `mosquitto_passwd` made.
const MOSQUITTO: &str = "hashes of `mosquitto_passwd` are not read: set the password anew with `amqtt passwd`";

/// A password's hash as `crypt` writes it, known to be well-formed and not too dear to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PasswordHash(String);

impl PasswordHash {
    /// Reads `$6$salt$hash` or `$5$salt$hash`, with or without `rounds=N$` before the salt.
    ///
    /// The error says what is wrong without repeating the text: it may be a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // Characters of the hash, and how many values its last one can have: it stands for the bits that are left.
        let (rest, hash_len, last_values) = if let Some(rest) = text.strip_prefix("$6$") {
            (rest, 86, 4)
        } else if let Some(rest) = text.strip_prefix("$5$") {
            (rest, 43, 16)
        } else {
            return Err(match text.starts_with("$7$") {
                true => MOSQUITTO.to_owned(),
                false => "no hash that starts with `$6$` or `$5$`, as `amqtt passwd` makes it".to_owned(),
            });
        };
        let salt_and_hash = match rest.strip_prefix("rounds=") {
            Some(rest) => {
                let (rounds, rest) = rest.split_once('$').ok_or("the hash ends after `rounds=`")?;
                check_rounds(rounds)?;
                rest
            }
            None => rest,
        };
        let (salt, hash) = salt_and_hash.split_once('$').ok_or("the hash ends after its salt")?;
        if hash_len == 86 && is_mosquitto(hash) {
            return Err(MOSQUITTO.to_owned());
        }
        if salt.len() > SALT_BYTES_MAX {
            return Err(format!("the salt is longer than {SALT_BYTES_MAX} characters"));
        }
        let in_alphabet = |text: &str| text.bytes().all(|byte| ALPHABET.contains(&byte));
        if !in_alphabet(salt) {
            return Err("the salt has a character other than letters, digits, `.` and `/`".to_owned());
        }
        let last_fits = hash.bytes().last().is_some_and(|last| ALPHABET[..last_values].contains(&last));
        if hash.len() != hash_len || !in_alphabet(hash) || !last_fits {
            return Err(format!("the hash is cut or mistyped: it has {hash_len} characters after the salt"));
        }
        Ok(PasswordHash(text.to_owned()))
    }

    /// Whether a password has this hash. Takes the time that the hash asks for, whatever the answer.
    pub(crate) fn fits(&self, password: &[u8]) -> bool {
        ShaCrypt::SHA512.verify_password(password, self.0.as_str()).is_ok()
    }
}

/// Whether this is 64 bytes in base64, which `mosquitto_passwd` once wrote after `$6$`.
fn is_mosquitto(hash: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    hash.len() == 88 && hash.strip_suffix("==").is_some_and(|digits| digits.bytes().all(is_base64))
}

fn check_rounds(text: &str) -> Result<(), String> {
    match text.parse::<u32>() {
        Ok(ROUNDS_MIN..=ROUNDS_MAX) => Ok(()),
        Ok(rounds) => {
            Err(format!("the hash asks for {rounds} rounds, where {ROUNDS_MIN} to {ROUNDS_MAX} are possible"))
        }
        Err(_) => Err(format!("`rounds=` is followed by no number from {ROUNDS_MIN} to {ROUNDS_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::PasswordHash;

    /// Made by libxcrypt; the password is `secret`.
    const SHA256: &str = "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.";
    const SHA512: &str =
        "$6$rounds=1000$xy$c9aXEsVGfLfUXt7tNYgM8d4iUrfqossx9C6Q0lksBwt04R/fUyK79e5lpuuHo8JyyXN8zM.pcrz3C2PpYGRDA/";
    const PASSLIB: &str = "$6$rounds=656000$abcdefghijklmnop$z9xJ0y9RW3OBrlS6NcWPGwdenhYZEfWfk/pE3f9Yi4fg6SOtfkCkdCMOHQU98M5EBxrur4.yLTmNNcqIWS8Cq0";

    fn check_error(text: &str, expected: &str) {
        let err = PasswordHash::parse(text).expect_err(text);
        assert!(err.contains(expected), "{text}: {err}");
    }

    #[test]
    fn verifies_what_crypt_made() {
        for text in [SHA256, SHA512, PASSLIB] {
            let hash = PasswordHash::parse(text).expect(text);
            assert!(hash.fits(b"secret"), "{text}");
            assert!(!hash.fits(b"Secret"), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_hash() {
        check_error("secret", "`$6$`");
        check_error("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "`$6$`");
        check_error("$6$", "ends after its salt");
        check_error("$6$salt", "ends after its salt");
        check_error("$6$salt$", "86 characters");
        check_error(&SHA512[..SHA512.len() - 1], "86 characters");
        check_error(&format!("{}z", &SHA512[..SHA512.len() - 1]), "mistyped");
        check_error(&SHA512.replace("$xy$", "$x*y$"), "salt");
        check_error(&SHA512.replace("$xy$", "$abcdefghijklmnopq$"), "longer than 16");
        check_error("$6$rounds=1000", "ends after `rounds=`");
        check_error("$7$101$c2FsdHNhbHQ=$c2FsdA==", "`mosquitto_passwd` are not read");
        let (old, salt) = ("x".repeat(86), "c2FsdC9zYWx0+w==");
        check_error(&format!("$6${salt}${old}=="), "`mosquitto_passwd` are not read");
        check_error(&format!("$6$salt${old}=="), "set the password anew with `amqtt passwd`");
    }

    #[test]
    fn bounds_the_rounds() {
        for rounds in ["999", "2000001", "999999999", "4294967296", "-1", ""] {
            check_error(&SHA512.replace("1000", rounds), "rounds");
        }
        assert!(PasswordHash::parse(&SHA512.replace("1000", "2000000")).is_ok());
    }
}
