use std::borrow::Borrow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
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

/// Maps keyed by client identifier are looked up with plain text.
impl Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
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
    /// Where the connection comes from.
    pub peer: Peer,
    /// What its CONNECT packet says of the connection.
    pub connect: ConnectFacts,
}

impl ClientInfo {
    /// The peer's address, without the port.
    pub fn address(&self) -> IpAddr {
        self.peer.remote_address.ip()
    }

    /// The user name, none for an anonymous client.
    pub fn username(&self) -> Option<&str> {
        match &self.identity {
            Identity::Anonymous => None,
            Identity::User(name) => Some(name),
        }
    }

    /// Bytes of all that the client can make long: its names, its user properties, its certificate's names.
    pub fn bytes(&self) -> usize {
        let certificate = self.peer.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        self.client_id.as_str().len()
            + self.username().map_or(0, str::len)
            + self.connect.user_properties.bytes()
            + certificate.map_or(0, CertificateFacts::bytes)
    }
}

/// The other end of a connection, as the network layer knows it.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address and port.
    pub remote_address: SocketAddr,
    /// The name of the listener that accepted it.
    pub listener: Arc<str>,
    /// What carries the connection.
    pub transport: TransportKind,
    /// What the TLS handshake has shown; none without TLS.
    pub tls: Option<Arc<TlsFacts>>,
}

impl Peer {
    /// One that came over plain TCP.
    pub fn tcp(remote_address: SocketAddr, listener: Arc<str>) -> Self {
        Self { remote_address, listener, transport: TransportKind::Tcp, tls: None }
    }
}

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportKind {
    /// Plain TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl TransportKind {
    /// Its name in the configuration and for plugins.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

/// What a TLS handshake has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version of the protocol that was agreed on: `1.2` or `1.3`.
    pub version: &'static str,
    /// The client's own certificate, verified against the listener's CA; none if the client sent none.
    pub certificate: Option<CertificateFacts>,
}

/// What a verified certificate says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject's distinguished name as RFC 4514 writes it, for example `CN=sensor-7,O=Example`.
    pub subject: Box<str>,
    /// The most specific common name of the subject, if it has one and that is text.
    pub common_name: Option<Box<str>>,
    /// The serial number: lower-case hexadecimal digits, two for each byte, no separators.
    pub serial: Box<str>,
    /// The SHA-256 of the certificate in DER.
    pub sha256: [u8; 32],
}

impl CertificateFacts {
    fn bytes(&self) -> usize {
        self.subject.len() + self.common_name.as_ref().map_or(0, |name| name.len()) + self.serial.len()
    }
}

/// What a CONNECT packet says besides who the client is (3.1.2).
#[derive(Debug, Clone, Default)]
pub struct ConnectFacts {
    /// The protocol level on the wire: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0.
    pub protocol_level: u8,
    /// Whether the client asked for an empty session.
    pub clean_start: bool,
    /// Seconds between two packets at most; 0 for no limit.
    pub keep_alive_secs: u16,
    /// The user properties, in the order of the packet; there are none before 5.0.
    pub user_properties: UserProperties,
}

/// User properties in their order. Most packets have none, and then they take no room.
#[derive(Debug, Clone, Default)]
pub struct UserProperties(Option<Box<Listed>>);

#[derive(Debug, Clone)]
struct Listed {
    properties: Box<[UserProperty]>,
    /// What they take together: each event of a client asks for it.
    bytes: usize,
}

impl UserProperties {
    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |listed| listed.bytes)
    }
}

impl FromIterator<UserProperty> for UserProperties {
    fn from_iter<I: IntoIterator<Item = UserProperty>>(properties: I) -> Self {
        let properties: Box<[UserProperty]> = properties.into_iter().collect();
        let bytes = properties.iter().map(UserProperty::bytes).sum();
        Self((!properties.is_empty()).then(|| Box::new(Listed { properties, bytes })))
    }
}

impl Deref for UserProperties {
    type Target = [UserProperty];

    fn deref(&self) -> &[UserProperty] {
        match &self.0 {
            Some(listed) => &listed.properties,
            None => &[],
        }
    }
}

/// A name and a value that mean something to applications (MQTT 5.0, 3.1.2.11.8). Names may repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserProperty {
    /// The name.
    pub name: Box<str>,
    /// The value.
    pub value: Box<str>,
}

impl UserProperty {
    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.value.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_properties_know_what_they_take() {
        let none = UserProperties::default();
        assert_eq!((none.len(), none.bytes()), (0, 0));
        assert!(std::iter::empty::<UserProperty>().collect::<UserProperties>().0.is_none());
        let property = |name: &str, value: &str| UserProperty { name: name.into(), value: value.into() };
        let two: UserProperties = [property("a", "bc"), property("", "")].into_iter().collect();
        assert_eq!((&*two[0].value, two.bytes()), ("bc", 3 + 2 * size_of::<UserProperty>()));
    }
}
