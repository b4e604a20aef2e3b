use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Counts how often what plugins have said of topics has ceased to hold: at a reload, or when a plugin says so.
///
/// A verdict is worth remembering together with the number that was current *before* the question.
#[derive(Debug)]
pub(crate) struct VerdictNumber {
    /// The same as in `changes`, for those who look at it with every message.
    current: AtomicU64,
    changes: watch::Sender<u64>,
}

impl Default for VerdictNumber {
    /// The first number is 1, so that 0 is none.
    fn default() -> Self {
        Self { current: AtomicU64::new(1), changes: watch::Sender::new(1) }
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

    /// Tells of each new number, those in between left out.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
