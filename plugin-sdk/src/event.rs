use crate::Qos;
use crate::bindings::capabilities::amqtt::plugin::types as wit;

/// One thing that happened.
///
/// Each answer is asked of the broker when its method is called: ask for what you need. What the kind of event does not
/// have is none.
pub struct Event<'a> {
    kind: EventKind,
    source: Source<'a>,
}

enum Source<'a> {
    Asked(&'a wit::Event),
    StandIn(&'a EventFacts),
}

/// What an event of a unit test answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the methods of `Event` say what they are")]
pub struct EventFacts {
    pub client_id: Option<String>,
    pub username: Option<String>,
    pub topic: Option<String>,
    pub qos: Option<Qos>,
    pub retain: Option<bool>,
    pub payload: Option<Vec<u8>>,
    pub packet_type: Option<u8>,
    pub packet_flags: Option<u8>,
    pub packet_id: Option<u16>,
    pub packet_length: Option<u32>,
    pub reason: Option<String>,
}

impl<'a> Event<'a> {
    /// Makes an event for unit tests.
    pub fn stand_in(kind: EventKind, facts: &'a EventFacts) -> Self {
        Event { kind, source: Source::StandIn(facts) }
    }

    pub(crate) fn new(kind: EventKind, event: &'a wit::Event) -> Self {
        Event { kind, source: Source::Asked(event) }
    }

    /// What happened.
    pub fn kind(&self) -> EventKind {
        self.kind
    }
}

/// Writes the methods that ask the broker, or the facts of a unit test.
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident -> $type:ty,)*) => {
        impl Event<'_> {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> Option<$type> {
                    match &self.source {
                        Source::Asked(event) => event.$name().map(<$type>::from),
                        Source::StandIn(facts) => facts.$name.clone(),
                    }
                }
            )*

            /// Bytes of the message's payload.
            pub fn payload_length(&self) -> Option<u64> {
                match &self.source {
                    Source::Asked(event) => event.payload_length(),
                    Source::StandIn(facts) => facts.payload.as_ref().map(|payload| payload.len() as u64),
                }
            }
        }
    };
}

answers! {
    /// The client that it happened to; none for an event of the broker itself.
    client_id -> String,
    /// That client's user name, if it has one.
    username -> String,
    /// The topic name of a message, or the topic filter of a subscription.
    topic -> String,
    /// The QoS of the message, or the one granted to the subscription.
    qos -> Qos,
    /// Whether the message is to be retained.
    retain -> bool,
    /// The payload of the message.
    payload -> Vec<u8>,
    /// The type of the packet as on the wire: 1 is CONNECT, 2 CONNACK, 3 PUBLISH, …, 14 DISCONNECT, 15 AUTH.
    packet_type -> u8,
    /// The four flags in the packet's first byte; of PUBLISH: 8 is DUP, 4 and 2 are the QoS, 1 is RETAIN.
    packet_flags -> u8,
    /// The packet identifier, of packets that have one.
    packet_id -> u16,
    /// Bytes of the whole packet as it was on the wire.
    packet_length -> u32,
    /// Why, where the event has a reason: of a disconnection, a drop or a fault.
    reason -> String,
}

/// Writes [`EventKind`] once and its conversions from it.
macro_rules! event_kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal,)*) => {
        /// The kinds of events there are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
        }

        impl EventKind {
            /// Its name in the plugin interface, for example `client-connected`.
            pub fn name(self) -> &'static str {
                match self {
                    $(EventKind::$kind => $name,)*
                }
            }
        }

        impl From<EventKind> for wit::EventKind {
            fn from(kind: EventKind) -> Self {
                match kind {
                    $(EventKind::$kind => wit::EventKind::$kind,)*
                }
            }
        }

        impl From<wit::EventKind> for EventKind {
            fn from(kind: wit::EventKind) -> Self {
                match kind {
                    $(wit::EventKind::$kind => EventKind::$kind,)*
                }
            }
        }
    };
}

event_kinds! {
    /// The configuration is read and plugins are loaded; no listener is open.
    BrokerPreStart "broker-pre-start",
    /// Every listener is open.
    BrokerPostStart "broker-post-start",
    /// The broker is about to close its connections.
    BrokerPreShutdown "broker-pre-shutdown",
    /// Every connection is closed.
    BrokerPostShutdown "broker-post-shutdown",
    /// A client was accepted.
    ClientConnected "client-connected",
    /// A connection that had been accepted ended.
    ClientDisconnected "client-disconnected",
    /// One filter of a SUBSCRIBE was granted.
    ClientSubscribed "client-subscribed",
    /// One filter of an UNSUBSCRIBE was removed.
    ClientUnsubscribed "client-unsubscribed",
    /// A PUBLISH came in and was allowed.
    MessageReceived "message-received",
    /// A message was handed to one subscriber, who is the client.
    MessageBroadcast "message-broadcast",
    /// A retained message was kept or deleted.
    RetainedMessage "retained-message",
    /// A packet was read.
    PacketReceived "packet-received",
    /// A packet was written.
    PacketSent "packet-sent",
    /// A will was published.
    WillSent "will-sent",
    /// A session that nobody came back for was dropped.
    SessionExpired "session-expired",
    /// A message was not delivered to a client for want of room.
    MessageDropped "message-dropped",
    /// A plugin failed.
    PluginFault "plugin-fault",
}
