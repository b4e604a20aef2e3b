use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ahash::RandomState;

use crate::hooks::{Action, CacheFor, Reason, Verdict};

/// Topics whose verdict one connection remembers.
const SLOTS: usize = 32;

/// Slots that one topic may be in: where only one is, a few topics that take turns drive each other out all the time.
const WAYS: usize = 4;

/// Bytes of the longest reason that is remembered with a refusal: a plugin that says more is asked again each time, so that
/// its words do not fill the memory of the broker.
const REASON_BYTES_MAX: usize = 1 << 10;

/// What topic-check said of the topics that one connection publishes to.
///
/// It belongs to a connection, and so to one session and one identity.
#[derive(Debug, Default)]
pub(super) struct VerdictCache {
    /// Made with the first verdict that may be kept: most connections only listen.
    slots: Option<Box<Slots>>,
    /// What was asked ahead for the next packet, which finds it here; the action is the same for all.
    answers: Option<Box<Answers>>,
}

type Answers = (Action, HashMap<Box<str>, Verdict, RandomState>);

#[derive(Debug)]
struct Slots {
    /// What the entries are good for: with another number none of them holds.
    number: u64,
    /// Where the last verdict was found, which is where the next one is looked for first.
    last: usize,
    /// Which of its slots the next new topic takes.
    next_way: usize,
    entries: [Option<Kept>; SLOTS],
    hasher: RandomState,
}

#[derive(Debug)]
struct Kept {
    hash: u64,
    topic: Box<str>,
    until: Option<Instant>,
    /// None: allowed.
    refused: Option<Arc<Reason>>,
}

impl Kept {
    /// What was said, if it still holds.
    fn result(&self) -> Option<Result<(), Arc<Reason>>> {
        let holds = self.until.is_none_or(|until| Instant::now() < until);
        holds.then(|| self.refused.as_ref().map_or(Ok(()), |reason| Err(Arc::clone(reason))))
    }
}

/// A verdict and how long it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remembered {
    allowed: bool,
    /// None: as long as the number stays the same. No clock is asked then.
    until: Option<Instant>,
}

impl Remembered {
    /// None where the verdict may not be kept.
    pub(super) fn new(verdict: &Verdict) -> Option<Self> {
        let until = match verdict.cache {
            CacheFor::Never => return None,
            CacheFor::Seconds(secs) => Some(Instant::now() + Duration::from_secs(secs.into())),
            CacheFor::UntilReload => None,
        };
        Some(Self { allowed: verdict.allowed, until })
    }

    /// What was said, if it still holds.
    pub(super) fn allowed(self) -> Option<bool> {
        self.until.is_none_or(|until| Instant::now() < until).then_some(self.allowed)
    }
}

impl VerdictCache {
    /// What was said of `topic`, if it still holds for `number`.
    pub(super) fn verdict(&mut self, topic: &str, number: u64) -> Option<Result<(), Arc<Reason>>> {
        let slots = self.slots.as_deref_mut().filter(|slots| slots.number == number)?;
        // Most publishers repeat a topic, and comparing costs less than hashing.
        if let Some(entry) = slots.entries[slots.last].as_ref().filter(|entry| *entry.topic == *topic) {
            return entry.result();
        }
        let slot = slots.find(topic, slots.hasher.hash_one(topic))?;
        slots.last = slot;
        slots.entries[slot].as_ref()?.result()
    }

    /// Remembers a verdict for as long as it may be. `number` is that of before it was asked for.
    pub(super) fn remember(&mut self, topic: &str, verdict: &Verdict, number: u64) {
        let Some(Remembered { until, .. }) = Remembered::new(verdict) else { return };
        let refused = verdict.result().err();
        if refused.as_ref().is_some_and(|reason| reason.bytes() > REASON_BYTES_MAX) {
            return;
        }
        let slots = match &mut self.slots {
            Some(slots) if slots.number == number => slots,
            slots => slots.insert(Box::new(Slots::new(number))),
        };
        let hash = slots.hasher.hash_one(topic);
        let slot = slots.find(topic, hash).unwrap_or_else(|| slots.free(hash));
        slots.entries[slot] = Some(Kept { hash, topic: topic.into(), until, refused });
        slots.last = slot;
    }

