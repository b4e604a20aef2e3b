use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::limits::{FIRST_GO_MAX, FIRST_GO_MIN, SUSPECT_FORGET};

/// How long a question of auth may take at its first go, after one has run out of time.
///
/// Requests that take a thread until its time is up may come from any number of addresses, each of which has caused no
/// fault yet. So for a while a question gets little more than others have taken; one that needs more is asked again with
/// all the time that it may have, in the line of those who are known to make plugins fail.
#[derive(Default)]
pub(crate) struct FirstGo {
    /// Microseconds of the longest call that gave an answer, and one more; 0 before the first.
    longest: AtomicU64,
    ran_out: Mutex<Option<Instant>>,
}

impl FirstGo {
    /// How long a call may take; none where nothing has run out of time lately.
    pub(crate) fn limit(&self, now: Instant) -> Option<Duration> {
        let mut ran_out = self.ran_out.lock();
        if now.saturating_duration_since((*ran_out)?) >= SUSPECT_FORGET {
            *ran_out = None;
            return None;
        }
        drop(ran_out);
        Some(match self.longest.load(Ordering::Relaxed) {
            0 => FIRST_GO_MAX,
            longest => Duration::from_micros(longest.saturating_mul(2)).clamp(FIRST_GO_MIN, FIRST_GO_MAX),
        })
    }

    /// A call that was seen to run for so long, if it was seen, gave an answer.
    pub(crate) fn answered(&self, ran: Option<Duration>) {
        let micros = u64::try_from(ran.unwrap_or_default().as_micros()).unwrap_or(u64::MAX);
        self.longest.fetch_max(micros.saturating_add(1), Ordering::Relaxed);
    }

    /// A call ran out of all the time that it may have.
    pub(crate) fn ran_out(&self, now: Instant) {
        *self.ran_out.lock() = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_go_is_short_for_a_while_after_a_call_has_run_out_of_time() {
        let (first_go, now) = (FirstGo::default(), Instant::now());
        first_go.answered(Some(FIRST_GO_MIN));
        assert_eq!(first_go.limit(now), None);
        first_go.ran_out(now);
        assert_eq!(first_go.limit(now + SUSPECT_FORGET / 2), Some(FIRST_GO_MIN * 2 + Duration::from_micros(2)));
        assert_eq!([SUSPECT_FORGET, Duration::ZERO].map(|after| first_go.limit(now + after)), [None, None]);
    }

    #[test]
    fn a_first_go_has_twice_the_time_of_the_longest_answer() {
        let (first_go, now) = (FirstGo::default(), Instant::now());
        first_go.ran_out(now);
        let limit = || first_go.limit(now).expect("there is one");
        assert_eq!(limit(), FIRST_GO_MAX, "nothing is known of answers");
        first_go.answered(None);
        assert_eq!(limit(), FIRST_GO_MIN);
        first_go.answered(Some(FIRST_GO_MAX / 4));
        first_go.answered(Some(FIRST_GO_MIN));
        assert_eq!(limit(), FIRST_GO_MAX / 2 + Duration::from_micros(2));
        first_go.answered(Some(FIRST_GO_MAX));
        assert_eq!(limit(), FIRST_GO_MAX);
    }
}
