//! As much of a broker as the way of one message takes.

use std::hint::black_box;
use std::time::Instant;

use amqtt_floors::codec::{Packet, PacketId, ProtocolVersion, PublishHead, PublishProperties, next_frame};
use amqtt_floors::protocol::{ClientTerms, Connection, Delivered, Delivery, Event, Payload, Scratch, Session, Terms};
use amqtt_floors::routing::SubscriptionTree;
use amqtt_floors::types::{Capabilities, Limits, QoS, ReasonCode, TopicFilter, TopicName};
use bytes::{Buf, BufMut, BytesMut};

/// Where messages are published.
pub(crate) const TOPIC: &str = "site/7/device-7/temperature";

/// What is published.
pub(crate) const PAYLOAD: &[u8] = &[b'x'; 64];

/// Subscriptions that match nothing of it.
const OTHERS: usize = 1_000;

/// One publisher and its subscribers.
pub(crate) struct Broker {
    publisher: Client,
    subscribers: Vec<Client>,
    subscriptions: SubscriptionTree<usize, QoS>,
    topic: TopicName,
    found: Vec<(usize, QoS)>,
    scratch: Scratch,
    capabilities: Capabilities,
    limits: Limits,
    now: Instant,
}

/// The two state machines of a client, and what it is answered.
struct Client {
    connection: Connection,
    session: Session,
    replies: BytesMut,
}

impl Broker {
    /// All clients speak `version`.
    pub(crate) fn new(version: ProtocolVersion, subscribers: usize) -> Self {
        let (limits, now) = (Limits::default(), Instant::now());
        let mut subscriptions = SubscriptionTree::new();
        let filter = |text: &str| TopicFilter::new(text).expect("a valid filter");
        for number in 0..OTHERS {
            let end = ["+/set", "#", "state"][number % 3];
            subscriptions.insert(
                &filter(&format!("site/{}/other-{number}/{end}", number % 10)),
                number,
                QoS::AtMostOnce,
            );
        }
        for number in 0..subscribers {
            let text = ["site/7/+/temperature", TOPIC][number % 2];
            subscriptions.insert(&filter(text), number, QoS::ExactlyOnce);
        }
        Self {
            publisher: Client::connect(version, &limits, now),
            subscribers: (0..subscribers).map(|_| Client::connect(version, &limits, now)).collect(),
            subscriptions,
            topic: TopicName::new(TOPIC).expect("a valid topic"),
            found: Vec::new(),
            scratch: Scratch::default(),
            capabilities: Capabilities::default(),
            limits,
            now,
        }
    }

    /// Reads a packet of the publisher.
    pub(crate) fn read<'a>(&'a mut self, packet: &'a [u8]) -> Packet<'a> {
        read(&mut self.publisher.connection, packet, &self.limits, &self.capabilities)
    }

    /// Takes a PUBLISH from the publisher, to every subscriber and to its acknowledgement.
    pub(crate) fn publish(&mut self, packet: &[u8]) {
        let Self { publisher, subscribers, subscriptions, found, limits, now, .. } = self;
        let Client { connection, session, replies } = publisher;
        replies.clear();
        let packet = read(connection, packet, limits, &self.capabilities);
        let Event::Publish(publish) = session.handle(packet, limits, *now, replies) else {
            unreachable!("it is a new message")
        };
        subscriptions.matches(publish.topic, |key, granted| found.push((*key, *granted)));
        let payload = Payload::Read { bytes: publish.payload, buffer: None };
        let mut delivery = Delivery::new(&self.topic, payload, publish.qos, *now, &mut self.scratch);
        if !publish.properties.is_empty() {
            delivery = delivery.with_properties(publish.properties, publish.expiry_secs, false);
        }
        for (key, granted) in found.drain(..) {
            let outbound = &mut subscribers[key].session.outbound;
            assert_eq!(outbound.deliver(&mut delivery, Terms::new(granted), limits), Delivered::Buffered);
        }
        if let Some(packet_id) = publish.packet_id {
            session.published(publish.qos, packet_id, ReasonCode::Success, replies);
        }
    }

    /// Every subscriber's connection takes what there is for it, and writes it.
    pub(crate) fn take_all(&mut self) {
        for subscriber in &mut self.subscribers {
            let (mut outgoing, _) = black_box(subscriber.session.outbound.take_outgoing(&self.limits, self.now));
            outgoing.advance(outgoing.remaining());
            outgoing.end(&mut self.scratch.spare);
        }
    }

    /// Takes an acknowledgement from the publisher.
    pub(crate) fn publisher_says(&mut self, packet: &[u8]) {
        self.publisher.acknowledge(packet, &self.limits, &self.capabilities, self.now);
    }

    /// Takes an acknowledgement from the first subscriber.
    pub(crate) fn subscriber_says(&mut self, packet: &[u8]) {
        self.subscribers[0].acknowledge(packet, &self.limits, &self.capabilities, self.now);
    }
}

impl Client {
    fn connect(version: ProtocolVersion, limits: &Limits, now: Instant) -> Self {
        let mut connect = b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01c".to_vec();
        if version == ProtocolVersion::V5 {
            connect = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01c".to_vec();
        }
        let mut connection = Connection::new(now, limits);
        let frame = next_frame(&connect, limits.packet_bytes_max).expect("well formed").expect("whole");
        let connect = connection.handle_connect(frame, limits, &Capabilities::default()).expect("is accepted");
        let mut session = Session::default();
        session.outbound.connect(ClientTerms::new(&connect), limits, now);
        connection.accept(now, 60, None);
        Self { connection, session, replies: BytesMut::with_capacity(64) }
    }

    fn acknowledge(&mut self, packet: &[u8], limits: &Limits, capabilities: &Capabilities, now: Instant) {
        let packet = read(&mut self.connection, black_box(packet), limits, capabilities);
        self.replies.clear();
        assert_eq!(self.session.handle(packet, limits, now, &mut self.replies), Event::Handled);
    }
}

/// A PUBLISH of [`TOPIC`] and [`PAYLOAD`] as a client sends it.
pub(crate) fn publish(version: ProtocolVersion, qos: QoS, packet_id: PacketId, properties: &[u8]) -> Vec<u8> {
    let head = PublishHead {
        version,
        dup: false,
        qos,
        retain: false,
        topic: TOPIC,
        packet_id: (qos != QoS::AtMostOnce).then_some(packet_id),
        properties: PublishProperties { passed_on: properties, ..PublishProperties::default() },
    };
    let mut packet = BytesMut::new();
    head.encode(&mut packet, PAYLOAD.len());
    packet.put_slice(PAYLOAD);
    packet.into()
}

/// Writes another identifier into such a packet.
pub(crate) fn set_packet_id(packet: &mut [u8], id: [u8; 2]) {
    let at = packet.len() - PAYLOAD.len() - 2;
    packet[at..at + 2].copy_from_slice(&id);
}

fn read<'a>(
    connection: &'a mut Connection,
    bytes: &'a [u8],
    limits: &Limits,
    capabilities: &Capabilities,
) -> Packet<'a> {
    let frame = next_frame(bytes, limits.packet_bytes_max).expect("well formed").expect("whole");
    connection.handle_packet(frame, limits, capabilities).expect("may come now")
}
