//! Writes the packets that come and go to the log. `README.md` tells how.

use amqtt_plugin_sdk::log::{self, Level};
use amqtt_plugin_sdk::{Event, EventKind, Events, Interests, NoSettings, Packet, Plugin, plugin};

/// The names of the standard for the types of packets, from 1 on (MQTT 5.0, table 2-1).
const TYPES: [&str; 15] = [
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// The flag of a PUBLISH that is sent again.
const DUP: u8 = 0b1000;

const PUBLISH: u8 = 3;

struct PacketLogger {
    debug: bool,
}

impl Plugin for PacketLogger {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(PacketLogger { debug: log::enabled(Level::Debug) })
    }

    fn interests(&self) -> Interests {
        let events = if self.debug { vec![EventKind::PacketReceived, EventKind::PacketSent] } else { Vec::new() };
        Interests { events, ..Interests::default() }
    }
}

impl Events for PacketLogger {
    fn handle(&mut self, event: &Event) {
        log::debug(describe(event));
    }
}

/// One line: where from or to, then what the packet is. Of what is in it there is a topic at the most.
fn describe(event: &Event) -> String {
    let way = if event.kind() == EventKind::PacketSent { "to" } else { "from" };
    let Some(Packet { packet_type, flags, id, length }) = event.packet() else { return format!("{way} a client") };
    let name = usize::from(packet_type).checked_sub(1).and_then(|index| TYPES.get(index));
    let mut parts = vec![name.map_or_else(|| format!("packet of type {packet_type}"), |name| (*name).to_owned())];
    if let Some(id) = id {
        parts.push(format!("id {id}"));
    }
    if let Some(topic) = event.topic() {
        parts.push(format!("topic {topic:?}"));
    }
    if let Some(qos) = event.qos() {
        parts.push(format!("QoS {}", qos as u8));
    }
    if event.retain() == Some(true) {
        parts.push("retain".to_owned());
    }
    if packet_type == PUBLISH && flags & DUP != 0 {
        parts.push("dup".to_owned());
    }
    parts.push(format!("{length} bytes"));
    match event.client_id() {
        Some(client_id) => format!("{way} client {client_id:?}: {}", parts.join(", ")),
        None => format!("{way} a client that is refused: {}", parts.join(", ")),
    }
}

plugin!(PacketLogger: Events);

#[cfg(test)]
mod tests {
    use amqtt_plugin_sdk::{ClientFacts, EventFacts, Qos};

    use super::*;

    fn check(kind: EventKind, facts: EventFacts<'_>, expected: &str) {
        assert_eq!(describe(&Event::stand_in(kind, &facts)), expected);
    }

    fn packet(packet_type: u8, flags: u8, id: Option<u16>, length: u32) -> EventFacts<'static> {
        let client = ClientFacts { client_id: "c1", ..ClientFacts::default() };
        let packet = Packet { packet_type, flags, id, length };
        EventFacts { client: Some(client), packet: Some(packet), ..EventFacts::default() }
    }

    #[test]
    fn a_packet_is_a_line_with_what_it_is() {
        check(EventKind::PacketReceived, packet(1, 0, None, 30), r#"from client "c1": CONNECT, 30 bytes"#);
        check(EventKind::PacketSent, packet(13, 0, None, 2), r#"to client "c1": PINGRESP, 2 bytes"#);
        check(EventKind::PacketSent, packet(4, 0, Some(7), 4), r#"to client "c1": PUBACK, id 7, 4 bytes"#);
        let publish = EventFacts {
            topic: Some("a/b"),
            qos: Some(Qos::AtLeastOnce),
            retain: Some(true),
            ..packet(3, 0b1011, Some(9), 20)
        };
        let expected = r#"to client "c1": PUBLISH, id 9, topic "a/b", QoS 1, retain, dup, 20 bytes"#;
        check(EventKind::PacketSent, publish, expected);
        // The flags of other packets mean nothing.
        check(EventKind::PacketReceived, packet(15, DUP, None, 2), r#"from client "c1": AUTH, 2 bytes"#);
        check(EventKind::PacketSent, packet(16, 0, None, 2), r#"to client "c1": packet of type 16, 2 bytes"#);
        let refusal = EventFacts { client: None, ..packet(2, 0, None, 4) };
        check(EventKind::PacketSent, refusal, "to a client that is refused: CONNACK, 4 bytes");
    }

    #[test]
    fn packets_are_asked_for_only_where_they_are_shown() {
        assert!(PacketLogger { debug: false }.interests().events.is_empty());
        let kinds = [EventKind::PacketReceived, EventKind::PacketSent];
        assert_eq!(PacketLogger { debug: true }.interests().events, kinds);
    }
}
