use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::aside::Room;
use super::combine::Verdict;
use super::deciders::Deciders;
use super::generation::Generation;
use super::queue::Closed;
use super::suspects::NotPut;
use super::{Action, Hooks};
use crate::types::{ClientInfo, QoS};

/// What plugins may want to know of a request besides its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicFacts {
    /// The QoS of the message, or the one that is asked for.
    pub qos: QoS,
    /// Whether the message is to be retained, or was.
    pub retain: bool,
    /// Bytes of the message's payload; none for a subscription.
    pub payload_len: Option<usize>,
}

impl TopicFacts {
    /// Of a subscription.
    pub fn subscription(qos: QoS) -> Self {
        Self { qos, retain: false, payload_len: None }
    }

    /// Of a message.
    pub fn message(qos: QoS, retain: bool, payload_len: usize) -> Self {
        Self { qos, retain, payload_len: Some(payload_len) }
    }
}

/// Asks the plugins that decide topics, on the thread that holds the message: make one for each such thread.
///
/// It follows a reload by itself. Dropping it ends its instances in good order.
pub struct TopicChecker {
    hooks: Arc<Hooks>,
    generation: Arc<Generation>,
    deciders: Deciders,
    /// How many contents of files had been accepted when it was last looked at the instances.
    accepts: u64,
}

impl TopicChecker {
    pub(super) fn new(hooks: &Arc<Hooks>) -> Self {
        hooks.checkers.fetch_add(1, Ordering::Relaxed);
        let generation = hooks.generation();
        let deciders = Deciders::in_place(&generation.deciding);
        Self { hooks: Arc::clone(hooks), generation, deciders, accepts: 0 }
    }

    /// Whether `client` may do `action` with `topic`: a topic filter for a subscription, else a topic name.
    ///
    /// Takes under a microsecond with ordinary plugins, and each plugin's deadline at the worst: look at
    /// [`may_hold_up`](Self::may_hold_up) before, where somebody can wait in place of this thread. A fault of a plugin
    /// is a refusal of this one request.
    pub fn check(&mut self, client: &Arc<ClientInfo>, action: Action, topic: &str, facts: TopicFacts) -> Verdict {
        loop {
            self.follow();
            if self.deciders.can_check(action) {
                return self.deciders.check(client, action, topic, facts);
            }
            self.hooks.common.tally.asked_aside.fetch_add(1, Ordering::Relaxed);
            match self.generation.aside.ask_now(client, action, topic, facts) {
                Ok(verdict) => return verdict,
                // A reload came between the two lines.
                Err(Closed) if self.generation.number != self.hooks.number() => {}
                Err(Closed) => return Verdict::FAULT,
            }
        }
    }

    /// The same for several topics, with one call of each plugin for many: one verdict for each, in order.
    pub fn check_many(
        &mut self,
        client: &Arc<ClientInfo>,
        action: Action,
        topics: &[(&str, TopicFacts)],
    ) -> Vec<Verdict> {
        self.follow();
        if self.deciders.can_check(action) {
            return self.deciders.check_many(client, action, topics);
        }
        topics.iter().map(|(topic, facts)| self.check(client, action, topic, *facts)).collect()
    }

    /// Whether a question may hold up this thread at all: look before you ask more exactly.
    pub fn may_hold_up(&mut self) -> bool {
        let tally = &self.hooks.common.tally;
        let accepts = tally.accepts.load(Ordering::Acquire);
        if self.accepts != accepts {
            // Instances that decide by another content are to be made anew.
            self.accepts = accepts;
            self.deciders.look_for_slow();
        }
        self.deciders.any_slow() || tally.suspects.count() > 0
    }

    /// Whether a question would hold up this thread for other clients, because a plugin is slow or `client` has made
    /// one fail: then it is to be put with [`ask`](Self::ask), while only that client waits.
    pub fn holds_up(&mut self, client: &ClientInfo, action: Action) -> bool {
        if !self.may_hold_up() {
            return false;
        }
        self.follow();
        self.hooks.decides(action)
            && (self.deciders.is_slow(action) || self.hooks.common.tally.suspects.contains(client.address()))
    }

    /// Puts questions about several topics on another thread. The verdicts are in the order of the topics.
    pub fn ask(
        &self,
        client: Arc<ClientInfo>,
        action: Action,
        topics: Vec<(Box<str>, TopicFacts)>,
    ) -> impl Future<Output = Vec<Verdict>> + Send + use<> {
        let hooks = Arc::clone(&self.hooks);
        async move {
            if !hooks.common.tally.suspects.wait_for_turn(&client).await {
                return vec![Verdict::FAULT; topics.len()];
            }
            ask_aside(hooks, client, action, topics, Room::IfThereIs).await
        }
    }

    /// The same where it is the broker that has to know: what was granted must not end because others ask much. A
    /// few questions at a time for each session, of a few topics each.
    pub fn ask_for_broker(
        &self,
        client: Arc<ClientInfo>,
        action: Action,
        topics: Vec<(Box<str>, TopicFacts)>,
    ) -> impl Future<Output = Vec<Verdict>> + Send + use<> {
        ask_aside(Arc::clone(&self.hooks), client, action, topics, Room::Always)
    }

    /// Goes over to the plugins that were loaded last, if it asks others still; ends the instances of those.
    pub fn follow(&mut self) {
        if self.generation.number != self.hooks.number() {
            self.renew();
        }
    }

    #[cold]
    fn renew(&mut self) {
        self.generation = self.hooks.generation();
        let deciders = Deciders::in_place_of(&self.deciders, &self.generation.deciding);
        std::mem::replace(&mut self.deciders, deciders).retire();
    }
}

async fn ask_aside(
    hooks: Arc<Hooks>,
    client: Arc<ClientInfo>,
    action: Action,
    topics: Vec<(Box<str>, TopicFacts)>,
    room: Room,
) -> Vec<Verdict> {
    let topics = Arc::<[_]>::from(topics);
    hooks.common.tally.asked_aside.fetch_add(topics.len() as u64, Ordering::Relaxed);
    let mut may_ask = true;
    while may_ask {
        let generation = hooks.generation();
        match generation.aside.ask(&client, action, &topics, room).await {
            Ok(verdicts) => return verdicts,
            Err(NotPut::Suspect) => may_ask = hooks.common.tally.suspects.wait_for_turn(&client).await,
            // A reload came between the two lines.
            Err(NotPut::Closed) if generation.number != hooks.number() => {}
            Err(NotPut::Closed) => break,
        }
    }
    vec![Verdict::FAULT; topics.len()]
}

impl Drop for TopicChecker {
    fn drop(&mut self) {
        self.hooks.checkers.fetch_sub(1, Ordering::Relaxed);
        std::mem::take(&mut self.deciders).stop();
    }
}
