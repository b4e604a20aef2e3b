use super::field::Field;
use super::report::Report;
use super::section::Section;
use super::setting::{Form, Keys, Preset, Setting, Unknown};
use crate::types::Limits;

/// What `limits` may have.
pub(super) static KEYS: Keys = Keys { tables: &[SETTINGS], unknown: Unknown::Error };

const SETTINGS: &[Setting] = &[
    // A CONNECT packet has to fit; the largest is what the length field can say, with itself.
    Setting::new(
        "packet-bytes-max",
        Form::Integer { min: 128, max: 268_435_460 },
        Preset::Value("16777216"),
        "Bytes of the largest packet that is read; of a client that is not let in yet at most what a CONNECT can hold.",
    ),
    Setting::new(
        "topic-bytes-max",
        Form::Integer { min: 1, max: 65_535 },
        Preset::Value("65535"),
        "Bytes of a topic name or filter.",
    ),
    // Trees are as deep as topics, and are walked recursively.
    Setting::new("topic-levels-max", Form::Integer { min: 1, max: 1_000 }, Preset::Value("128"), "Levels of a topic."),
    // Servers have to allow 23 [MQTT-3.1.3-5].
    Setting::new(
        "client-id-bytes-max",
        Form::Integer { min: 23, max: 65_535 },
        Preset::Value("1024"),
        "Bytes of a client identifier.",
    ),
    Setting::new(
        "subscriptions-max",
        Form::SOME,
        Preset::Value("10000"),
        "Subscriptions of one session, with 16 times as many levels and 256 times as many bytes in all, and filters of one SUBSCRIBE or UNSUBSCRIBE.",
    ),
    Setting::new(
        "inflight-max",
        Form::Integer { min: 1, max: 65_535 },
        Preset::Value("512"),
        "QoS 1 and 2 messages sent to one client and not yet acknowledged.",
    ),
    Setting::new(
        "queue-messages-max",
        Form::AMOUNT,
        Preset::Value("10000"),
        "Messages that wait in one session, beside retained ones for a new subscription.",
    ),
    Setting::new(
        "queue-bytes-max",
        Form::AMOUNT,
        Preset::Value("33554432"),
        "Bytes of topic and payload that wait in one session, retained messages for a new subscription among them; as many may be in flight, in messages of 4 KiB and more.",
    ),
    Setting::new(
        "outgoing-bytes-max",
        Form::SOME,
        Preset::Value("262144"),
        "Encoded bytes that wait for one connection before messages wait in the queue.",
    ),
    Setting::new(
        "queue-total-bytes-max",
        Form::AMOUNT,
        Preset::Value("1073741824"),
        "Bytes that wait in all sessions together, messages of 4 KiB and more in flight and large CONNECTs among them. Past it, each session still takes up to 64 KiB.",
    ),
    Setting::new(
        "connect-timeout-secs",
        Form::Integer { min: 1, max: 3_600 },
        Preset::Value("5"),
        "Seconds from a connection to its complete CONNECT, handshakes of TLS and WebSocket included; one that waits for its place may wait for as long beside.",
    ),
    Setting::new(
        "packet-timeout-secs",
        Form::Integer { min: 1, max: 86_400 },
        Preset::Value("120"),
        "Seconds from the first byte of any later packet to its last; without a keep-alive, `timeout-disconnect-delay` if that is set.",
    ),
    Setting::new(
        "connect-rate-max",
        Form::Integer { min: 1, max: 1_000_000 },
        Preset::Value("20000"),
        "Connections that a listener accepts in a second; others wait.",
    ),
    Setting::new(
        "handshakes-max",
        Form::Integer { min: 1, max: 1_000_000 },
        Preset::Value("1000"),
        "Handshakes of TLS and WebSocket that a listener has under way, of one address a quarter of that; others wait.",
    ),
    Setting::new(
        "retained-messages-max",
        Form::AMOUNT,
        Preset::Value("1000000"),
        "Retained messages; their topics have at most 16 times as many levels in all.",
    ),
    Setting::new(
        "retained-bytes-max",
        Form::AMOUNT,
        Preset::Value("1073741824"),
        "Bytes of topic and payload of all retained messages, and of what is known of the clients that published them.",
    ),
    Setting::new("sessions-max", Form::SOME, Preset::Value("1000000"), "Sessions, connected or not."),
    // A hundred years: nothing here counts further.
    Setting::new(
        "session-expiry-secs",
        Form::Integer { min: 0, max: 3_153_600_000 },
        Preset::Value("604800"),
        "Seconds that a session of MQTT 3.1 or 3.1.1 waits for its client; 0 for ever.",
    ),
    Setting::new(
        "session-expiry-max-secs",
        Form::Integer { min: 0, max: 3_153_600_000 },
        Preset::Value("604800"),
        "The most of that which a client of MQTT 5.0 may choose; 0 for no maximum.",
    ),
    Setting::new(
        "receive-max",
        Form::Integer { min: 1, max: 65_535 },
        Preset::Value("1024"),
        "Messages of QoS 1 and 2 that a client of MQTT 5.0 may send without an acknowledgement.",
    ),
    Setting::new(
        "topic-alias-max",
        Form::Integer { min: 0, max: 65_535 },
        Preset::Value("16"),
        "Topics that one client of MQTT 5.0 may give an alias.",
    ),
    Setting::new(
        "keep-alive-max-secs",
        Form::Integer { min: 0, max: 65_535 },
        Preset::Value("0"),
        "Seconds of the longest keep-alive of a client of MQTT 5.0; 0 for no maximum.",
    ),
    Setting::new("user-properties-max", Form::AMOUNT, Preset::Value("128"), "User properties of one packet."),
    Setting::new(
        "properties-bytes-max",
        Form::AMOUNT,
        Preset::Value("65535"),
        "Bytes of all properties of one packet.",
    ),
];

