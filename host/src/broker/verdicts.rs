use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ahash::RandomState;

use crate::hooks::{Action, CacheFor, Reason, Verdict};
use crate::types::TopicFilter;

/// Topics whose verdict one connection remembers.
const SLOTS: usize = 32;

/// Slots that one topic may be in: where only one is, a few topics that take turns drive each other out all the time.
const WAYS: usize = 4;

/// Verdicts that hold for a whole topic filter which one connection remembers: each is looked at with every message.
const EXTENDED_MAX: usize = 8;

/// Bytes of the longest topic filters of one of those: what they are matched with is not for a plugin to choose alone.
const EXTENDED_BYTES_MAX: usize = 1 << 10;

/// Bytes of the longest topic that is remembered beside them, so that a publisher that repeats it has no filter matched.
const LAST_ALLOWED_BYTES_MAX: usize = 1 << 8;

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

#[derive(Debug)]
struct Answers {
    action: Action,
    /// What they are good for.
    number: u64,
    by_topic: HashMap<Box<str>, Verdict, RandomState>,
}

#[derive(Debug)]
struct Slots {
    /// What the entries are good for: with another number none of them holds.
    number: u64,
    /// Where the last verdict was found, which is where the next one is looked for first.
    last: usize,
    /// Which of its slots the next new topic takes.
    next_way: usize,
    entries: [Option<Kept>; SLOTS],
    /// Whether one of the entries is used: where topics are under a few filters, none is.
    any_entry: bool,
    /// What holds for more than one topic.
    extended: Vec<Extended>,
    /// The last topic that one of those allows for as long as the number stays the same; empty for none. Nothing was
    /// remembered since.
    last_allowed: String,
    /// Which of those the next one replaces, once there is no room.
    next_extended: usize,
    hasher: RandomState,
}

#[derive(Debug)]
struct Kept {
    hash: u64,
    topic: Box<str>,
    answer: Answer,
}

/// A verdict on every topic that all of these filters match.
#[derive(Debug)]
struct Extended {
    filters: Box<[TopicFilter]>,
    answer: Answer,
}

#[derive(Debug)]
struct Answer {
    until: Option<Instant>,
    /// None: allowed.
    refused: Option<Arc<Reason>>,
}

impl Answer {
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
    ///
    /// What was said of the topic alone goes before what was said of a filter; of several filters that match, a refusal
    /// goes before the rest. So no answer is given that a plugin has not given, and what it has refused stays refused for
    /// as long as it is remembered.
    pub(super) fn verdict(&mut self, topic: &str, number: u64) -> Option<Result<(), Arc<Reason>>> {
        let slots = self.slots.as_deref_mut().filter(|slots| slots.number == number)?;
        if slots.last_allowed == topic && !topic.is_empty() {
            return Some(Ok(()));
        }
        if slots.any_entry {
            // Most publishers repeat a topic, and comparing costs less than hashing.
            if let Some(entry) = slots.entries[slots.last].as_ref().filter(|entry| *entry.topic == *topic) {
                return entry.answer.result().or_else(|| slots.extended(topic));
            }
            if let Some(slot) = slots.find(topic, slots.hasher.hash_one(topic)) {
                slots.last = slot;
                let said = slots.entries[slot].as_ref().and_then(|entry| entry.answer.result());
                return said.or_else(|| slots.extended(topic));
            }
        }
        slots.extended(topic)
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
        slots.last_allowed.clear();
        let answer = Answer { until, refused };
        let bytes: usize = verdict.extended_to.iter().map(|filter| filter.as_str().len()).sum();
        if !verdict.extended_to.is_empty() && bytes <= EXTENDED_BYTES_MAX {
            slots.extend(Extended { filters: verdict.extended_to.as_slice().into(), answer });
            return;
        }
        let hash = slots.hasher.hash_one(topic);
        let slot = slots.find(topic, hash).unwrap_or_else(|| slots.free(hash));
        slots.entries[slot] = Some(Kept { hash, topic: topic.into(), answer });
        (slots.last, slots.any_entry) = (slot, true);
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
        self.answers = Some(Box::new(Answers { action, number, by_topic }));
    }

