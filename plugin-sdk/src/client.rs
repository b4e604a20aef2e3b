use std::borrow::Cow;

use crate::bindings::capabilities::amqtt::plugin::types as wit;
use crate::request::{Request, Source as RequestSource};
use crate::{Certificate, UserProperty};

/// The client that a hook is called for.
///
/// Each answer that the broker has not handed over with the call is asked of it when its method is called.
pub struct Client<'a> {
    source: Source<'a>,
    request: RequestSource<'a>,
}

enum Source<'a> {
    /// Everything has to be asked of the broker.
    Asked(&'a wit::Client),
    /// What the broker handed over with the call needs no asking.
    Told { client: &'a wit::Client, client_id: &'a str, username: Option<&'a str> },
    /// A client of a unit test.
    #[cfg(not(target_family = "wasm"))]
    StandIn(Cow<'a, ClientFacts<'a>>),
}

/// A client of a unit test. What a test does not say is that of an anonymous client over plain TCP.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the methods of `Client`")]
pub struct ClientFacts<'a> {
    pub client_id: &'a str,
    pub username: Option<&'a str>,
    pub remote_address: &'a str,
    pub listener: &'a str,
    pub transport: &'a str,
    pub protocol_level: u8,
    pub clean_start: bool,
    pub keep_alive_seconds: u16,
    pub user_properties: Vec<UserProperty>,
    pub tls_version: Option<&'a str>,
    pub certificate: Option<Certificate>,
}

#[cfg(not(target_family = "wasm"))]
impl Default for ClientFacts<'_> {
    fn default() -> Self {
        ClientFacts {
            client_id: "client",
            username: None,
            remote_address: "192.0.2.1:49152",
            listener: "default",
            transport: "tcp",
            protocol_level: 4,
            clean_start: true,
            keep_alive_seconds: 60,
            user_properties: Vec::new(),
            tls_version: None,
            certificate: None,
        }
    }
}

/// Asks the broker, or a unit test's facts.
macro_rules! ask {
    ($self:ident, $client:ident => $asked:expr, $facts:ident => $stood_in:expr) => {
        match &$self.source {
            Source::Asked($client) | Source::Told { client: $client, .. } => $asked,
            #[cfg(not(target_family = "wasm"))]
            Source::StandIn($facts) => $stood_in,
        }
    };
}

impl<'a> Client<'a> {
    /// Makes a client for unit tests.
    #[cfg(not(target_family = "wasm"))]
    pub fn stand_in(client_id: &'a str, username: Option<&'a str>, remote_address: &'a str) -> Self {
        let facts = ClientFacts { client_id, username, remote_address, ..ClientFacts::default() };
        Client { source: Source::StandIn(Cow::Owned(facts)), request: RequestSource::default() }
    }

    /// Makes a client for unit tests, with all that there is to know of it.
    #[cfg(not(target_family = "wasm"))]
    pub fn of_facts(facts: &'a ClientFacts<'a>) -> Self {
        Client { source: Source::StandIn(Cow::Borrowed(facts)), request: RequestSource::default() }
    }

    /// The same client with another request, for unit tests of what depends on it.
    #[cfg(not(target_family = "wasm"))]
    pub fn requesting(self, request: &'a crate::RequestFacts) -> Self {
        Client { request: RequestSource::StandIn(request), ..self }
    }

