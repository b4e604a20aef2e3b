use std::sync::Arc;

use super::field::Field;
use super::report::Report;
use super::section::Section;
use super::setting::{Form, Preset, Setting};
use crate::types::{Capabilities, QoS, ReasonCode, ShareStrategy, TopicName};

/// What the broker does for its clients; keys at the top of a configuration.
pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "max-qos",
        Form::Integer { min: 0, max: 2 },
        Preset::Value("2"),
        "The highest QoS that is granted and delivered; clients of MQTT 5.0 may not publish above it.",
    ),
    Setting::new(
        "retain-available",
        Form::Switch,
        Preset::Value("true"),
        "Whether messages are retained; if not, clients of MQTT 5.0 may not ask for it.",
    ),
    Setting::new(
        "wildcard-subscriptions",
        Form::Switch,
        Preset::Value("true"),
        "Whether filters may have `+` and `#`.",
    ),
    Setting::new(
        "subscription-identifiers",
        Form::Switch,
        Preset::Value("true"),
        "Whether subscriptions of MQTT 5.0 may have identifiers.",
    ),
    Setting::new(
        "shared-subscriptions",
        Form::Switch,
        Preset::Value("true"),
        "Whether subscriptions may be shared, with filters `$share/GROUP/FILTER`.",
    ),
    Setting::new(
        "share-strategy",
        Form::Word(&["round-robin", "random", "sticky", "least-queued"]),
        Preset::Value("round-robin"),
        "Which member of a shared subscription gets a message.",
    ),
    Setting::new(
        "check-payload-format",
        Form::Switch,
        Preset::Value("false"),
        "Whether a payload that claims to be UTF-8 is refused if it is not (MQTT 5.0), that of a will with the CONNECT.",
    ),
    Setting::new(
        "server-reference",
        Form::Text(SERVER_REFERENCE),
        Preset::None,
        "Another server that clients of MQTT 5.0 are told of when they are sent away; also several, with spaces between.",
    ),
    Setting::new(
        "redirect",
        Form::Word(&["none", "use-another-server", "server-moved"]),
        Preset::Value("none"),
        "Whether every client that connects is sent away: for now, or for good.",
    ),
    Setting::new(
        "response-information",
        Form::Text(RESPONSE_INFORMATION),
        Preset::None,
        "What clients of MQTT 5.0 that ask are told to begin response topics with; `{client-id}` is their identifier.",
    ),
];

const SERVER_REFERENCE: &str = "servers such as `host:port`, at most 1,024 bytes";

const RESPONSE_INFORMATION: &str = "the beginning of a topic name, at most 1,024 bytes";

/// Bytes of the longest text that clients are told.
const TOLD_BYTES_MAX: usize = 1_024;

/// Reads what the broker does for its clients; what is not there keeps its default.
pub(super) fn read(top: &mut Section<'_>, report: &mut Report) -> Capabilities {
    let mut found = Capabilities::default();
    // Every field is named: a new one does not compile until it can be configured.
    let Capabilities {
        max_qos,
        retain,
        wildcard_subscriptions,
        subscription_identifiers,
        shared_subscriptions,
        share_strategy,
        check_payload_format,
        server_reference,
        redirect,
        response_information,
    } = &mut found;
    *server_reference = told(top.take("server-reference"), SERVER_REFERENCE, is_plain, report);
    *redirect = match top.take("redirect").and_then(|field| field.word(report)) {
        Some("use-another-server") => Some(ReasonCode::UseAnotherServer),
        Some("server-moved") => Some(ReasonCode::ServerMoved),
        _ => None,
    };
    let is_topic = |text: &str| is_plain(text) && TopicName::check(text).is_ok();
    *response_information = told(top.take("response-information"), RESPONSE_INFORMATION, is_topic, report);
    *max_qos = match top.take("max-qos").and_then(|field| field.integer(report)) {
        Some(0) => QoS::AtMostOnce,
        Some(1) => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    };
    *share_strategy = match top.take("share-strategy").and_then(|field| field.word(report)) {
        Some("random") => ShareStrategy::Random,
        Some("sticky") => ShareStrategy::Sticky,
        Some("least-queued") => ShareStrategy::LeastQueued,
        _ => ShareStrategy::RoundRobin,
    };
    for (switch, key) in [
        (retain, "retain-available"),
        (wildcard_subscriptions, "wildcard-subscriptions"),
        (subscription_identifiers, "subscription-identifiers"),
        (shared_subscriptions, "shared-subscriptions"),
        (check_payload_format, "check-payload-format"),
    ] {
        *switch = top.take(key).and_then(|field| field.switch(report)).unwrap_or(*switch);
    }
    found
}

/// Text that clients are told.
fn told(
    field: Option<Field<'_>>,
    wanted: &str,
    is_valid: impl Fn(&str) -> bool,
    report: &mut Report,
) -> Option<Arc<str>> {
    let field = field?;
    let text = field.text(wanted, report)?;
    if text.len() > TOLD_BYTES_MAX || !is_valid(text) {
        field.wrong(wanted, None, report);
        return None;
    }
    Some(text.into())
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
