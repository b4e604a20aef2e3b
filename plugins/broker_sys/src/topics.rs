//! Under which topics a counter of the broker is told.

/// Counters and their topics below `$SYS/broker/`: amqtt's names, then those of mosquitto where they are others.
const TOPICS: [(&str, &[&str]); 19] = [
    ("clients-connected", &["clients/connected", "clients/active"]),
    ("clients-disconnected", &["clients/disconnected", "clients/inactive"]),
    ("clients-maximum", &["clients/maximum"]),
    ("clients-total", &["clients/total"]),
    ("sessions-expired", &["clients/expired"]),
    ("messages-received", &["messages/received"]),
    ("messages-sent", &["messages/sent"]),
    ("publish-received", &["messages/publish/received", "publish/messages/received"]),
    ("publish-sent", &["messages/publish/sent", "publish/messages/sent"]),
    ("publish-dropped", &["publish/messages/dropped"]),
    ("messages-inflight", &["messages/inflight"]),
    ("messages-inflight-in", &["messages/inflight/in"]),
    ("messages-inflight-out", &["messages/inflight/out"]),
    ("messages-queued", &["messages/inflight/stored"]),
    ("bytes-received", &["load/bytes/received", "bytes/received"]),
    ("bytes-sent", &["load/bytes/sent", "bytes/sent"]),
    ("retained-count", &["messages/retained/count", "retained messages/count"]),
    ("subscriptions-count", &["messages/subscriptions/count", "subscriptions/count"]),
    ("shared-subscriptions-count", &["shared_subscriptions/count"]),
];

/// Sums of counters, under mosquitto's names.
pub(crate) const SUMS: [(&str, [&str; 2]); 3] = [
    ("messages/stored", ["messages-queued", "retained-count"]),
    ("store/messages/count", ["messages-queued", "retained-count"]),
    ("store/messages/bytes", ["queue-bytes", "retained-bytes"]),
];

/// The counters whose changes are averaged over time, and where that is told, below `load/`.
pub(crate) const LOADS: [(&str, &str); 8] = [
    ("messages-received", "messages/received"),
    ("messages-sent", "messages/sent"),
    ("bytes-received", "bytes/received"),
    ("bytes-sent", "bytes/sent"),
    ("publish-received", "publish/received"),
    ("publish-sent", "publish/sent"),
    ("publish-dropped", "publish/dropped"),
    ("connects-accepted", "connections"),
];

/// Where a counter is told: one that has no topic of its own under its name, so that none is ever left out.
pub(crate) fn of_counter(name: &str) -> Vec<String> {
    match TOPICS.iter().find(|(counter, _)| *counter == name) {
        Some((_, topics)) => topics.iter().map(|topic| (*topic).to_owned()).collect(),
        None => vec![format!("counters/{name}")],
    }
}

#[cfg(test)]
mod tests {
    use super::of_counter;

    #[test]
    fn a_counter_without_topics_of_its_own_has_one_by_its_name() {
        assert_eq!(of_counter("clients-connected"), ["clients/connected", "clients/active"]);
        assert_eq!(of_counter("plugin-faults/x"), ["counters/plugin-faults/x"]);
    }
}
