//! Counts the bytes of the payloads that it is told of, for the benchmark of calls. It publishes the sum to
//! `test/payload-bytes` when a client has gone, and begins anew.

use amqtt_plugin_sdk::{Event, EventKind, Events, Interests, NoSettings, Plugin, Qos, log, plugin, publisher};

#[derive(Default)]
struct Payloads {
    bytes: usize,
}

impl Plugin for Payloads {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Payloads::default())
    }

    fn interests(&self) -> Interests {
        let events = vec![EventKind::MessageReceived, EventKind::ClientDisconnected];
        Interests { events, payloads: true, ..Interests::default() }
    }
}

impl Events for Payloads {
    fn handle(&mut self, event: &Event) {
        if event.kind() == EventKind::MessageReceived {
            self.bytes += event.payload().map_or(0, |payload| payload.len());
            return;
        }
        let bytes = std::mem::take(&mut self.bytes).to_string();
        if let Err(err) = publisher::publish("test/payload-bytes", bytes.as_bytes(), Qos::AtMostOnce, false) {
            log::warn(format_args!("cannot publish: {err}"));
        }
    }
}

plugin!(Payloads: Events);
