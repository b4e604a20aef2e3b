//! Keys in a plugin's entry that nearly are the broker's: handed to the plugin as its settings, a pin or a bound would be gone.

use super::report::Report;
use super::section::Section;
use super::yaml::{Entry, Value};
use super::{known, plugin_limits};

/// The key that says which file it is, which has more names than that.
const PIN: &str = "sha256";

/// What else people call a sum. They may well be settings of a plugin, unless such a sum is what they say.
const SUMS: [&str; 3] = ["checksum", "pin", "sum"];

/// Letters of the shortest key that others are found to resemble: too many words are like a shorter one.
const RESEMBLED_LEN_MIN: usize = 6;

/// Makes errors of such keys, of an entry that may have settings of the plugin's own.
pub(super) fn refuse(section: &mut Section<'_>, report: &mut Report) {
    section.refuse(
        |path, entry| Some((format!("unknown key `{path}`"), format!("did you mean `{}`?", meant(entry)?))),
        report,
    );
}

/// The broker's key that is meant.
fn meant(entry: &Entry) -> Option<&'static str> {
    let mut keys = known::ENTRY.iter().chain(plugin_limits::SETTINGS).map(|setting| setting.key);
    let key = entry.key.to_lowercase();
    let is_like = |known: &str| {
        let bare = key.replace(['-', '_'], "");
        bare == known || (known.len() >= RESEMBLED_LEN_MIN && strsim::damerau_levenshtein(&bare, known) == 1)
    };
    keys.find(|known| is_like(known)).or_else(|| is_sum(&key, &entry.value.value).then_some(PIN))
}

/// Whether a key, in lower case, is about the sum of a file.
fn is_sum(key: &str, value: &Value) -> bool {
    let names_it =
        key.strip_prefix("sha").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || "-_".contains(c)));
    let is_one = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    names_it || (SUMS.contains(&key) && matches!(value, Value::Text(text) if is_one(text)))
}
