//! What stands in for the broker where a plugin is tested with `cargo test`. It is there on all targets but WebAssembly.
//!
//! | Of the broker | In a test |
//! |---|---|
//! | `init` with settings | [`start`] |
//! | a client, its request and what it was told | [`Client::stand_in`](crate::Client::stand_in), [`Client::of_facts`](crate::Client::of_facts), [`RequestFacts`](crate::RequestFacts) |
//! | an event | [`Event::stand_in`](crate::Event::stand_in) |
//! | the log | [`log::stand_in`](crate::log::stand_in) sets the level, [`log::take_written`](crate::log::take_written) gives the messages |
//! | both clocks | [`clock::stand_in`](crate::clock::stand_in) |
//! | random bytes | [`random::stand_in`](crate::random::stand_in) |
//! | files by settings key | [`files::stand_in`](crate::files::stand_in); once more for a change |
//! | publishing | [`publisher::stand_in`](crate::publisher::stand_in) answers, [`publisher::take_published`](crate::publisher::take_published) gives the messages |
//! | counters, version, uptime | [`broker_info::stand_in`](crate::broker_info::stand_in) |
//! | sessions and subscriptions | [`sessions::stand_in`](crate::sessions::stand_in) |
//! | cached verdicts | [`invalidate::take_calls`](crate::invalidate::take_calls) |
//!
//! Each thread has its own, and `cargo test` has a thread for each test: nothing has to be taken down.
//!
//! ```
//! # use amqtt_plugin_sdk::{Interests, Plugin, Qos, Ticks, clock, publisher, testing};
//! # #[derive(serde::Deserialize)]
//! # struct Settings { topic: String }
//! # struct Beat(Settings);
//! # impl Plugin for Beat {
//! #     type Settings = Settings;
//! #     fn new(settings: Settings) -> Result<Self, String> { Ok(Beat(settings)) }
//! # }
//! # impl Ticks for Beat {
//! #     fn tick(&mut self) {
//! #         let now = clock::since_epoch().as_secs().to_string();
//! #         let _ = publisher::publish(&self.0.topic, now.as_bytes(), Qos::AtMostOnce, false);
//! #     }
//! # }
//! use std::time::Duration;
//!
//! let mut beat: Beat = testing::start(r#"{"topic": "beat"}"#)?;
//! clock::stand_in(Duration::from_secs(7), Duration::ZERO);
//! beat.tick();
//! assert_eq!(publisher::take_published()[0].payload, b"7");
//!
//! let problem = testing::start::<Beat>(r#"{"topic": 1}"#).map(drop);
//! assert_eq!(problem, Err("`topic`: invalid type: integer `1`, expected a string".to_owned()));
//! # Ok::<(), String>(())
//! ```
//!
//! What was built is tested by `amqtt plugin test`, which loads it as a broker does.

use crate::Plugin;
use crate::export::read_settings;

/// Makes one instance from settings in JSON, as the broker does.
///
/// # Errors
///
/// What the broker would say of them: the text names the key.
pub fn start<P: Plugin>(settings: &str) -> Result<P, String> {
    P::new(read_settings(settings)?)
}
