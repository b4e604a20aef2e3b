use crate::bindings::capabilities::amqtt::plugin::types as wit;
use crate::{Client, Qos, UserProperty};

/// One thing that happened.
///
/// Each answer is asked of the broker when its method is called: ask for what you need. It is none where the kind of
/// event has no such thing.
pub struct Event<'a> {
    kind: EventKind,
    client: Option<Client<'a>>,
    source: Source<'a>,
}

enum Source<'a> {
    Asked(&'a wit::Event),
    /// An event of a unit test.
    #[cfg(not(target_family = "wasm"))]
    StandIn(&'a EventFacts<'a>),
}

/// An event of a unit test.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the fields are the methods of `Event`")]
pub struct EventFacts<'a> {
    pub client: Option<crate::ClientFacts<'a>>,
    pub topic: Option<&'a str>,
    pub qos: Option<Qos>,
    pub retain: Option<bool>,
    pub payload: Option<&'a [u8]>,
    pub payload_length: Option<u64>,
    pub packet: Option<Packet>,
    pub reason_code: Option<u8>,
    pub reason: Option<&'a str>,
    pub user_properties: Vec<UserProperty>,
}

/// A packet that was read or is about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Its type on the wire: 1 is CONNECT, 2 CONNACK, 3 PUBLISH, …, 15 AUTH.
    pub packet_type: u8,
    /// The flags in its first byte; of PUBLISH: 8 is DUP, 4 and 2 are the QoS, 1 is RETAIN.
    pub flags: u8,
    /// Its packet identifier, if it has one.
    pub id: Option<u16>,
    /// Bytes of the whole of it.
    pub length: u32,
}

/// Asks the broker, or a unit test's facts.
macro_rules! ask {
    ($self:ident, $event:ident => $asked:expr, $facts:ident => $stood_in:expr) => {
        match $self.source {
            Source::Asked($event) => $asked,
            #[cfg(not(target_family = "wasm"))]
            Source::StandIn($facts) => $stood_in,
        }
    };
}

impl<'a> Event<'a> {
    /// Makes an event for unit tests.
    #[cfg(not(target_family = "wasm"))]
    pub fn stand_in(kind: EventKind, facts: &'a EventFacts<'a>) -> Self {
        Event { kind, client: facts.client.as_ref().map(Client::of_facts), source: Source::StandIn(facts) }
    }

    /// What happened.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// The client that it happened to; none for an event of the broker itself.
    pub fn client(&self) -> Option<&Client<'a>> {
        self.client.as_ref()
    }

    /// The identifier of that client.
    pub fn client_id(&self) -> Option<String> {
        self.client().map(|client| client.client_id().into_owned())
    }

    /// That client's user name, if it has one.
    pub fn username(&self) -> Option<String> {
        self.client().and_then(Client::username).map(Into::into)
    }

    /// The topic name of a message, or the topic filter of a subscription.
    pub fn topic(&self) -> Option<String> {
        ask!(self, event => event.topic(), facts => facts.topic.map(str::to_owned))
    }

    /// The QoS of the message, or the one granted to the subscription.
    pub fn qos(&self) -> Option<Qos> {
        ask!(self, event => event.qos().map(Qos::from), facts => facts.qos)
    }

    /// Whether the message is to be retained.
    pub fn retain(&self) -> Option<bool> {
        ask!(self, event => event.retain(), facts => facts.retain)
    }

    /// Bytes of the message's payload.
    pub fn payload_length(&self) -> Option<u64> {
        ask!(self, event => event.payload_length(), facts => facts.payload_length)
    }

    /// The payload of the message, for a plugin that asked for payloads: `Interests::payloads`.
    pub fn payload(&self) -> Option<Vec<u8>> {
        ask!(self, event => event.payload(), facts => facts.payload.map(<[u8]>::to_vec))
    }

    /// The packet.
    pub fn packet(&self) -> Option<Packet> {
        ask!(self, event => {
            Some(Packet {
                packet_type: event.packet_type()?,
                flags: event.packet_flags().unwrap_or_default(),
                id: event.packet_id(),
                length: event.packet_length().unwrap_or_default(),
            })
        }, facts => facts.packet)
    }

    /// The MQTT 5.0 reason code of what happened.
    pub fn reason_code(&self) -> Option<u8> {
        ask!(self, event => event.reason_code(), facts => facts.reason_code)
    }

    /// Why, in words: of a disconnection, a drop or a fault.
    pub fn reason(&self) -> Option<String> {
        ask!(self, event => event.reason(), facts => facts.reason.map(str::to_owned))
    }

    /// The user properties of the message, or of a packet that was read; empty before MQTT 5.0.
    pub fn user_properties(&self) -> Vec<UserProperty> {
        ask!(self, event => event.user_properties().into_iter().map(UserProperty::from).collect(),
            facts => facts.user_properties.clone())
    }

    pub(crate) fn asked(kind: EventKind, client: Option<Client<'a>>, event: &'a wit::Event) -> Self {
        Event { kind, client, source: Source::Asked(event) }
    }
}

/// Writes [`EventKind`] once and its conversions from it.
macro_rules! event_kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal,)*) => {
        /// The kinds of events there are. Others may come.
        #[non_exhaustive]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
        }

        impl EventKind {
            /// Its name in the plugin interface.
            pub fn name(self) -> &'static str {
                match self {
                    $(EventKind::$kind => $name,)*
                }
            }

            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(EventKind::$kind),)*
                    _ => None,
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
    /// A message was handed to a subscriber, who is the client.
    MessageBroadcast "message-broadcast",
    /// A retained message was kept or deleted.
    RetainedMessage "retained-message",
    /// A packet was read.
    PacketReceived "packet-received",
    /// A packet is about to be written.
    PacketSent "packet-sent",
    /// A will was published.
    WillSent "will-sent",
    /// A session that nobody came back for was dropped.
    SessionExpired "session-expired",
    /// A message was not delivered for want of room.
    MessageDropped "message-dropped",
    /// A plugin failed.
    PluginFault "plugin-fault",
}
