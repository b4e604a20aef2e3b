//! Makes and changes the files that `auth_file` and `auth_scram` read.

mod file;
// What the plugin reads is what is written here: one file knows the form of a hash. The plugin itself is no library.
#[path = "../../../../plugins/auth_file/src/hash.rs"]
mod hash;
mod locked;
#[path = "../../../../plugins/auth_file/src/nobody.rs"]
mod nobody;
mod replace;
mod scram;

use std::io::{ErrorKind, IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sha_crypt::{CustomizedPasswordHasher, Params, ShaCrypt};

use self::file::PasswordFile;
use self::hash::PasswordHash;
use self::locked::Locked;
use super::{Failure, print};

/// Rounds of a new hash, ten times the format's default: some 16 ms for whoever logs in, and for each guess of a thief of
/// the file. More would let a thousand clients that come back at once wait for a minute.
const ROUNDS: u32 = 50_000;

/// Iterations of a new verifier, which are the client's work: eight times the fewest that RFC 7677 lets one have.
const SCRAM_ITERATIONS: u32 = 32_768;

/// The fewest and the most that `auth_scram` takes.
const SCRAM_ITERATIONS_RANGE: std::ops::RangeInclusive<u32> = 4_096..=10_000_000;

/// Bytes of the longest password: `auth_file` refuses longer ones unread.
const PASSWORD_BYTES_MAX: usize = 511;

/// Random bytes of a salt. They become 16 characters, the most that the format has.
const SALT_BYTES: usize = 12;

/// Add a user to a password file, or change a password
///
/// The password is asked for, or is the first line of standard input where that is no terminal. The file is made if it is
/// missing, for its owner's eyes only; it is replaced as a whole, and keeps owner, group and what these may read.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The password file of `auth_file`, or with `--scram` that of `auth_scram`
    file: PathBuf,

    /// The user's name
    #[arg(value_parser = user_name)]
    user: String,

    /// Remove the user instead
    #[arg(long, conflicts_with_all = ["check", "rounds", "scram"])]
    delete: bool,

    /// Say whether the password is the user's instead, and change nothing
    #[arg(long, conflicts_with = "rounds")]
    check: bool,

    /// Rounds of the hash: a login, and each guess, takes time in proportion. 50000 unless said; with `--scram` 32768
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(i64::from(hash::ROUNDS_MIN)..))]
    rounds: Option<u32>,

    /// Write what `auth_scram` verifies proofs by: SCRAM-SHA-256, for clients of MQTT 5.0 that never send the password
    #[arg(long)]
    scram: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Arguments { file, user, delete, check, rounds, scram } = arguments;
    let shown = file.display();
    let unreadable = |error| format!("cannot read the password file `{shown}`: {error}");
    if *check {
        let users = PasswordFile::read(file).map_err(unreadable)?;
        let hash = users.hash_of(user).ok_or_else(|| format!("there is no user `{user}` in `{shown}`"))?;
        let wrong = |reason| format!("`{shown}`: user `{user}`: {reason}");
        let fits = if hash.starts_with(scram::MARK) {
            scram::fits(hash, password(false)?.as_bytes()).map_err(wrong)?
        } else {
            PasswordHash::parse(hash).map_err(wrong)?.fits(password(false)?.as_bytes())
        };
        if !fits {
            return Err(format!("this is not the password of `{user}`").into());
        }
        print("OK\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let unwritable = |error| format!("cannot write `{shown}`: {error}");
    if *delete {
        let locked = Locked::open(file).map_err(unreadable)?;
        let mut users = locked.read().map_err(unreadable)?;
        if !users.remove(user) {
            return Err(format!("there is no user `{user}` in `{shown}`").into());
        }
        locked.replace(&users.bytes()).map_err(unwritable)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rounds = in_range(*rounds, *scram)?;
    // Before a password is asked for in vain.
    match PasswordFile::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        users => refuse_other_kind(&users.map_err(unreadable)?, user, *scram)?,
    }
    let password = password(true)?;
    let line = if *scram {
        scram::make_verifier(password.as_bytes(), rounds)?
    } else {
        make_hash(password.as_bytes(), rounds)?
    };
    // Only now: somebody else may have changed the file while this one was asked.
    let locked = Locked::open_or_make(file).map_err(unwritable)?;
    let mut users = locked.read().map_err(unreadable)?;
    refuse_other_kind(&users, user, *scram)?;
    users.set(user, &line);
    locked.replace(&users.bytes()).map_err(unwritable)?;
    Ok(ExitCode::SUCCESS)
}

/// A line that one plugin reads is not to become one that only the other does.
fn refuse_other_kind(users: &PasswordFile, user: &str, scram: bool) -> Result<(), String> {
    let (found, reader, other) = match users.hash_of(user) {
        Some(hash) if hash.starts_with(scram::MARK) && !scram => ("verifier", "auth_scram", "with `--scram`"),
        Some(hash) if PasswordHash::parse(hash).is_ok() && scram => ("hash", "auth_file", "without `--scram`"),
        _ => return Ok(()),
    };
    Err(format!(
        "user `{user}` has a {found} for `{reader}` there, which stays as it is\n\
         hint: the two plugins want a file each; run it {other} to change the password, or `--delete` the user first"
    ))
}

/// How many rounds a new hash or verifier has.
fn in_range(rounds: Option<u32>, scram: bool) -> Result<u32, String> {
    let (preset, range) = match scram {
        true => (SCRAM_ITERATIONS, SCRAM_ITERATIONS_RANGE),
        false => (ROUNDS, hash::ROUNDS_MIN..=hash::ROUNDS_MAX),
    };
    match rounds.unwrap_or(preset) {
        rounds if range.contains(&rounds) => Ok(rounds),
        rounds => Err(format!("`--rounds {rounds}`: a number from {} to {} is wanted", range.start(), range.end())),
    }
}

/// A name that a line of the file can have and a client can send.
fn user_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > usize::from(u16::MAX) {
        return Err("a user name has from 1 to 65535 bytes".to_owned());
    }
    if text.contains(':') || text.contains(char::is_control) {
        return Err("a user name has no `:` and no control characters".to_owned());
    }
    if text.starts_with(['#', '\u{feff}']) || text.trim() != text {
        return Err("a user name does not start with `#`, and has no blanks around it".to_owned());
    }
    Ok(text.to_owned())
}

