use std::borrow::Borrow;
use std::fmt::{self, Display};

use serde::Serialize;

use super::Grants;
use crate::types::TopicFilter;

/// What can be said of a plugin's file without running it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Inspection {
    /// The SHA-256 of the file, as `sha256` in the configuration wants it.
    pub sha256: String,
    /// Bytes of the file.
    pub size: u64,
    /// The name that the component has within.
    pub name: Option<String>,
    /// The version that the component has within.
    pub version: Option<String>,
    /// The version of the plugin interface that it was built for.
    pub interface: Option<String>,
    /// The hooks that it has.
    pub hooks: Vec<&'static str>,
    /// All that it imports.
    pub imports: Vec<String>,
    /// All that it exports.
    pub exports: Vec<String>,
    /// What the configuration has to grant it, each as it stands below `grants`.
    pub grants: Vec<&'static str>,
    /// Why this broker cannot run it, if it cannot.
    pub problem: Option<String>,
}

/// For people, a line for each thing.
impl Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn Display| writeln!(f, "{name:<10} {value}");
        let list = |f: &mut fmt::Formatter<'_>, name: &str, items: &[&str]| match items {
            [] => line(f, name, &"none"),
            [first, rest @ ..] => {
                line(f, name, first)?;
                rest.iter().try_for_each(|item| line(f, "", item))
            }
        };
        let names = |names: &[String]| names.iter().map(|name| printable(name)).collect::<Vec<_>>();
        line(f, "sha256", &self.sha256)?;
        line(f, "size", &format_args!("{} bytes", self.size))?;
        line(f, "name", &printable(self.name.as_deref().unwrap_or("not told")))?;
        line(f, "version", &printable(self.version.as_deref().unwrap_or("not told")))?;
        line(f, "interface", &printable(self.interface.as_deref().unwrap_or("not that of this broker")))?;
        let (imports, exports) = (names(&self.imports), names(&self.exports));
        list(f, "hooks", &self.hooks)?;
        list(f, "imports", &imports.iter().map(String::as_str).collect::<Vec<_>>())?;
        list(f, "exports", &exports.iter().map(String::as_str).collect::<Vec<_>>())?;
        line(f, "grants", &listed(&self.grants).as_deref().unwrap_or("none"))?;
        match &self.problem {
            None => line(f, "problem", &"none"),
            Some(problem) => line(f, "problem", &problem.replace('\n', "\n           ")),
        }
    }
}

/// Grants as the one key that they are in a plugin's entry; none where there are none.
pub fn together(grants: &[impl Borrow<str>]) -> Option<String> {
    listed(grants).map(|grants| format!("grants: {grants}"))
}

/// The same, with what has been granted in the places that are left open.
pub fn together_as_granted(grants: &[&str], granted: &Grants) -> Option<String> {
    let filled = grants.iter().map(|grant| match grant.split_once(':') {
        Some((key @ "files", _)) => format!("{key}: {}", flow_list(granted.files.iter().map(String::as_str))),
        Some((key @ "publish", _)) => format!("{key}: {}", flow_list(granted.publish.iter().map(TopicFilter::as_str))),
        _ => (*grant).to_owned(),
    });
    together(&filled.collect::<Vec<_>>())
}

/// A list of texts in YAML, on one line.
fn flow_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let is_plain = |text: &str| {
        !text.starts_with('#')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '#' | '+' | '$' | '-' | '_'))
    };
    let texts =
        texts.map(|text| if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) });
    format!("[{}]", texts.collect::<Vec<_>>().join(", "))
}

/// Grants as the value of that key.
pub fn listed(grants: &[impl Borrow<str>]) -> Option<String> {
    (!grants.is_empty()).then(|| format!("{{{}}}", grants.join(", ")))
}

/// Text of a stranger's file, fit for a terminal.
fn printable(text: &str) -> String {
    super::capabilities::escape(text)
}
