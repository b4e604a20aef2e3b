use std::task::Waker;

use super::core::Core;
use super::events;
use super::publish::{Asks, count_dropped};
use super::routes::Route;
use super::shared::Share;
use super::stats::WorkerStats;
use super::verdicts::Remembered;
use crate::hooks::{Action, EventKind, Hooks, TopicChecker, TopicFacts};
use crate::protocol::{Delivered, Delivery, Terms};
use crate::queue::Standing;
use crate::types::ClientId;

/// One message on its way to the subscribers of its route.
pub(super) struct ToSubscribers<'a> {
    pub(super) core: &'a Core,
    pub(super) hooks: &'a Hooks,
    pub(super) checker: &'a mut TopicChecker,
    pub(super) stats: &'a WorkerStats,
    pub(super) wakes: &'a mut Vec<Waker>,
    pub(super) route: &'a Route,
    pub(super) delivery: Delivery<'a>,
    pub(super) retain: bool,
    /// What plugins may want to know of the message.
    pub(super) facts: TopicFacts,
    pub(super) publisher: Option<&'a ClientId>,
    /// Whether plugins are told who gets it.
    pub(super) is_told: bool,
    pub(super) asks: Asks,
}

impl ToSubscribers<'_> {
    /// To everyone who is to have it.
    pub(super) fn deliver(&mut self) {
        let route = self.route;
        for (index, subscriber) in route.subscribers[..route.singles()].iter().enumerate() {
            if subscriber.is_for(self.publisher)
                && let Some(standing) = self.standing(index)
            {
                self.deliver_to(index, standing, subscriber.terms(self.retain));
            }
        }
        for share in &route.shares {
            self.deliver_shared(share);
        }
    }

    /// To one member: the first, in the order of the strategy, that is connected and has room; if there is none, the first
    /// at all.
    pub(super) fn deliver_shared(&mut self, share: &Share) {
        let (route, strategy) = (self.route, self.core.capabilities.share_strategy);
        let mut fallback = None;
        for index in share.from(share.first(strategy, &route.subscribers)) {
            let subscriber = &route.subscribers[index];
            let Some(standing) = self.standing(index) else { continue };
            if !subscriber.session.is_connected() {
                fallback = fallback.or(Some((index, standing)));
                continue;
            }
            let terms = Terms { share: Some(&share.filter), ..subscriber.terms(self.retain) };
            if self.deliver_to(index, standing, terms) != Delivered::Dropped {
                return share.taken(strategy, index);
            }
        }
        if let Some((index, standing)) = fallback {
            let terms = route.subscribers[index].terms(self.retain);
            self.deliver_to(index, standing, Terms { share: Some(&share.filter), ..terms });
        }
    }

    /// Whether the subscriber of this index may be delivered the topic, or that is yet to be found out; none if it may not.
    fn standing(&mut self, index: usize) -> Option<Standing> {
        if !self.hooks.decides(Action::Receive) {
            return Some(Standing::Judged);
        }
        let known = self.route.may_receive(index, self.hooks.verdict_number());
        let Some(allowed) = known.or_else(|| self.ask(index)) else {
            return Some(Standing::Unjudged { is_told: self.is_told });
        };
        self.stats.publish_denied.add(usize::from(!allowed));
        allowed.then_some(Standing::Judged)
    }

    /// Asks whether the subscriber of this index may be delivered the topic, and remembers what is said of it; none if
    /// that would hold up this worker, and the subscriber can wait in its place.
    fn ask(&mut self, index: usize) -> Option<bool> {
        let (route, number) = (self.route, self.hooks.verdict_number());
        let session = &route.subscribers[index].session;
        let (link_id, client) = session.last_client();
        if self.asks == Asks::Aside && self.checker.holds_up(&client, Action::Receive) {
            let remembered = session.received(&route.topic, number, link_id)?;
            route.remember(index, number, link_id, Some(remembered));
            return remembered.allowed();
        }
        let verdict = self.checker.check(&client, Action::Receive, route.topic.as_str(), self.facts);
        route.remember(index, number, link_id, Remembered::new(&verdict));
        Some(verdict.allowed)
    }

    fn deliver_to(&mut self, index: usize, standing: Standing, terms: Terms<'_>) -> Delivered {
        let session = &self.route.subscribers[index].session;
        let (hooks, delivery) = (self.hooks, &mut self.delivery);
        let delivered = session.deliver(delivery, terms, standing, &self.core.limits, self.wakes);
        let dropped = match delivered {
            Delivered::Buffered | Delivered::Queued | Delivered::Away => 0,
            Delivered::TooLarge => {
                self.stats.publish_too_large.add(1);
                0
            }
            Delivered::QueuedInsteadOf(others) => others,
            Delivered::Dropped => 1,
        };
        if dropped > 0 {
            count_dropped(self.stats, dropped, self.route.topic.as_str(), session.client_id.as_str());
        }
        if delivered == Delivered::Dropped && hooks.wants(EventKind::MessageDropped) {
            let why = Some("the queue of the client is full");
            events::message(hooks, EventKind::MessageDropped, &session.client(), delivery, false, why);
        } else if self.is_told
            && standing == Standing::Judged
            && !matches!(delivered, Delivered::Away | Delivered::TooLarge)
        {
            events::message(hooks, EventKind::MessageBroadcast, &session.client(), delivery, false, None);
        }
        delivered
    }
}
