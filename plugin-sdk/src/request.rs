use crate::bindings::capabilities::amqtt::plugin::types as wit;
use crate::{Qos, TopicFilter};

/// What a client wants at the moment: its CONNECT, or one topic.
pub struct Request<'a> {
    source: &'a Source<'a>,
}

/// What a client is told of a refusal, if it speaks MQTT 5.0.
///
/// ```
/// use amqtt_plugin_sdk::Reason;
/// let reason = Reason::code(0x97).text("ten messages a minute").property("retry-after", "60");
/// # let _ = reason;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    code: Option<u8>,
    text: Option<String>,
    properties: Vec<(String, String)>,
}

impl Reason {
    /// A reason code from 0x80 on. One that the answering packet does not have becomes 0x87, Not authorized.
    pub fn code(code: u8) -> Self {
        Reason { code: Some(code), ..Reason::default() }
    }

    /// A reason in words, for the client's log.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        Reason { text: Some(text.into()), ..self }
    }

    /// Adds a user property.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }
}

/// A request of a unit test, and the reasons that the plugin gave.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug, Clone, Default)]
pub struct RequestFacts {
    /// The QoS.
    pub qos: Option<Qos>,
    /// The RETAIN flag.
    pub retain: bool,
    /// Bytes of the payload.
    pub payload_length: Option<u64>,
    /// What [`Request::explain`] was called with.
    pub explained: std::cell::RefCell<Vec<Reason>>,
    /// What [`Request::extend_to`] was called with last.
    pub extended_to: std::cell::RefCell<Option<TopicFilter>>,
}

#[derive(Default)]
pub(crate) enum Source<'a> {
    /// There is none: the hook is told of something that has happened, or a unit test did not say.
    #[default]
    None,
    Auth(&'a wit::AuthRequest),
    /// One topic of a list.
    Topic(&'a wit::TopicRequest, u32),
    #[cfg(not(target_family = "wasm"))]
    StandIn(&'a RequestFacts),
}

impl<'a> Request<'a> {
    pub(crate) fn new(source: &'a Source<'a>) -> Self {
        Request { source }
    }

    /// The QoS of the message, or the one that is asked for; none for a CONNECT.
    pub fn qos(&self) -> Option<Qos> {
        match self.source {
            Source::Topic(request, item) => Some(request.qos(*item).into()),
            #[cfg(not(target_family = "wasm"))]
            Source::StandIn(facts) => facts.qos,
            Source::None | Source::Auth(_) => None,
        }
    }

    /// Whether the message is to be retained, or was.
    pub fn retain(&self) -> bool {
        match self.source {
            Source::Topic(request, item) => request.retain(*item),
            #[cfg(not(target_family = "wasm"))]
            Source::StandIn(facts) => facts.retain,
            Source::None | Source::Auth(_) => false,
        }
    }

    /// Bytes of the message's payload; none where there is no message.
    pub fn payload_length(&self) -> Option<u64> {
        match self.source {
            Source::Topic(request, item) => request.payload_length(*item),
            #[cfg(not(target_family = "wasm"))]
            Source::StandIn(facts) => facts.payload_length,
            Source::None | Source::Auth(_) => None,
        }
    }

    /// Says that the answer holds for every topic name that a topic filter matches, for as long as its
    /// [`CacheFor`](crate::CacheFor) says: the broker then need not ask about each of them.
    ///
    /// Only for an answer that hangs on nothing but client, action and topic, and is the same for all of them: a rule
    /// `sensors/#` that no other rule contradicts. For [`Action::Subscribe`](crate::Action::Subscribe) and a CONNECT it says
    /// nothing. A filter that does not match the topic asked about extends nothing.
    ///
    /// ```
    /// use amqtt_plugin_sdk::{Action, CacheFor, Client, Decision, TopicFilter, Verdict};
    ///
    /// fn check(rules: &[TopicFilter], client: &Client, topic: &str) -> Verdict {
    ///     let rule = rules.iter().find(|rule| rule.covers(topic));
    ///     if let Some(rule) = rule {
    ///         client.request().extend_to(rule);
    ///     }
    ///     let decision = if rule.is_some() { Decision::Allow } else { Decision::Deny };
    ///     Verdict { decision, cache: CacheFor::Reload }
    /// }
    /// # let _ = check;
    /// ```
    pub fn extend_to(&self, filter: &TopicFilter) {
        match self.source {
            Source::Topic(request, item) => request.extend_to(*item, filter.as_str()),
            #[cfg(not(target_family = "wasm"))]
            Source::StandIn(facts) => *facts.extended_to.borrow_mut() = Some(filter.clone()),
            Source::None | Source::Auth(_) => {}
        }
    }

    /// Says what the client is told if this plugin's answer refuses it. Otherwise it is told nothing.
    pub fn explain(&self, reason: &Reason) {
        let Reason { code, text, properties } = reason;
        match self.source {
            Source::Auth(request) => {
                code.iter().for_each(|code| request.set_reason_code(*code));
                text.iter().for_each(|text| request.set_reason_string(text));
                properties.iter().for_each(|(name, value)| request.add_user_property(name, value));
            }
            Source::Topic(request, item) => {
                code.iter().for_each(|code| request.set_reason_code(*item, *code));
                text.iter().for_each(|text| request.set_reason_string(*item, text));
                properties.iter().for_each(|(name, value)| request.add_user_property(*item, name, value));
            }
            #[cfg(not(target_family = "wasm"))]
            Source::StandIn(facts) => facts.explained.borrow_mut().push(reason.clone()),
            Source::None => {}
        }
    }
}
