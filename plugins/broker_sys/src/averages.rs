/// Over how many minutes a change is averaged, and how the topics are called.
pub(crate) const SPANS: [(f64, &str); 3] = [(1.0, "1min"), (5.0, "5min"), (15.0, "15min")];

/// How much a counter grows in a minute, averaged over some spans of time: what is long ago counts less and less.
#[derive(Debug, Default)]
pub(crate) struct Averages {
    last: u64,
    per_minute: [f64; SPANS.len()],
}

impl Averages {
    /// Takes note of a counter's value, so many seconds after the one before.
    pub(crate) fn update(&mut self, value: u64, elapsed_secs: u64) {
        if elapsed_secs == 0 {
            return;
        }
        let elapsed_minutes = elapsed_secs as f64 / 60.0;
        let rate = value.saturating_sub(self.last) as f64 / elapsed_minutes;
        self.last = value;
        for (average, (minutes, _)) in self.per_minute.iter_mut().zip(SPANS) {
            let weight_before = (-elapsed_minutes / minutes).exp();
            *average = rate + weight_before * (*average - rate);
        }
    }

    /// The averages, in the order of [`SPANS`].
    pub(crate) fn per_minute(&self) -> [f64; SPANS.len()] {
        self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::Averages;

    fn check(averages: &Averages, expected: [&str; 3]) {
        assert_eq!(averages.per_minute().map(|average| format!("{average:.2}")), expected);
    }

    #[test]
    fn a_steady_rate_is_approached_at_the_pace_of_each_span() {
        let mut averages = Averages::default();
        check(&averages, ["0.00", "0.00", "0.00"]);
        // 600 a minute: 1 - 1/e of it after one span.
        (1..=6).for_each(|round| averages.update(100 * round, 10));
        check(&averages, ["379.27", "108.76", "38.70"]);
        (7..=1_000).for_each(|round| averages.update(100 * round, 10));
        check(&averages, ["600.00", "600.00", "599.99"]);
    }

    #[test]
    fn rounds_of_other_lengths_come_to_the_same() {
        let (mut often, mut seldom) = (Averages::default(), Averages::default());
        (1..=60).for_each(|round| often.update(10 * round, 1));
        seldom.update(600, 60);
        check(&seldom, ["379.27", "108.76", "38.70"]);
        check(&often, ["379.27", "108.76", "38.70"]);
        // A round that comes at once says nothing about a rate.
        seldom.update(600, 0);
        check(&seldom, ["379.27", "108.76", "38.70"]);
    }
}
