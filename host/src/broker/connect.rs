use std::cell::RefCell;
use std::fmt;
use std::future::{pending, poll_fn};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use super::aside::Asking;
use super::connection::{Client, End, Wire};
use super::core::Core;
use super::directory::{Open, Opened};
use super::doorway::Doorway;
use super::events;
use super::exchange::{Asked, Proven, prove};
use super::explanation;
use super::publish::{Asks, Publisher, because, is_mislabelled};
use super::reader::{Filled, Read};
use super::session::Link;
use super::stats::WorkerStats;
use super::verdicts::VerdictCache;
use super::will::Will;
use super::worker::Worker;
use crate::codec::{Answer, Connack, Connect, Frame, Property, ProtocolVersion, encode_connack};
use crate::hooks::{Action, AuthOutcome, Credentials, Event, EventKind, Hooks, Reason, cut};
use crate::net::{Ending, Upgrade, UpgradeError, Upgraded};
use crate::protocol::{ClientTerms, Connection, Granted, Rejection, Violation, connack_properties, hears_reasons};
use crate::types::{
    Capabilities, ClientId, ClientInfo, ConnectFacts, Identity, Limits, Peer, ReasonCode, UserProperty,
};

/// How long the peer of a refused connection is given to read why.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes that the log has of a text that a client has chosen and nothing else bounds.
const LOGGED_BYTES_MAX: usize = 100;

/// As much of such a text as the log has.
pub(super) fn logged(text: &str) -> &str {
    cut(text, LOGGED_BYTES_MAX)
}

/// Why a connection did not become a client.
#[derive(Debug)]
pub(super) enum Rejected {
    /// Closed without an answer.
    Closed(End),
    /// Closed before the first byte of MQTT.
    Upgrade(UpgradeError),
    /// Answered with a CONNACK.
    Connack(ProtocolVersion, ReasonCode, String),
    /// The same, with more to tell than a code: what a plugin says of it, or where to go instead.
    Explained(ClientTerms, Box<Reason>, String),
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(end) => end.fmt(f),
            Self::Upgrade(error) => error.fmt(f),
            Self::Explained(_, reason, why) => write!(f, "{why} (CONNACK {:?})", ReasonCode::of_connack(reason.code)),
            Self::Connack(_, reason, why) => write!(f, "{why} (CONNACK {reason:?})"),
        }
    }
}

impl From<Rejection> for Rejected {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Close(violation) => Self::Closed(violation.into()),
            Rejection::Connack(version, reason) => Self::Connack(version, reason, "its CONNECT is refused".into()),
            Rejection::ClientId(version, why) => {
                Self::Connack(version, ReasonCode::ClientIdentifierNotValid, format!("its CONNECT is refused: {why}"))
            }
        }
    }
}

/// A CONNECT in memory of its own.
#[derive(Debug)]
struct Request {
    clean_start: bool,
    terms: ClientTerms,
    granted: Granted,
    client: Arc<ClientInfo>,
    /// Whether the client identifier was chosen here.
    assigned_client_id: bool,
    credentials: Credentials,
    will: Option<Box<Will>>,
    /// How it wants to prove who it is, if not by the credentials.
    asked: Option<Box<Asked>>,
}

/// Makes a stream of MQTT of a connection, within the time for its CONNECT. It may have to wait for as long before it
/// begins, where many others do so; that is not of its own time.
pub(super) async fn upgrade(
    protocol: &mut Connection,
    upgrade: Upgrade,
    stream: TcpStream,
    address: IpAddr,
) -> Result<Upgraded, Rejected> {
    let too_late = |_| Rejected::Closed(Violation::ConnectTimeout.into());
    let deadline = |protocol: &Connection| protocol.poll_timeout().unwrap_or_else(Instant::now);
    let time_max = deadline(protocol).saturating_duration_since(Instant::now());
    // It may be said to be readable before it is. An error is what the handshake will say.
    let _ = timeout_at(deadline(protocol).into(), stream.peek(&mut [0])).await.map_err(too_late)?;
    let spoke = Instant::now();
    let placed = timeout(time_max, upgrade.place(address)).await.map_err(too_late)?;
    protocol.has_waited(spoke.elapsed());
    timeout_at(deadline(protocol).into(), placed.run(stream)).await.map_err(too_late)?.map_err(Rejected::Upgrade)
}

