//! The listeners of a running broker: opened all together or not at all, and changed in the same way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use super::accept::{Accepting, Turns};
use super::worker::Task;
use crate::config::{ListenerConfig, ListenerKind};
use crate::net::{BindError, Gate, Reload, Terms, TlsAcceptor, TlsErrors, TlsWarning, Upgrade, WebSocketSettings};
use crate::types::Limits;

/// How often the files of certificates are looked at.
const CERTIFICATES_INTERVAL: Duration = Duration::from_secs(3);

/// Bytes that a WebSocket message may have where packets have to be smaller: it may hold many.
const MESSAGE_BYTES_MIN: usize = 1 << 20;

/// What is agreed on for TLS by ALPN: the registered name of MQTT, and what WebSocket begins with.
const ALPN_MQTT: &[u8] = b"mqtt";
const ALPN_HTTP: &[u8] = b"http/1.1";

/// Why the listeners of a configuration cannot be had. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[error("listener `{listener}`: {fault}")]
pub struct ListenerError {
    /// The name of the first one that does not work.
    pub listener: String,
    /// What is wrong with it.
    pub fault: ListenerFault,
}

/// What is wrong with a listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenerFault {
    /// It cannot listen at its address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Its certificate or what belongs to that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsErrors),
    /// The system does not give what a listener takes.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// The listeners of a broker. They accept until this is dropped.
#[derive(Debug)]
pub(super) struct Listeners {
    turns: Turns,
    /// The worker that the next socket is given to.
    next: usize,
    open: Vec<Open>,
    /// The gates of `open`, for whoever watches their certificates.
    gates: Arc<Mutex<Vec<Arc<Gate>>>>,
    addresses: Vec<(Arc<str>, SocketAddr)>,
    tasks: JoinSet<()>,
}

/// A listener that accepts.
#[derive(Debug)]
struct Open {
    config: ListenerConfig,
    gate: Arc<Gate>,
    addresses: Vec<SocketAddr>,
    accepting: Vec<OnWorker>,
}

/// A socket that a worker accepts on, until this is dropped.
#[derive(Debug)]
struct OnWorker {
    stop: oneshot::Sender<()>,
    /// Fails when it is closed.
    closed: oneshot::Receiver<()>,
}

/// Listeners that will accept once they are put in force.
#[derive(Debug)]
pub(super) struct Prepared(Vec<(ListenerConfig, Entry)>);

/// How a listener comes to be in force.
#[derive(Debug)]
enum Entry {
    /// One at the same address goes on under other terms.
    Kept(Terms),
    /// It begins.
    New(Arc<Gate>, Vec<(std::net::TcpListener, SocketAddr)>),
}

impl Listeners {
    /// No listeners. What they accept goes to the workers in turn.
    pub(super) fn new(workers: Vec<mpsc::Sender<Task>>) -> Self {
        let gates: Arc<Mutex<Vec<Arc<Gate>>>> = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(watch_certificates(Arc::clone(&gates)));
        Self { turns: Turns::new(workers), next: 0, open: Vec::new(), gates, addresses: Vec::new(), tasks }
    }

    /// Loads and opens what a configuration has and is not open yet.
    pub(super) async fn prepare(
        &self,
        listeners: &[ListenerConfig],
        limits: &Limits,
    ) -> Result<Prepared, ListenerError> {
        prepare(listeners, self.open.iter().map(|open| open.config.clone()).collect(), limits).await
    }

    /// Puts prepared listeners in force, in place of those that there were. Connections stay.
    pub(super) async fn apply(&mut self, prepared: Prepared) {
        let mut before = std::mem::take(&mut self.open);
        for (config, entry) in prepared.0 {
            match entry {
                Entry::Kept(terms) => {
                    let Some(index) = before.iter().position(|open| is_same(&open.config, &config)) else { continue };
                    let open = before.swap_remove(index);
                    open.gate.replace_terms(terms);
                    self.open.push(Open { config, ..open });
                }
                Entry::New(gate, sockets) => {
                    let open = self.start(config, gate, sockets).await;
                    self.open.push(open);
                }
            }
        }
        for gone in before {
            tracing::info!("listener `{}`: no longer listens on `{}`", gone.config.name, gone.config.bind);
            gone.close().await;
        }
        *self.gates.lock() = self.open.iter().map(|open| Arc::clone(&open.gate)).collect();
        self.addresses = self.open.iter().flat_map(Open::named_addresses).collect();
    }

    /// Where they listen, with the ports that the system chose.
    pub(super) fn addresses(&self) -> &[(Arc<str>, SocketAddr)] {
        &self.addresses
    }

    /// Ends accepting, and lets go of the workers.
    pub(super) async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
        // Also where one of them does not answer the rest are let go of.
        self.turns = Turns::new(Vec::new());
        for open in self.open.drain(..) {
            open.close().await;
        }
    }

    async fn start(
        &mut self,
        config: ListenerConfig,
        gate: Arc<Gate>,
        sockets: Vec<(std::net::TcpListener, SocketAddr)>,
    ) -> Open {
        let transport = gate.terms().transport().name();
        let mut open = Open { config, gate, addresses: Vec::new(), accepting: Vec::new() };
        for (socket, address) in sockets {
            tracing::info!("listener `{}` ({transport}): listening on {address}", open.config.name);
            open.addresses.push(address);
            let ((stop, stopped), (close, closed)) = (oneshot::channel(), oneshot::channel());
            let accepting =
                Accepting { socket, gate: Arc::clone(&open.gate), turns: self.turns.clone(), stopped, close };
            self.turns.give(self.next, Task::Accept(Box::new(accepting))).await;
            self.next += 1;
            open.accepting.push(OnWorker { stop, closed });
        }
        open
    }
}