/// Asks for the password, twice if it is a new one, or takes the first line of standard input.
fn password(is_new: bool) -> Result<String, Failure> {
    let password = if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        if is_new && rpassword::prompt_password("Again: ")? != password {
            return Err("the two passwords differ".into());
        }
        password
    } else {
        let mut bytes = Vec::new();
        // Room for the end of the line, and one byte to tell that it is too long.
        std::io::stdin().take(PASSWORD_BYTES_MAX as u64 + 3).read_to_end(&mut bytes)?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        String::from_utf8(line.to_owned()).map_err(|_| "the password is not UTF-8 text")?
    };
    if is_new && password.is_empty() {
        return Err("the password is empty".into());
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(format!("the password has more than {PASSWORD_BYTES_MAX} bytes").into());
    }
    Ok(password)
}

fn make_hash(password: &[u8], rounds: u32) -> Result<String, Failure> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    let params = Params::new(rounds).map_err(|error| error.to_string())?;
    let hash =
        ShaCrypt::SHA512.hash_password_with_params(password, &salt, params).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_hash_is_one_that_the_plugin_takes() {
        let (one, other) = (make_hash(b"secret", 1_000), make_hash(b"secret", 1_000));
        let (one, other) = (one.expect("a hash"), other.expect("a hash"));
        assert_ne!(one, other, "the salt is random");
        assert!(one.starts_with("$6$rounds=1000$"), "{one}");
        let hash = PasswordHash::parse(&one).expect("well-formed, with a salt of 16 characters at most");
        assert!(hash.fits(b"secret"));
        assert!(!hash.fits(b"Secret"));
    }

    #[test]
    fn a_name_is_one_that_a_line_can_have() {
        for name in ["alice", "a b", "ünï", "a#", "+", "$6$"] {
            assert_eq!(user_name(name).as_deref(), Ok(name));
        }
        let long = "x".repeat(65_536);
        for name in ["", "a:b", "a\nb", "a\0", "a\u{7f}", "#a", " a", "a\u{a0}", "\u{feff}a", &long] {
            assert!(user_name(name).is_err(), "{name:?}");
        }
    }
}