/// Waits for a CONNECT, asks the plugins, and answers it if they agree.
pub(super) async fn accept(worker: &Rc<RefCell<Worker>>, wire: &mut Wire, peer: &Peer) -> Result<Client, Rejected> {
    let doorway = worker.borrow().doorway.clone();
    let mut request = read_request(worker, &doorway, wire, peer).await?;
    if let Some(code) = worker.borrow().core.capabilities.redirect {
        let reason = Reason { code: Some(code.value()), ..Reason::default() };
        let why = format!("client {:?}: sent to another server", request.client.client_id);
        return Err(Rejected::Explained(request.terms, Box::new(reason), why));
    }
    let (mut proven, mut has_waited) = (None, false);
    match request.asked.take() {
        // In a box: few clients do this.
        Some(asked) => {
            let proving = prove(worker, wire, *asked, request.terms, &mut request.client);
            proven = Some(Box::new(Box::pin(proving).await?));
            has_waited = true;
        }
        None => {
            let greeted = worker.borrow_mut().greeter.greet(&request.client, &request.credentials);
            let outcome = match greeted {
                Some(outcome) => outcome,
                None => {
                    has_waited = true;
                    authenticate(worker, wire, &request).await?
                }
            };
            check_outcome(outcome, &request)?;
        }
    }
    let client = &request.client;
    let mut verdicts = VerdictCache::default();
    if let Some(will) = &request.will {
        let topic = std::iter::once((will.topic().as_str(), will.facts()));
        let asking = Asking::begin(&mut worker.borrow_mut(), client, Action::Publish, topic);
        if let Some(mut asking) = asking {
            poll_fn(|cx| asking.poll_answer(&mut worker.borrow_mut(), &mut verdicts, cx)).await;
            has_waited = true;
        }
    }
    if has_waited {
        doorway.pass().await;
    }
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let worker = &mut *worker.borrow_mut();
    let opened = open(worker, wire, request, proven, verdicts, waker);
    worker.wake_all();
    opened
}

/// Asks the plugins aside.
async fn authenticate(
    worker: &Rc<RefCell<Worker>>,
    wire: &mut Wire,
    Request { client, credentials, terms, .. }: &Request,
) -> Result<AuthOutcome, Rejected> {
    let hooks = Arc::clone(&worker.borrow().hooks);
    let asked = hooks.authenticate(Arc::clone(client), credentials.clone());
    answer_of_auth(worker, wire, terms.version, client, asked).await
}

/// What the plugins say of a client, which may wait for its turn: within the time for its CONNECT or, where that is longer,
/// the time that an answer may take.
pub(super) async fn answer_of_auth<T>(
    worker: &Rc<RefCell<Worker>>,
    wire: &mut Wire,
    version: ProtocolVersion,
    client: &ClientInfo,
    answer: impl Future<Output = T>,
) -> Result<T, Rejected> {
    let (now, patience) = (Instant::now(), worker.borrow().hooks.auth_patience());
    let deadline = wire.protocol.poll_timeout().unwrap_or(now).max(now + patience);
    timeout_at(deadline.into(), while_there(worker, wire, answer)).await.unwrap_or_else(|_| {
        let why = format!(
            "client {:?}: no answer from auth after {:.0} s, as others wait too",
            client.client_id,
            now.elapsed().as_secs_f32()
        );
        Err(Rejected::Connack(version, ReasonCode::ServerUnavailable, why))
    })
}

