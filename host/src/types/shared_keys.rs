use std::hash::BuildHasher;
use std::sync::LazyLock;

use ahash::RandomState;

/// Hashes what peers choose, under keys that are random for each process.
///
/// The keys are shared by all maps that use it: there are several for each client, and each would otherwise carry 32
/// bytes of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct SharedKeys;

static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl BuildHasher for SharedKeys {
    type Hasher = <RandomState as BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        KEYS.build_hasher()
    }
}