    /// What it wants: the QoS, the length of the payload; and what it is told if it is refused.
    pub fn request(&self) -> Request<'_> {
        Request::new(&self.request)
    }

    /// The client identifier, as the client or the broker chose it.
    pub fn client_id(&self) -> Cow<'_, str> {
        match &self.source {
            Source::Asked(client) => Cow::Owned(client.client_id()),
            Source::Told { client_id, .. } => Cow::Borrowed(client_id),
            #[cfg(not(target_family = "wasm"))]
            Source::StandIn(facts) => Cow::Borrowed(facts.client_id),
        }
    }

    /// The user name: that of the CONNECT packet, or the one that [`EnhancedAuth`](crate::EnhancedAuth) has found proved
    /// since; none for an anonymous client.
    pub fn username(&self) -> Option<Cow<'_, str>> {
        match &self.source {
            Source::Asked(client) => client.username().map(Cow::Owned),
            Source::Told { username, .. } => username.map(Cow::Borrowed),
            #[cfg(not(target_family = "wasm"))]
            Source::StandIn(facts) => facts.username.map(Cow::Borrowed),
        }
    }

    /// The peer's address and port, for example `192.0.2.1:49152` or `[2001:db8::1]:49152`.
    pub fn remote_address(&self) -> Cow<'_, str> {
        ask!(self, client => Cow::Owned(client.remote_address()), facts => Cow::Borrowed(facts.remote_address))
    }

    /// The name of the listener that accepted the connection.
    pub fn listener(&self) -> Cow<'_, str> {
        ask!(self, client => Cow::Owned(client.listener()), facts => Cow::Borrowed(facts.listener))
    }

    /// What carries the connection: `tcp`, `tls`, `ws` or `wss`. Others may come.
    pub fn transport(&self) -> Cow<'_, str> {
        ask!(self, client => Cow::Owned(client.transport()), facts => Cow::Borrowed(facts.transport))
    }

    /// The protocol level on the wire: 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0.
    pub fn protocol_level(&self) -> u8 {
        ask!(self, client => client.protocol_level(), facts => facts.protocol_level)
    }

    /// Whether the client asked for an empty session.
    pub fn clean_start(&self) -> bool {
        ask!(self, client => client.clean_start(), facts => facts.clean_start)
    }

    /// Seconds that may pass between two packets of the client; 0 for no limit.
    pub fn keep_alive_seconds(&self) -> u16 {
        ask!(self, client => client.keep_alive_seconds(), facts => facts.keep_alive_seconds)
    }

    /// The user properties of the CONNECT packet; empty before MQTT 5.0.
    pub fn user_properties(&self) -> Vec<UserProperty> {
        ask!(self, client => client.user_properties().into_iter().map(UserProperty::from).collect(),
            facts => facts.user_properties.clone())
    }

    /// The version of TLS, for example `1.3`; none without TLS.
    pub fn tls_version(&self) -> Option<String> {
        ask!(self, client => client.tls_version(), facts => facts.tls_version.map(str::to_owned))
    }

    /// The client's certificate, which the broker has verified; none if it showed none.
    pub fn certificate(&self) -> Option<Certificate> {
        ask!(self, client => {
            Some(Certificate {
                subject: client.certificate_subject()?,
                common_name: client.certificate_common_name(),
                serial: client.certificate_serial().unwrap_or_default(),
                sha256: client.certificate_sha256().unwrap_or_default(),
            })
        }, facts => facts.certificate.clone())
    }

    /// The common name in the client's certificate, without asking for the rest.
    pub fn certificate_common_name(&self) -> Option<String> {
        ask!(self, client => client.certificate_common_name(),
            facts => facts.certificate.as_ref().and_then(|certificate| certificate.common_name.clone()))
    }

    pub(crate) fn asked(client: &'a wit::Client, request: RequestSource<'a>) -> Self {
        Client { source: Source::Asked(client), request }
    }

    pub(crate) fn told(
        client: &'a wit::Client,
        client_id: &'a str,
        username: Option<&'a str>,
        request: RequestSource<'a>,
    ) -> Self {
        Client { source: Source::Told { client, client_id, username }, request }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_answers_what_the_test_said() {
        let client = Client::stand_in("c", Some("u"), "192.0.2.9:1");
        assert_eq!((client.client_id(), client.username()), ("c".into(), Some("u".into())));
        assert_eq!((client.remote_address(), client.transport()), ("192.0.2.9:1".into(), "tcp".into()));
        assert_eq!((client.protocol_level(), client.certificate()), (4, None));
        let certificate = Certificate {
            subject: "CN=c".to_owned(),
            common_name: Some("c".to_owned()),
            serial: "0a".to_owned(),
            sha256: "00".repeat(32),
        };
        let facts = ClientFacts { certificate: Some(certificate.clone()), transport: "tls", ..ClientFacts::default() };
        let client = Client::of_facts(&facts);
        assert_eq!((client.certificate(), client.transport()), (Some(certificate), "tls".into()));
        assert_eq!(client.certificate_common_name().as_deref(), Some("c"));
    }
}
