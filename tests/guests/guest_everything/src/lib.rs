//! Uses every hook and every capability, asks for every kind of event, and tells what they say.
//!
//! Lets `alice` in with the password `secret`, and refuses `mallory` with a reason. The first level of a topic says what
//! a topic-check goes by. Events and ticks are told of below `everything/`: all that there is to know of an event, and of
//! its client, below `everything/event/`.

use amqtt_plugin_sdk::{
    Action, Auth, CacheFor, Client, Decision, EnhancedAuth, Event, EventKind, Events, Interests, Plugin, Qos, Reason,
    Step, Ticks, TopicCheck, TopicFilter, UserProperty, Verdict, broker_info, clock, files, invalidate, log, plugin,
    publisher, random, sessions,
};
use serde::Deserialize;

/// Any: the files that they name are read by their keys.
#[derive(Deserialize)]
struct Settings {}

struct Everything;

/// Every kind that there is.
const EVENTS: [EventKind; 17] = [
    EventKind::BrokerPreStart,
    EventKind::BrokerPostStart,
    EventKind::BrokerPreShutdown,
    EventKind::BrokerPostShutdown,
    EventKind::ClientConnected,
    EventKind::ClientDisconnected,
    EventKind::ClientSubscribed,
    EventKind::ClientUnsubscribed,
    EventKind::MessageReceived,
    EventKind::MessageBroadcast,
    EventKind::RetainedMessage,
    EventKind::PacketReceived,
    EventKind::PacketSent,
    EventKind::WillSent,
    EventKind::SessionExpired,
    EventKind::MessageDropped,
    EventKind::PluginFault,
];

impl Plugin for Everything {
    type Settings = Settings;

    fn new(_: Settings) -> Result<Self, String> {
        Ok(Everything)
    }

    fn interests(&self) -> Interests {
        Interests {
            actions: vec![Action::Publish, Action::Subscribe, Action::Receive],
            events: EVENTS.to_vec(),
            payloads: true,
            tick_seconds: 60,
            methods: vec!["everything".into()],
        }
    }

    fn stop(&mut self) {
        tell("everything/stopped", "");
    }
}

impl Auth for Everything {
    fn authenticate(&mut self, client: &Client, username: Option<&str>, password: Option<&[u8]>) -> Decision {
        match (username, password) {
            (Some("alice"), Some(b"secret")) => Decision::Allow,
            (Some("mallory"), _) => {
                client.request().explain(&Reason::code(0x8a).text("not you").property("who", "mallory"));
                Decision::Deny
            }
            _ => Decision::Abstain,
        }
    }
}

impl EnhancedAuth for Everything {
    fn start(&mut self, _: &Client, method: &str, data: Option<&[u8]>) -> Step {
        Step::Challenge { data: data.unwrap_or(b"who").to_vec(), state: method.into() }
    }

    fn proceed(&mut self, client: &Client, method: &str, state: &[u8], data: Option<&[u8]>) -> Step {
        if state == method.as_bytes() && data == Some(b"alice") {
            return Step::Success { username: Some("alice".into()), data: Some(b"welcome".into()) };
        }
        client.request().explain(&Reason::code(0x8c).text("not alice"));
        Step::Deny
    }
}

impl TopicCheck for Everything {
    #[expect(clippy::panic, reason = "to see what becomes of it")]
    fn check(&mut self, client: &Client, action: Action, topic: &str) -> Verdict {
        let (what, rest) = topic.split_once('/').unwrap_or((topic, ""));
        let request = client.request();
        let allowed = match what {
            "free" => Some(true),
            // The second is not under the filter.
            "extended" | "astray" => {
                TopicFilter::new("extended/#").iter().for_each(|filter| request.extend_to(filter));
                Some(true)
            }
            "own" => Some(rest == client.client_id()),
            "user" => Some(client.username().as_deref() == Some(rest)),
            "address" => Some(client.remote_address().starts_with(rest)),
            "properties" => Some(client.user_properties().iter().any(|property| property.name == rest)),
            "retained" => Some(request.retain()),
            "short" => Some(
                request.payload_length().is_none_or(|length| length < 100) && request.qos() == Some(Qos::AtMostOnce),
            ),
            "logged" => {
                if log::enabled(log::Level::Trace) {
                    log::write(log::Level::Trace, topic);
                }
                Some(true)
            }
            "denied" => {
                request.explain(&Reason::code(0x97).text("denied").property("topic", topic));
                Some(false)
            }
            "trapped" => panic!("as asked"),
            _ => None,
        };
        let decision = match allowed {
            Some(true) => Decision::Allow,
            Some(false) => Decision::Deny,
            None => Decision::Abstain,
        };
        let cache = match action {
            Action::Publish => CacheFor::Never,
            Action::Subscribe => CacheFor::Seconds(60),
            Action::Receive => CacheFor::Reload,
        };
        Verdict { decision, cache }
    }
}

