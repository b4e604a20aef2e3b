//! MQTT 5.0, spoken to in raw bytes: what it has beyond 3.1.1.

mod packets;
mod peer;

mod aliases;
mod connect;
mod flow;
mod messages;
mod sessions;
mod subscribe;
mod versions;
mod wills;
