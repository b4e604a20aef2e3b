//! A connection of any version and its session, fed with arbitrary bytes after a CONNECT: never a panic, every answer
//! well formed, the limits kept. What it publishes and keeps retained comes back to it where it has subscribed.
#![no_main]

use std::sync::Arc;
use std::time::Instant;

use amqtt_fuzz::codec::{ProtocolVersion, Publish, Subscribe, decode, next_frame};
use amqtt_fuzz::protocol::{ClientTerms, Connection, Delivery, Event, Payload, Scratch, Session, Terms};
use amqtt_fuzz::queue::{Queued, Standing};
use amqtt_fuzz::routing::{RetainedTree, SubscriptionTree};
use amqtt_fuzz::types::{Capabilities, Limits, Message, QoS, ReasonCode, TopicFilter, TopicName};
use bytes::{Buf, BytesMut};
use libfuzzer_sys::fuzz_target;

/// Of MQTT 3.1.1, 3.1, and 5.0 with a receive maximum of 2, one topic alias and at most 100 bytes a packet; and 5.0 again.
const CONNECTS: [&[u8]; 4] = [
    b"\x10\x0d\0\x04MQTT\x04\x00\0\0\0\x01x",
    b"\x10\x0f\0\x06MQIsdp\x03\x00\0\0\0\x01x",
    b"\x10\x19\0\x04MQTT\x05\x00\0\0\x0b\x21\0\x02\x22\0\x01\x27\0\0\0\x64\0\x01x",
    b"\x10\x0e\0\x04MQTT\x05\x00\0\0\0\0\x01x",
];

// The first byte chooses the version and the highest QoS.
fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let limits = Limits {
        packet_bytes_max: 1 << 16,
        inflight_max: 3,
        queue_messages_max: 4,
        queue_bytes_max: 200,
        outgoing_bytes_max: 40,
        ..Limits::default()
    };
    let mut broker = Broker {
        max_qos: [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(choice % 3)],
        limits,
        now: Instant::now(),
        session: Session::default(),
        subscriptions: SubscriptionTree::new(),
        retained: RetainedTree::new(),
    };
    let connect = CONNECTS[usize::from(choice >> 6)];
    let mut rest = bytes;
    // What is malformed ends the connection; the client comes again with what is behind it.
    while !rest.is_empty() {
        let mut connection = Connection::new(Instant::now(), &broker.limits);
        let frame = next_frame(connect, 100).expect("valid").expect("whole");
        let connect = connection.handle_connect(frame, &broker.limits, &Capabilities::default());
        let terms = ClientTerms::new(&connect.expect("a valid CONNECT"));
        broker.session.outbound.connect(terms, &broker.limits, broker.now);
        let consumed = broker.exchange(&mut connection, rest);
        broker.session.outbound.disconnect();
        rest = rest.get(consumed.max(1)..).unwrap_or_default();
    }
});

/// As much of a broker as one client needs.
struct Broker {
    limits: Limits,
    now: Instant,
    max_qos: QoS,
    session: Session,
    subscriptions: SubscriptionTree<(), QoS>,
    retained: RetainedTree<Arc<Message>>,
}

impl Broker {
    /// Returns how many bytes were looked at before the connection ended.
    fn exchange(&mut self, connection: &mut Connection, bytes: &[u8]) -> usize {
        let mut consumed = 0;
        let mut replies = BytesMut::new();
        while let Ok(Some(frame)) = next_frame(&bytes[consumed..], self.limits.packet_bytes_max) {
            consumed += frame.header.packet_len();
            let Ok(packet) = connection.handle_packet(frame, &self.limits, &Capabilities::default()) else { break };
            match self.session.handle(packet, &self.limits, self.now, &mut replies) {
                Event::Publish(publish) => {
                    self.route(&publish);
                    if let Some(packet_id) = publish.packet_id {
                        self.session.published(publish.qos, packet_id, ReasonCode::Success, &mut replies);
                    }
                }
                Event::Subscribe(subscribe) => self.subscribe(&subscribe),
                Event::Unsubscribe(unsubscribe) => {
                    assert!(unsubscribe.filters().count() > 0);
                    for filter in unsubscribe.filters() {
                        self.subscriptions.remove(&TopicFilter::new(filter).expect("was checked when decoded"), &());
                    }
                }
                Event::Disconnect(_) | Event::Violation(_) => break,
                Event::Handled => {}
            }
            self.check_limits();
            if consumed % 3 == 0 {
                let (mut outgoing, _) = self.session.outbound.take_outgoing(&self.limits, self.now);
                check_well_formed(self.session.outbound.version(), &outgoing.copy_to_bytes(outgoing.remaining()));
            }
        }
        check_well_formed(self.session.outbound.version(), &replies);
        consumed
    }

    fn route(&mut self, publish: &Publish<'_>) {
        let topic = TopicName::new(publish.topic).expect("was checked when decoded");
        let mut granted = None;
        self.subscriptions.matches(publish.topic, |(), qos| granted = granted.max(Some(*qos)));
        let mut scratch = Scratch::default();
        let payload = Payload::Read { bytes: publish.payload, buffer: None };
        let mut delivery = Delivery::new(&topic, payload, publish.qos, self.now, &mut scratch);
        if !publish.properties.is_empty() {
            let has_alias = publish.topic_alias.is_some();
            delivery = delivery.with_properties(publish.properties, publish.expiry_secs, has_alias);
        }
        if publish.retain && publish.payload.is_empty() {
            self.retained.remove(&topic);
        } else if publish.retain {
            self.retained.insert(&topic, Arc::clone(delivery.message()));
        }
        if let Some(granted) = granted {
            self.session.outbound.deliver(&mut delivery, Terms::new(granted), &self.limits);
        }
    }

    fn subscribe(&mut self, subscribe: &Subscribe<'_>) {
        assert!(subscribe.filters().count() > 0);
        for (filter, options) in subscribe.filters() {
            let filter = TopicFilter::new(filter).expect("was checked when decoded");
            let granted = options.qos.min(self.max_qos);
            self.subscriptions.insert(&filter, (), granted);
            let mut found = Vec::new();
            self.retained.matches(&filter, |message| found.push(Arc::clone(message)));
            let queued = found.into_iter().map(|message| Queued {
                qos: message.qos.min(granted),
                retain: true,
                subscription_id: None,
                message,
            });
            self.session.outbound.deliver_retained(queued, Standing::Judged, &self.limits, self.now);
        }
    }

    fn check_limits(&self) {
        let (outbound, limits) = (&self.session.outbound, &self.limits);
        assert!(outbound.inflight_len() <= usize::from(limits.inflight_max));
        // An entry counts at least 64 bytes; one message may be in flight that is larger than all.
        assert!(outbound.queue_len() <= limits.queue_bytes_max / 64);
        assert!(outbound.queue_bytes() <= 2 * limits.queue_bytes_max + limits.packet_bytes_max + 64);
    }
}

/// Nothing but whole packets of the types that both sides send; but for the answer to a ping.
fn check_well_formed(version: ProtocolVersion, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        if let Some(after) = bytes.strip_prefix(b"\xd0\0") {
            bytes = after;
            continue;
        }
        let frame = next_frame(bytes, usize::MAX).expect("well formed").expect("whole");
        decode(version, frame).expect("well formed");
        bytes = &bytes[frame.header.packet_len()..];
    }
}
