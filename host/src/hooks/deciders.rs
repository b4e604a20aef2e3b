use std::sync::Arc;
use std::time::Instant;

use super::combine::{NoAnswer, Verdict, Votes, combine_topic};
use super::faults::Call;
use super::limits::{ASIDE_TIME, CHECK_MANY_BYTES_MAX, CHECK_MANY_MAX, FRESH_INSTANCE_PATIENCE, FRESH_INSTANCE_WAIT};
use super::loaded::Loaded;
use super::pace::Pace;
use super::warm::{self, Warm};
use super::wasm::Instance;
use super::{Action, TopicFacts};
use crate::types::ClientInfo;

/// One thread's instances of the plugins that decide topics.
#[derive(Default)]
pub(crate) struct Deciders {
    plugins: Vec<Decider>,
    /// Whether one of them may be slow: a look at one place instead of several.
    any_slow: bool,
}

struct Decider {
    plugin: Arc<Loaded>,
    /// None where the plugin cannot run on this thread.
    warm: Option<Warm>,
    /// None where nobody else waits for this thread.
    pace: Option<Pace>,
}

impl Deciders {
    /// For a worker, which others than the asking client wait for.
    pub(crate) fn in_place(plugins: &[Arc<Loaded>]) -> Self {
        let deciders = Self::new(plugins, Some(Pace::default()), |plugin| {
            // WASI waits, which a thread of tokio does not let it do.
            let waits = plugin.wasm.manifest().wasi;
            (!waits).then(|| Warm::new(Arc::clone(plugin), FRESH_INSTANCE_WAIT).kept_fresh())
        });
        Self { any_slow: deciders.plugins.iter().any(|decider| decider.warm.is_none()), ..deciders }
    }

    /// The same in place of others: a plugin that was loaded again as it was is as slow as before.
    pub(crate) fn in_place_of(old: &Self, plugins: &[Arc<Loaded>]) -> Self {
        let mut new = Self::in_place(plugins);
        for decider in &mut new.plugins {
            if let Some(before) = old.plugins.iter().find(|before| before.plugin.is_same(&decider.plugin)) {
                decider.pace = before.pace.clone();
            }
        }
        new.any_slow |= old.any_slow;
        new
    }

    /// For a thread that has nothing else to do.
    pub(crate) fn aside(plugins: &[Arc<Loaded>]) -> Self {
        Self::new(plugins, None, |plugin| Some(Warm::new(Arc::clone(plugin), FRESH_INSTANCE_PATIENCE).kept_fresh()))
    }

    fn new(plugins: &[Arc<Loaded>], pace: Option<Pace>, warm: impl Fn(&Arc<Loaded>) -> Option<Warm>) -> Self {
        let plugins = plugins.iter().filter(|plugin| !plugin.wasm.interests().actions.is_empty());
        let decider = |plugin| Decider { plugin: Arc::clone(plugin), warm: warm(plugin), pace: pace.clone() };
        Self { plugins: plugins.map(decider).collect(), any_slow: false }
    }

    /// Whether all that decide `action` can be asked on this thread.
    pub(crate) fn can_check(&self, action: Action) -> bool {
        !self.any_slow || self.plugins.iter().all(|decider| decider.warm.is_some() || !decider.decides(action))
    }

    /// Asks those that decide `action`, in order; one that cannot be asked here gives no answer.
    pub(crate) fn check(
        &mut self,
        client: &Arc<ClientInfo>,
        action: Action,
        topic: &str,
        facts: TopicFacts,
    ) -> Verdict {
        let Self { plugins, any_slow } = self;
        let asked = plugins.iter_mut().filter(|decider| decider.decides(action)).map(|decider| {
            let warm = decider.warm.as_mut().ok_or(NoAnswer)?;
            let ask = |instance: &mut Instance| instance.check(client, action, topic, facts);
            let vote = warm.call(Call::TopicCheck, Some(client), ask);
            *any_slow |= decider.would_hold_up(1);
            vote
        });
        combine_topic(asked)
    }

