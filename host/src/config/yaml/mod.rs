//! YAML text as a tree whose every key and value knows its line and column.
//!
//! The only folder that knows which YAML library is used. `tree` makes a tree of the library's events, `scalar` knows
//! which plain words are more than text.

mod scalar;
#[cfg(test)]
mod tests;
mod tree;

use super::error::Place;

pub(super) use self::tree::parse;

/// One value and where it is written.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
    /// The text that stands in the file, where the value is another one because of the environment.
    pub(super) written: Option<Box<str>>,
    /// How a number is spelled in the file.
    pub(super) spelled: Option<Box<str>>,
}

/// A value as YAML 1.2 understands it: `on` and `yes` are text.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// One key of a mapping. A key may be there more than once.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
}

/// Why a text is no YAML.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) place: Place,
    pub(super) message: String,
    /// What can be done about it, where that is known.
    pub(super) hint: Option<String>,
    /// What can be done where nothing better is known.
    pub(super) general_hint: Option<String>,
}
