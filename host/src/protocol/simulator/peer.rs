use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::client::Client;
use super::tally::Tally;
use super::watcher::Watcher;
use crate::codec::{PacketId, ProtocolVersion};
use crate::protocol::{ClientTerms, Session};
use crate::queue::{Outgoing, SHARED_BYTES_MIN};
use crate::types::random::Random;
use crate::types::{Limits, QoS};

/// A client, its session in the broker, and what lies between.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) client: Client,
    pub(super) session: Session,
    pub(super) watcher: Watcher,
    /// The client's connection.
    pub(super) link: Option<Link>,
    /// Earlier connections whose end the broker has not seen.
    pub(super) old_links: Vec<Link>,
    /// Which connection the broker has given the session to.
    pub(super) owner: Option<usize>,
    pub(super) tally: Tally,
}

/// One network connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) id: usize,
    /// The broker has seen its CONNECT.
    pub(super) accepted: bool,
    /// From the client, on the way.
    pub(super) up: BytesMut,
    /// To the client, on the way.
    pub(super) down: BytesMut,
    /// Arrived at the broker, and not yet a whole packet.
    pub(super) at_broker: BytesMut,
    /// Arrived at the client, and not yet a whole packet.
    pub(super) at_client: BytesMut,
    /// A message was routed and is to be acknowledged: another connection may come between, on another thread.
    pub(super) routed: Option<(QoS, PacketId)>,
}

impl Peer {
    /// A peer without a connection, of MQTT 3.1.1 or 5.0. In half of the worlds its identifiers are about to begin anew.
    pub(super) fn new(random: &mut Random) -> Self {
        let mut session = Session::default();
        let mut terms = ClientTerms::default();
        if random.one_in(2) {
            terms = ClientTerms { version: ProtocolVersion::V5, receive_max: 1 + random.below(5) as u16, ..terms };
        }
        if random.one_in(2) {
            let next = PacketId::new(u16::MAX - random.below(20) as u16).expect("not 0");
            session.outbound.continue_with(next);
        }
        Self {
            client: Client::new(terms),
            session,
            watcher: Watcher::default(),
            link: None,
            old_links: Vec::new(),
            owner: None,
            tally: Tally::default(),
        }
    }

    /// Gives the session to the client's connection, as `broker/session.rs` does: whoever has it loses it.
    pub(super) fn accept(&mut self, limits: &Limits, now: Instant) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| !link.accepted) else { return false };
        link.accepted = true;
        let id = link.id;
        if self.owner.is_some() {
            self.disconnect(limits, now);
        }
        self.owner = Some(id);
        self.watcher.connect(self.session.outbound.inflight_len());
        self.session.outbound.connect(self.client.terms, limits, now);
        true
    }

    /// The broker takes the session's connection away. What lies in the buffer is lost, and read along all the same.
    pub(super) fn disconnect(&mut self, limits: &Limits, now: Instant) {
        self.owner = None;
        // Under this limit nothing moves from the queue to the buffer.
        let frozen = Limits { outgoing_bytes_max: 0, ..limits.clone() };
        let (outgoing, _) = self.session.outbound.take_outgoing(&frozen, now);
        self.watcher.sends(self.client.terms.version, &self.tally, &all(outgoing));
        let waiting = self.session.outbound.queue_len();
        self.session.outbound.disconnect();
        self.tally.dropped_on_disconnect += waiting - self.session.outbound.queue_len();
    }

    /// The broker writes what the session has for the client.
    pub(super) fn write(&mut self, limits: &Limits, now: Instant) -> bool {
        let Self { client, link: Some(link), session, watcher, owner, tally, .. } = self else { return false };
        if *owner != Some(link.id) || !session.outbound.has_outgoing(limits) {
            return false;
        }
        let (outgoing, _) = session.outbound.take_outgoing(limits, now);
        let bytes = all(outgoing);
        watcher.sends(client.terms.version, tally, &bytes);
        link.down.extend_from_slice(&bytes);
        true
    }

    pub(super) fn check_limits(&self, limits: &Limits) {
        let outbound = &self.session.outbound;
        let inflight_max = usize::from(limits.inflight_max);
        assert!(outbound.inflight_len() <= inflight_max && self.watcher.in_use_len() <= inflight_max, "in flight");
        // As much may be in flight as waits, and one message more, however large. Each counts at least 64 bytes.
        assert!(outbound.queue_bytes() <= 2 * limits.queue_bytes_max + LARGEST_BYTES, "bytes");
        assert!(outbound.queue_len() <= limits.queue_bytes_max / 64, "waiting");
    }

    /// Nothing is left anywhere, and everything that was for the client is accounted for.
    pub(super) fn check_rest(&self, limits: &Limits) {
        let Self { client, session, watcher, .. } = self;
        assert!(client.is_quiet(), "{client:?}");
        assert_eq!((session.outbound.inflight_len(), session.outbound.queue_len()), (0, 0));
        assert_eq!((session.outbound.queue_bytes(), watcher.in_use_len()), (0, 0));
        assert!(session.inbound.is_empty() && !session.outbound.has_outgoing(limits));
        let link = self.link.as_ref().expect("is connected at the end");
        assert!(link.up.is_empty() && link.down.is_empty() && link.at_broker.is_empty() && link.at_client.is_empty());
        self.tally.check(watcher.completed + watcher.qos0_sent);
    }
}

/// More than any message of the simulator counts as.
const LARGEST_BYTES: usize = SHARED_BYTES_MIN + 128;

fn all(mut outgoing: Outgoing) -> bytes::Bytes {
    outgoing.copy_to_bytes(outgoing.remaining())
}