    /// Whether answers wait for the next packet.
    pub(super) fn has_answers(&self) -> bool {
        self.answers.is_some()
    }

    /// Whether those that there are hold as long as the number is this one.
    pub(super) fn answers_hold_for(&self, number: u64) -> bool {
        self.answers.as_deref().is_none_or(|answers| answers.number == number)
    }

    /// What was asked ahead about a topic of this packet.
    pub(super) fn answered(&self, action: Action, topic: &str) -> Option<&Verdict> {
        self.answers.as_deref().filter(|answers| answers.action == action)?.by_topic.get(topic)
    }

    /// The packet that the answers were for has been dealt with.
    pub(super) fn forget_answers(&mut self) {
        self.answers = None;
    }
}

impl Slots {
    fn new(number: u64) -> Self {
        Self {
            number,
            last: 0,
            next_way: 0,
            entries: [const { None }; SLOTS],
            any_entry: false,
            extended: Vec::new(),
            last_allowed: String::new(),
            next_extended: 0,
            hasher: RandomState::new(),
        }
    }

    /// What was said of a filter that matches `topic`: a refusal, if there is one that holds.
    fn extended(&mut self, topic: &str) -> Option<Result<(), Arc<Reason>>> {
        let matching = self.extended.iter().filter(|extended| extended.filters.iter().all(|it| it.matches(topic)));
        let (mut said, mut lasts) = (None, false);
        for extended in matching {
            match extended.answer.result() {
                Some(Err(refused)) => return Some(Err(refused)),
                Some(Ok(())) => (said, lasts) = (Some(Ok(())), lasts || extended.answer.until.is_none()),
                None => {}
            }
        }
        if lasts && topic.len() <= LAST_ALLOWED_BYTES_MAX {
            // Into the same memory each time.
            self.last_allowed.clear();
            self.last_allowed.push_str(topic);
        }
        said
    }