impl Open {
    /// Ends accepting; afterwards nobody can connect there.
    async fn close(self) {
        for OnWorker { stop, closed } in self.accepting {
            drop(stop);
            // It is only ever dropped.
            drop(closed.await);
        }
    }

    fn named_addresses(&self) -> impl Iterator<Item = (Arc<str>, SocketAddr)> {
        let name: Arc<str> = self.config.name.as_str().into();
        self.addresses.iter().map(move |address| (Arc::clone(&name), *address))
    }
}

/// Whether what one listener has open is what the other one wants.
fn is_same(open: &ListenerConfig, wanted: &ListenerConfig) -> bool {
    open.bind == wanted.bind && (open.bind.port != 0 || open.name == wanted.name)
}

/// Loads and opens what is not there yet.
pub(super) async fn prepare(
    listeners: &[ListenerConfig],
    open: Vec<ListenerConfig>,
    limits: &Limits,
) -> Result<Prepared, ListenerError> {
    let (configs, of_task) = (listeners.to_vec(), limits.clone());
    // Reading files and asking for host names takes time: not on this thread.
    let loaded = spawn_blocking(move || load_and_open(configs, &open, &of_task)).await;
    let loaded = loaded.map_err(|error| of_system("", io::Error::other(error)))??;
    let mut prepared = Vec::new();
    for Loaded { config, terms, sockets } in loaded {
        let entry = match sockets {
            None => Entry::Kept(terms),
            Some(sockets) => {
                let gate = Arc::new(Gate::new(terms));
                let listening = |socket: std::net::TcpListener| {
                    let address = socket.local_addr()?;
                    Ok((socket, address))
                };
                let listening: io::Result<_> = sockets.into_iter().map(listening).collect();
                let listening = listening.map_err(|error| of_system(&config.name, error))?;
                Entry::New(gate, listening)
            }
        };
        prepared.push((config, entry));
    }
    Ok(Prepared(prepared))
}

fn of_system(listener: &str, error: io::Error) -> ListenerError {
    ListenerError { listener: listener.to_owned(), fault: error.into() }
}

/// What can be had of a listener without a runtime.
struct Loaded {
    config: ListenerConfig,
    terms: Terms,
    /// None where the listener has some already.
    sockets: Option<Vec<std::net::TcpListener>>,
}

/// Certificates first: no socket is open while one of them may be wrong.
fn load_and_open(
    configs: Vec<ListenerConfig>,
    open: &[ListenerConfig],
    limits: &Limits,
) -> Result<Vec<Loaded>, ListenerError> {
    let mut loaded = Vec::new();
    for config in configs {
        match terms(&config, limits) {
            Ok(terms) => loaded.push(Loaded { config, terms, sockets: None }),
            Err(error) => return Err(ListenerError { listener: config.name, fault: error.into() }),
        }
    }
    for Loaded { config, sockets, .. } in &mut loaded {
        if !open.iter().any(|open| is_same(open, config)) {
            let opened = config.bind.listen();
            let opened =
                opened.map_err(|error| ListenerError { listener: config.name.clone(), fault: error.into() })?;
            *sockets = Some(opened);
        }
    }
    Ok(loaded)
}

fn terms(config: &ListenerConfig, limits: &Limits) -> Result<Terms, TlsErrors> {
    let (protocol, websocket) = match &config.kind {
        ListenerKind::Tcp => (ALPN_MQTT, None),
        ListenerKind::WebSocket { path, origins } => {
            let message_bytes_max = limits.packet_bytes_max.max(MESSAGE_BYTES_MIN) as u64;
            let (path, origins) = (path.clone(), origins.clone());
            (ALPN_HTTP, Some(WebSocketSettings { path, origins, message_bytes_max }))
        }
    };
    let tls = match &config.tls {
        None => None,
        // Reading the configuration has warned.
        Some(settings) => Some(Arc::new(TlsAcceptor::load(settings.clone(), protocol)?.0)),
    };
    Ok(Terms {
        name: config.name.as_str().into(),
        connections_max: config.max_connections,
        connect_rate_max: limits.connect_rate_max,
        upgrade: Upgrade::new(tls, websocket, limits.handshakes_max),
    })
}

/// Puts certificates in force when their files change.
async fn watch_certificates(gates: Arc<Mutex<Vec<Arc<Gate>>>>) {
    loop {
        sleep(CERTIFICATES_INTERVAL).await;
        let terms: Vec<Arc<Terms>> = gates.lock().iter().map(|gate| gate.terms()).collect();
        if !terms.iter().any(|terms| terms.tls().is_some()) {
            continue;
        }
        // Files may be far away.
        if let Err(error) = spawn_blocking(move || terms.iter().for_each(|terms| reload_if_changed(terms))).await {
            tracing::error!("looking for changed certificates failed: {error}");
        }
    }
}

fn reload_if_changed(terms: &Terms) {
    let Some(tls) = terms.tls() else { return };
    let name = &terms.name;
    match tls.reload_if_changed() {
        Ok(Reload::Unchanged) => {}
        Ok(Reload::Reloaded(warnings)) => {
            tracing::info!("listener `{name}`: certificates reloaded");
            warnings.iter().for_each(|warning: &TlsWarning| tracing::warn!("listener `{name}`: {warning}"));
        }
        Err(error) => {
            tracing::error!("listener `{name}`: the certificates before the change stay in force: {error}");
        }
    }
}
