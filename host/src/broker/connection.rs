mod end;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::task::spawn_local;
use tokio::time::{Sleep, sleep_until};

use super::aside::Asking;
use super::connect;
use super::core::Core;
use super::events;
use super::exchange::Proven;
use super::explanation;
use super::owed::Owed;
use super::publish::{Asks, Publisher};
use super::reader::{Filled, Read, Reader};
use super::received::Receiving;
use super::revocation::Review;
use super::session::{Displaced, SessionHandle};
use super::turn::{Turn, go_on_after_others};
use super::verdicts::VerdictCache;
use super::worker::Worker;
use super::writer::Writer;
use crate::codec::{
    Ack, Answer, Disconnect, Frame, Packet, PacketId, Property, encode_ack, encode_disconnect, next_frame,
};
use crate::hooks::{Event as HookEvent, EventKind, Reason};
use crate::net::{Accepted, Admission, Transport};
use crate::protocol::{ClientTerms, Connection, Event, Payload, Session, Violation};
use crate::types::{Capabilities, ClientInfo, Limits, QoS, ReasonCode, SessionExpiry};

pub(super) use end::End;

/// Reads that one turn takes before other connections have theirs.
const READS_PER_TURN: usize = 4;

/// Bytes that wait to be written above which a connection is not read: who does not take answers may not ask.
const WRITING_BYTES_PAUSE: usize = 256 << 10;

/// A network connection, from its first byte to its last.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) transport: Transport,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) protocol: Connection,
}

/// What an accepted client has beside its wire.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) info: Arc<ClientInfo>,
    pub(super) session: Arc<SessionHandle>,
    pub(super) link_id: u64,
    pub(super) terms: ClientTerms,
    /// What it was told with its CONNACK: a reload does not take that back.
    pub(super) told: Arc<Core>,
    pub(super) verdicts: VerdictCache,
    /// What is under way since permissions have changed.
    pub(super) review: Option<Box<Review>>,
    /// What has to be answered before its next packet is dealt with.
    pub(super) asking: Option<Box<Asking>>,
    /// Retained messages that it is to have, as a rule before its next packet is dealt with.
    pub(super) owed: Option<Box<Owed>>,
    /// What is asked about messages that wait for it.
    pub(super) receiving: Option<Box<Receiving>>,
    /// How it has proved who it is, if by an exchange.
    pub(super) proven: Option<Box<Proven>>,
}

impl Client {
    /// What the next packet has to wait for.
    fn poll_ahead(&mut self, worker: &mut Worker, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.owed.is_some() {
            let sent = worker.poll_owed(self, cx)?;
            if sent.is_pending() && !self.owed.as_ref().is_some_and(|owed| owed.waits_for_client()) {
                return Poll::Pending;
            }
        }
        if let Some(asking) = &mut self.asking {
            ready!(asking.poll_answer(worker, &mut self.verdicts, cx));
            self.asking = None;
        }
        Poll::Ready(Ok(()))
    }
}

/// Serves a connection that another worker has accepted.
pub(super) fn tie(worker: &Rc<RefCell<Worker>>, accepted: Accepted<std::net::TcpStream>) {
    let remote_address = accepted.peer.remote_address;
    match accepted.tie() {
        Ok(accepted) => drop(spawn_local(serve(Rc::clone(worker), accepted))),
        Err(error) => tracing::warn!("connection from {remote_address} is lost: {error}"),
    }
}

/// Serves one connection to its end.
///
/// How it begins and how it ends lie in boxes of their own that go when they are through: what a connection holds while
/// it is idle is [`Live`], and nothing beside it.
pub(super) fn serve(worker: Rc<RefCell<Worker>>, accepted: Accepted) -> impl Future<Output = ()> {
    let beginning = Box::pin(begin(worker, accepted));
    async {
        let Some(mut live) = beginning.await else { return };
        let end = poll_fn(|cx| live.poll_turn(cx)).await;
        Box::pin(live.end(end)).await;
    }
}

