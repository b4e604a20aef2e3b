//! Clients that prove who they are in an exchange of AUTH packets (MQTT 5.0, 4.12): before their CONNACK, and again
//! later if they like.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout_at;

use super::connect::{Rejected, answer_of_auth, logged, poll_packet};
use super::connection::{Client, End, Wire};
use super::events;
use super::worker::Worker;
use crate::codec::{Answer, Auth, Packet, Property, encode_auth};
use crate::hooks::{Exchange, Hooks, Step};
use crate::protocol::{ClientTerms, Violation};
use crate::types::{ClientInfo, Identity, ReasonCode};

/// The authentication that a CONNECT asks for, in memory of its own.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Arc<str>,
    pub(super) data: Option<Bytes>,
}

/// An authentication that has succeeded, as the CONNACK tells it and a later AUTH goes on from it.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) method: Arc<str>,
    /// What the client is told with its CONNACK.
    pub(super) data: Option<Vec<u8>>,
    again: Again,
}

/// Whether the client proves who it is once more.
enum Again {
    No,
    /// The plugin is asked.
    Asking(Pin<Box<dyn Future<Output = Step>>>),
    /// The client is to answer.
    Challenged(Exchange),
}

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "No",
            Self::Asking(_) => "Asking",
            Self::Challenged(_) => "Challenged",
        })
    }
}

impl Asked {
    /// What the properties of a CONNECT ask for.
    pub(super) fn read<'a>(properties: impl Iterator<Item = Property<'a>>) -> Option<Self> {
        let (method, data) = method_and_data(properties);
        method.map(|method| Self { method: method.into(), data: data.map(Bytes::copy_from_slice) })
    }
}

fn method_and_data<'a>(properties: impl Iterator<Item = Property<'a>>) -> (Option<&'a str>, Option<&'a [u8]>) {
    let (mut method, mut data) = (None, None);
    for property in properties {
        match property {
            Property::AuthenticationMethod(text) => method = Some(text),
            Property::AuthenticationData(bytes) => data = Some(bytes),
            _ => {}
        }
    }
    (method, data)
}

/// Has a client prove who it is before it is accepted. What it says itself has to come within the time for its CONNECT. It
/// is known by what it has proved from then on.
pub(super) async fn prove(
    worker: &Rc<RefCell<Worker>>,
    wire: &mut Wire,
    Asked { method, mut data }: Asked,
    terms: ClientTerms,
    client: &mut Arc<ClientInfo>,
) -> Result<Proven, Rejected> {
    let hooks = Arc::clone(&worker.borrow().hooks);
    let refused =
        |reason, why: &str| Rejected::Connack(terms.version, reason, format!("client {:?}: {why}", client.client_id));
    let Some(mut exchange) = hooks.begin_exchange(&method) else {
        let why = format!("no plugin serves its authentication method {:?}", logged(&method));
        return Err(refused(ReasonCode::BadAuthenticationMethod, &why)); // [MQTT-4.12.0-1]
    };
    let mut deadline = wire.protocol.poll_timeout().unwrap_or_else(Instant::now);
    loop {
        let asked = Instant::now();
        let step = hooks.step(Arc::clone(client), exchange, data);
        let step = answer_of_auth(worker, wire, terms.version, client, step).await?;
        deadline += asked.elapsed();
        match step {
            Step::Challenge(challenge, next) => {
                let replies = wire.writer.replies();
                put_auth(replies, ReasonCode::ContinueAuthentication, &method, Some(&challenge));
                if replies.len() > terms.packet_bytes_max as usize {
                    replies.clear();
                    return Err(refused(ReasonCode::PacketTooLarge, "an AUTH would be larger than what it takes"));
                }
                worker.borrow().stats().packets_sent.add(1);
                events::packets_sent(&hooks, Some(client), &mut wire.writer);
                let talk = async {
                    let written = poll_fn(|cx| wire.writer.poll_write(&mut wire.transport, cx)).await;
                    written.map_err(|error| Rejected::Closed(error.into()))?;
                    poll_fn(|cx| poll_auth(&mut worker.borrow_mut(), wire, (terms, client), &method, cx)).await
                };
                let too_late = |_| Rejected::Closed(Violation::ConnectTimeout.into());
                data = timeout_at(deadline.into(), talk).await.map_err(too_late)??;
                exchange = next;
            }
            Step::Proven(proof) => {
                // A name that it has not proved is no name of it.
                if client.username().is_some_and(|claimed| proof.username.as_deref() != Some(claimed)) {
                    let why = "the user of its CONNECT is not the one that it has proved to be";
                    return Err(refused(ReasonCode::BadUserNameOrPassword, why));
                }
                let identity = proof.username.map_or(Identity::Anonymous, Identity::User);
                *client = Arc::new(ClientInfo { identity, ..ClientInfo::clone(client) });
                return Ok(Proven { method, data: proof.data, again: Again::No });
            }
            Step::Denied(Some(reason)) => {
                let why = format!("client {:?}: {method:?} has failed, and a plugin says why", client.client_id);
                return Err(Rejected::Explained(terms, reason, why));
            }
            Step::Denied(None) => {
                return Err(refused(ReasonCode::NotAuthorized, &format!("{method:?} has failed"))); // [MQTT-4.12.0-4]
            }
            Step::Failed => return Err(refused(ReasonCode::ServerUnavailable, "no plugin could decide")),
        }
    }
}

