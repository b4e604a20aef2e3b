//! MQTT 5.0 clause by clause, spoken to in raw bytes. `statements.rs` is the table of what is tested where.

mod packets;
mod peer;

mod aliases;
mod basics;
mod connect;
mod enhanced_auth;
mod flow;
mod messages;
mod reasons;
mod sessions;
mod shared;
mod statements;
mod subscribe;
mod versions;
mod wills;