/// From the first byte to the CONNACK; none for a connection that does not become a client.
async fn begin(worker: Rc<RefCell<Worker>>, accepted: Accepted) -> Option<Live> {
    let Accepted { stream, mut peer, upgrade, admission } = accepted;
    let mut protocol = Connection::new(Instant::now(), &worker.borrow().core.limits);
    let transport = match upgrade {
        None => Transport::Tcp(stream),
        Some(upgrade) => match connect::upgrade(&mut protocol, upgrade, stream, peer.remote_address.ip()).await {
            Ok(upgraded) => {
                peer.tls = upgraded.tls;
                upgraded.transport
            }
            Err(rejected) => {
                connect::count(worker.borrow().stats(), &peer, &rejected);
                return None;
            }
        },
    };
    let mut wire = Wire { transport, reader: Reader::default(), writer: Writer::default(), protocol };
    match connect::accept(&worker, &mut wire, &peer).await {
        Ok(client) => {
            let connected = Connected { worker, client, end: End::Shutdown };
            Some(Live { connected, timer: None, wire, admission })
        }
        Err(rejected) => {
            connect::count(worker.borrow().stats(), &peer, &rejected);
            let (hooks, core) = (Arc::clone(&worker.borrow().hooks), Arc::clone(&worker.borrow().core));
            connect::reject(&hooks, &core, &mut wire, &rejected).await;
            None
        }
    }
}

/// A connection between its CONNACK and its end.
struct Live {
    connected: Connected,
    /// For when the client has been silent for too long; made with the first turn.
    timer: Option<Pin<Box<Sleep>>>,
    wire: Wire,
    admission: Admission,
}

impl Live {
    /// Passes packets between the client and the broker, until one of them has had enough.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Self { connected: Connected { worker, client, end }, timer, wire, .. } = self;
        let worker = &mut *worker.borrow_mut();
        worker.now = Instant::now();
        worker.turn = Turn::default();
        *end = End::Panic;
        let turn = take_turn(worker, wire, client, timer, cx);
        *end = End::Shutdown;
        worker.wake_all();
        turn
    }

    /// Leaves the session in order and tells the client why it ends.
    async fn end(self, end: End) {
        let Self { mut connected, mut wire, admission, .. } = self;
        connected.end = end;
        let doorway = connected.worker.borrow().doorway.clone();
        doorway.pass().await;
        let (terms, before) = (connected.client.terms, wire.writer.len());
        say_farewell(&end, terms, &connected.worker.borrow().core.capabilities, wire.writer.replies());
        let says_why = wire.writer.len() > before;
        // Answers to what came before the end are still worth a try.
        events::packets_sent(&connected.worker.borrow().hooks, Some(&connected.client.info), &mut wire.writer);
        let _ = poll_fn(|cx| Poll::Ready(wire.writer.poll_write(&mut wire.transport, cx))).await;
        drop(connected);
        // Last, so that a peer that sees the end knows its session to be left in order.
        if says_why || wire.transport.says_end() {
            connect::say_end(&mut wire, end.into()).await;
        }
        drop((wire, admission));
    }
}

/// Tells the client why the connection ends, and where to go if there is another server for it.
fn say_farewell(end: &End, terms: ClientTerms, capabilities: &Capabilities, replies: &mut BytesMut) {
    let Some(reason) = end.farewell(capabilities) else { return };
    let properties = capabilities.reference_for(reason).map(Property::ServerReference);
    let encode = |out: &mut BytesMut, properties: &[Property<'_>]| {
        encode_disconnect(out, terms.version, Answer { reason, properties });
    };
    encode(replies, explanation::fitting(properties.as_slice(), terms, encode));
}

/// A client for as long as it is connected. However that ends, even by a panic, its session is left in order.
pub(super) struct Connected {
    pub(super) worker: Rc<RefCell<Worker>>,
    pub(super) client: Client,
    /// What it has ended with, should it end now.
    pub(super) end: End,
}

impl Drop for Connected {
    fn drop(&mut self) {
        // It is borrowed for one turn of one connection, and that is over.
        let Ok(mut worker) = self.worker.try_borrow_mut() else { return };
        worker.recover();
        worker.now = Instant::now();
        if let Some(owed) = self.client.owed.take() {
            self.client.session.leave_owed(owed.leave());
        }
        disconnected(&mut worker, &self.client, self.end);
        worker.wake_all();
    }
}

