use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The time from one line of the log to the next.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// What others can make happen often: the log tells of it at most once a minute, with how often it was.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// It has happened; how often it has since it was told of, where it is to be told of now.
    pub(super) fn happened(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock();
        state.untold += 1;
        if state.told.is_some_and(|told| now.saturating_duration_since(told) < BETWEEN_LINES) {
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_of_at_once_and_then_once_a_minute_with_how_often_it_was() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        let after = |secs: u64| seldom.happened(start + Duration::from_secs(secs));
        assert_eq!([after(0), after(1), after(59), after(60)], [Some(1), None, None, Some(3)]);
        assert_eq!([after(61), after(300), after(300)], [None, Some(2), None]);
    }
}
