//! What plugins are told of the way of messages and packets. Nothing is made that no plugin asked for.

use std::sync::Arc;

use super::writer::Writer;
use crate::codec::{FixedHeader, Frame, Glance, Properties};
use crate::hooks::{Event, EventKind, Hooks, PacketFacts};
use crate::protocol::Delivery;
use crate::types::{ClientInfo, UserProperty};

/// Who a message comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    /// A client's PUBLISH.
    Client(&'a Arc<ClientInfo>),
    /// A client that has gone.
    Will(&'a Arc<ClientInfo>),
    /// A plugin. Plugins are not told of the messages of plugins: one that publishes what it is told would never come
    /// to an end.
    Plugin,
}

impl<'a> Origin<'a> {
    /// The client that published the message.
    pub(super) fn client(self) -> Option<&'a Arc<ClientInfo>> {
        match self {
            Self::Client(client) | Self::Will(client) => Some(client),
            Self::Plugin => None,
        }
    }
}

/// Tells that a message is there and may be routed.
pub(super) fn message_came(hooks: &Hooks, origin: Origin<'_>, delivery: &mut Delivery<'_>, retain: bool) {
    match origin {
        Origin::Client(client) => message(hooks, EventKind::MessageReceived, client, delivery, retain, None),
        Origin::Will(client) => message(hooks, EventKind::WillSent, client, delivery, retain, None),
        Origin::Plugin => {}
    }
}

/// Tells something of a message and a client.
pub(super) fn message(
    hooks: &Hooks,
    kind: EventKind,
    client: &Arc<ClientInfo>,
    delivery: &mut Delivery<'_>,
    retain: bool,
    reason: Option<&'static str>,
) {
    if !hooks.wants(kind) {
        return;
    }
    let mut event = Event::of_client(kind, client);
    event.topic = Some(delivery.topic().to_shared());
    event.qos = Some(delivery.qos());
    let message = delivery.message();
    event.retain = Some(retain);
    event.payload_len = Some(message.payload.len());
    event.payload = hooks.wants_payload(kind).then(|| message.payload.clone());
    if let Some(properties) = &message.properties {
        event.user_properties = user_properties(Properties::of_message(properties));
    }
    event.reason = reason.map(Into::into);
    hooks.emit(event);
}

/// Tells that a client has sent a packet, which is well-formed.
pub(super) fn packet_received(hooks: &Hooks, client: &Arc<ClientInfo>, frame: Frame<'_>, properties: Properties<'_>) {
    if hooks.wants(EventKind::PacketReceived) {
        let glance = Glance::new(frame.header, frame.body);
        let user_properties = user_properties(properties);
        hooks.emit(Event { user_properties, ..packet(EventKind::PacketReceived, Some(client), &glance) });
    }
}

fn user_properties(properties: Properties<'_>) -> Arc<[UserProperty]> {
    let copy = |(name, value): (&str, &str)| UserProperty { name: name.into(), value: value.into() };
    properties.user_properties().map(copy).collect()
}

/// Tells of the packets that a writer has been given since the last time, just before they are written.
///
/// This is the one place that every packet to a client passes, whoever made it: the price is to look at the bytes again,
/// and only where a plugin asks for it.
pub(super) fn packets_sent(hooks: &Hooks, client: Option<&Arc<ClientInfo>>, writer: &mut Writer) {
    if hooks.wants(EventKind::PacketSent) {
        writer.untold_packets(|glance| hooks.emit(packet(EventKind::PacketSent, client, &glance)));
    }
    writer.tell();
}

/// Tells of the CONNACK that refuses a connection, and so has no client.
pub(super) fn refusal_sent(hooks: &Hooks, connack: &[u8]) {
    if hooks.wants(EventKind::PacketSent)
        && let Some(header) = FixedHeader::read_any(connack)
    {
        hooks.emit(packet(EventKind::PacketSent, None, &Glance::new(header, &connack[header.header_len..])));
    }
}

fn packet(kind: EventKind, client: Option<&Arc<ClientInfo>>, glance: &Glance<'_>) -> Event {
    let mut event = Event::new(kind);
    event.client = client.cloned();
    event.packet = Some(PacketFacts {
        packet_type: glance.packet_type,
        flags: glance.flags,
        packet_id: glance.packet_id,
        len: u32::try_from(glance.packet_len).unwrap_or(u32::MAX),
    });
    event.reason_code = glance.reason_code;
    if let Some(publish) = glance.publish {
        event.topic = Some(publish.topic.into());
        event.qos = Some(publish.qos);
        event.retain = Some(publish.retain);
    }
    event
}
