//! Knows a `mosquitto.conf` that was given in place of a configuration.

/// What to do about it.
pub(super) const HINT: &str = "this is a `mosquitto.conf`, which is not read: a configuration is YAML, and `amqtt config` \
                               prints one to begin with";

/// Settings that most such files have one of.
const SETTINGS: &[&str] = &[
    "acl_file",
    "allow_anonymous",
    "bind_address",
    "cafile",
    "certfile",
    "connection",
    "include_dir",
    "keyfile",
    "listener",
    "log_dest",
    "log_type",
    "max_connections",
    "password_file",
    "per_listener_settings",
    "persistence",
    "persistence_location",
    "pid_file",
    "port",
    "protocol",
    "user",
];

/// Whether a line of a text is a setting of mosquitto: a name and a value, with no more than a space between them.
pub(super) fn is_written_in(text: &str) -> bool {
    text.lines().any(|line| {
        line.split_once([' ', '\t']).is_some_and(|(name, value)| {
            SETTINGS.contains(&name) && !value.trim_start().is_empty() && !value.trim_start().starts_with(':')
        })
    })
}
