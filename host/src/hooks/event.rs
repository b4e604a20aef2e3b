use std::sync::Arc;

use bytes::Bytes;

use crate::types::{ClientInfo, QoS};

/// The kinds of events that plugins may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// The configuration is read and plugins are loaded; no listener is open.
    BrokerPreStart,
    /// Every listener is open.
    BrokerPostStart,
    /// The broker is about to close its connections.
    BrokerPreShutdown,
    /// Every connection is closed.
    BrokerPostShutdown,
    /// A client was sent a CONNACK that accepts it.
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

/// One thing that happened.
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
    /// The payload of the message.
    pub payload: Option<Bytes>,
    /// The packet that was read or written.
    pub packet: Option<PacketFacts>,
    /// Why, where there is a reason.
    pub reason: Option<Arc<str>>,
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
            reason: None,
        }
    }

    /// An event of a client.
    pub fn of_client(kind: EventKind, client: &Arc<ClientInfo>) -> Self {
        Self { client: Some(Arc::clone(client)), ..Self::new(kind) }
    }
}
