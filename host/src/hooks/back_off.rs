use std::time::{Duration, Instant};

use super::limits::{BACK_OFF_MAX, BACK_OFF_MIN};

/// How long to leave a plugin alone that fails to initialise: from one second to thirty, doubled at each failure.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    next: Option<Duration>,
}

impl BackOff {
    /// Takes note of a failure and says when to try again.
    pub(crate) fn failed(&mut self, now: Instant) -> (Duration, Instant) {
        let wait = self.next.unwrap_or(BACK_OFF_MIN);
        self.next = Some((wait * 2).min(BACK_OFF_MAX));
        (wait, now + wait)
    }

    /// Takes note of a success.
    pub(crate) fn succeeded(&mut self) {
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_again_after_a_success() {
        let mut back_off = BackOff::default();
        let now = Instant::now();
        let waits: Vec<_> = (0..7).map(|_| back_off.failed(now).0.as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        back_off.succeeded();
        assert_eq!(back_off.failed(now), (BACK_OFF_MIN, now + BACK_OFF_MIN));
    }
}
