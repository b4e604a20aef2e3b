//! MQTT 3.1.1 clause by clause, spoken to in raw bytes. `statements.rs` is the table of what is tested where.

pub(crate) mod packets;
pub(crate) mod peer;

mod connect;
mod fields;
mod publish;
mod sessions;
pub(crate) mod statements;
mod subscribe;
mod topics;