/// Reads the next packet of an exchange: nothing but AUTH and DISCONNECT may come `[MQTT-3.1.2-30]`.
fn poll_auth(
    worker: &mut Worker,
    wire: &mut Wire,
    (terms, client): (ClientTerms, &Arc<ClientInfo>),
    method: &str,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Bytes>, Rejected>> {
    poll_packet(worker, wire, cx, |worker, protocol, frame| {
        let core = &worker.core;
        let refuse = |violation: Violation| {
            let why = format!("client {:?}: {violation}", client.client_id);
            Rejected::Connack(terms.version, violation.reason_code(), why)
        };
        let packet = protocol.handle_packet(frame, &core.limits, &core.capabilities).map_err(refuse)?;
        events::packet_received(&worker.hooks, client, frame, packet.properties());
        match packet {
            Packet::Auth(auth) if auth.reason == ReasonCode::ContinueAuthentication => {
                data_of(&auth, method).map_err(refuse)
            }
            Packet::Disconnect(disconnect) => Err(Rejected::Closed(disconnect.into())),
            _ => Err(refuse(Violation::UnexpectedAuth)),
        }
    })
}

/// The data of an AUTH, which has to name the method of the CONNECT `[MQTT-4.12.0-5]`.
fn data_of(auth: &Auth<'_>, expected: &str) -> Result<Option<Bytes>, Violation> {
    match method_and_data(auth.properties.iter()) {
        (Some(method), data) if method == expected => Ok(data.map(Bytes::copy_from_slice)),
        _ => Err(Violation::AuthenticationMethod),
    }
}

fn put_auth(out: &mut BytesMut, reason: ReasonCode, method: &str, data: Option<&[u8]>) {
    let method = Property::AuthenticationMethod(method);
    let properties: Vec<_> = std::iter::once(method).chain(data.map(Property::AuthenticationData)).collect();
    encode_auth(out, Answer { reason, properties: &properties });
}

impl Proven {
    /// What a CONNACK tells of it.
    pub(super) fn properties(&self) -> impl Iterator<Item = Property<'_>> {
        std::iter::once(Property::AuthenticationMethod(&self.method))
            .chain(self.data.as_deref().map(Property::AuthenticationData))
    }

    /// Deals with an AUTH of a client that is connected.
    fn handle(&mut self, hooks: &Arc<Hooks>, client: &Arc<ClientInfo>, auth: &Auth<'_>) -> Result<(), End> {
        let data = data_of(auth, &self.method)?;
        let exchange = match (std::mem::replace(&mut self.again, Again::No), auth.reason) {
            (Again::No, ReasonCode::ReAuthenticate) => {
                let begun = hooks.begin_exchange(&self.method);
                begun.ok_or(End::NotProven(ReasonCode::BadAuthenticationMethod))?
            }
            (Again::Challenged(exchange), ReasonCode::ContinueAuthentication) => exchange,
            _ => return Err(Violation::UnexpectedAuth.into()),
        };
        self.again = Again::Asking(Box::pin(hooks.step(Arc::clone(client), exchange, data)));
        Ok(())
    }

    /// Puts an AUTH into `replies` once the plugin has answered.
    fn poll(&mut self, client: &ClientInfo, replies: &mut BytesMut, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let Again::Asking(step) = &mut self.again else { return Poll::Pending };
        let step = ready!(step.as_mut().poll(cx));
        self.again = Again::No;
        Poll::Ready(match step {
            Step::Challenge(challenge, exchange) => {
                put_auth(replies, ReasonCode::ContinueAuthentication, &self.method, Some(&challenge));
                self.again = Again::Challenged(exchange);
                Ok(())
            }
            // Its session, and what is queued for it, are of the user that it was.
            Step::Proven(proof) if proof.username.as_deref() == client.username() => {
                put_auth(replies, ReasonCode::Success, &self.method, proof.data.as_deref());
                Ok(())
            }
            Step::Proven(_) => Err(End::NotProven(ReasonCode::NotAuthorized)),
            Step::Denied(reason) => {
                let code = reason.and_then(|reason| reason.code);
                Err(End::NotProven(ReasonCode::of_disconnect(code))) // [MQTT-4.12.1-2]
            }
            Step::Failed => Err(End::NotProven(ReasonCode::ServerBusy)),
        })
    }
}

impl Client {
    /// Deals with an AUTH: only who was authenticated by an exchange may begin another one.
    pub(super) fn handle_auth(&mut self, hooks: &Arc<Hooks>, auth: &Auth<'_>) -> Result<(), End> {
        let proven = self.proven.as_mut().ok_or(Violation::UnexpectedAuth)?;
        proven.handle(hooks, &self.info, auth)
    }

    /// Goes on with an exchange if its plugin has answered.
    pub(super) fn poll_exchange(
        &mut self,
        worker: &Worker,
        replies: &mut BytesMut,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let Some(proven) = &mut self.proven else { return Ok(()) };
        let before = replies.len();
        let Poll::Ready(answer) = proven.poll(&self.info, replies, cx) else { return Ok(()) };
        answer?;
        if replies.len() - before > self.terms.packet_bytes_max as usize {
            replies.truncate(before);
            return Err(End::AnswerTooLarge);
        }
        worker.stats().packets_sent.add(1);
        Ok(())
    }
}
