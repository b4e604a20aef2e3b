use std::time::{Duration, Instant};

use super::limits::{
    ASIDE_TIME, EPOCH_TICK, OBSERVER_BUSY_MAX, OBSERVER_CALL_MIN, OBSERVER_CALLS_MIN, OBSERVER_FAULT_COST,
    OBSERVER_WINDOW, SLOW_CALL, SLOW_CALLS_MAX, SLOW_CALLS_WINDOW,
};

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

    /// Whether the plugin is not to be asked in place. After that time it is tried, and one slow call is enough.
    pub(crate) fn is_slow(&mut self) -> bool {
        if let Some(until) = self.slow_until
            && let now = Instant::now()
            && now >= until
        {
            *self = Self { slow_calls: SLOW_CALLS_MAX - 1, since: Some(now), slow_until: None };
        }
        self.slow_until.is_some()
    }
}

/// Notices that events and ticks that take long each take too much time together.
///
/// The clock of the deadlines is its sampling profiler: a call that goes on for long after it was seen stands for the time
/// between two looks, and those that were not seen cost nothing here.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Share {
    calls: u32,
    busy: Duration,
    /// Since when they are counted.
    since: Option<Instant>,
}

impl Share {
    /// A call has ended, after it was seen to run for so long, if it was seen. Says whether it is too much by now.
    pub(crate) fn note(&mut self, seen: Option<Duration>, failed: bool, now: impl FnOnce() -> Instant) -> bool {
        let long = seen.filter(|seen| *seen >= OBSERVER_CALL_MIN);
        if long.is_none() && !failed {
            return false;
        }
        let now = now();
        if self.since.is_none_or(|since| now.saturating_duration_since(since) > OBSERVER_WINDOW) {
            *self = Self { since: Some(now), ..Self::default() };
        }
        self.calls += 1;
        self.busy += long.map_or(Duration::ZERO, |seen| EPOCH_TICK + seen);
        self.busy += if failed { OBSERVER_FAULT_COST } else { Duration::ZERO };
        self.busy >= OBSERVER_BUSY_MAX && self.calls >= OBSERVER_CALLS_MIN
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
        // Each costs others its time: no more of them than it takes to see that nothing has changed.
        pace.slow_until = Some(now);
        assert!(!pace.is_slow() && pace.note(9 * MS, 1, now) && pace.is_slow());
        pace.slow_until = Some(now);
        assert!(!pace.is_slow());
        let later = Instant::now() + SLOW_CALLS_WINDOW + MS;
        assert!(!pace.note(9 * MS, 1, later), "it has not been slow for a while");
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

    #[test]
    fn a_share_is_too_large_by_what_comes_in_a_short_time() {
        let now = Instant::now();
        let calls = OBSERVER_BUSY_MAX.as_millis() as usize / 10;
        let expected = [vec![false; calls - 1], vec![true]].concat();
        let mut share = Share::default();
        assert!((0..1_000_000).all(|_| !share.note(None, false, || now)), "nobody has seen them");
        let noted: Vec<_> = (0..calls).map(|_| share.note(Some(10 * MS - EPOCH_TICK), false, || now)).collect();
        assert_eq!(noted, expected, "the window begins with the first that is seen");
        let mut share = Share::default();
        let failed: Vec<_> = (0..calls).map(|_| share.note(None, true, || now)).collect();
        assert_eq!(failed.iter().filter(|busy| **busy).count(), 1, "{OBSERVER_FAULT_COST:?} each");
        let mut share = Share::default();
        let once = [Some(OBSERVER_BUSY_MAX * 2), Some(EPOCH_TICK)].map(|seen| share.note(seen, true, || now));
        assert_eq!(once, [false; 2], "a deadline that is missed once, and little more");
        let mut share = Share::default();
        let later = |number: usize| now + (OBSERVER_WINDOW + MS) * number as u32;
        assert!((0..100).all(|number| !share.note(Some(OBSERVER_BUSY_MAX - 10 * MS), false, || later(number))));
    }

    /// Those of a busy broker: what is seen of each is less than it takes. Between them, some that take long count all the
    /// same.
    #[test]
    fn short_calls_are_no_large_share_however_many_they_are() {
        let (mut share, now) = (Share::default(), Instant::now());
        let short = |share: &mut Share| {
            (0..1_000_000_u64).any(|number| {
                let seen = (number % 100 == 0).then_some(OBSERVER_CALL_MIN - Duration::from_nanos(1));
                share.note(seen, false, || now + Duration::from_micros(number))
            })
        };
        assert!(!short(&mut share));
        assert!((0..10).any(|_| short(&mut share) || share.note(Some(OBSERVER_CALL_MIN), false, || now)));
    }
}