/// Reads `limits`; what is not there keeps its default.
pub(super) fn read(limits: Option<Field<'_>>, report: &mut Report) -> Limits {
    let mut found = Limits::default();
    let Some(mut section) = limits.and_then(|field| field.section(&KEYS, report)) else {
        return found;
    };
    // Every field is named: a new limit does not compile until it can be configured.
    let Limits {
        packet_bytes_max,
        topic_bytes_max,
        topic_levels_max,
        client_id_bytes_max,
        subscriptions_max,
        inflight_max,
        queue_messages_max,
        queue_bytes_max,
        outgoing_bytes_max,
        queue_total_bytes_max,
        connect_timeout_secs,
        packet_timeout_secs,
        connect_rate_max,
        handshakes_max,
        retained_messages_max,
        retained_bytes_max,
        sessions_max,
        session_expiry_secs,
        session_expiry_max_secs,
        receive_max,
        topic_alias_max,
        keep_alive_max_secs,
        user_properties_max,
        properties_bytes_max,
    } = &mut found;
    set(packet_bytes_max, "packet-bytes-max", &mut section, report);
    set(topic_bytes_max, "topic-bytes-max", &mut section, report);
    set(topic_levels_max, "topic-levels-max", &mut section, report);
    set(client_id_bytes_max, "client-id-bytes-max", &mut section, report);
    set(subscriptions_max, "subscriptions-max", &mut section, report);
    set(inflight_max, "inflight-max", &mut section, report);
    set(queue_messages_max, "queue-messages-max", &mut section, report);
    set(queue_bytes_max, "queue-bytes-max", &mut section, report);
    set(outgoing_bytes_max, "outgoing-bytes-max", &mut section, report);
    set(connect_timeout_secs, "connect-timeout-secs", &mut section, report);
    set(retained_messages_max, "retained-messages-max", &mut section, report);
    set(retained_bytes_max, "retained-bytes-max", &mut section, report);
    set(sessions_max, "sessions-max", &mut section, report);
    set(queue_total_bytes_max, "queue-total-bytes-max", &mut section, report);
    set(packet_timeout_secs, "packet-timeout-secs", &mut section, report);
    set(connect_rate_max, "connect-rate-max", &mut section, report);
    set(handshakes_max, "handshakes-max", &mut section, report);
    set(session_expiry_secs, "session-expiry-secs", &mut section, report);
    set(session_expiry_max_secs, "session-expiry-max-secs", &mut section, report);
    set(receive_max, "receive-max", &mut section, report);
    set(topic_alias_max, "topic-alias-max", &mut section, report);
    set(keep_alive_max_secs, "keep-alive-max-secs", &mut section, report);
    set(user_properties_max, "user-properties-max", &mut section, report);
    set(properties_bytes_max, "properties-bytes-max", &mut section, report);
    section.close(report);
    found
}

fn set<T: TryFrom<i64>>(limit: &mut T, key: &str, section: &mut Section<'_>, report: &mut Report) {
    let Some(field) = section.take(key) else { return };
    let Some(value) = field.integer(report) else {
        return;
    };
    match T::try_from(value) {
        Ok(value) => *limit = value,
        Err(_) => field.wrong("a number that this machine can address", None, report),
    }
}
