use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// The client identifier of a session: unique in the broker. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// Keeps a copy of `id`, which the protocol has found to be valid.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Whose a session is: a user name, or anonymous. A session is handed only to the identity that made it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Connected without a user name.
    Anonymous,
    /// Connected under this user name.
    User(Arc<str>),
}

/// What the broker knows of a connected client; what plugins see of it.
#[derive(Debug, Clone)]
pub struct ClientInfo {
    /// The client identifier, chosen by the client or assigned by the broker.
    pub client_id: ClientId,
    /// Whose connection it is.
    pub identity: Identity,
    /// The peer's address and port.
    pub remote_address: SocketAddr,
}

impl ClientInfo {
    /// The user name, none for an anonymous client.
    pub fn username(&self) -> Option<&str> {
        match &self.identity {
            Identity::Anonymous => None,
            Identity::User(name) => Some(name),
        }
    }
}
