use crate::Qos;
use crate::bindings::capabilities::amqtt::plugin::types as wit;

/// One thing that happened.
///
/// Each answer is asked of the broker when its method is called: ask for what you need.
pub struct Event<'a> {
    kind: EventKind,
    event: &'a wit::Event,
}

impl<'a> Event<'a> {
    /// What happened.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// The client that it happened to; none for an event of the broker itself.
    pub fn client_id(&self) -> Option<String> {
        self.event.client_id()
    }

    /// That client's user name, if it has one.
    pub fn username(&self) -> Option<String> {
        self.event.username()
    }

    /// The topic name of a message, or the topic filter of a subscription.
    pub fn topic(&self) -> Option<String> {
        self.event.topic()
    }

    /// The QoS of the message, or the one granted to the subscription.
    pub fn qos(&self) -> Option<Qos> {
        self.event.qos().map(Qos::from)
    }

    /// The payload of the message.
    pub fn payload(&self) -> Option<Vec<u8>> {
        self.event.payload()
    }

    /// Why, where the event has a reason: of a disconnection, a drop or a fault.
    pub fn reason(&self) -> Option<String> {
        self.event.reason()
    }

    pub(crate) fn new(kind: EventKind, event: &'a wit::Event) -> Self {
        Event { kind, event }
    }
}

/// Writes [`EventKind`] once and its conversions from it.
macro_rules! event_kinds {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// The kinds of events there are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
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
    BrokerPreStart,
    /// Every listener is open.
    BrokerPostStart,
    /// The broker is about to close its connections.
    BrokerPreShutdown,
    /// Every connection is closed.
    BrokerPostShutdown,
    /// A client was accepted.
    ClientConnected,
    /// A connection that had been accepted ended.
    ClientDisconnected,
    /// One filter of a SUBSCRIBE was granted.
    ClientSubscribed,
    /// One filter of an UNSUBSCRIBE was removed.
    ClientUnsubscribed,
    /// A PUBLISH came in and was allowed.
    MessageReceived,
    /// A message was routed to its subscribers.
    MessageBroadcast,
    /// A retained message was kept or deleted.
    RetainedMessage,
    /// A packet was read.
    PacketReceived,
    /// A packet was written.
    PacketSent,
    /// A will was published.
    WillSent,
    /// A session that nobody came back for was dropped.
    SessionExpired,
    /// A message was not delivered for want of room.
    MessageDropped,
    /// A plugin failed.
    PluginFault,
}
