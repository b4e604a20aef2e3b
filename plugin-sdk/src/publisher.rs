//! Publishes messages in the plugin's name. The broker's configuration grants the topics.
//!
//! Topic-check is not asked whether the plugin may publish them, but who may be delivered them
//! ([`Action::Receive`](crate::Action::Receive)).
//!
//! On targets other than WebAssembly the messages of this thread are kept for `take_published`; `stand_in` says which
//! are refused.

use std::fmt;

use crate::Qos;

/// Publishes one message to a topic that is granted to this plugin.
///
/// # Errors
///
/// [`PublishError`] tells the cases apart; the message is not published then.
pub fn publish(topic: &str, payload: &[u8], qos: Qos, retain: bool) -> Result<(), PublishError> {
    host::publish(topic, payload, qos, retain)
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishError {
    /// The topic is not among those granted to this plugin.
    NotGranted,
    /// The topic is not a valid topic name, with the reason.
    InvalidTopic(String),
    /// The payload is larger than a plugin may publish: the maximum is this many bytes.
    TooLarge(u64),
    /// Too many messages at the moment; try again later.
    Limited,
    /// Anything else, in words.
    Failed(String),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublishError::NotGranted => f.write_str("the configuration does not grant this topic to the plugin"),
            PublishError::InvalidTopic(reason) => write!(f, "not a topic name: {reason}"),
            PublishError::TooLarge(max) => write!(f, "the payload is larger than {max} bytes"),
            PublishError::Limited => f.write_str("too many messages"),
            PublishError::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for PublishError {}

#[cfg(target_family = "wasm")]
mod host {
    use super::PublishError;
    use crate::Qos;
    use crate::bindings::capabilities::amqtt::plugin::publisher as wit;

    pub(super) fn publish(topic: &str, payload: &[u8], qos: Qos, retain: bool) -> Result<(), PublishError> {
        wit::publish(topic, payload, qos.into(), retain).map_err(|err| match err {
            wit::PublishError::NotGranted => PublishError::NotGranted,
            wit::PublishError::InvalidTopic(reason) => PublishError::InvalidTopic(reason),
            wit::PublishError::TooLarge(max) => PublishError::TooLarge(max),
            wit::PublishError::Limited => PublishError::Limited,
            wit::PublishError::Failed(reason) => PublishError::Failed(reason),
        })
    }
}

#[cfg(not(target_family = "wasm"))]
pub use host::{Published, stand_in, take_published};

#[cfg(not(target_family = "wasm"))]
mod host {
    use std::cell::{Cell, RefCell};

    use super::PublishError;
    use crate::Qos;

    type Answer = fn(&Published) -> Result<(), PublishError>;

    thread_local! {
        static PUBLISHED: RefCell<Vec<Published>> = const { RefCell::new(Vec::new()) };
        static ANSWER: Cell<Answer> = const { Cell::new(|_| Ok(())) };
    }

    /// A message that a plugin published in a unit test.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Published {
        /// Its topic name.
        pub topic: String,
        /// Its payload.
        pub payload: Vec<u8>,
        /// Its QoS.
        pub qos: Qos,
        /// Whether it was to be retained.
        pub retain: bool,
    }

    /// Sets what this thread is answered, in unit tests: whether a message is published. At first all are.
    pub fn stand_in(answer: fn(&Published) -> Result<(), PublishError>) {
        ANSWER.set(answer);
    }

    /// Takes what this thread published so far, in unit tests. What was refused is not among it.
    pub fn take_published() -> Vec<Published> {
        PUBLISHED.take()
    }

    pub(super) fn publish(topic: &str, payload: &[u8], qos: Qos, retain: bool) -> Result<(), PublishError> {
        let message = Published { topic: topic.to_owned(), payload: payload.to_vec(), qos, retain };
        ANSWER.get()(&message)?;
        PUBLISHED.with_borrow_mut(|published| published.push(message));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_can_be_read_in_tests() {
        let publish = |topic| publish(topic, b"x", Qos::AtLeastOnce, true);
        stand_in(|message| if message.topic == "a" { Ok(()) } else { Err(PublishError::NotGranted) });
        assert_eq!((publish("a"), publish("b")), (Ok(()), Err(PublishError::NotGranted)));
        let message = Published { topic: "a".to_owned(), payload: b"x".to_vec(), qos: Qos::AtLeastOnce, retain: true };
        assert_eq!(take_published(), [message]);
    }
}
