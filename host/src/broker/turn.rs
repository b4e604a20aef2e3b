use std::pin::pin;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::task::yield_now;

/// How long one turn of a connection lasts before others have theirs, if what it does can be broken off.
const TURN_MAX: Duration = Duration::from_millis(2);

/// What a connection takes that is woken to write: a system call, and the network below it.
const WRITE_TIME: Duration = Duration::from_micros(4);

/// How long the turn lasts of who wakes many.
const WAKING_TURN_MAX: Duration = Duration::from_millis(8);

/// Work after which the clock is asked: some 10 µs of ordinary messages.
const WORK_BETWEEN_LOOKS: u32 = 32;

/// How much a turn of a connection has done.
///
/// What a packet costs is for its sender to choose, within wide bounds. So work is counted where it is done, in units of
/// about one delivery, and the clock is asked now and then.
#[derive(Debug, Default)]
pub(super) struct Turn {
    work: u32,
    is_over: bool,
}

impl Turn {
    /// Adds so many units of work.
    pub(super) fn spend(&mut self, work: usize) {
        self.work = self.work.saturating_add(u32::try_from(work).unwrap_or(u32::MAX));
    }

    /// Adds work of which nothing is known but that it may have taken long.
    pub(super) fn spend_much(&mut self) {
        self.spend(WORK_BETWEEN_LOOKS as usize);
    }

    /// Whether others are to have theirs. The turn has begun at `began` and wakes so many connections.
    ///
    /// Each of those writes what it was given, however little that is. So who wakes many goes on for as long as they take
    /// to write: with less for each of them, most of the time would go by in system calls.
    pub(super) fn is_over(&mut self, began: Instant, woken: usize) -> bool {
        if self.work >= WORK_BETWEEN_LOOKS {
            self.work = 0;
            self.is_over |= began.elapsed() >= turn_max(woken);
        }
        self.is_over
    }
}

fn turn_max(woken: usize) -> Duration {
    let writing = u32::try_from(woken).map_or(Duration::MAX, |woken| WRITE_TIME.saturating_mul(woken));
    writing.clamp(TURN_MAX, WAKING_TURN_MAX)
}

/// Has this task go on once all others that are ready have had their turn, and the sockets were looked at.
pub(super) fn go_on_after_others(cx: &mut Context<'_>) {
    // A task that wakes itself would be looked at again before the sockets are; one that yields is not.
    let _ = pin!(yield_now()).poll(cx);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_over_when_it_has_lasted_and_only_looked_at_now_and_then() {
        let now = Instant::now();
        let long_ago = now.checked_sub(TURN_MAX).expect("the machine runs");
        let mut turn = Turn::default();
        assert!(!turn.is_over(long_ago, 0), "nothing was done");
        turn.spend(WORK_BETWEEN_LOOKS as usize - 1);
        assert!(!turn.is_over(long_ago, 0));
        turn.spend(1);
        assert!(turn.is_over(long_ago, 0) && turn.is_over(long_ago, 0), "and stays so");
        let mut quick = Turn::default();
        quick.spend(usize::MAX);
        assert!(!quick.is_over(now + TURN_MAX, 0), "it has lasted no time");
        quick.spend_much();
        assert!(quick.is_over(long_ago, 0));
    }

    #[test]
    fn a_turn_lasts_as_long_as_those_write_that_it_wakes_within_bounds() {
        assert_eq!([0, 1, 500].map(turn_max), [TURN_MAX; 3]);
        assert_eq!(turn_max(1_000), 2 * TURN_MAX);
        assert_eq!([2_000, 1_000_000, usize::MAX].map(turn_max), [WAKING_TURN_MAX; 3]);
    }
}
