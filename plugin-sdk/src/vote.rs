use crate::bindings::capabilities::amqtt::plugin::types as wit;
use crate::bindings::topic_check::exports::amqtt::plugin::topic_check as wit_check;

/// A vote on a request.
///
/// Plugins are asked in the order of the configuration. The first [`Deny`](Decision::Deny) refuses; otherwise one
/// [`Allow`](Decision::Allow) is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// A vote for it.
    Allow,
    /// A veto.
    Deny,
    /// No vote.
    Abstain,
}

/// A [`Decision`] on a topic, and how long it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// The vote.
    pub decision: Decision,
    /// How long the broker may give the same answer without asking again.
    pub cache: CacheFor,
}

/// How long the broker may give the same answer to the same client, action and topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheFor {
    /// Not at all: the plugin is asked every time.
    Never,
    /// So many seconds. 0 is the same as [`Never`](CacheFor::Never), and `u32::MAX` as [`Reload`](CacheFor::Reload).
    Seconds(u32),
    /// Until the plugin is loaded again.
    Reload,
}

/// What a client wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a message to a topic name.
    Publish,
    /// Have the messages of a topic filter delivered.
    Subscribe,
    /// Be delivered one message of a topic name.
    Receive,
}

/// How strongly a message is delivered (MQTT 3.1.1, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
    /// QoS 2.
    ExactlyOnce,
}

impl From<Decision> for wit::Decision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow => wit::Decision::Allow,
            Decision::Deny => wit::Decision::Deny,
            Decision::Abstain => wit::Decision::Abstain,
        }
    }
}

impl From<Verdict> for wit_check::Verdict {
    fn from(verdict: Verdict) -> Self {
        wit_check::Verdict {
            decision: verdict.decision.into(),
            cache_seconds: match verdict.cache {
                CacheFor::Never => 0,
                CacheFor::Seconds(seconds) => seconds,
                CacheFor::Reload => u32::MAX,
            },
        }
    }
}

impl From<Action> for wit::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Publish => wit::Action::Publish,
            Action::Subscribe => wit::Action::Subscribe,
            Action::Receive => wit::Action::Receive,
        }
    }
}

impl From<wit::Action> for Action {
    fn from(action: wit::Action) -> Self {
        match action {
            wit::Action::Publish => Action::Publish,
            wit::Action::Subscribe => Action::Subscribe,
            wit::Action::Receive => Action::Receive,
        }
    }
}

impl From<wit::Qos> for Qos {
    fn from(qos: wit::Qos) -> Self {
        match qos {
            wit::Qos::AtMostOnce => Qos::AtMostOnce,
            wit::Qos::AtLeastOnce => Qos::AtLeastOnce,
            wit::Qos::ExactlyOnce => Qos::ExactlyOnce,
        }
    }
}

impl From<Qos> for wit::Qos {
    fn from(qos: Qos) -> Self {
        match qos {
            Qos::AtMostOnce => wit::Qos::AtMostOnce,
            Qos::AtLeastOnce => wit::Qos::AtLeastOnce,
            Qos::ExactlyOnce => wit::Qos::ExactlyOnce,
        }
    }
}
