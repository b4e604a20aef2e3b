//! How many entries of a collection this thread has looked at: what tests hold the cost of an operation to.

use std::cell::Cell;

thread_local! {
    static VISITS: Cell<usize> = const { Cell::new(0) };
}

/// One more is looked at.
pub(crate) fn count() {
    VISITS.set(VISITS.get() + 1);
}

/// How many an operation looks at.
pub(crate) fn of<R>(operation: impl FnOnce() -> R) -> usize {
    let before = VISITS.get();
    operation();
    VISITS.get() - before
}
