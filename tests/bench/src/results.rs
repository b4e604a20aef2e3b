//! The table, kept as JSON between runs and printed as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::figures::Figures;
use crate::scenario::Case;

/// What has been measured so far: for each case what each broker did, or that it failed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    cases: BTreeMap<String, Vec<(String, Option<Figures>)>>,
}

/// The name of the broker that the others are compared with.
const OURS: &str = "amqtt";

impl Results {
    /// What `path` holds; nothing if there is no such file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            text => text.with_context(|| format!("cannot read `{}`", path.display()))?,
        };
        serde_json::from_str(&text).with_context(|| format!("`{}` holds no results", path.display()))
    }

    /// Writes all of it.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Adds what a broker did, in place of what was known of it.
    pub(crate) fn put(&mut self, case: &Case, peer: &str, figures: Option<Figures>) {
        let row = self.cases.entry(case.to_string()).or_default();
        match row.iter_mut().find(|(name, _)| name == peer) {
            Some((_, known)) => *known = figures,
            None => row.push((peer.to_owned(), figures)),
        }
    }

    /// What a broker did, if it ran and did not fail.
    #[must_use]
    pub fn of(&self, case: &Case, peer: &str) -> Option<&Figures> {
        self.cases.get(&case.to_string())?.iter().find(|(name, _)| name == peer)?.1.as_ref()
    }

    /// The table of all cases, in the order of the list.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = String::from(HEAD);
        for case in Case::all() {
            let Some(row) = self.cases.get(&case.to_string()) else { continue };
            let ours = self.of(&case, OURS).cloned();
            for (at, (peer, figures)) in row.iter().enumerate() {
                let name = if at == 0 { case.to_string() } else { String::new() };
                match figures {
                    Some(figures) => line(&mut table, &name, peer, figures, ours.as_ref().filter(|_| peer != OURS)),
                    None => drop(writeln!(table, "| {name} | {peer} | failed | | | | | | | |")),
                }
            }
        }
        table
    }
}

const HEAD: &str = "\
| case | broker | messages/s | broker CPU, µs each | load CPU, µs each | p50 / p99 / p99.9, µs | RSS, MiB | bytes per \
connection | lost | amqtt's CPU / this one's |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
";

fn line(table: &mut String, case: &str, peer: &str, figures: &Figures, ours: Option<&Figures>) {
    let latency = figures.latency.as_ref();
    let latency = latency.map(|found| format!("{:.0} / {:.0} / {:.0}", found.p50, found.p99, found.p99_9));
    let bytes = figures.bytes_per_connection.map(|bytes| format!("{bytes:.0}"));
    let ratio = ours.map(|ours| format!("{:.3}", ours.broker_us / figures.broker_us));
    let mut lost = figures.lost.to_string();
    if figures.doubled > 0 {
        let _ = write!(lost, ", {} doubled", figures.doubled);
    }
    if let Some(events @ 1..) = figures.events_lost {
        let _ = write!(lost, ", {events} events");
    }
    let _ = writeln!(
        table,
        "| {case} | {peer} | {:.0} | {:.3} | {:.3} | {} | {:.1} | {} | {lost} | {} |",
        figures.per_second,
        figures.broker_us,
        figures.load_us,
        latency.unwrap_or_default(),
        figures.resident_bytes as f64 / f64::from(1 << 20),
        bytes.unwrap_or_default(),
        ratio.unwrap_or_default(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_back_and_make_a_table() {
        let case = &Case::all()[0];
        let mut results = Results::default();
        results.put(case, OURS, Some(Figures { broker_us: 1.0, lost: 3, ..Figures::default() }));
        results.put(case, "other", Some(Figures { broker_us: 8.0, ..Figures::default() }));
        results.put(case, OURS, Some(Figures { broker_us: 2.0, ..Figures::default() }));
        results.put(case, "third", None);
        let lossy = Figures { lost: 1, doubled: 2, events_lost: Some(3), ..Figures::default() };
        results.put(case, "fourth", Some(Figures { broker_us: 4.0, ..lossy }));

        let dir = tempfile::TempDir::new().expect("a folder");
        let path = dir.path().join("results.json");
        results.write(&path).expect("can write");
        let table = Results::read(&path).expect("can read").table();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| 10 pairs, QoS 0 | amqtt | 0 | 2.000 | 0.000 |  | 0.0 |  | 0 |  |",
                "|  | other | 0 | 8.000 | 0.000 |  | 0.0 |  | 0 | 0.250 |",
                "|  | third | failed | | | | | | | |",
                "|  | fourth | 0 | 4.000 | 0.000 |  | 0.0 |  | 1, 2 doubled, 3 events | 0.500 |",
            ]
        );
    }
}
