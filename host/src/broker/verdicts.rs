use std::time::{Duration, Instant};

use ahash::RandomState;

use crate::hooks::{CacheFor, Verdict};

/// Topics whose verdict one connection remembers.
const SLOTS: usize = 32;

/// What topic-check said of the topics that one connection publishes to.
///
/// It belongs to a connection, and so to one session and one identity. Two topics that meet at a slot drive each other
/// out.
#[derive(Debug, Default)]
pub(super) struct VerdictCache {
    /// Made with the first verdict that may be kept: most connections only listen.
    slots: Option<Box<[Option<Entry>; SLOTS]>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry {
    topic: Box<str>,
    allowed: bool,
    /// None: until the plugins are loaded anew.
    until: Option<Instant>,
}

impl VerdictCache {
    /// What was said of `topic`, if it still holds.
    pub(super) fn verdict(&self, topic: &str) -> Option<bool> {
        let entry = self.slots.as_ref()?[self.slot(topic)].as_ref()?;
        let holds = *entry.topic == *topic && entry.until.is_none_or(|until| Instant::now() < until);
        holds.then_some(entry.allowed)
    }

    /// Remembers a verdict for as long as it may be.
    pub(super) fn remember(&mut self, topic: &str, verdict: Verdict) {
        let until = match verdict.cache {
            CacheFor::Never => return,
            CacheFor::Seconds(secs) => Some(Instant::now() + Duration::from_secs(secs.into())),
            CacheFor::UntilReload => None,
        };
        let slot = self.slot(topic);
        let slots = self.slots.get_or_insert_with(|| Box::new([const { None }; SLOTS]));
        slots[slot] = Some(Entry { topic: topic.into(), allowed: verdict.allowed, until });
    }

    fn slot(&self, topic: &str) -> usize {
        self.hasher.hash_one(topic) as usize % SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_holds_for_its_topic_and_time() {
        let mut cache = VerdictCache::default();
        cache.remember("never", Verdict { allowed: true, cache: CacheFor::Never });
        cache.remember("past", Verdict { allowed: true, cache: CacheFor::Seconds(0) });
        assert_eq!(cache.verdict("never"), None);
        assert_eq!(cache.verdict("past"), None);
        cache.remember("kept", Verdict { allowed: false, cache: CacheFor::UntilReload });
        assert_eq!(cache.verdict("kept"), Some(false));
        assert_eq!(cache.verdict("other"), None);
        for index in 0..1_000 {
            let topic = index.to_string();
            cache.remember(&topic, Verdict { allowed: true, cache: CacheFor::Seconds(60) });
            assert_eq!(cache.verdict(&topic), Some(true));
        }
    }
}
