use std::ops::RangeInclusive;

use super::field::Field;
use super::report::Report;
use super::section::{Section, Unknown};
use crate::types::Limits;

/// Any number of things, and bytes, of which there have to be some.
const SOME: RangeInclusive<i64> = 1..=i64::MAX;
/// The same where none is a meaning too.
const ANY: RangeInclusive<i64> = 0..=i64::MAX;

/// Reads `limits`; what is not there keeps its default.
pub(super) fn read(limits: Option<Field<'_>>, report: &mut Report) -> Limits {
    let mut found = Limits::default();
    let Some(mut section) = limits.and_then(|field| field.section(report)) else {
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
    // A CONNECT packet has to fit; the largest is what the length field can say, with itself.
    set(packet_bytes_max, "packet-bytes-max", 128..=268_435_460, &mut section, report);
    set(topic_bytes_max, "topic-bytes-max", 1..=65_535, &mut section, report);
    // Trees are as deep as topics, and are walked recursively.
    set(topic_levels_max, "topic-levels-max", 1..=1_000, &mut section, report);
    // Servers have to allow 23 [MQTT-3.1.3-5].
    set(client_id_bytes_max, "client-id-bytes-max", 23..=65_535, &mut section, report);
    set(subscriptions_max, "subscriptions-max", SOME, &mut section, report);
    set(inflight_max, "inflight-max", 1..=65_535, &mut section, report);
    set(queue_messages_max, "queue-messages-max", ANY, &mut section, report);
    set(queue_bytes_max, "queue-bytes-max", ANY, &mut section, report);
    set(outgoing_bytes_max, "outgoing-bytes-max", SOME, &mut section, report);
    set(connect_timeout_secs, "connect-timeout-secs", 1..=3_600, &mut section, report);
    set(retained_messages_max, "retained-messages-max", ANY, &mut section, report);
    set(retained_bytes_max, "retained-bytes-max", ANY, &mut section, report);
    set(sessions_max, "sessions-max", SOME, &mut section, report);
    set(queue_total_bytes_max, "queue-total-bytes-max", ANY, &mut section, report);
    set(packet_timeout_secs, "packet-timeout-secs", 1..=86_400, &mut section, report);
    set(connect_rate_max, "connect-rate-max", 1..=1_000_000, &mut section, report);
    // A hundred years: nothing here counts further.
    set(session_expiry_secs, "session-expiry-secs", 0..=3_153_600_000, &mut section, report);
    set(session_expiry_max_secs, "session-expiry-max-secs", 0..=3_153_600_000, &mut section, report);
    set(receive_max, "receive-max", 1..=65_535, &mut section, report);
    set(topic_alias_max, "topic-alias-max", 0..=65_535, &mut section, report);
    set(keep_alive_max_secs, "keep-alive-max-secs", 0..=65_535, &mut section, report);
    set(user_properties_max, "user-properties-max", ANY, &mut section, report);
    set(properties_bytes_max, "properties-bytes-max", ANY, &mut section, report);
    section.close(Unknown::Warning, report);
    found
}

fn set<T: TryFrom<i64>>(
    limit: &mut T,
    key: &'static str,
    range: RangeInclusive<i64>,
    section: &mut Section<'_>,
    report: &mut Report,
) {
    let Some(field) = section.take(key) else { return };
    let Some(value) = field.integer(range, report) else {
        return;
    };
    match T::try_from(value) {
        Ok(value) => *limit = value,
        Err(_) => field.wrong("a number that this machine can address", None, report),
    }
}
