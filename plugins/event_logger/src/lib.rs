//! Writes what happens in the broker to its log. `README.md` tells what and how.

use std::fmt::Write;

use amqtt_plugin_sdk::log::{self, Level};
use amqtt_plugin_sdk::{Event, EventKind, Events, Interests, NoSettings, Plugin, plugin};

/// What everybody wants to know.
const INFO: [EventKind; 2] = [EventKind::ClientConnected, EventKind::ClientDisconnected];

/// What is there for those who look for a fault. Some of it happens with every message, so that it is asked for only
/// where somebody will read it.
const DEBUG: [EventKind; 13] = [
    EventKind::BrokerPreStart,
    EventKind::BrokerPostStart,
    EventKind::BrokerPreShutdown,
    EventKind::BrokerPostShutdown,
    EventKind::ClientSubscribed,
    EventKind::ClientUnsubscribed,
    EventKind::MessageReceived,
    EventKind::MessageBroadcast,
    EventKind::RetainedMessage,
    EventKind::WillSent,
    EventKind::SessionExpired,
    EventKind::MessageDropped,
    EventKind::PluginFault,
];

struct EventLogger {
    debug: bool,
}

impl Plugin for EventLogger {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(EventLogger { debug: log::enabled(Level::Debug) })
    }

    fn interests(&self) -> Interests {
        let mut events = INFO.to_vec();
        if self.debug {
            events.extend(DEBUG);
        }
        Interests { events, ..Interests::default() }
    }
}

impl Events for EventLogger {
    fn handle(&mut self, event: &Event) {
        let level = if INFO.contains(&event.kind()) { Level::Info } else { Level::Debug };
        log::write(level, describe(event));
    }
}

/// One line: the kind, then what is known, then the reason.
fn describe(event: &Event) -> String {
    let mut parts = Vec::new();
    if let Some(client_id) = event.client_id() {
        parts.push(format!("client {client_id:?}"));
    }
    if let Some(username) = event.username() {
        parts.push(format!("user {username:?}"));
    }
    if let Some(client) = event.client().filter(|_| event.kind() == EventKind::ClientConnected) {
        parts.push(format!("from {}", client.remote_address()));
    }
    if let Some(topic) = event.topic() {
        let is_filter = matches!(event.kind(), EventKind::ClientSubscribed | EventKind::ClientUnsubscribed);
        parts.push(format!("{} {topic:?}", if is_filter { "filter" } else { "topic" }));
    }
    if let Some(qos) = event.qos() {
        parts.push(format!("QoS {}", qos as u8));
    }
    if event.retain() == Some(true) {
        parts.push("to be retained".to_owned());
    }
    if let Some(bytes) = event.payload_length() {
        parts.push(format!("{bytes} bytes"));
    }
    let mut line = event.kind().name().to_owned();
    if !parts.is_empty() {
        // Writing to a string does not fail.
        let _ = write!(line, ": {}", parts.join(", "));
    }
    if let Some(reason) = event.reason() {
        let _ = write!(line, ": {reason}");
    }
    line
}

plugin!(EventLogger: Events);

#[cfg(test)]
mod tests {
    use amqtt_plugin_sdk::{ClientFacts, EventFacts, Qos};

    use super::*;

    fn check(kind: EventKind, facts: EventFacts<'_>, expected: &str) {
        assert_eq!(describe(&Event::stand_in(kind, &facts)), expected);
    }

    fn client(username: Option<&'static str>) -> EventFacts<'static> {
        let client = ClientFacts { client_id: "c1", username, remote_address: "192.0.2.1:1", ..ClientFacts::default() };
        EventFacts { client: Some(client), ..EventFacts::default() }
    }

    #[test]
    fn an_event_is_a_line_with_what_is_known() {
        check(EventKind::BrokerPostStart, EventFacts::default(), "broker-post-start");
        let expected = r#"client-connected: client "c1", user "al\"ice", from 192.0.2.1:1"#;
        check(EventKind::ClientConnected, client(Some("al\"ice")), expected);
        let gone = EventFacts { reason: Some("it sent DISCONNECT"), ..client(None) };
        check(EventKind::ClientDisconnected, gone, r#"client-disconnected: client "c1": it sent DISCONNECT"#);
        let subscribed = EventFacts { topic: Some("a/#"), qos: Some(Qos::AtLeastOnce), ..client(None) };
        check(EventKind::ClientSubscribed, subscribed, r#"client-subscribed: client "c1", filter "a/#", QoS 1"#);
        let message = EventFacts {
            topic: Some("a"),
            qos: Some(Qos::ExactlyOnce),
            retain: Some(true),
            payload_length: Some(5),
            ..client(None)
        };
        let expected = r#"message-received: client "c1", topic "a", QoS 2, to be retained, 5 bytes"#;
        check(EventKind::MessageReceived, message.clone(), expected);
        let dropped = EventFacts { retain: Some(false), reason: Some("full"), ..message };
        check(EventKind::MessageDropped, dropped, r#"message-dropped: client "c1", topic "a", QoS 2, 5 bytes: full"#);
        let fault = EventFacts { reason: Some("plugin \"x\" trapped"), ..EventFacts::default() };
        check(EventKind::PluginFault, fault, "plugin-fault: plugin \"x\" trapped");
    }

    #[test]
    fn what_happens_with_every_message_is_asked_for_only_where_it_is_shown() {
        let quiet = EventLogger { debug: false }.interests().events;
        assert_eq!(quiet, INFO);
        let all = EventLogger { debug: true }.interests().events;
        assert_eq!(all.len(), INFO.len() + DEBUG.len());
        for kind in [EventKind::PacketReceived, EventKind::PacketSent] {
            assert!(!all.contains(&kind), "packets are for packet_logger");
        }
    }
}
