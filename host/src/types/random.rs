//! Random choices for tests, the same for the same seed.

/// The generator SplitMix64: a few instructions, no dependency, good enough to choose among test cases.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator that gives the same choices whenever it is given the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number less than `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of the three.
    pub(crate) fn qos(&mut self) -> super::QoS {
        [super::QoS::AtMostOnce, super::QoS::AtLeastOnce, super::QoS::ExactlyOnce][self.below(3)]
    }
}

/// Runs `check` with one seed after the other, `default` of them or as many as `AMQTT_SEEDS` says; a failure names the
/// seed, and `AMQTT_SEED` runs that one alone.
pub(crate) fn for_each_seed(default: u64, mut check: impl FnMut(u64)) {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse().expect("a number"));
    let seeds = match setting("AMQTT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("AMQTT_SEEDS").unwrap_or(default),
    };
    for seed in seeds {
        let named = NameOnPanic(seed);
        check(seed);
        std::mem::forget(named);
    }
}

/// Dropped only when its check has panicked.
struct NameOnPanic(u64);

impl Drop for NameOnPanic {
    fn drop(&mut self) {
        eprintln!("failed with seed {seed}; again with AMQTT_SEED={seed}", seed = self.0);
    }
}