/// Waits for what plugins say of a client for as long as it is there: the question of one that has gone is not put. What
/// it sends meanwhile is kept.
async fn while_there<T>(
    worker: &Rc<RefCell<Worker>>,
    wire: &mut Wire,
    answer: impl Future<Output = T>,
) -> Result<T, Rejected> {
    tokio::select! {
        biased;
        end = gone(worker, wire) => Err(Rejected::Closed(end)),
        answer = answer => Ok(answer),
    }
}

/// Waits for the end of a connection that is not to be dealt with yet.
async fn gone(worker: &Rc<RefCell<Worker>>, wire: &mut Wire) -> End {
    let packet_bytes_max = worker.borrow().core.limits.packet_bytes_max;
    while wire.reader.has_room_for_early() {
        match poll_fn(|cx| poll_early(&mut worker.borrow_mut(), wire, cx)).await {
            Ok(Read::Bytes(count)) => worker.borrow().stats().bytes_received.add(count),
            // Who has sent packets behind its CONNECT and goes may have wanted no answer to any of them.
            Ok(Read::Eof) if wire.reader.has_whole_packet(packet_bytes_max) => return pending().await,
            Ok(Read::Eof) => return End::Eof,
            Err(error) => return error.into(),
        }
    }
    wire.transport.closed().await;
    End::Eof
}

