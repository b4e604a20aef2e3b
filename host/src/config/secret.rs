//! What of a plugin's settings is nobody's business, where only the plugin knows what they mean.

use super::section::dashed;

/// Whether a key says by its name that its value is a secret. The path of a file with secrets is none.
pub(super) fn is_name(key: &str) -> bool {
    const WORDS: [&str; 22] = [
        "pass",
        "pwd",
        "pw",
        "psk",
        "key",
        "keys",
        "hmac",
        "bearer",
        "auth",
        "authorization",
        "pin",
        "otp",
        "salt",
        "seed",
        "pepper",
        "jwt",
        "cookie",
        "session",
        "signature",
        "private",
        "dsn",
        "login",
    ];
    const PARTS: [&str; 7] = ["password", "passwd", "passphrase", "secret", "token", "credential", "apikey"];
    let words = words(key);
    let whole = words.concat();
    !is_path_name(&words)
        && (words.iter().any(|word| WORDS.contains(&word.as_str())) || PARTS.iter().any(|part| whole.contains(part)))
}

/// Whether a text can be shown whatever it means: a word for on or off, or the path of a file.
pub(super) fn is_harmless(key: &str, text: &str) -> bool {
    let is_switch = matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "on" | "off" | "yes" | "no");
    // An address has a `:`, `@` or `?` where it holds a secret.
    let is_path = |text: &str| text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ' '));
    is_switch || (is_path_name(&words(key)) && is_path(text))
}

/// Whether the value is the path of a file or folder: by the last word, so that a `profile` is none.
fn is_path_name(words: &[String]) -> bool {
    words.last().is_some_and(|word| matches!(word.as_str(), "file" | "path" | "dir" | "folder"))
}

/// The words of a key in lower case, also where only a capital letter begins the next.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for c in dashed(key).chars() {
        let is_border = matches!(c, '-' | '.' | ' ');
        if is_border || (after_small && c.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| !is_border) {
            word.extend(c.to_lowercase());
        }
        after_small = c.is_lowercase();
    }
    words
}
