//! What one plugin may take of the machine.

use std::time::Duration;

use super::field::Field;
use super::report::Report;
use super::section::Section;
use super::setting::{Form, Preset, Setting};
use super::yaml::Value;
use crate::hooks::{AUTH_INSTANCES_MAX, PluginLimits};

/// What bounds a plugin, among what may stand under its name.
pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "memory",
        Form::Quantity(&MEMORY),
        Preset::Meaning("16 MiB"),
        "Memory of each of the plugin's instances.",
    ),
    Setting::new(
        "deadline",
        Form::Quantity(&DEADLINE),
        Preset::Meaning("10 ms for topics, 5 s for auth, 100 ms for events"),
        "How long a call of the plugin may run.",
    ),
    Setting::new(
        "instances",
        Form::Integer { min: 1, max: AUTH_INSTANCES_MAX as i64 },
        Preset::Meaning("one fewer than there are cores, 1 to 8"),
        "How many of the plugin's instances answer auth at once.",
    ),
];

/// Whole numbers with a unit, in a range.
#[derive(Debug)]
pub(super) struct Quantity {
    units: Units,
    min: u64,
    max: u64,
    /// The range, for people.
    pub(super) wanted: &'static str,
}

/// A unit, and how many of the smallest one it is.
type Units = &'static [(&'static str, u64)];

const BYTES: Units = &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const MILLISECONDS: Units = &[("ms", 1), ("s", 1_000)];

/// From what the smallest plugin in Rust starts with, to all of WebAssembly's.
static MEMORY: Quantity =
    Quantity { units: BYTES, min: 64 << 10, max: 4 << 30, wanted: "a size from `64 KiB` to `4 GiB`" };

/// Below the clock's two ticks of 5 ms, a limit would not mean much.
static DEADLINE: Quantity =
    Quantity { units: MILLISECONDS, min: 5, max: 60_000, wanted: "a time from `5 ms` to `60 s`" };

/// Takes the limits out of what stands under a plugin's name.
pub(super) fn take(section: &mut Section<'_>, report: &mut Report) -> PluginLimits {
    let memory = section.take("memory").and_then(|field| MEMORY.read(&field, report));
    let deadline = section.take("deadline").and_then(|field| DEADLINE.read(&field, report));
    let instances = section.take("instances").and_then(|field| field.integer(report));
    PluginLimits {
        memory_bytes: memory.and_then(|bytes| usize::try_from(bytes).ok()),
        deadline: deadline.map(Duration::from_millis),
        instances: instances.and_then(|count| usize::try_from(count).ok()),
    }
}

impl Quantity {
    /// A whole number with its unit, such as `16 MiB`, in the smallest unit.
    pub(super) fn read(&self, field: &Field<'_>, report: &mut Report) -> Option<u64> {
        let value = match &field.node().value {
            Value::Text(text) => parse(text, self.units),
            _ => None,
        };
        let value = value.filter(|value| (self.min..=self.max).contains(value));
        if value.is_none() {
            let names: Vec<_> = self.units.iter().map(|(name, _)| *name).collect();
            field.wrong(self.wanted, Some(format!("a whole number and one of {}", names.join(", "))), report);
        }
        value
    }

    /// What such a text looks like, as a regular expression.
    pub(super) fn pattern(&self) -> String {
        let names: Vec<_> = self.units.iter().map(|(name, _)| *name).collect();
        format!("^[0-9]+ *({})$", names.join("|"))
    }
}

fn parse(text: &str, units: Units) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_a_unit() {
        let check = |text: &str, units, expected| assert_eq!(parse(text, units), expected, "{text}");
        check("16 MiB", BYTES, Some(16 << 20));
        check("16MiB", BYTES, Some(16 << 20));
        check("512 KiB", BYTES, Some(512 << 10));
        check("20 ms", MILLISECONDS, Some(20));
        check("5s", MILLISECONDS, Some(5_000));
        for text in ["", "16", "MiB", "16 MB", "16 mib", "-1 MiB", "1.5 GiB", "99999999999999999999 GiB", "16 MiB x"] {
            check(text, BYTES, None);
        }
    }
}
