//! What one run found, and the median of several.

use serde::{Deserialize, Serialize};

/// What a broker did in one case.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// Messages delivered in a second; connections in cases about them.
    pub per_second: f64,
    /// CPU time of the broker for each, in microseconds.
    pub broker_us: f64,
    /// CPU time of the load for each, in microseconds.
    pub load_us: f64,
    /// In cases with a fixed rate.
    pub latency: Option<Latency>,
    /// Memory of the broker at the end.
    pub resident_bytes: u64,
    /// In the case of idle connections.
    pub bytes_per_connection: Option<f64>,
    /// Messages that should have arrived and did not, in any of the runs.
    pub lost: u64,
    /// Messages that arrived once too often, in any of the runs.
    pub doubled: u64,
    /// Events that plugins were to tell of and that are not in the log, in any of the runs; none with a broker that has no
    /// such plugins.
    pub events_lost: Option<u64>,
}

/// From when a message was due to when it was there, in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the messages took no longer.
    pub p50: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p99_9: f64,
}

impl Latency {
    /// Of nanoseconds in order, of which there is at least one.
    pub(crate) fn of(sorted: &[u64]) -> Self {
        let at = |share: f64| {
            let rank = (sorted.len() as f64 * share).ceil() as usize;
            sorted[rank.clamp(1, sorted.len()) - 1] as f64 / 1000.0
        };
        Self { p50: at(0.5), p99: at(0.99), p99_9: at(0.999) }
    }
}

impl Figures {
    /// Each figure's median of its own; what was lost or came twice is added up.
    pub(crate) fn median(runs: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(runs.iter().map(figure).collect()).unwrap_or_default();
        let latency = |figure: fn(&Latency) -> f64| {
            median(runs.iter().filter_map(|run| run.latency.as_ref()).map(figure).collect())
        };
        Self {
            per_second: of(|run| run.per_second),
            broker_us: of(|run| run.broker_us),
            load_us: of(|run| run.load_us),
            latency: (|| {
                Some(Latency {
                    p50: latency(|found| found.p50)?,
                    p99: latency(|found| found.p99)?,
                    p99_9: latency(|found| found.p99_9)?,
                })
            })(),
            resident_bytes: of(|run| run.resident_bytes as f64) as u64,
            bytes_per_connection: median(runs.iter().filter_map(|run| run.bytes_per_connection).collect()),
            lost: runs.iter().map(|run| run.lost).sum(),
            doubled: runs.iter().map(|run| run.doubled).sum(),
            events_lost: runs.iter().map(|run| run.events_lost).sum(),
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        even if even % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle_and_losses_add_up() {
        let run = |broker_us| Figures { broker_us, lost: 2, events_lost: Some(1), ..Figures::default() };
        let runs = [3.0, 1.0, 8.0].map(run);
        let median = Figures::median(&runs);
        assert_eq!((median.broker_us, median.lost, median.events_lost), (3.0, 6, Some(3)));
        assert_eq!(Figures::median(&[Figures::default()]).events_lost, None);
        assert!(median.latency.is_none());
        assert_eq!(Figures::median(&runs[..2]).broker_us, 2.0);
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let sorted: Vec<u64> = (1..=1000).map(|us| us * 1000).collect();
        let latency = Latency::of(&sorted);
        assert_eq!((latency.p50, latency.p99, latency.p99_9), (500.0, 990.0, 999.0));
        assert_eq!(Latency::of(&[7000]).p99_9, 7.0);
    }
}