impl Events for Everything {
    fn handle(&mut self, event: &Event) {
        let client = event.client().map_or_else(String::new, of_client);
        tell(&format!("everything/event/{}", event.kind().name()), &format!("{client}; {}", of_event(event)));
    }
}

/// All that there is to know of a client.
fn of_client(client: &Client) -> String {
    let certificate = client.certificate().map(|it| (it.subject, it.common_name, it.serial, it.sha256));
    format!(
        "{} {} {} {} {} {} {} {} {} {:?} {certificate:?}",
        client.client_id(),
        client.username().unwrap_or_default(),
        client.remote_address(),
        client.listener(),
        client.transport(),
        client.protocol_level(),
        client.clean_start(),
        client.keep_alive_seconds(),
        listed(client.user_properties()),
        client.tls_version(),
    )
}

/// All that there is to know of an event.
fn of_event(event: &Event) -> String {
    let payload = event.payload().map(|payload| String::from_utf8_lossy(&payload).into_owned());
    let packet = event.packet().map(|packet| (packet.packet_type, packet.flags, packet.id, packet.length));
    format!(
        "{:?} {:?} {:?} {:?} {payload:?} {packet:?} {:?} {:?} {}",
        event.topic(),
        event.qos(),
        event.retain(),
        event.payload_length(),
        event.reason_code(),
        event.reason(),
        listed(event.user_properties()),
    )
}

fn listed(properties: Vec<UserProperty>) -> String {
    let properties: Vec<_> =
        properties.iter().map(|property| format!("{}={}", property.name, property.value)).collect();
    format!("[{}]", properties.join(","))
}

impl Ticks for Everything {
    fn tick(&mut self) {
        let file = match (files::stamp("file"), files::read("file")) {
            (Ok(_), Ok(content)) => format!("{} bytes", content.len()),
            (Err(error), _) | (_, Err(error)) => error.to_string(),
        };
        let accepted = files::accept("file").is_ok_and(|number| files::accepted_number("file") == Ok(number))
            && files::accepted("file").is_ok_and(|content| content.is_some());
        tell("everything/file", &format!("{file}, accepted {accepted}"));
        tell("everything/other-file", &files::read("other").map_or_else(|error| error.to_string(), |_| "read".into()));

        let (began, counters) = (clock::monotonic(), broker_info::counters());
        let clock = clock::since_epoch().as_secs() > 1_700_000_000 && clock::monotonic() >= began;
        tell("everything/clock", if clock { "right" } else { "wrong" });
        let (one, other) = (random::bytes(16), random::bytes(16));
        tell("everything/random", if one.len() == 16 && one != other { "right" } else { "wrong" });
        let counted: Vec<_> = counters.iter().map(|counter| format!("{}={}", counter.name, counter.value)).collect();
        tell(
            "everything/broker",
            &format!("{} {} {}", broker_info::version(), broker_info::uptime_seconds(), counted.join(",")),
        );

        let mut client_ids: Vec<_> = sessions::client_ids().collect();
        client_ids.sort();
        let told = client_ids.len();
        let first = client_ids.first().map(|client_id| {
            let filters: Vec<_> = sessions::subscriptions(client_id)
                .map(|subscription| {
                    format!("{}:{:?}:{:?}", subscription.filter, subscription.qos, subscription.identifier)
                })
                .collect();
            let session = sessions::find(client_id).map(|session| (session.username, session.connected));
            format!("{client_id} {session:?} {} {}", filters.len(), filters.first().map_or("", String::as_str))
        });
        tell("everything/sessions", &format!("{} {told} {}", sessions::count(), first.unwrap_or_default()));
        tell("everything/no-session", &format!("{:?}", sessions::find("nobody").is_none()));

        invalidate::client("c1");
        invalidate::user(None);
        invalidate::all();
        log::info("ticked");
    }
}

fn tell(topic: &str, text: &str) {
    if let Err(err) = publisher::publish(topic, text.as_bytes(), Qos::AtMostOnce, false) {
        log::warn(format_args!("cannot publish: {err}: `{topic}`"));
    }
}

plugin!(Everything: Auth, EnhancedAuth, TopicCheck, Events, Ticks);
