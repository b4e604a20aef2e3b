use std::collections::HashMap;
use std::fmt;

use crate::log;

/// How many bad lines of a file are told one by one.
const WARNINGS_MAX: usize = 20;

/// A file with a line for each name, such as a password file: `name:value`, split at the first `:`.
///
/// Blank lines and lines that start with `#` are skipped, and so are white space around a line and a byte order mark. A line
/// that is not understood is left out, and of two lines with the same name the last counts:
/// [`bad_lines`](Self::bad_lines) tells both. Messages have the number of a line and never its text, which may be a secret.
///
/// ```
/// use amqtt_plugin_sdk::Entries;
///
/// let file = b"# seats\nalice: 4\nbob: none\n";
/// let seats = Entries::parse(file, |value| value.trim().parse::<u32>().map_err(|_| "it is not a number".to_owned()));
/// assert_eq!(seats.get("alice"), Some(&4));
/// assert_eq!(seats.bad_lines()[0].to_string(), "line 3 is left out: it is not a number");
/// ```
///
/// With [`Watched`](crate::Watched) a plugin follows such a file: its `parse` calls this one.
#[derive(Debug, Clone)]
pub struct Entries<T> {
    values: Vec<Entry<T>>,
    by_name: HashMap<String, usize>,
    bad_lines: Vec<BadLine>,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    value: T,
    /// Where it stands in the file, counted from 1.
    line: usize,
}

/// A line that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// Why it does not count.
    pub reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is left out: {}", self.line, self.reason)
    }
}

impl<T> Entries<T> {
    /// Reads a file. `value` makes something of what follows a name; its error says what is wrong with it.
    pub fn parse(content: &[u8], mut value: impl FnMut(&str) -> Result<T, String>) -> Self {
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
        let mut entries = Entries { values: Vec::new(), by_name: HashMap::new(), bad_lines: Vec::new() };
        for (line, text) in (1..).zip(content.split(|byte| *byte == b'\n')) {
            let read = split(text).and_then(|parts| match parts {
                Some((name, rest)) => Ok(Some((name, value(rest)?))),
                None => Ok(None),
            });
            match read {
                Ok(Some((name, value))) => entries.insert(name, Entry { value, line }),
                Ok(None) => {}
                Err(reason) => entries.bad_lines.push(BadLine { line, reason }),
            }
        }
        entries
    }

    /// What the file says of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.by_name.get(name).and_then(|place| self.nth(*place))
    }

    /// What it says of its names, in their order in the file.
    pub fn nth(&self, place: usize) -> Option<&T> {
        self.values.get(place).map(|entry| &entry.value)
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The lines that do not count.
    pub fn bad_lines(&self) -> &[BadLine] {
        &self.bad_lines
    }

    /// Writes the bad lines to the log, the first ones one by one. `file` is what people call the file.
    pub fn warn_of_bad_lines(&self, file: &str) {
        for bad in self.bad_lines.iter().take(WARNINGS_MAX) {
            log::warn(format_args!("{file} {bad}"));
        }
        if let Some(more) = self.bad_lines.len().checked_sub(WARNINGS_MAX).filter(|more| *more > 0) {
            log::warn(format_args!("{more} more bad lines in the {file}"));
        }
    }

    fn insert(&mut self, name: &str, entry: Entry<T>) {
        let line = entry.line;
        if let Some(place) = self.by_name.get(name) {
            let before = std::mem::replace(&mut self.values[*place], entry);
            self.bad_lines.push(BadLine { line: before.line, reason: format!("line {line} has the same name") });
        } else {
            self.by_name.insert(name.to_owned(), self.values.len());
            self.values.push(entry);
        }
    }
}

/// Name and rest of a line; none where it is blank or a comment.
fn split(text: &[u8]) -> Result<Option<(&str, &str)>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8")?.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    match text.split_once(':').ok_or("there is no `:` after the name")? {
        ("", _) => Err("there is no name before the `:`".to_owned()),
        parts => Ok(Some(parts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Level, take_written};

    fn parse(content: impl AsRef<[u8]>) -> Entries<u32> {
        Entries::parse(content.as_ref(), |value| value.parse().map_err(|_| "no number".to_owned()))
    }

    #[test]
    fn lines_comments_and_blanks_are_read() {
        let entries = parse("\u{feff}# numbers\r\n\r\n  a:1\r\n   \n #b:2\nc:3");
        assert_eq!(
            (entries.len(), entries.get("a"), entries.get("b"), entries.get("c")),
            (2, Some(&1), None, Some(&3))
        );
        assert_eq!((entries.nth(0), entries.nth(1), entries.nth(2)), (Some(&1), Some(&3), None));
        assert!(entries.bad_lines().is_empty() && !entries.is_empty() && parse("#\n").is_empty());
    }

    #[test]
    fn bad_lines_are_told_by_number_and_the_rest_counts() {
        let entries = parse(b"a\n:1\nb:x\nc:\xff\nd:1:2\ne:5\n");
        let told: Vec<_> = entries.bad_lines().iter().map(ToString::to_string).collect();
        let expected = [
            "line 1 is left out: there is no `:` after the name",
            "line 2 is left out: there is no name before the `:`",
            "line 3 is left out: no number",
            "line 4 is left out: it is not UTF-8",
            "line 5 is left out: no number",
        ];
        assert_eq!((told.as_slice(), entries.len(), entries.get("e")), (&expected.map(str::to_owned)[..], 1, Some(&5)));
    }

    #[test]
    fn the_last_of_two_equal_names_counts() {
        let entries = parse("a:1\nb:2\na:3\n");
        assert_eq!((entries.len(), entries.get("a"), entries.nth(0)), (2, Some(&3), Some(&3)));
        assert_eq!(entries.bad_lines(), [BadLine { line: 1, reason: "line 3 has the same name".to_owned() }]);
    }

    #[test]
    fn the_log_has_the_first_bad_lines_and_how_many_more_there_are() {
        parse("x\n".repeat(WARNINGS_MAX + 2)).warn_of_bad_lines("file of numbers");
        let written = take_written();
        let first = "file of numbers line 1 is left out: there is no `:` after the name";
        assert_eq!((written.len(), &written[0]), (WARNINGS_MAX + 1, &(Level::Warn, first.to_owned())));
        assert_eq!(written[WARNINGS_MAX].1, "2 more bad lines in the file of numbers");
    }
}
