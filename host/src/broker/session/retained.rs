//! The retained messages of a session's subscriptions.

use std::time::Instant;

use indexmap::IndexMap;

use super::{Displaced, SessionHandle, Shared};
use crate::broker::owed::OwedFor;
use crate::broker::subscriptions::Wanted;
use crate::queue::{Queued, Standing};
use crate::routing::Progress;
use crate::types::{Limits, TopicFilter};

impl SessionHandle {
    /// Keeps what a connection was yet to send of retained messages, for the one that the session has now or next: each
    /// subscription that there is once, however many connections have left it.
    pub(in crate::broker) fn leave_owed(&self, owed: OwedFor) {
        let mut shared = self.lock();
        if shared.ended {
            return;
        }
        let before = shared.owed.take().map_or(Vec::new(), Vec::from);
        let (subscriptions, mut all) = (&shared.subscriptions, IndexMap::with_hasher(ahash::RandomState::new()));
        let still = |(filter, _): &(TopicFilter, Progress)| subscriptions.get(filter).is_some();
        for (filter, progress) in before.into_iter().chain(owed).filter(still) {
            // One that both have left is begun anew.
            all.entry(filter).and_modify(|both| *both = Progress::default()).or_insert(progress);
        }
        shared.owed = Some(all.into_iter().collect());
        shared.link.iter().for_each(|link| link.waker.wake_by_ref());
    }

    /// Takes retained messages for a subscription of the connection `link_id`, and says how many had no room; none where it
    /// does not have that any more.
    pub(in crate::broker) fn deliver_retained(
        &self,
        link_id: u64,
        (filter, wanted): (&TopicFilter, Wanted),
        messages: impl Iterator<Item = Queued>,
        standing: Standing,
        limits: &Limits,
        now: Instant,
    ) -> Result<Option<usize>, Displaced> {
        let mut shared = self.lock();
        if shared.link.as_ref().is_none_or(|link| link.id != link_id) {
            return Err(Displaced);
        }
        if shared.subscriptions.get(filter) != Some(&wanted) {
            return Ok(None);
        }
        let room_in_all = limits.queue_total_bytes_max.saturating_sub(self.queued.value());
        let always = limits.past_total(shared.connect_bytes).queue_bytes_max;
        let outbound = &mut shared.session.outbound;
        let queue_bytes_max = limits.queue_bytes_max.min(outbound.queue_bytes() + room_in_all).max(always);
        let limits = Limits { queue_bytes_max, ..limits.clone() };
        Ok(Some(outbound.deliver_retained(messages, standing, &limits, now)))
    }
}

impl Shared {
    /// What a connection has left, as the one that the session has now wants it.
    pub(super) fn take_owed(&mut self) -> Option<Vec<(TopicFilter, Progress, Wanted)>> {
        let left = Vec::from(self.owed.take()?);
        let wanted = |(filter, progress)| {
            let wanted = self.subscriptions.get(&filter).copied()?;
            Some((filter, progress, wanted))
        };
        Some(left.into_iter().filter_map(wanted).collect())
    }
}
