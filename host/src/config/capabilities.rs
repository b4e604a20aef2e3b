use super::report::Report;
use super::section::Section;
use super::setting::{Form, Preset, Setting};
use crate::types::{Capabilities, QoS, ShareStrategy};

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
        "Whether a payload that claims to be UTF-8 is refused if it is not (MQTT 5.0).",
    ),
];

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
    } = &mut found;
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
