//! Plugins without a broker: loaded and called as it does, one question at a time.
//!
//! `amqtt plugin test` and `amqtt plugin bench` are made of this. [`Trial`] is one plugin; [`Case`]s are questions with
//! the answers that are expected, which [`config`](crate::config) reads from a file.

mod case;
mod garbage;

pub use case::{Answer, Case, Expected, Outcome, Published, Question};

pub use crate::hooks::{Advance, Ballot, Trial, Unanswered};