/// One turn of a connection: reads what has come, and writes what there is to write.
fn take_turn(
    worker: &mut Worker,
    wire: &mut Wire,
    client: &mut Client,
    timer: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
) -> Poll<End> {
    let turn = review(worker, client, cx)
        .and_then(|()| {
            let is_paused = read(worker, wire, client, cx)?;
            client.poll_exchange(worker, wire.writer.replies(), cx)?;
            let has_unjudged = flush(worker, wire, client, is_paused, cx)?;
            worker.wake_owed(client, cx)?;
            if is_paused && wire.writer.len() <= WRITING_BYTES_PAUSE {
                // Nothing was asked of the socket by which this task would hear of it again.
                cx.waker().wake_by_ref();
            }
            Ok(has_unjudged)
        })
        .and_then(|has_unjudged| judge_waiting(worker, client, has_unjudged, cx))
        .and_then(|()| check_silence(wire, timer, cx));
    match turn {
        Ok(()) => Poll::Pending,
        Err(end) => Poll::Ready(end),
    }
}

/// Before anything is sent by permissions that do not hold any more.
fn review(worker: &mut Worker, client: &mut Client, cx: &mut Context<'_>) -> Result<(), End> {
    if worker.review(client, cx)? {
        cx.waker().wake_by_ref();
    }
    Ok(())
}

/// Reads as long as there is something, the peer takes answers, and others have not waited too long. Whether it is because
/// the peer does not take them that nothing is read.
fn read(worker: &mut Worker, wire: &mut Wire, client: &mut Client, cx: &mut Context<'_>) -> Result<bool, End> {
    for _ in 0..READS_PER_TURN {
        if wire.writer.len() > WRITING_BYTES_PAUSE {
            client.owed.iter_mut().for_each(|owed| owed.pause());
            return Ok(true);
        }
        if client.poll_ahead(worker, cx)?.is_pending() {
            // It is not for the client that it is not heard.
            wire.protocol.heard(worker.now);
            return Ok(false);
        }
        if read_once(worker, wire, client, cx)?.is_pending() {
            return Ok(false);
        }
        if worker.is_turn_over() {
            go_on_after_others(cx);
            return Ok(false);
        }
    }
    cx.waker().wake_by_ref();
    Ok(false)
}

/// Reads once and deals with every whole packet that is there.
fn read_once(worker: &mut Worker, wire: &mut Wire, client: &mut Client, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
    let Wire { transport, reader, writer, protocol } = wire;
    let packet_bytes_max = worker.core.limits.packet_bytes_max;
    let mut buffer = std::mem::take(&mut worker.read_buffer);
    let mut filled = Filled::new(&mut buffer);
    let result = match reader.poll_read(transport, &mut filled, cx) {
        Poll::Pending => Ok(Poll::Pending),
        Poll::Ready(Err(error)) => Err(error.into()),
        Poll::Ready(Ok(Read::Eof)) => Err(End::Eof),
        Poll::Ready(Ok(Read::Bytes(count))) => {
            let now = worker.now;
            worker.stats().bytes_received.add(count);
            writer.begin(&mut worker.scratch.spare);
            let mut is_stopped = false;
            let handled = reader.consume(&filled, packet_bytes_max, |bytes, shared| {
                let mut consumed = 0;
                while let Some(frame) =
                    next_frame(&bytes[consumed..], packet_bytes_max).map_err(Violation::Malformed)?
                {
                    if let Some(asking) = worker.ask_first(protocol, client, frame) {
                        client.asking = Some(Box::new(asking));
                        is_stopped = true;
                        break;
                    }
                    consumed += frame.header.packet_len();
                    handle_frame(worker, protocol, client, frame, shared, writer.replies())?;
                    client.verdicts.forget_answers();
                    worker.turn.spend(1);
                    let waits = client.owed.as_ref().is_some_and(|owed| !owed.waits_for_client());
                    is_stopped = waits || worker.is_turn_over();
                    if is_stopped {
                        break;
                    }
                }
                if consumed > 0 || is_stopped {
                    protocol.heard(now);
                }
                Ok(consumed)
            });
            if is_stopped {
                reader.look_again();
            }
            protocol.partial(now, reader.has_partial());
            handled.map(Poll::Ready)
        }
    };
    worker.read_buffer = buffer;
    result
}

