use std::time::{Duration, Instant};

use super::limits::{ASIDE_TIME, SLOW_CALL, SLOW_CALLS_MAX, SLOW_CALLS_WINDOW};

/// Notices that a plugin's topic-checks take long, on one worker.
///
/// Only calls that the clock of the deadlines has seen running are looked at: the others cost nothing here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace {
    slow_calls: u32,
    /// Since when they are counted.
    since: Option<Instant>,
    slow_until: Option<Instant>,
}

impl Pace {
    /// A call about so many topics was seen to run for at least `ran` for each. Says whether this makes the plugin slow.
    pub(crate) fn note(&mut self, ran: Duration, topics: u32, now: Instant) -> bool {
        if ran < SLOW_CALL {
            return false;
        }
        if self.since.is_none_or(|since| now.saturating_duration_since(since) > SLOW_CALLS_WINDOW) {
            (self.slow_calls, self.since) = (0, Some(now));
        }
        self.slow_calls = self.slow_calls.saturating_add(topics);
        let slow = self.slow_calls >= SLOW_CALLS_MAX && self.slow_until.is_none();
        if slow {
            (self.slow_calls, self.since) = (0, None);
            self.slow_until = Some(now + ASIDE_TIME);
        }
        slow
    }

    /// Whether the plugin is not to be asked in place.
    pub(crate) fn is_slow(&mut self) -> bool {
        if self.slow_until.is_some_and(|until| Instant::now() >= until) {
            self.slow_until = None;
        }
        self.slow_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_few_slow_calls_in_a_short_time_make_a_plugin_slow() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!((0..1_000).all(|_| !pace.note(SLOW_CALL / 2, 1, now)));
        let noted: Vec<_> = (0..SLOW_CALLS_MAX + 2).map(|_| pace.note(9 * MS, 1, now)).collect();
        assert_eq!(noted, [false, false, true, false, false]);
        assert!(pace.is_slow());
        pace.slow_until = Some(now);
        assert!(!pace.is_slow());
    }

    #[test]
    fn one_call_about_many_topics_counts_as_many() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!(!pace.note(SLOW_CALL / 2, 8, now));
        assert!(pace.note(SLOW_CALL, 8, now) && pace.is_slow());
    }

    #[test]
    fn a_slow_call_now_and_then_is_nothing() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let noted = (0..100).any(|number| pace.note(9 * MS, 1, now + number * (SLOW_CALLS_WINDOW / 2 + MS)));
        assert!(!noted && !pace.is_slow());
    }
}
