//! Runs amqtt and other brokers under the same load and prints one table. `RESULTS.md` says how, and what came out.
//!
//! [`Plan::run`] takes a [`Case`] (`scenario.rs`) in interleaved rounds: for each broker (`peer.rs`) it starts a process
//! (`broker.rs`), lets the load (`load.rs`, `link.rs`, `stream.rs`, `packets.rs`) speak to it and reads its CPU time and
//! memory from outside (`measure.rs`, `connections.rs`). All clients have one user name, and topics that an access list
//! allows (`rights.rs`); a broker with plugins says in the end which events they missed (`events.rs`). [`Results`] keeps the
//! medians ([`Figures`]).

#![cfg(target_os = "linux")]

mod broker;
mod connections;
mod events;
mod figures;
mod link;
mod load;
mod measure;
mod packets;
mod peer;
mod results;
mod rights;
mod run;
mod scenario;
mod stream;

pub use figures::{Figures, Latency};
pub use measure::Size;
pub use peer::Peer;
pub use results::Results;
pub use run::{Plan, pin, raise_file_limit};
pub use scenario::Case;
