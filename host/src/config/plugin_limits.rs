//! What one plugin may take of the machine.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::field::Field;
use super::report::Report;
use super::section::Section;
use super::yaml::Value;
use crate::hooks::PluginLimits;

/// A unit, and how many of the smallest one it is.
type Units = &'static [(&'static str, u64)];

const BYTES: Units = &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const MILLISECONDS: Units = &[("ms", 1), ("s", 1_000)];

/// Bytes of memory that a plugin may be given: from what the smallest one in Rust starts with, to all of WebAssembly's.
const MEMORY: RangeInclusive<u64> = 64 << 10..=4 << 30;
const MEMORY_WANTED: &str = "a size from `64 KiB` to `4 GiB`";

/// Milliseconds that a call may be given. Below the clock's two ticks of 5 ms, a limit would not mean much.
const DEADLINE: RangeInclusive<u64> = 5..=60_000;
const DEADLINE_WANTED: &str = "a time from `5 ms` to `60 s`";

/// Instances that may answer auth at once.
const INSTANCES: RangeInclusive<i64> = 1..=64;

/// Takes the limits out of what stands under a plugin's name.
pub(super) fn take(section: &mut Section<'_>, report: &mut Report) -> PluginLimits {
    let memory = section.take("memory").and_then(|field| quantity(&field, BYTES, &MEMORY, MEMORY_WANTED, report));
    let deadline = section.take("deadline");
    let deadline = deadline.and_then(|field| quantity(&field, MILLISECONDS, &DEADLINE, DEADLINE_WANTED, report));
    let instances = section.take("instances").and_then(|field| field.integer(INSTANCES, report));
    PluginLimits {
        memory_bytes: memory.and_then(|bytes| usize::try_from(bytes).ok()),
        deadline: deadline.map(Duration::from_millis),
        instances: instances.and_then(|count| usize::try_from(count).ok()),
    }
}

/// A whole number with its unit, such as `16 MiB`.
fn quantity(
    field: &Field<'_>,
    units: Units,
    range: &RangeInclusive<u64>,
    wanted: &str,
    report: &mut Report,
) -> Option<u64> {
    let value = match &field.node().value {
        Value::Text(text) => parse(text, units),
        _ => None,
    };
    let value = value.filter(|value| range.contains(value));
    if value.is_none() {
        let names: Vec<_> = units.iter().map(|(name, _)| *name).collect();
        field.wrong(wanted, Some(format!("a whole number and one of {}", names.join(", "))), report);
    }
    value
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