    /// Leaves answers for the next packet, and remembers those that may be.
    pub(super) fn answer(&mut self, action: Action, answers: Vec<(Box<str>, Verdict)>, number: u64) {
        if action == Action::Publish {
            answers.iter().for_each(|(topic, verdict)| self.remember(topic, verdict, number));
        }
        let mut by_topic = HashMap::with_capacity_and_hasher(answers.len(), RandomState::new());
        for (topic, verdict) in answers {
            // One topic may have been asked about twice, with other facts: both have to allow it.
            match by_topic.entry(topic) {
                Entry::Vacant(free) => drop(free.insert(verdict)),
                Entry::Occupied(mut taken) if !verdict.allowed => drop(taken.insert(verdict)),
                Entry::Occupied(_) => {}
            }
        }
        self.answers = Some(Box::new((action, by_topic)));
    }

    /// Whether answers wait for the next packet.
    pub(super) fn has_answers(&self) -> bool {
        self.answers.is_some()
    }

    /// What was asked ahead about a topic of this packet.
    pub(super) fn answered(&self, action: Action, topic: &str) -> Option<&Verdict> {
        let (_, answers) = self.answers.as_deref().filter(|(answered, _)| *answered == action)?;
        answers.get(topic)
    }

    /// The packet that the answers were for has been dealt with.
    pub(super) fn forget_answers(&mut self) {
        self.answers = None;
    }
}

impl Slots {
    fn new(number: u64) -> Self {
        Self { number, last: 0, next_way: 0, entries: [const { None }; SLOTS], hasher: RandomState::new() }
    }

    /// Where a topic is, if it is there.
    fn find(&self, topic: &str, hash: u64) -> Option<usize> {
        let is_of_topic = |entry: &Kept| entry.hash == hash && *entry.topic == *topic;
        ways(hash).find(|slot| self.entries[*slot].as_ref().is_some_and(is_of_topic))
    }

    /// Where a new topic goes: to a free slot, else in place of another.
    fn free(&mut self, hash: u64) -> usize {
        self.next_way = (self.next_way + 1) % WAYS;
        ways(hash).find(|slot| self.entries[*slot].is_none()).unwrap_or(ways(hash).start + self.next_way)
    }
}

