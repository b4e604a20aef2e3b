use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no configuration. Its text is for people and may have several lines.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file `{}`: {source}", file.display())]
    Unreadable {
        /// The path as it was given.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is not one that a person wrote as a configuration.
    #[error("the configuration file `{}` is larger than {bytes_max} bytes", file.display())]
    TooLarge {
        /// The path as it was given.
        file: PathBuf,
        /// Bytes of the largest file that is read.
        bytes_max: u64,
    },
    /// The text is not YAML.
    #[error("{0}")]
    NotYaml(Problem),
    /// The text is YAML and not a configuration.
    #[error("{}", list(problems, *more))]
    Invalid {
        /// The first problems in the order of the text; at least one.
        problems: Vec<Problem>,
        /// How many more there are.
        more: usize,
    },
}

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
    fn write(&self, f: &mut impl fmt::Write, before_hint: &str) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Place { line, column }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "{before_hint}hint: {hint}"),
            None => Ok(()),
        }
    }

    /// The problem on one line, for a log.
    pub(super) fn on_one_line(&self) -> String {
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut line, "; ");
        line
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "\n  ")
    }
}

fn list(problems: &[Problem], more: usize) -> String {
    let mut lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}
