use std::pin::pin;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::task::yield_now;

/// How long one turn of a connection lasts before others have theirs, if what it does can be broken off.
const TURN_MAX: Duration = Duration::from_millis(2);

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

    /// Whether others are to have theirs. The turn has begun at `began`.
    pub(super) fn is_over(&mut self, began: Instant) -> bool {
        if self.work >= WORK_BETWEEN_LOOKS {
            self.work = 0;
            self.is_over |= began.elapsed() >= TURN_MAX;
        }
        self.is_over
    }
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
        assert!(!turn.is_over(long_ago), "nothing was done");
        turn.spend(WORK_BETWEEN_LOOKS as usize - 1);
        assert!(!turn.is_over(long_ago));
        turn.spend(1);
        assert!(turn.is_over(long_ago) && turn.is_over(long_ago), "and stays so");
        let mut quick = Turn::default();
        quick.spend(usize::MAX);
        assert!(!quick.is_over(now + TURN_MAX), "it has lasted no time");
        quick.spend_much();
        assert!(quick.is_over(long_ago));
    }
}
