use std::hash::BuildHasher;
use std::sync::LazyLock;

use ahash::RandomState;

/// The children of a node, by topic level.
pub(super) type Children<N> = std::collections::HashMap<Box<str>, N, LevelHasher>;

/// Hashes topic levels, which peers choose, under keys that are random for each process.
///
/// The keys are shared by all nodes: a million nodes would otherwise each carry 32 bytes of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LevelHasher;

static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl BuildHasher for LevelHasher {
    type Hasher = <RandomState as BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        KEYS.build_hasher()
    }
}

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
