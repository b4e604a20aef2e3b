use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};

use super::seldom::Seldom;
use super::tls::TlsAcceptor;
use super::upgrade::Upgrade;
use crate::types::{Peer, TokenBucket, TransportKind};

/// How long accepting rests after an error of the system, such as no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long accepting rests when connections come too fast.
const RATE_PAUSE: Duration = Duration::from_millis(5);

/// One listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    gate: Arc<Gate>,
    rate: TokenBucket,
    /// What `rate` was made for.
    rate_max: u32,
}

/// What a listener is to its connections.
#[derive(Debug)]
pub struct Terms {
    /// The name that the configuration gives it.
    pub name: Arc<str>,
    /// Connections at once; none for no limit.
    pub connections_max: Option<NonZeroUsize>,
    /// Connections that each of its sockets accepts in a second, in the long run.
    pub connect_rate_max: u32,
    /// What comes before MQTT; none where a connection is a stream of MQTT from the start.
    pub upgrade: Option<Upgrade>,
}

/// What all sockets of one listener share. Its terms may change while it listens: they are those of new connections.
#[derive(Debug)]
pub struct Gate {
    terms: Mutex<Arc<Terms>>,
    connections: Arc<AtomicUsize>,
    /// Connections that were refused because there are as many as may be.
    refusals: Seldom,
    /// Errors of the system.
    errors: Seldom,
}

/// Why connections are not accepted for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnedAway {
    /// The listener has as many as it may: this one was closed.
    Full,
    /// Too many came in a short time: the next ones wait in the kernel's queue.
    Paused,
}

/// A new connection that the listener had room for.
#[derive(Debug)]
pub struct Accepted<S = TcpStream> {
    /// The connection: one of tokio stays with the runtime that has accepted it.
    pub stream: S,
    /// The other end.
    pub peer: Peer,
    /// What comes before MQTT.
    pub upgrade: Option<Upgrade>,
    /// Its place among the listener's connections.
    pub admission: Admission,
}

/// A place among the connections of a listener; given back when dropped.
#[derive(Debug)]
pub struct Admission(Arc<AtomicUsize>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Accepted {
    /// Unties the connection from its runtime, for another one.
    ///
    /// # Errors
    /// When it is lost by that.
    pub fn untie(self) -> io::Result<Accepted<std::net::TcpStream>> {
        let Self { stream, peer, upgrade, admission } = self;
        Ok(Accepted { stream: stream.into_std()?, peer, upgrade, admission })
    }
}

impl Accepted<std::net::TcpStream> {
    /// Ties the connection to the runtime around it.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub fn tie(self) -> io::Result<Accepted> {
        let Self { stream, peer, upgrade, admission } = self;
        Ok(Accepted { stream: TcpStream::from_std(stream)?, peer, upgrade, admission })
    }
}

impl Terms {
    /// What carries MQTT.
    pub fn transport(&self) -> TransportKind {
        self.upgrade.as_ref().map_or(TransportKind::Tcp, Upgrade::transport)
    }

    /// The TLS of new connections.
    pub fn tls(&self) -> Option<&Arc<TlsAcceptor>> {
        self.upgrade.as_ref().and_then(Upgrade::tls)
    }
}

impl Gate {
    /// A gate that nobody has come through.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms: Mutex::new(Arc::new(terms)),
            connections: Arc::default(),
            refusals: Seldom::default(),
            errors: Seldom::default(),
        }
    }

    /// The terms of a connection that comes now.
    pub fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.terms.lock())
    }

    /// Puts other terms in force. Connections that are there stay, and count.
    pub fn replace_terms(&self, terms: Terms) {
        *self.terms.lock() = Arc::new(terms);
    }

    fn tell_of_refusal(&self, terms: &Terms, remote_address: SocketAddr) {
        let name = &terms.name;
        tracing::debug!("listener `{name}` is full: refused {remote_address}");
        if let Some(count) = self.refusals.happened(Instant::now()) {
            tracing::warn!(
                "listener `{name}` has as many connections as `max-connections` says: refused {count} since this was last \
                 told, which is once a minute at most"
            );
        }
    }

    fn tell_of_error(&self, error: &io::Error) {
        let Some(count) = self.errors.happened(Instant::now()) else { return };
        let hint = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE | Errno::NFILE) => {
                "; hint: `ulimit -n`, with systemd `LimitNOFILE`, says how many files the broker may open"
            }
            _ => "",
        };
        let name = &self.terms().name;
        tracing::warn!(
            "listener `{name}` cannot accept: {error} (errors: {count} since this was last told, which is once a minute at \
             most){hint}"
        );
    }

    fn admit(&self, terms: &Terms) -> Option<Admission> {
        let max = terms.connections_max.map_or(usize::MAX, NonZeroUsize::get);
        self.connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < max).then_some(open + 1))
            .ok()?;
        Some(Admission(Arc::clone(&self.connections)))
    }
}

impl Listener {
    /// Listens on an open socket, within a runtime: what it accepts belongs to that.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub fn new(socket: std::net::TcpListener, gate: Arc<Gate>) -> io::Result<Self> {
        let rate_max = gate.terms().connect_rate_max;
        Ok(Self { socket: TcpListener::from_std(socket)?, gate, rate: rate(rate_max), rate_max })
    }

    /// The next connection; `turned_away` is told when one is not accepted, or not yet.
    pub async fn accept(&mut self, turned_away: impl Fn(TurnedAway)) -> Accepted {
        loop {
            if !self.rate.take(Instant::now()) {
                turned_away(TurnedAway::Paused);
                while !self.rate.take(Instant::now()) {
                    tokio::time::sleep(RATE_PAUSE).await;
                }
            }
            let (stream, remote_address) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                // The peer gave up before it was its turn.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    self.gate.tell_of_error(&error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let terms = self.gate.terms();
            if terms.connect_rate_max != self.rate_max {
                self.rate_max = terms.connect_rate_max;
                self.rate = rate(self.rate_max);
            }
            let Some(admission) = self.gate.admit(&terms) else {
                self.gate.tell_of_refusal(&terms, remote_address);
                turned_away(TurnedAway::Full);
                continue;
            };
            let peer = Peer { transport: terms.transport(), ..Peer::tcp(remote_address, Arc::clone(&terms.name)) };
            return Accepted { stream, peer, upgrade: terms.upgrade.clone(), admission };
        }
    }
}

/// One second's worth may come at once.
fn rate(per_second: u32) -> TokenBucket {
    TokenBucket::new(per_second, per_second)
}
