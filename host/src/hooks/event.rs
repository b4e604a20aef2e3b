use std::sync::Arc;

use bytes::Bytes;

use crate::types::{ClientInfo, QoS, UserProperty};

/// Writes [`EventKind`] once and its names.
macro_rules! event_kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal,)*) => {
        /// The kinds of events that plugins may ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
        }

        impl EventKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its name in the plugin interface.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The kind of that name, if there is one.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$kind),)*
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

/// One thing that happened. What its kind does not have is none.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To which client; none for an event of the broker itself.
    pub client: Option<Arc<ClientInfo>>,
    /// The topic name of a message or the topic filter of a subscription.
    pub topic: Option<Arc<str>>,
    /// The QoS of the message, or the one granted to the subscription.
    pub qos: Option<QoS>,
    /// Whether the message is to be retained.
    pub retain: Option<bool>,
    /// Bytes of the message's payload.
    pub payload_len: Option<usize>,
    /// The payload itself, only where a plugin asked for payloads: see [`Hooks::wants_payload`](super::Hooks).
    pub payload: Option<Bytes>,
    /// The packet that was read or is about to be written.
    pub packet: Option<PacketFacts>,
    /// The MQTT 5.0 reason code.
    pub reason_code: Option<u8>,
    /// Why, where there is a reason.
    pub reason: Option<Arc<str>>,
    /// User properties of the message or packet.
    pub user_properties: Arc<[UserProperty]>,
}

/// What can be told of any packet without a look into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketFacts {
    /// The type on the wire (2.1.2), from 1 for CONNECT on.
    pub packet_type: u8,
    /// The flags in the first byte (2.1.3).
    pub flags: u8,
    /// The packet identifier, of those that have one.
    pub packet_id: Option<u16>,
    /// Bytes of the whole packet.
    pub len: u32,
}

impl Event {
    /// An event of the broker itself.
    pub fn new(kind: EventKind) -> Self {
        Self {
            kind,
            client: None,
            topic: None,
            qos: None,
            retain: None,
            payload_len: None,
            payload: None,
            packet: None,
            reason_code: None,
            reason: None,
            user_properties: Arc::default(),
        }
    }

    /// An event of a client.
    pub fn of_client(kind: EventKind, client: &Arc<ClientInfo>) -> Self {
        Self { client: Some(Arc::clone(client)), ..Self::new(kind) }
    }

    /// Bytes that it is counted as while it waits.
    ///
    /// Its client counts with each event, although others may hold it too: it may have gone, and be held by this one alone.
    pub(crate) fn queued_bytes(&self) -> usize {
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let properties: usize = self.user_properties.iter().map(UserProperty::bytes).sum();
        let payload = self.payload.as_ref().map_or(0, Bytes::len);
        let client = self.client.as_ref().map_or(0, |client| client.bytes());
        client + payload + text(&self.topic) + text(&self.reason) + properties
    }
}

#[cfg(test)]
mod tests {
    use super::EventKind;

    #[test]
    fn kinds_are_found_by_their_names() {
        for kind in [EventKind::BrokerPreStart, EventKind::MessageDropped, EventKind::PluginFault] {
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::from_name("packet_sent"), None);
    }
}
