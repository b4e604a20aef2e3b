use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::hooks::escape;

/// Why there is no configuration. Its text is for people and may have several lines.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", file.display())]
    Unreadable {
        /// The path as it was given.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is not one that a person wrote as a configuration.
    #[error("`{}` is larger than {bytes_max} bytes", file.display())]
    TooLarge {
        /// The path as it was given.
        file: PathBuf,
        /// Bytes of the largest file that is read.
        bytes_max: u64,
    },
    /// The text is not YAML.
    #[error("{0}")]
    NotYaml(Box<Problem>),
    /// The text is YAML and not a configuration.
    #[error("{}", list(.0))]
    Invalid(
        /// The problems in the order of the text; at least one.
        Vec<Problem>,
    ),
}

/// Problems that the text of an error tells: a person who starts a broker wants the first ones.
const TOLD_MAX: usize = 20;

/// One thing that is wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the file.
    pub file: String,
    /// Where in the file, if it is about one place.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What can be done about it.
    pub hint: Option<String>,
    /// The value that is not what its key wants, where it is about that.
    pub value: Option<Value>,
}

/// A value that is not what its key wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The path of the key; empty for the whole file.
    pub key: String,
    /// The value as a message quotes it.
    pub found: String,
    /// What would be right.
    pub wanted: String,
}

/// A line and a column, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Problem {
    /// A problem that has no place in the file.
    pub(super) fn about_file(file: &str, message: String) -> Self {
        Self { file: file.to_owned(), place: None, message, hint: None, value: None }
    }

    /// The problem on one line, for a log.
    pub fn on_one_line(&self) -> String {
        self.text("", "; ")
    }

    /// The problem as people read it, with what kind it is: an error, say.
    pub fn as_kind(&self, kind: &str) -> String {
        self.text(&format!("{kind}: "), "\n  ")
    }

    fn text(&self, kind: &str, before_hint: &str) -> String {
        let place = self.place.map_or_else(String::new, |Place { line, column }| format!(":{line}:{column}"));
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("{before_hint}hint: {}", escape(hint)));
        // Names that stand in the file may hold what commands a terminal.
        format!("{}{place}: {kind}{}{hint}", escape(&self.file), escape(&self.message))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text("", "\n  "))
    }
}

fn list(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(TOLD_MAX).map(ToString::to_string).collect();
    if let Some(more) = problems.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        lines.push(format!("and {more} more: `amqtt check` lists them"));
    }
    lines.join("\n")
}
