/// Whether wildcards in the first level pass a topic by `[MQTT-4.7.2-1]`.
pub(super) fn hidden_from_wildcards(topic: &str) -> bool {
    topic.starts_with('$')
}

/// How many nodes this thread has looked at: what tests hold the cost of an operation to.
#[cfg(test)]
pub(super) mod visits {
    use std::cell::Cell;

    thread_local! {
        static VISITS: Cell<usize> = const { Cell::new(0) };
    }

    /// One more node is looked at.
    pub(in crate::routing) fn count() {
        VISITS.set(VISITS.get() + 1);
    }

    /// How many nodes an operation looks at.
    pub(in crate::routing) fn of<R>(operation: impl FnOnce() -> R) -> usize {
        let before = VISITS.get();
        operation();
        VISITS.get() - before
    }
}
