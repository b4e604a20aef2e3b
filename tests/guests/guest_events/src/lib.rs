//! Publishes the events that it is told of: the client's identifier to `test/events/connected` and
//! `test/events/disconnected`. It takes some 20 ms for each `slow` in a client's identifier.

use amqtt_plugin_sdk::{Event, EventKind, Events, Interests, NoSettings, Plugin, Qos, log, plugin, publisher};

struct TellEvents;

impl Plugin for TellEvents {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(TellEvents)
    }

    fn interests(&self) -> Interests {
        Interests { events: vec![EventKind::ClientConnected, EventKind::ClientDisconnected], ..Interests::default() }
    }
}

impl Events for TellEvents {
    fn handle(&mut self, event: &Event) {
        let topic = match event.kind() {
            EventKind::ClientConnected => "test/events/connected",
            EventKind::ClientDisconnected => "test/events/disconnected",
            _ => return,
        };
        let client_id = event.client_id().unwrap_or_default();
        for _ in client_id.matches("slow") {
            for turn in 0..20_000_000_u32 {
                std::hint::black_box(turn);
            }
        }
        if let Err(err) = publisher::publish(topic, client_id.as_bytes(), Qos::AtMostOnce, false) {
            log::warn(format_args!("cannot publish: {err}: `{topic}`"));
        }
    }
}

plugin!(TellEvents: Events);