/// Deals with one packet. `shared` is the memory that it lies in, where that may be shared.
fn handle_frame(
    worker: &mut Worker,
    protocol: &mut Connection,
    client: &mut Client,
    frame: Frame<'_>,
    shared: Option<&Bytes>,
    replies: &mut BytesMut,
) -> Result<(), End> {
    worker.stats().packets_received.add(1);
    let replies_before = replies.len();
    let packet = protocol.handle_packet(frame, &client.told.limits, &client.told.capabilities)?;
    events::packet_received(&worker.hooks, &client.info, frame, packet.properties());
    let event = match packet {
        // A message of QoS 0 asks nothing of the session, and is most of what there is.
        Packet::Publish(publish) if publish.packet_id.is_none() => Event::Publish(publish),
        Packet::Auth(auth) => {
            client.handle_auth(&worker.hooks, &auth)?;
            Event::Handled
        }
        packet => {
            let handle = |session: &mut Session| session.handle(packet, &worker.core.limits, worker.now, replies);
            client.session.with(client.link_id, handle)?
        }
    };
    match event {
        Event::Handled => {}
        Event::Publish(publish) => {
            let payload = Payload::Read { bytes: publish.payload, buffer: shared };
            let publisher = Publisher { client: &client.info, verdicts: &mut client.verdicts };
            let outcome = worker.publish(publisher, &publish, payload);
            if let Some(packet_id) = publish.packet_id {
                acknowledge(client, (publish.qos, packet_id), outcome, replies)?;
            }
        }
        Event::Subscribe(subscribe) => worker.subscribe(client, &subscribe, replies)?,
        Event::Unsubscribe(unsubscribe) => worker.unsubscribe(client, &unsubscribe, replies)?,
        Event::Disconnect(disconnect) => return Err(farewell(client, disconnect, &worker.core.limits)?),
        Event::Violation(violation) => return Err(violation.into()),
    }
    if replies.len() - replies_before > client.terms.packet_bytes_max as usize {
        replies.truncate(replies_before);
        return Err(End::AnswerTooLarge);
    }
    if replies.len() > replies_before {
        worker.stats().packets_sent.add(1);
    }
    Ok(())
}

/// Says what became of a message, and why it was refused if topic-check says so.
fn acknowledge(
    client: &Client,
    (qos, packet_id): (QoS, PacketId),
    outcome: Result<ReasonCode, Arc<Reason>>,
    replies: &mut BytesMut,
) -> Result<(), Displaced> {
    let (reason, said) = match &outcome {
        Ok(reason) => (*reason, Vec::new()),
        Err(refused) => (ReasonCode::of_publish(refused.code), explanation::of_acknowledgement(refused, client.terms)),
    };
    // A PUBREC is as long as a PUBACK.
    let encode = |out: &mut BytesMut, properties: &[Property<'_>]| {
        encode_ack(out, client.terms.version, Ack::Puback, packet_id, Answer { reason, properties });
    };
    let properties = explanation::fitting(&said, client.terms, encode);
    let answer = Answer { reason, properties };
    client.session.with(client.link_id, |session| session.published(qos, packet_id, answer, replies))
}

/// The client says that it goes, and may say how long its session is to wait.
fn farewell(client: &Client, disconnect: Disconnect<'_>, limits: &Limits) -> Result<End, End> {
    let expiry = disconnect.properties.iter().find_map(|property| match property {
        Property::SessionExpiryInterval(secs) => Some(SessionExpiry::from_secs(secs).min(limits.session_expiry_max())),
        _ => None,
    });
    if let Some(expiry) = expiry
        && !client.session.set_expiry(client.link_id, expiry)?
    {
        return Err(Violation::SessionExpiry.into());
    }
    Ok(disconnect.into())
}