fn poll_early(worker: &mut Worker, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<std::io::Result<Read>> {
    let mut buffer = std::mem::take(&mut worker.read_buffer);
    let read = wire.reader.poll_early(&mut wire.transport, &mut buffer, cx);
    worker.read_buffer = buffer;
    read
}

/// What the plugins' answer to user name and password means for the client.
fn check_outcome(outcome: AuthOutcome, request: &Request) -> Result<(), Rejected> {
    let Request { client, credentials, .. } = request;
    let has_credentials = credentials.username.is_some() || credentials.password.is_some();
    let version = request.terms.version;
    let refused =
        |reason, why: String| Err(Rejected::Connack(version, reason, format!("client {:?}: {why}", client.client_id)));
    match outcome {
        AuthOutcome::Allowed => Ok(()),
        AuthOutcome::Denied(Some(reason)) if hears_reasons(version) => {
            let why = format!("client {:?}: denied by a plugin that says why", client.client_id);
            Err(Rejected::Explained(request.terms, reason, why))
        }
        AuthOutcome::Denied(_) if has_credentials => {
            let why = match &credentials.username {
                Some(name) => format!("user name {:?} or its password denied", logged(name)),
                None => "password denied".to_owned(),
            };
            refused(ReasonCode::BadUserNameOrPassword, why)
        }
        AuthOutcome::Denied(_) => refused(ReasonCode::NotAuthorized, "anonymous client denied".to_owned()),
        AuthOutcome::Failed => refused(ReasonCode::ServerUnavailable, "no plugin could decide".to_owned()),
    }
}

/// Counts a connection that was refused, and the limit that it hit, and logs it.
pub(super) fn count(stats: &WorkerStats, peer: &Peer, rejected: &Rejected) {
    stats.connects_refused.add(1);
    match rejected {
        Rejected::Closed(End::Violation(violation)) => stats.count_violation(violation),
        Rejected::Upgrade(_) => stats.handshakes_failed.add(1),
        Rejected::Connack(_, ReasonCode::ClientIdentifierNotValid, _) => stats.client_ids_refused.add(1),
        Rejected::Connack(_, ReasonCode::QuotaExceeded, _) => stats.properties_refused.add(1),
        Rejected::Closed(_) | Rejected::Connack(..) | Rejected::Explained(..) => {}
    }
    tracing::info!("connection from {} refused: {rejected}", peer.remote_address);
}

/// Tells the peer why it was refused, if it is to know.
pub(super) async fn reject(hooks: &Hooks, core: &Core, wire: &mut Wire, rejected: &Rejected) {
    let why = match rejected {
        Rejected::Connack(version, reason, _) => {
            encode_refusal(wire.writer.replies(), *version, (*reason).into());
            Ending::Refused
        }
        Rejected::Explained(terms, reason, _) => {
            explain(wire.writer.replies(), *terms, reason, &core.capabilities);
            Ending::Refused
        }
        Rejected::Closed(end) => (*end).into(),
        Rejected::Upgrade(_) => return,
    };
    let says_why = wire.writer.len() > 0;
    if says_why {
        events::refusal_sent(hooks, wire.writer.replies());
    }
    if says_why || wire.transport.says_end() {
        say_end(wire, why).await;
    }
}

fn encode_refusal(out: &mut BytesMut, version: ProtocolVersion, answer: Answer<'_>) {
    encode_connack(out, version, Connack { session_present: false, answer }); // [MQTT-3.2.2-6]
}

/// A refusal with what there is to say of it, as far as the client takes that.
fn explain(out: &mut BytesMut, terms: ClientTerms, reason: &Reason, capabilities: &Capabilities) {
    let code = ReasonCode::of_connack(reason.code);
    let reference = capabilities.reference_for(code).map(Property::ServerReference);
    let properties: Vec<_> = reference.into_iter().chain(explanation::properties(reason)).collect();
    let encode = |out: &mut BytesMut, properties: &[Property<'_>]| {
        encode_refusal(out, terms.version, Answer { reason: code, properties });
    };
    encode(out, explanation::fitting(&properties, terms, encode));
}

/// Writes what there is, says that no more comes, and gives the peer time to read it: closing with unread bytes would
/// reset the connection, and all that with it.
pub(super) async fn say_end(wire: &mut Wire, why: Ending) {
    let Wire { transport, writer, .. } = wire;
    let say = async {
        poll_fn(|cx| writer.poll_write(transport, cx)).await?;
        transport.end(why);
        transport.shutdown().await?;
        let mut ignored = [0; 512];
        while transport.read(&mut ignored).await? > 0 {}
        std::io::Result::Ok(())
    };
    // A peer that does not go is cut off.
    drop(timeout(LINGER, say).await);
}

/// Reads until the CONNECT is complete or its time is over.
async fn read_request(
    worker: &Rc<RefCell<Worker>>,
    doorway: &Doorway,
    wire: &mut Wire,
    peer: &Peer,
) -> Result<Request, Rejected> {
    let deadline = wire.protocol.poll_timeout().unwrap_or_else(Instant::now);
    let read = async {
        wire.transport.readable().await;
        doorway.pass().await;
        poll_fn(|cx| poll_request(&mut worker.borrow_mut(), wire, peer, cx)).await
    };
    let request = timeout_at(deadline.into(), read).await;
    request.unwrap_or_else(|_| Err(Rejected::Closed(Violation::ConnectTimeout.into())))
}

fn poll_request(
    worker: &mut Worker,
    wire: &mut Wire,
    peer: &Peer,
    cx: &mut Context<'_>,
) -> Poll<Result<Request, Rejected>> {
    poll_packet(worker, wire, cx, |worker, protocol, frame| {
        let connect = protocol.handle_connect(frame, &worker.core.limits, &worker.core.capabilities)?;
        let request = Request::new(&connect, peer, &worker.core.limits)?;
        if let Some(will) = connect.will.filter(|_| worker.core.capabilities.check_payload_format)
            && is_mislabelled(&will.properties, will.payload)
        {
            let why = format!("client {:?}: its will claims to be UTF-8 and is not", request.client.client_id);
            return Err(Rejected::Connack(connect.version, ReasonCode::PayloadFormatInvalid, why));
        }
        events::packet_received(&worker.hooks, &request.client, frame, connect.properties);
        Ok(request)
    })
}

/// Reads until a packet of a client that is not accepted yet is complete, and has it dealt with. What follows it stays
/// for later.
pub(super) fn poll_packet<T>(
    worker: &mut Worker,
    wire: &mut Wire,
    cx: &mut Context<'_>,
    mut handle: impl FnMut(&Worker, &mut Connection, Frame<'_>) -> Result<T, Rejected>,
) -> Poll<Result<T, Rejected>> {
    let Wire { transport, reader, protocol, .. } = wire;
    let core = Arc::clone(&worker.core);
    let mut buffer = std::mem::take(&mut worker.read_buffer);
    let mut filled = Filled::new(&mut buffer);
    let packet = loop {
        match reader.poll_read(transport, &mut filled, cx) {
            Poll::Pending => break Poll::Pending,
            Poll::Ready(Err(error)) => break Poll::Ready(Err(Rejected::Closed(error.into()))),
            Poll::Ready(Ok(Read::Eof)) => break Poll::Ready(Err(Rejected::Closed(End::Eof))),
            Poll::Ready(Ok(Read::Bytes(count))) => core.stats[worker.index].bytes_received.add(count),
        }
        let mut packet = None;
        let consumed = reader.consume(&filled, core.limits.connect_bytes_max(), |bytes, _| {
            let frame = protocol.first_frame(bytes, &core.limits);
            let Some(frame) = frame.map_err(|violation| Rejected::Closed(violation.into()))? else { return Ok(0) };
            packet = Some(handle(worker, protocol, frame)?);
            Ok(frame.header.packet_len())
        });
        match (consumed, packet) {
            (Err(rejected), _) => break Poll::Ready(Err(rejected)),
            (Ok(()), None) => {}
            (Ok(()), Some(packet)) => {
                core.stats[worker.index].packets_received.add(1);
                reader.look_again();
                break Poll::Ready(Ok(packet));
            }
        }
    };
    worker.read_buffer = buffer;
    packet
}

impl Request {
    fn new(connect: &Connect<'_>, peer: &Peer, limits: &Limits) -> Result<Self, Rejected> {
        let username: Option<Arc<str>> = connect.username.map(Into::into);
        let client_id = match connect.client_id {
            "" => assigned_client_id().ok_or_else(|| {
                let why = "the system has no random numbers".into();
                Rejected::Connack(connect.version, ReasonCode::ServerUnavailable, why)
            })?,
            id => ClientId::new(id),
        };
        let identity = username.clone().map_or(Identity::Anonymous, Identity::User);
        Ok(Self {
            clean_start: connect.clean_start,
            terms: ClientTerms::new(connect),
            granted: Granted::new(connect, limits),
            client: Arc::new(ClientInfo { client_id, identity, peer: peer.clone(), connect: connect_facts(connect) }),
            assigned_client_id: connect.client_id.is_empty(),
            credentials: Credentials { username, password: connect.password.map(Bytes::copy_from_slice) },
            will: connect.will.and_then(|will| Will::new(&will)).map(Box::new),
            asked: Asked::read(connect.properties.iter()).map(Box::new),
        })
    }
}

fn connect_facts(connect: &Connect<'_>) -> ConnectFacts {
    ConnectFacts {
        protocol_level: connect.version.level(),
        clean_start: connect.clean_start,
        keep_alive_secs: connect.keep_alive_secs,
        user_properties: connect.properties.user_properties().map(user_property).collect(),
    }
}

fn user_property((name, value): (&str, &str)) -> UserProperty {
    UserProperty { name: name.into(), value: value.into() }
}

/// Makes an authenticated connection a client.
fn open(
    worker: &mut Worker,
    wire: &mut Wire,
    request: Request,
    proven: Option<Box<Proven>>,
    mut verdicts: VerdictCache,
    waker: std::task::Waker,
) -> Result<Client, Rejected> {
    let Request { client, terms, granted, .. } = request;
    let version = terms.version;
    if let Some(will) = &request.will {
        let mut publisher = Publisher { client: &client, verdicts: &mut verdicts };
        if let Err(refused) = worker.may_publish(&mut publisher, will.topic().as_str(), will.facts()) {
            let topic = logged(will.topic().as_str());
            let why =
                format!("client {:?} may not publish its will to {topic:?}{}", client.client_id, because(&refused));
            return Err(Rejected::Explained(terms, Box::new(Arc::unwrap_or_clone(refused)), why));
        }
        verdicts.forget_answers();
    }
    let (core, generation) = (Arc::clone(&worker.core), worker.hooks.verdict_number());
    let assigned = request.assigned_client_id.then_some(client.client_id.as_str());
    let mut properties = connack_properties(version, &granted, &core.limits, &core.capabilities, assigned);
    properties.extend(proven.iter().flat_map(|proven| proven.properties()));
    let response_information = granted.response_information(&core.capabilities, &client.client_id);
    let connack = |out: &mut BytesMut, session_present: bool| {
        accepted(out, terms, session_present, properties.clone(), response_information.as_deref());
    };
    // Before anything has come of it [MQTT-3.1.2-24].
    if !terms.takes_any_size() {
        let mut trial = BytesMut::new();
        connack(&mut trial, false);
        if trial.len() > terms.packet_bytes_max as usize {
            let why = format!("client {:?}: its CONNACK would be larger than what it takes", client.client_id);
            let reason = Reason { code: Some(ReasonCode::PacketTooLarge.value()), ..Reason::default() };
            return Err(Rejected::Explained(terms, Box::new(reason), why));
        }
    }
    let link_id = worker.take_link_id();
    let now = Instant::now();
    let (id, will) = (link_id, request.will);
    let link = Link { id, client: Arc::clone(&client), terms, waker, will, woken: false, close: false };
    let (clean_start, expiry) = (request.clean_start, granted.session_expiry);
    let open = Open { client: &client, clean_start, expiry, link, generation };
    let opened = core.directory.open(open, &core.limits, now).map_err(|no_room| {
        worker.stats().sessions_refused.add(1);
        tracing::warn!("client {:?} refused: {no_room}", client.client_id);
        Rejected::Connack(version, ReasonCode::ServerUnavailable, no_room.to_string())
    })?;
    let Opened { session, present, will, ended } = opened;
    if let Some((old, ended)) = ended {
        core.subscriptions.remove_all(&ended.filters, &old);
        worker.now = now;
        worker.pass_on(ended.orphans, Asks::Aside);
    }
    worker.now = now;
    if let Some((client, will)) = will {
        worker.publish_will(&client, will);
    }
    wire.protocol.accept(now, granted.keep_alive_secs, core.keep_alive_delay);
    connack(wire.writer.replies(), present);
    worker.stats().packets_sent.add(1);
    core.totals.connect();
    tracing::info!("client {:?} connected from {}", client.client_id, client.peer.remote_address);
    if worker.hooks.wants(EventKind::ClientConnected) {
        worker.hooks.emit(Event::of_client(EventKind::ClientConnected, &client));
    }
    Ok(Client {
        info: client,
        session,
        link_id,
        terms,
        told: core,
        verdicts,
        review: None,
        asking: None,
        owed: None,
        receiving: None,
        proven,
    })
}

/// The CONNACK of a client that was accepted; without response information where that makes it too large for the client.
fn accepted<'a>(
    out: &mut BytesMut,
    terms: ClientTerms,
    session_present: bool,
    mut properties: Vec<Property<'a>>,
    response_information: Option<&'a str>,
) {
    let encode = |out: &mut BytesMut, properties: &[Property<'_>]| {
        let answer = Answer { reason: ReasonCode::Success, properties };
        encode_connack(out, terms.version, Connack { session_present, answer });
    };
    let before = out.len();
    if let Some(information) = response_information {
        properties.push(Property::ResponseInformation(information));
        encode(out, &properties);
        if out.len() - before <= terms.packet_bytes_max as usize {
            return;
        }
        properties.pop();
        out.truncate(before);
    }
    encode(out, &properties);
}

/// An identifier that nobody can guess, for a client that has none `[MQTT-3.1.3-6]`.
fn assigned_client_id() -> Option<ClientId> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(ClientId::new(&format!("auto-{:032x}", u128::from_ne_bytes(random))))
}