    /// Remembers what holds for more than one topic, in place of what was said of the same before, or of the oldest.
    fn extend(&mut self, new: Extended) {
        if let Some(same) = self.extended.iter_mut().find(|extended| extended.filters == new.filters) {
            *same = new;
        } else if self.extended.len() < EXTENDED_MAX {
            self.extended.push(new);
        } else {
            self.extended[self.next_extended] = new;
            self.next_extended = (self.next_extended + 1) % EXTENDED_MAX;
        }
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
        Verdict { allowed, cache, ..Verdict::UNDECIDED }
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
            let verdict = Verdict { allowed: false, reason: reason.clone(), ..Verdict::UNDECIDED };
            cache.remember("a", &verdict, 1);
            (cache.verdict("a", 1), reason.map(Err))
        };
        let (found, said) = refuse("x".repeat(REASON_BYTES_MAX));
        assert_eq!(found, said);
        let mut cache = VerdictCache::default();
        let text = Some("x".repeat(REASON_BYTES_MAX + 1).into());
        let reason = Some(Arc::new(Reason { text, ..Reason::default() }));
        cache.remember("a", &Verdict { allowed: false, reason, ..Verdict::UNDECIDED }, 1);
        assert_eq!(cache.verdict("a", 1), None);
        // No larger than without reasons: two words for the hash and the time, two for the topic.
        assert!(size_of::<Option<Kept>>() <= 48, "{}", size_of::<Option<Kept>>());
    }

    fn extended(allowed: bool, cache: CacheFor, filters: &[&str]) -> Verdict {
        let extended_to = filters.iter().map(|filter| TopicFilter::new(filter).expect(filter)).collect();
        Verdict { extended_to, ..verdict(allowed, cache) }
    }

    #[test]
    fn a_verdict_may_hold_for_all_that_its_filters_match() {
        let mut cache = VerdictCache::default();
        cache.remember("a/b", &extended(true, CacheFor::UntilReload, &["a/#", "+/+"]), 1);
        for (topic, expected) in [("a/b", Some(true)), ("a/c", Some(true)), ("a/c/d", None), ("b/c", None)] {
            assert_eq!(known(&mut cache, topic, 1), expected, "{topic}");
        }
        assert_eq!(known(&mut cache, "a/c", 2), None, "with the number all go");
        cache.remember("a", &extended(true, CacheFor::UntilReload, &["#"]), 2);
        assert_eq!((known(&mut cache, "b/c", 2), known(&mut cache, "$SYS/a", 2)), (Some(true), None)); // [MQTT-4.7.2-1]
        for cache_for in [CacheFor::Never, CacheFor::Seconds(0)] {
            let mut cache = VerdictCache::default();
            cache.remember("a/b", &extended(true, cache_for, &["a/#"]), 1);
            assert_eq!(known(&mut cache, "a/b", 1), None);
        }
    }

    #[test]
    fn what_was_refused_stays_refused_whatever_is_said_of_a_filter() {
        let held = CacheFor::UntilReload;
        let mut cache = VerdictCache::default();
        cache.remember("a/b", &verdict(false, held), 1);
        cache.remember("a/c", &extended(true, held, &["a/#"]), 1);
        assert_eq!((known(&mut cache, "a/b", 1), known(&mut cache, "a/d", 1)), (Some(false), Some(true)));
        // Also what was allowed a moment ago.
        for refusal in [verdict(false, held), extended(false, held, &["+/b"])] {
            let mut cache = VerdictCache::default();
            cache.remember("a/c", &extended(true, held, &["a/#"]), 1);
            assert_eq!((known(&mut cache, "a/b", 1), known(&mut cache, "a/b", 1)), (Some(true), Some(true)));
            assert_eq!(known(&mut cache, "a/b", 2), None);
            cache.remember("a/b", &refusal, 1);
            assert_eq!((known(&mut cache, "a/b", 1), known(&mut cache, "a/b", 1)), (Some(false), Some(false)));
        }
        // What runs out is looked up each time.
        let mut cache = VerdictCache::default();
        cache.remember("a/b", &extended(true, CacheFor::Seconds(60), &["a/#"]), 1);
        assert_eq!(known(&mut cache, "a/b", 1), Some(true));
        assert!(cache.slots.is_some_and(|slots| slots.last_allowed.is_empty()));
        // Of filters that overlap, whichever was there first.
        for order in [[0, 1], [1, 0]] {
            let verdicts = [extended(false, held, &["a/keys/+"]), extended(true, held, &["a/#"])];
            let mut cache = VerdictCache::default();
            order.into_iter().for_each(|at| cache.remember("a/keys/1", &verdicts[at], 1));
            assert_eq!((known(&mut cache, "a/keys/2", 1), known(&mut cache, "a/b", 1)), (Some(false), Some(true)));
        }
        // One that has run out says nothing any more.
        let mut cache = VerdictCache::default();
        cache.remember("a/b", &extended(true, held, &["a/#"]), 1);
        cache.remember("a/b", &verdict(false, CacheFor::Seconds(0)), 1);
        assert_eq!(known(&mut cache, "a/b", 1), Some(true));
    }

    #[test]
    fn verdicts_for_filters_are_bounded() {
        let mut cache = VerdictCache::default();
        let held = CacheFor::UntilReload;
        for index in 0..3 * EXTENDED_MAX {
            let filter = format!("{index}/#");
            cache.remember(&filter, &extended(true, held, &[&filter]), 1);
            cache.remember(&filter, &extended(index % 2 == 0, held, &[&filter]), 1);
            assert_eq!(known(&mut cache, &format!("{index}/a"), 1), Some(index % 2 == 0), "the last word counts");
        }
        let slots = cache.slots.as_ref().expect("there are some");
        assert_eq!(slots.extended.len(), EXTENDED_MAX);
        assert!(!slots.any_entry);
        // A long filter is not kept; what was said holds for the topic.
        let filter = format!("{}/#", "x".repeat(EXTENDED_BYTES_MAX));
        cache.remember("x", &extended(true, held, &[&filter]), 1);
        assert_eq!(known(&mut cache, "x", 1), Some(true));
        assert_eq!(known(&mut cache, &filter.replace('#', "a"), 1), None);
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
