use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::subscriptions::Subscriber;
use crate::types::{ShareStrategy, TopicFilter};

/// The members of one shared subscription among the subscribers of a topic (MQTT 5.0, 4.8.2): each message goes to one.
#[derive(Debug)]
pub(super) struct Share {
    /// With the group's name, as its members wrote it.
    pub(super) filter: TopicFilter,
    /// Where among the subscribers they are; at least one.
    pub(super) members: Range<usize>,
    /// What the strategy has to remember, the same for all topics and workers.
    pub(super) cursor: Arc<AtomicUsize>,
}

impl Share {
    /// The member that a message is offered to first; those behind it follow, and then those before.
    pub(super) fn first(&self, strategy: ShareStrategy, subscribers: &[Subscriber]) -> usize {
        let members = self.members.clone();
        let chosen = match strategy {
            ShareStrategy::RoundRobin => self.cursor.fetch_add(1, Ordering::Relaxed) % members.len(),
            ShareStrategy::Random => mix(self.cursor.fetch_add(1, Ordering::Relaxed)) % members.len(),
            ShareStrategy::Sticky => self.cursor.load(Ordering::Relaxed) % members.len(),
            ShareStrategy::LeastQueued => {
                let load = |index: &usize| subscribers[members.start + index].session.load();
                (0..members.len()).min_by_key(load).unwrap_or(0)
            }
        };
        members.start + chosen
    }

    /// All members, from this one on.
    pub(super) fn from(&self, first: usize) -> impl Iterator<Item = usize> + use<> {
        (first..self.members.end).chain(self.members.start..first)
    }

    /// A message was taken by this member.
    pub(super) fn taken(&self, strategy: ShareStrategy, index: usize) {
        if strategy == ShareStrategy::Sticky {
            self.cursor.store(index - self.members.start, Ordering::Relaxed);
        }
    }
}

/// Numbers in a row to numbers that are spread, as SplitMix64 does it.
fn mix(number: usize) -> usize {
    let mut bits = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) as usize
}