/// The slots that a topic of this hash may be in.
fn ways(hash: u64) -> std::ops::Range<usize> {
    let first = hash as usize % (SLOTS / WAYS) * WAYS;
    first..first + WAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(allowed: bool, cache: CacheFor) -> Verdict {
        Verdict { allowed, cache, reason: None }
    }

    /// Whether a topic is known to be allowed.
    fn known(cache: &mut VerdictCache, topic: &str, number: u64) -> Option<bool> {
        cache.verdict(topic, number).map(|result| result.is_ok())
    }

    #[test]
    fn a_verdict_holds_for_its_topic_and_time() {
        let mut cache = VerdictCache::default();
        cache.remember("never", &verdict(true, CacheFor::Never), 1);
        cache.remember("past", &verdict(true, CacheFor::Seconds(0)), 1);
        assert_eq!(known(&mut cache, "never", 1), None);
        assert_eq!(known(&mut cache, "past", 1), None);
        cache.remember("kept", &verdict(false, CacheFor::UntilReload), 1);
        assert_eq!(known(&mut cache, "kept", 1), Some(false));
        assert_eq!(known(&mut cache, "other", 1), None);
        for index in 0..1_000 {
            let topic = index.to_string();
            cache.remember(&topic, &verdict(true, CacheFor::Seconds(60)), 1);
            assert_eq!(known(&mut cache, &topic, 1), Some(true));
        }
    }

    #[test]
    fn topics_that_take_turns_are_found() {
        let mut cache = VerdictCache::default();
        // As many as always find room, wherever they meet.
        let topics: Vec<String> = (0..WAYS).map(|index| index.to_string()).collect();
        for (index, topic) in topics.iter().enumerate() {
            cache.remember(topic, &verdict(index % 2 == 0, CacheFor::UntilReload), 1);
        }
        for _ in 0..3 {
            for (index, topic) in topics.iter().enumerate() {
                assert_eq!(known(&mut cache, topic, 1), Some(index % 2 == 0));
            }
        }
        // One that is asked about again has one slot still.
        cache.remember("0", &verdict(false, CacheFor::UntilReload), 1);
        assert_eq!(known(&mut cache, "0", 1), Some(false));
        assert_eq!(cache.slots.map(|slots| slots.entries.iter().flatten().count()), Some(WAYS));
    }

    #[test]
    fn a_verdict_is_gone_with_its_number() {
        let mut cache = VerdictCache::default();
        let verdict = verdict(true, CacheFor::UntilReload);
        cache.remember("a", &verdict, 1);
        assert_eq!(known(&mut cache, "a", 2), None);
        cache.remember("b", &verdict, 2);
        assert_eq!((known(&mut cache, "a", 2), known(&mut cache, "b", 2)), (None, Some(true)));
        // A question that was asked before and answered after the change.
        cache.remember("c", &verdict, 1);
        assert_eq!(known(&mut cache, "c", 2), None);
    }

    #[test]
    fn a_refusal_is_remembered_with_its_reason_unless_that_is_long() {
        let mut cache = VerdictCache::default();
        let mut refuse = |text: String| {
            let reason = Arc::new(Reason { code: Some(0x97), text: Some(text.into()), ..Reason::default() });
            let reason = Some(reason);
            let verdict = Verdict { allowed: false, cache: CacheFor::UntilReload, reason: reason.clone() };
            cache.remember("a", &verdict, 1);
            (cache.verdict("a", 1), reason.map(Err))
        };
        let (found, said) = refuse("x".repeat(REASON_BYTES_MAX));
        assert_eq!(found, said);
        let mut cache = VerdictCache::default();
        let text = Some("x".repeat(REASON_BYTES_MAX + 1).into());
        let reason = Some(Arc::new(Reason { text, ..Reason::default() }));
        cache.remember("a", &Verdict { allowed: false, cache: CacheFor::UntilReload, reason }, 1);
        assert_eq!(cache.verdict("a", 1), None);
        // No larger than without reasons: two words for the hash and the time, two for the topic.
        assert!(size_of::<Option<Kept>>() <= 48, "{}", size_of::<Option<Kept>>());
    }

    #[test]
    fn answers_are_for_one_packet() {
        let mut cache = VerdictCache::default();
        let once = verdict(true, CacheFor::Never);
        cache.answer(
            Action::Subscribe,
            vec![("a/#".into(), once.clone()), ("b".into(), verdict(false, CacheFor::Never))],
            1,
        );
        assert_eq!(cache.answered(Action::Subscribe, "a/#"), Some(&once));
        assert_eq!(cache.answered(Action::Publish, "a/#"), None);
        assert!(cache.answered(Action::Subscribe, "b").is_some_and(|verdict| !verdict.allowed));
        cache.forget_answers();
        assert_eq!(cache.answered(Action::Subscribe, "a/#"), None);
        // Twice the same filter, of which one QoS is not allowed.
        for order in [[true, false], [false, true]] {
            let answers = order.map(|allowed| ("a".into(), verdict(allowed, CacheFor::Never)));
            cache.answer(Action::Subscribe, answers.into(), 1);
            assert!(cache.answered(Action::Subscribe, "a").is_some_and(|verdict| !verdict.allowed));
        }
    }
}
