//! What plugins were not told or could not tell, as amqtt says it itself once the load is through.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::broker::Broker;
use crate::link::{Link, READ_BYTES};
use crate::packets::{self, Version, kind};
use crate::rights::WATCHER;

/// Counters of events that were not told, and of lines that plugins wrote in vain.
const COUNTERS: [&str; 2] = ["events-dropped", "plugin-log-lines-dropped"];

/// What begins the name of a counter as a topic.
const BELOW: &str = "$SYS/broker/counters/";

/// How long both counters may take to be told: `broker_sys` does it each second.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a line of the log ends that says how many could not be written.
const LEFT_OUT: &str = " lines of the log were left out";

/// Events of the run which are not in the log, whatever kept them from it. Nothing may be measured any more: it takes a
/// second, until the broker has said something new.
pub(crate) fn lost(broker: &Broker) -> Result<u64> {
    // What connections that have just ended make it tell is told by then.
    broker.settled()?;
    let mut buffer = vec![0; READ_BYTES];
    let version = Version::V3_1_1;
    let mut link = Link::open_as(&broker.address, version, "watcher", WATCHER)?;
    link.wait_for(kind::CONNACK, version, &mut buffer)?;
    let topics = COUNTERS.map(|name| format!("{BELOW}{name}"));
    link.out.extend(packets::subscribe(version, 1, &topics, 0));
    link.wait_for(kind::SUBACK, version, &mut buffer)?;

    let (mut told, start) = ([None; COUNTERS.len()], Instant::now());
    while told.contains(&None) {
        ensure!(start.elapsed() < PATIENCE, "`broker_sys` does not say {}", COUNTERS.join(" and "));
        link.wait_and_read(&mut buffer, |frame, _| {
            // What is retained may be older than the end of the load.
            let Some((topic, payload)) = frame.live_message() else { return };
            if let Some(at) = topics.iter().position(|known| known.as_bytes() == topic) {
                told[at] = std::str::from_utf8(payload).ok().and_then(|text| text.parse::<u64>().ok());
            }
        })
        .context("`broker_sys` says nothing")?;
    }
    link.close();
    Ok(told.into_iter().flatten().sum::<u64>() + left_out(&broker.log()?))
}

/// How many lines a log says that it lacks.
fn left_out(log: &str) -> u64 {
    let counts = log.lines().filter_map(|line| {
        let (before, _) = line.split_once(LEFT_OUT)?;
        before.rsplit(' ').next()?.parse::<u64>().ok()
    });
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_missing_from_a_log_add_up() {
        let log = "[2026-11-26T10:00:00Z] :: INFO - client-connected: client \"a\"\n\
                   [2026-11-26T10:00:00Z] :: WARN - 12 lines of the log were left out: it is not read fast enough\n\
                   [2026-11-26T10:00:01Z] :: WARN - 1 lines of the log were left out: it is not read fast enough\n";
        assert_eq!(left_out(log), 13);
        assert_eq!(left_out("[2026] :: INFO - nothing is missing\n"), 0);
    }
}
