use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::types::{ClientId, ClientInfo, Message, SubscriptionId, SubscriptionOptions, TopicFilter};

/// What the broker does for its plugins. What can be looked up is nothing unless it says otherwise.
pub trait BrokerServices: Send + Sync + 'static {
    /// Routes a message as if a client had published it. Must not block.
    fn publish(&self, message: Message) -> Result<(), Overloaded>;

    /// The version of the broker, for example `0.1.0`.
    fn version(&self) -> &str;

    /// Time since the broker started.
    fn uptime(&self) -> Duration;

    /// All counters at this moment: names in lower case with dashes, for example `clients-connected`.
    fn counters(&self) -> Vec<(&'static str, u64)>;

    /// How many sessions there are, connected or not.
    fn session_count(&self) -> u64 {
        0
    }

    /// At most `limit` sessions, which is at least 1: the first ones, or those from where the page before said to go on.
    fn sessions(&self, _start: Option<u64>, _limit: usize) -> SessionPage {
        SessionPage::default()
    }

    /// What is known of one session.
    fn session(&self, _client_id: &str) -> Option<SessionInfo> {
        None
    }

    /// At most `limit` subscriptions of one session, by filter, from the first after `after` on.
    fn subscriptions(&self, _client_id: &str, _after: Option<&str>, _limit: usize) -> Vec<SubscriptionInfo> {
        Vec::new()
    }
}

/// Some sessions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionPage {
    /// Whose they are.
    pub client_ids: Vec<ClientId>,
    /// Where the next page starts; none after the last.
    pub next: Option<u64>,
}

/// A subscription of a session, as it was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionInfo {
    /// What it matches.
    pub filter: TopicFilter,
    /// How its messages are delivered.
    pub options: SubscriptionOptions,
    /// The number that the client gave it.
    pub id: Option<SubscriptionId>,
}

/// What was known of a session at one moment.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// Who is or was connected last.
    pub client: Arc<ClientInfo>,
    /// Whether a client is connected.
    pub connected: bool,
    /// Whether it outlives its connection.
    pub persistent: bool,
    /// How many subscriptions it has.
    pub subscriptions: usize,
    /// Messages that were sent and are not acknowledged.
    pub inflight: usize,
    /// Messages that wait to be sent.
    pub queued: usize,
}

/// The broker has no room for the message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overloaded;

/// What a CONNECT packet brought to prove who it is from.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The user name.
    pub username: Option<Arc<str>>,
    /// The password: any bytes.
    pub password: Option<Bytes>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "(hidden)"))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_never_print_the_password() {
        let credentials = Credentials { username: Some("alice".into()), password: Some("secret".into()) };
        assert_eq!(
            format!("{credentials:?}"),
            r#"Credentials { username: Some("alice"), password: Some("(hidden)") }"#
        );
    }
}