    /// Asks those that decide `action` about several topics, each once for as many as fit one call. Who is asked later is
    /// asked only about what nobody has denied. After one that runs out of time nobody is asked any more: that is a deny.
    pub(crate) fn check_many(
        &mut self,
        client: &Arc<ClientInfo>,
        action: Action,
        topics: &[(&str, TopicFacts)],
    ) -> Vec<Verdict> {
        let mut votes = vec![Votes::default(); topics.len()];
        for decider in self.plugins.iter_mut().filter(|decider| decider.decides(action)) {
            let open: Vec<usize> = (0..topics.len()).filter(|index| !votes[*index].is_closed()).collect();
            let (mut rest, mut fits) = (&open[..], CHECK_MANY_MAX);
            while !rest.is_empty() {
                let (batch, after) = rest.split_at(batch_len(topics, rest, fits));
                let asked: Vec<_> = batch.iter().map(|index| topics[*index]).collect();
                let ask = |instance: &mut Instance| instance.check_many(client, action, &asked);
                let warm = decider.warm.as_mut().ok_or(NoAnswer);
                let answers = warm.and_then(|warm| warm.call(Call::TopicCheck, Some(client), ask));
                self.any_slow |= decider.would_hold_up(batch.len());
                match answers {
                    Ok(answers) => batch.iter().zip(answers).for_each(|(index, vote)| votes[*index].add(Ok(vote))),
                    Err(NoAnswer) if decider.warm.as_ref().is_some_and(Warm::timed_out) => {
                        rest.iter().for_each(|index| votes[*index].add(Err(NoAnswer)));
                        break;
                    }
                    // One by one from here on: a topic that makes the plugin fail is a deny of that topic.
                    Err(NoAnswer) if batch.len() > 1 => {
                        fits = 1;
                        continue;
                    }
                    Err(NoAnswer) => votes[batch[0]].add(Err(NoAnswer)),
                }
                rest = after;
            }
        }
        votes.into_iter().map(Votes::verdict).collect()
    }

    /// Whether a plugin may be slow, or has no instance here after a fault.
    pub(crate) fn any_slow(&self) -> bool {
        self.any_slow
    }

    /// Finds out whether any is slow, or has no instance here.
    pub(crate) fn look_for_slow(&mut self) {
        self.is_slow(Action::Publish);
    }

    /// Whether a plugin that decides `action` is slow, or has no instance here: nobody is to be denied for that.
    pub(crate) fn is_slow(&mut self, action: Action) -> bool {
        let mut decides = false;
        self.any_slow = false;
        for decider in &mut self.plugins {
            let slow = decider.pace.as_mut().is_some_and(Pace::is_slow) || !decider.is_ready();
            self.any_slow |= slow;
            decides |= slow && decider.decides(action);
        }
        decides
    }

    /// Ends the instances in good order.
    pub(crate) fn stop(self) {
        self.plugins.into_iter().filter_map(|decider| decider.warm).for_each(Warm::stop);
    }

    /// Ends the instances in good order, on a thread of its own: somebody waits for this one.
    pub(crate) fn retire(self) {
        warm::retire(self.plugins.into_iter().filter_map(|decider| decider.warm).collect());
    }
}

impl Decider {
    fn decides(&self, action: Action) -> bool {
        self.plugin.wasm.interests().actions.contains(action)
    }

    /// Whether the plugin has an instance on this thread.
    fn is_ready(&mut self) -> bool {
        self.warm.as_mut().is_some_and(Warm::is_ready)
    }

    /// Whether the next call would hold up this thread, after one about so many topics.
    fn would_hold_up(&mut self, topics: usize) -> bool {
        self.became_slow(topics) || !self.is_ready()
    }

    /// Looks at the call that has just ended, about so many topics.
    fn became_slow(&mut self, topics: usize) -> bool {
        let Some(ran) = self.warm.as_ref().and_then(Warm::last_ran) else { return false };
        let Some(pace) = &mut self.pace else { return false };
        let topics = u32::try_from(topics).unwrap_or(u32::MAX).max(1);
        let ran = ran / topics;
        let slow = pace.note(ran, topics, Instant::now());
        if slow {
            let (plugin, secs) = (&self.plugin, ASIDE_TIME.as_secs());
            tracing::warn!(
                "{plugin} is slow: a topic-check took {ran:?} or longer; only clients that need it wait for it for {secs} s"
            );
        }
        slow
    }
}

/// How many of the topics at `indices` fit one call, of at most `max`; at least one.
fn batch_len(topics: &[(&str, TopicFacts)], indices: &[usize], max: usize) -> usize {
    let mut bytes = 0;
    let fits = indices.iter().take(max).take_while(|index| {
        bytes += topics[**index].0.len();
        bytes <= CHECK_MANY_BYTES_MAX
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::QoS;

    #[test]
    fn a_batch_is_bounded_by_topics_and_by_bytes() {
        let check = |topic: &str, count: usize, expected: usize| {
            let topics = vec![(topic, TopicFacts::subscription(QoS::AtMostOnce)); count];
            let indices: Vec<usize> = (0..count).collect();
            assert_eq!(batch_len(&topics, &indices, CHECK_MANY_MAX), expected, "{count} times {} bytes", topic.len());
        };
        check("a", 3, 3);
        check("a", 2 * CHECK_MANY_MAX, CHECK_MANY_MAX);
        check(&"x".repeat(CHECK_MANY_BYTES_MAX / 4), CHECK_MANY_MAX, 4);
        check(&"x".repeat(CHECK_MANY_BYTES_MAX + 1), 2, 1);
    }
}
