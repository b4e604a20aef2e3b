//! What MQTT asks of a server, as state machines: packets, messages and the time go in, packets come out.
//!
//! Nothing here waits, locks, or looks at a clock: [`Connection`] judges the packets of one network connection,
//! [`Session`] holds what outlives it.

mod aliases;
mod connection;
mod delivery;
mod dialect;
mod inbound;
mod outbound;
mod session;

#[cfg(test)]
mod simulator;
#[cfg(test)]
mod tests;

pub use connection::{Connection, Rejection, Violation};
pub use delivery::{Delivery, Payload, Scratch, Terms};
pub use dialect::{BadClientId, ClientTerms, Granted, check_client_id, connack_properties, hears_reasons};
pub use inbound::Inbound;
pub use outbound::{Delivered, Outbound, Undelivered};
pub use session::{Event, Session};
