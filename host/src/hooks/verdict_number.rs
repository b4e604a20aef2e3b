use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::limits::{INVALIDATIONS_AT_ONCE, INVALIDATIONS_PER_SECOND};
use crate::types::TokenBucket;

/// Counts how often what plugins have said of topics has ceased to hold: at a reload, or when a plugin says so.
///
/// A verdict is worth remembering together with the number that was current *before* the question.
#[derive(Debug)]
pub(crate) struct VerdictNumber {
    /// The same as in `changes`, for those who look at it with every message.
    current: AtomicU64,
    changes: watch::Sender<u64>,
    /// How often plugins may say so: all sessions are judged anew each time.
    rate: Mutex<TokenBucket>,
    /// A plugin has said so, and it was too soon.
    wanted: AtomicBool,
}

impl Default for VerdictNumber {
    /// The first number is 1, so that 0 is none.
    fn default() -> Self {
        Self {
            current: AtomicU64::new(1),
            changes: watch::Sender::new(1),
            rate: Mutex::new(TokenBucket::new(INVALIDATIONS_AT_ONCE, INVALIDATIONS_PER_SECOND)),
            wanted: AtomicBool::new(false),
        }
    }
}

impl VerdictNumber {
    pub(crate) fn current(&self) -> u64 {
        self.current.load(Ordering::Acquire)
    }

    /// From now on, nothing that was said before holds.
    pub(crate) fn advance(&self) {
        self.changes.send_modify(|number| {
            *number += 1;
            self.current.store(*number, Ordering::Release);
        });
    }

    /// A plugin wants the same: now, or soon if plugins have wanted it too often, once for all who want it until then.
    pub(crate) fn invalidate(&self, now: Instant) {
        if self.rate.lock().take(now) {
            self.advance();
        } else {
            self.wanted.store(true, Ordering::Release);
        }
    }

    /// Does what was put off, if it is time. To be called regularly.
    pub(crate) fn settle(&self, now: Instant) {
        if self.wanted.load(Ordering::Relaxed) && self.rate.lock().take(now) {
            self.wanted.store(false, Ordering::Release);
            self.advance();
        }
    }

    /// Tells of each new number, those in between left out.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_plugins_want_too_often_is_done_once_for_all() {
        let (number, now) = (VerdictNumber::default(), Instant::now());
        (0..INVALIDATIONS_AT_ONCE).for_each(|_| number.invalidate(now));
        let at_once = number.current();
        assert_eq!(at_once, 1 + u64::from(INVALIDATIONS_AT_ONCE), "each at once");
        (0..100_000).for_each(|_| number.invalidate(now));
        number.settle(now);
        assert_eq!(number.current(), at_once);
        let soon = now + Duration::from_secs(1) / INVALIDATIONS_PER_SECOND;
        number.settle(soon);
        number.settle(soon);
        assert_eq!(number.current(), at_once + 1, "none of them is lost");
        number.advance();
        assert_eq!(number.current(), at_once + 2, "a reload does not wait");
    }
}
