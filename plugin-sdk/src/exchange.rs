use crate::bindings::enhanced_auth::exports::amqtt::plugin::enhanced_auth as wit;

/// What a step of an exchange leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The client is to answer.
    Challenge {
        /// What is sent to the client.
        data: Vec<u8>,
        /// What the next step has to know, which may come to another instance: at most 4,096 bytes. The client never
        /// sees it.
        state: Vec<u8>,
    },
    /// The client has proved who it is.
    Success {
        /// The user that it is from now on; none for an anonymous one.
        username: Option<String>,
        /// What is sent to the client with it.
        data: Option<Vec<u8>>,
    },
    /// It has not. [`Request::explain`](crate::Request::explain) tells why.
    Deny,
}

impl From<Step> for wit::Outcome {
    fn from(step: Step) -> Self {
        match step {
            Step::Challenge { data, state } => Self::Continue(wit::Challenge { data, state }),
            Step::Success { username, data } => Self::Success(wit::Proof { username, data }),
            Step::Deny => Self::Deny,
        }
    }
}
