use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::types::{Peer, TokenBucket};

/// How long accepting rests after an error of the system, such as no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long accepting rests when connections come too fast.
const RATE_PAUSE: Duration = Duration::from_millis(5);

/// One listening socket and the limit on its connections.
#[derive(Debug)]
pub struct Listener {
    name: Arc<str>,
    socket: TcpListener,
    connections: Arc<AtomicUsize>,
    connections_max: Option<NonZeroUsize>,
    rate: TokenBucket,
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
pub struct Accepted {
    /// The connection, not tied to a runtime.
    pub stream: std::net::TcpStream,
    /// The other end.
    pub peer: Peer,
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

impl Listener {
    /// Listens on an open socket, within a runtime. `connections` is shared by all sockets of one listener.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub fn new(
        name: Arc<str>,
        socket: std::net::TcpListener,
        connections: Arc<AtomicUsize>,
        connections_max: Option<NonZeroUsize>,
        connect_rate_max: u32,
    ) -> io::Result<Self> {
        // One second's worth may come at once.
        let rate = TokenBucket::new(connect_rate_max, connect_rate_max);
        Ok(Self { name, socket: TcpListener::from_std(socket)?, connections, connections_max, rate })
    }

    /// The name that the configuration gives it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
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
                    tracing::warn!("listener `{}` cannot accept: {error}", self.name);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(admission) = self.admit() else {
                tracing::debug!("listener `{}` is full: refused {remote_address}", self.name);
                turned_away(TurnedAway::Full);
                continue;
            };
            // Without it, acknowledgements wait for each other.
            let prepared = stream.set_nodelay(true).and_then(|()| stream.into_std());
            match prepared {
                Ok(stream) => {
                    let peer = Peer::tcp(remote_address, Arc::clone(&self.name));
                    return Accepted { stream, peer, admission };
                }
                Err(error) => tracing::debug!("connection from {remote_address} was lost at once: {error}"),
            }
        }
    }

    fn admit(&self) -> Option<Admission> {
        let max = self.connections_max.map_or(usize::MAX, NonZeroUsize::get);
        self.connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < max).then_some(open + 1))
            .ok()?;
        Some(Admission(Arc::clone(&self.connections)))
    }
}
