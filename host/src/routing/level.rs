/// Whether wildcards in the first level pass a topic by `[MQTT-4.7.2-1]`.
pub(super) fn hidden_from_wildcards(topic: &str) -> bool {
    topic.starts_with('$')
}
