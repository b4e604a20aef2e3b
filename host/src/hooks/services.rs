use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::types::Message;

/// What the broker does for its plugins.
pub trait BrokerServices: Send + Sync + 'static {
    /// Routes a message as if a client had published it. Must not block.
    fn publish(&self, message: Message) -> Result<(), Overloaded>;

    /// The version of the broker, for example `0.1.0`.
    fn version(&self) -> &str;

    /// Time since the broker started.
    fn uptime(&self) -> Duration;

    /// All counters at this moment: names in lower case with dashes, for example `clients-connected`.
    fn counters(&self) -> Vec<(&'static str, u64)>;
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
