use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::rustls;
use tokio_rustls::server::TlsStream;

use super::places::{Place, Places};
use super::tls::{self, TlsAcceptor};
use super::transport::Transport;
use super::websocket::{self, HandshakeError, WebSocketSettings};
use crate::types::{TlsFacts, TransportKind};

/// What a listener and a client agree on before the first byte of MQTT: TLS, WebSocket, or one within the other.
#[derive(Debug, Clone)]
pub struct Upgrade {
    carrier: Carrier,
    /// A place for each handshake that may be under way: they are what a stranger can make the broker work for most.
    places: Arc<Places>,
}

/// An upgrade that has its place, and begins.
#[derive(Debug)]
pub struct Placed {
    carrier: Carrier,
    _place: Option<Place>,
}

#[derive(Debug, Clone)]
enum Carrier {
    Tls(Arc<TlsAcceptor>),
    Ws(Arc<WebSocketSettings>),
    Wss(Arc<TlsAcceptor>, Arc<WebSocketSettings>),
}

/// A connection that is a stream of MQTT now.
#[derive(Debug)]
pub struct Upgraded {
    /// The stream.
    pub transport: Transport,
    /// What a TLS handshake has shown of the client.
    pub tls: Option<Arc<TlsFacts>>,
}

/// Why a connection did not become a stream of MQTT.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The client does not speak TLS as the listener does.
    #[error("TLS handshake: {0}")]
    Tls(io::Error),
    /// What the client sent first is no TLS at all.
    #[error("TLS handshake: the client does not speak TLS")]
    NotTls,
    /// The client's certificate is one that TLS takes of nobody but authorities.
    #[error(
        "TLS handshake: the client's certificate is X.509 version 1, where version 3 is wanted; hint: {}",
        tls::VERSION_3
    )]
    Version1,
    /// The client asks for no WebSocket that is here.
    #[error("WebSocket handshake: {0}")]
    WebSocket(#[from] HandshakeError),
}

impl Upgrade {
    /// What turns a connection into a stream of MQTT, so many at once; none if it is one already.
    pub fn new(
        tls: Option<Arc<TlsAcceptor>>,
        websocket: Option<WebSocketSettings>,
        handshakes_max: usize,
    ) -> Option<Self> {
        let carrier = match (tls, websocket.map(Arc::new)) {
            (None, None) => return None,
            (Some(tls), None) => Carrier::Tls(tls),
            (None, Some(websocket)) => Carrier::Ws(websocket),
            (Some(tls), Some(websocket)) => Carrier::Wss(tls, websocket),
        };
        Some(Self { carrier, places: Places::new(handshakes_max) })
    }

    /// What carries MQTT afterwards.
    pub fn transport(&self) -> TransportKind {
        match &self.carrier {
            Carrier::Tls(_) => TransportKind::Tls,
            Carrier::Ws(_) => TransportKind::Ws,
            Carrier::Wss(..) => TransportKind::Wss,
        }
    }

    /// The TLS of new connections.
    pub fn tls(&self) -> Option<&Arc<TlsAcceptor>> {
        match &self.carrier {
            Carrier::Tls(tls) | Carrier::Wss(tls, _) => Some(tls),
            Carrier::Ws(_) => None,
        }
    }

    /// Waits for a place, which whoever has not said anything yet needs none of. The time for that is the caller's to
    /// bound, and not the client's.
    pub async fn place(self, address: IpAddr) -> Placed {
        // There is always one, some time.
        Placed { _place: self.places.take(address).await, carrier: self.carrier }
    }
}

impl Placed {
    /// Shakes hands. The time for that is the caller's to bound.
    ///
    /// # Errors
    /// When the client and the listener do not agree.
    pub async fn run(self, stream: TcpStream) -> Result<Upgraded, UpgradeError> {
        match &self.carrier {
            Carrier::Tls(acceptor) => {
                let stream = shake_hands(acceptor, stream).await?;
                let facts = tls::facts(stream.get_ref().1);
                Ok(Upgraded { transport: Transport::Tls(Box::new(stream)), tls: Some(facts.into()) })
            }
            Carrier::Ws(settings) => {
                let stream = websocket::accept(stream, settings).await?;
                Ok(Upgraded { transport: Transport::Ws(Box::new(stream)), tls: None })
            }
            Carrier::Wss(acceptor, settings) => {
                let stream = shake_hands(acceptor, stream).await?;
                let facts = tls::facts(stream.get_ref().1);
                let stream = websocket::accept(stream, settings).await?;
                Ok(Upgraded { transport: Transport::Wss(Box::new(stream)), tls: Some(facts.into()) })
            }
        }
    }
}

async fn shake_hands(acceptor: &TlsAcceptor, stream: TcpStream) -> Result<TlsStream<TcpStream>, UpgradeError> {
    let acceptor = tokio_rustls::TlsAcceptor::from(acceptor.config());
    acceptor.accept(stream).await.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => UpgradeError::NotTls,
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) if is_of_version(other) => {
            UpgradeError::Version1
        }
        _ => UpgradeError::Tls(error),
    })
}

/// Whether what is wrong with a certificate is its version. The error is of a type that rustls does not name.
fn is_of_version(error: &rustls::OtherError) -> bool {
    format!("{error:?}").contains("UnsupportedCertVersion")
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    const REQUEST: &[u8] =
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: \
        13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

    /// Only a test that fails waits for it.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_handshake_waits_for_its_place() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let test = async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("has an address");
            let mut clients = Vec::new();
            let mut accepted = Vec::new();
            for _ in 0..2 {
                clients.push(TcpStream::connect(address).await.expect("is accepted"));
                accepted.push(listener.accept().await.expect("comes").0);
            }
            let settings = WebSocketSettings { path: None, origins: None, message_bytes_max: 1_000 };
            let upgrade = Upgrade::new(None, Some(settings), 1).expect("there is something to agree on");
            clients[1].write_all(REQUEST).await.expect("is open");
            let second = accepted.pop().expect("there are two");
            second.readable().await.expect("is open");
            let address = address.ip();
            let first = Box::pin(upgrade.clone().place(address)).await;
            let mut first = Box::pin(first.run(accepted.pop().expect("there is one")));
            assert!(poll(first.as_mut()).is_pending(), "says nothing");
            let mut placed = pin!(upgrade.clone().place(address));
            assert!(poll(placed.as_mut()).is_pending(), "there is no place");
            // One that is given up gives its place back.
            drop(first);
            let upgraded = placed.await.run(second).await.expect("agrees");
            assert!(matches!(upgraded.transport, Transport::Ws(_)));
            assert_eq!(upgrade.places.free(), (1, 0));
        };
        runtime.block_on(async { timeout(PATIENCE, test).await }).expect("ends in time");
    }
}
