use std::borrow::Cow;

use crate::bindings::capabilities::amqtt::plugin::types as wit;

/// The client that a hook is asked about.
pub struct Client<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    /// Everything has to be asked of the broker.
    Asked(&'a wit::Client),
    /// What the broker handed over with the call needs no asking.
    Told { client: &'a wit::Client, client_id: &'a str, username: Option<&'a str> },
    /// A client of a unit test.
    StandIn { client_id: &'a str, username: Option<&'a str>, remote_address: &'a str },
}

impl<'a> Client<'a> {
    /// Makes a client for unit tests.
    pub fn stand_in(client_id: &'a str, username: Option<&'a str>, remote_address: &'a str) -> Self {
        Client { source: Source::StandIn { client_id, username, remote_address } }
    }

    /// The client identifier, as the client or the broker chose it.
    pub fn client_id(&self) -> Cow<'_, str> {
        match self.source {
            Source::Asked(client) => Cow::Owned(client.client_id()),
            Source::Told { client_id, .. } | Source::StandIn { client_id, .. } => Cow::Borrowed(client_id),
        }
    }

    /// The user name of the CONNECT packet; none for an anonymous client.
    pub fn username(&self) -> Option<Cow<'_, str>> {
        match self.source {
            Source::Asked(client) => client.username().map(Cow::Owned),
            Source::Told { username, .. } | Source::StandIn { username, .. } => username.map(Cow::Borrowed),
        }
    }

    /// The peer's address and port, for example `192.0.2.1:49152` or `[2001:db8::1]:49152`.
    pub fn remote_address(&self) -> Cow<'_, str> {
        match self.source {
            Source::Asked(client) | Source::Told { client, .. } => Cow::Owned(client.remote_address()),
            Source::StandIn { remote_address, .. } => Cow::Borrowed(remote_address),
        }
    }

    pub(crate) fn asked(client: &'a wit::Client) -> Self {
        Client { source: Source::Asked(client) }
    }

    pub(crate) fn told(client: &'a wit::Client, client_id: &'a str, username: Option<&'a str>) -> Self {
        Client { source: Source::Told { client, client_id, username } }
    }
}