/// Finds out whether the client may have what waits for that, and sends it in another turn.
fn judge_waiting(
    worker: &mut Worker,
    client: &mut Client,
    has_unjudged: bool,
    cx: &mut Context<'_>,
) -> Result<(), End> {
    if worker.judge_waiting(client, has_unjudged, cx)? {
        cx.waker().wake_by_ref();
    }
    Ok(())
}

/// Writes answers and what the session has for the client, as far as the peer takes it and others have not waited too long.
/// Says whether messages wait to be judged.
fn flush(
    worker: &mut Worker,
    wire: &mut Wire,
    client: &mut Client,
    is_paused: bool,
    cx: &mut Context<'_>,
) -> Result<bool, End> {
    loop {
        let (session, unwritten) = (&client.session, wire.writer.len());
        let turn = session.take_turn(client.link_id, cx.waker(), &worker.core.limits, worker.now, unwritten)?;
        worker.stats().publish_sent.add(turn.messages);
        worker.stats().packets_sent.add(turn.messages);
        worker.stats().publish_expired.add(turn.undelivered.expired.into());
        worker.stats().publish_too_large.add(turn.undelivered.too_large.into());
        wire.writer.append(turn.outgoing, &mut worker.scratch.spare);
        events::packets_sent(&worker.hooks, Some(&client.info), &mut wire.writer);
        if turn.close {
            return Err(End::Shutdown);
        }
        if let Some(left) = turn.owed {
            client.owed.get_or_insert_default().take_over(left);
            cx.waker().wake_by_ref();
        }
        let before = wire.writer.len();
        let written = wire.writer.poll_write(&mut wire.transport, cx);
        worker.stats().bytes_sent.add(before - wire.writer.len());
        if is_paused && wire.writer.len() < before {
            // What it says meanwhile is not read, but that it takes something is heard.
            wire.protocol.heard(worker.now);
        }
        wire.writer.end(&mut worker.scratch.spare);
        match written {
            Poll::Ready(Ok(())) if turn.more => {
                worker.turn.spend(turn.messages);
                if worker.is_turn_over() {
                    go_on_after_others(cx);
                    return Ok(turn.unjudged);
                }
            }
            Poll::Ready(Ok(())) => return Ok(turn.unjudged),
            Poll::Pending => {
                let unwritten = wire.writer.len();
                session.with(client.link_id, |session| session.outbound.set_unwritten(unwritten))?;
                return Ok(turn.unjudged);
            }
            Poll::Ready(Err(error)) => return Err(error.into()),
        }
    }
}

/// Sees to it that a connection is closed that is silent, or too slow with a packet. The timer is moved when it fires or
/// is too late, not with every packet.
fn check_silence(wire: &Wire, timer: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Result<(), End> {
    loop {
        let Some(deadline) = wire.protocol.poll_timeout().map(Into::into) else { return Ok(()) };
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Ok(());
        }
        wire.protocol.handle_timeout(Instant::now())?;
        timer.as_mut().reset(wire.protocol.poll_timeout().map_or(deadline, Into::into));
    }
}

/// Leaves the session as its client left it, and tells the world.
fn disconnected(worker: &mut Worker, client: &Client, end: End) {
    worker.core.totals.disconnect();
    if let End::Violation(violation) = &end {
        worker.stats().count_violation(violation);
    }
    let publishes_will = end != End::Disconnect;
    let left = worker.core.directory.left(&client.session, client.link_id, publishes_will, worker.now);
    let (will, ended) = left.unwrap_or_default();
    if let Some(ended) = ended {
        worker.core.subscriptions.remove_all(&ended.filters, &client.session);
        worker.pass_on(ended.orphans, Asks::Aside);
    }
    tracing::info!("client {:?} disconnected: {end}", client.info.client_id);
    if worker.hooks.wants(EventKind::ClientDisconnected) {
        let mut event = HookEvent::of_client(EventKind::ClientDisconnected, &client.info);
        event.reason = Some(end.to_string().into());
        event.reason_code = end.reason_code(&worker.core.capabilities).map(ReasonCode::value);
        worker.hooks.emit(event);
    }
    if let Some((client, will)) = will {
        worker.publish_will(&client, will);
    }
}

#[cfg(test)]
mod tests;
