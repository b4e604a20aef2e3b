//! Refuses with reasons, and publishes the reasons and user properties of events.
//!
//! A client whose CONNECT has a user property `refuse` is refused with the code in it, two hexadecimal digits; one with
//! `refuse-will` may not publish to `will`. Nobody may use `refused/CODE/…`; the answer holds for topics that end with
//! `/kept`, and not for others; the reason says how often the topic was asked about, but for those that end with `/same`.
//! `refused/silent` is refused without a reason, `refused/CODE/long` with more words than anybody is told, and
//! `refused/CODE/wide/…` for all that is below. What happens goes to `told/KIND/CLIENT`.

use std::collections::HashMap;

use amqtt_plugin_sdk::{
    Action, Auth, CacheFor, Client, Decision, Event, EventKind, Events, Interests, NoSettings, Plugin, Qos, Reason,
    TopicCheck, TopicFilter, Verdict, log, plugin, publisher,
};

#[derive(Default)]
struct Reasons {
    /// How often each topic was asked about.
    asked: HashMap<String, usize>,
}

impl Plugin for Reasons {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Reasons::default())
    }

    fn interests(&self) -> Interests {
        Interests {
            actions: vec![Action::Publish, Action::Subscribe],
            events: vec![EventKind::ClientDisconnected, EventKind::MessageReceived, EventKind::PacketReceived],
            ..Interests::default()
        }
    }
}

impl Auth for Reasons {
    fn authenticate(&mut self, client: &Client, _: Option<&str>, _: Option<&[u8]>) -> Decision {
        let Some(code) = property(client, "refuse") else { return Decision::Allow };
        client.request().explain(&Reason::code(code).text("go away").property("n", "v"));
        Decision::Deny
    }
}

impl TopicCheck for Reasons {
    fn check(&mut self, client: &Client, _: Action, topic: &str) -> Verdict {
        let cache = if topic.ends_with("/kept") { CacheFor::Reload } else { CacheFor::Never };
        let code = match topic.strip_prefix("refused/").map(|rest| rest.get(..2)) {
            Some(code) => code.and_then(|code| u8::from_str_radix(code, 16).ok()),
            None => match property(client, "refuse-will").filter(|_| topic == "will") {
                Some(code) => Some(code),
                None => return Verdict { decision: Decision::Allow, cache },
            },
        };
        if let Some(code) = code {
            let asked = self.asked.entry(topic.to_owned()).or_default();
            *asked = if topic.ends_with("/same") { 1 } else { *asked + 1 };
            let reason = if topic.ends_with("/long") {
                let long = |first: &str| first.to_owned() + &"é".repeat(600);
                (0..20).fold(Reason::code(code).text(long("t\n")), |reason, number| {
                    reason.property(format!("{number}"), long("")).property(long("n"), "")
                })
            } else {
                Reason::code(code).text(format!("not {topic}")).property("asked", asked.to_string())
            };
            client.request().explain(&reason);
        }
        if let Some((above, _)) = topic.split_once("/wide/") {
            TopicFilter::new(&format!("{above}/wide/#")).iter().for_each(|filter| client.request().extend_to(filter));
            return Verdict { decision: Decision::Deny, cache: CacheFor::Reload };
        }
        Verdict { decision: Decision::Deny, cache }
    }
}

impl Events for Reasons {
    fn handle(&mut self, event: &Event) {
        let client_id = event.client_id().unwrap_or_default();
        let mut told = match (event.kind(), event.packet()) {
            (EventKind::PacketReceived, Some(packet)) => format!("packet {}", packet.packet_type),
            _ => String::new(),
        };
        event.reason_code().iter().for_each(|code| told += &format!(" {code:02x}"));
        event.user_properties().iter().for_each(|user| told += &format!(" {}={}", user.name, user.value));
        let topic = format!("told/{}/{client_id}", event.kind().name());
        if let Err(err) = publisher::publish(&topic, told.trim().as_bytes(), Qos::AtMostOnce, false) {
            log::warn(format_args!("cannot publish: {err}: `{topic}`"));
        }
    }
}

/// The code in a user property of the CONNECT.
fn property(client: &Client, name: &str) -> Option<u8> {
    let property = client.user_properties().into_iter().find(|property| property.name == name)?;
    u8::from_str_radix(&property.value, 16).ok()
}

plugin!(Reasons: Auth, TopicCheck, Events);
