use std::fmt;

use super::{SessionExpiry, levels};

/// Every bound on what clients may make the broker hold, with its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest packet that is read, all of it counted; see [`connect_bytes_max`](Self::connect_bytes_max). The protocol's own maximum is 268,435,460; 10 MiB
    /// of payload and its topic fit the default.
    pub packet_bytes_max: usize,
    /// Bytes of a topic name or filter. The protocol's own maximum is 65,535.
    pub topic_bytes_max: usize,
    /// Levels of a topic name or filter: deeper ones cost more per publish, and no known application needs them.
    pub topic_levels_max: usize,
    /// Bytes of a client identifier. The standard asks for at least 23 `[MQTT-3.1.3-5]`.
    pub client_id_bytes_max: usize,
    /// Subscriptions of one session, and filters of one SUBSCRIBE or UNSUBSCRIBE. See [`levels_max`](Self::levels_max)
    /// and [`filters_bytes_max`](Self::filters_bytes_max).
    pub subscriptions_max: usize,
    /// QoS 1 and 2 messages sent to one client and not yet acknowledged.
    pub inflight_max: u16,
    /// Messages that wait in one session: for room in flight, for a slow connection, for the client to come back. Retained
    /// messages for a new subscription do not count.
    pub queue_messages_max: usize,
    /// Bytes of topic and payload that wait in one session, retained messages included; as many may be in flight, in
    /// messages of 4 KiB and more.
    pub queue_bytes_max: usize,
    /// Encoded bytes that wait for one connection before further messages wait in the session's queue, where they are
    /// shared with other sessions.
    pub outgoing_bytes_max: usize,
    /// Bytes of topic and payload that wait in all sessions together, with what each entry itself takes; messages in
    /// flight of 4 KiB and more included, and what CONNECTs of 1 KiB and more leave with their sessions. Past it, see
    /// [`past_total`](Self::past_total).
    pub queue_total_bytes_max: usize,
    /// Seconds for which a new connection may stay without a complete CONNECT packet.
    pub connect_timeout_secs: u64,
    /// Seconds from the first byte of any later packet to its last. A client with a keep-alive is bound by that too.
    pub packet_timeout_secs: u64,
    /// Connections that a listener accepts in a second, in the long run; others wait in the kernel's queue.
    pub connect_rate_max: u32,
    /// TLS and WebSocket handshakes that a listener has under way, of one network a quarter of that; others wait.
    pub handshakes_max: usize,
    /// Retained messages in the broker.
    pub retained_messages_max: usize,
    /// Bytes of topic and payload of all retained messages, and of what is known of the clients that published them, each
    /// counted once.
    pub retained_bytes_max: usize,
    /// Sessions in the broker, connected or waiting for their client.
    pub sessions_max: usize,
    /// Seconds after which a session of MQTT 3.1 or 3.1.1 ends whose client has not come back; 0 for never.
    pub session_expiry_secs: u32,
    /// The most of that which clients of MQTT 5.0 may choose; 0 for no maximum.
    pub session_expiry_max_secs: u32,
    /// Messages of QoS 1 and 2 that a client of MQTT 5.0 may send without an acknowledgement. Earlier versions cannot be
    /// told of less than 65,535.
    pub receive_max: u16,
    /// Topics that one client of MQTT 5.0 may give an alias: each may take `topic_bytes_max`.
    pub topic_alias_max: u16,
    /// Seconds of the longest keep-alive of a client of MQTT 5.0, which is told of it; 0 for no maximum.
    pub keep_alive_max_secs: u16,
    /// User properties of one packet.
    pub user_properties_max: usize,
    /// Bytes of all properties of one packet: they are kept with a message that waits.
    pub properties_bytes_max: usize,
}

/// Levels that there is room for with each topic: each is a node of a tree, which takes more room than its text.
const LEVELS_PER_TOPIC: usize = 16;

/// Bytes of a CONNECT beside what has a length of its own: some 25.
const CONNECT_REST_BYTES: usize = 32;

/// Texts and data of a CONNECT, each with its length: client identifier, user name, password, topic and payload of the will.
const CONNECT_FIELDS_BYTES: usize = 5 * (2 + 65_535);

/// Bytes of filters that there is room for with each subscription: few are longer.
const BYTES_PER_FILTER: usize = 256;

/// What a CONNECT leaves with its session, will and names and user properties, counts from so many bytes on: less is
/// bounded by the number of sessions.
const CONNECT_BYTES_MIN: usize = 1_024;

/// What is counted of so many bytes of a CONNECT that stay with its session.
pub fn counted_connect_bytes(bytes: usize) -> usize {
    if bytes < CONNECT_BYTES_MIN { 0 } else { bytes }
}

/// Bytes that may wait in any session, however much waits in all: whoever makes others hold as much as may be must not
/// keep everyone's messages out. So in all there may be as many more for each session.
pub const SESSION_BYTES_ALWAYS: usize = 64 << 10;

impl Limits {
    /// What a session is held to that holds `bytes` already, once as much waits in all of them as may.
    pub fn past_total(&self, bytes: usize) -> Self {
        let queue_bytes_max = self.queue_bytes_max.min(SESSION_BYTES_ALWAYS.saturating_sub(bytes));
        Self { queue_bytes_max, ..self.clone() }
    }

    /// Bytes of the largest CONNECT that can be accepted, and of every packet before that: there are properties of the
    /// connection and of its will.
    pub fn connect_bytes_max(&self) -> usize {
        let all = self.properties_bytes_max.saturating_mul(2).saturating_add(CONNECT_FIELDS_BYTES + CONNECT_REST_BYTES);
        self.packet_bytes_max.min(all)
    }

    /// How many levels topic names or filters may have together, where so many may be there; at least as many as one.
    pub fn levels_max(&self, topics: usize) -> usize {
        topics.saturating_mul(LEVELS_PER_TOPIC).max(self.topic_levels_max)
    }

    /// How many bytes the filters of one session may have together; at least as many as one.
    pub fn filters_bytes_max(&self) -> usize {
        self.subscriptions_max.saturating_mul(BYTES_PER_FILTER).max(self.topic_bytes_max)
    }

    /// Whether a topic name or filter is longer or deeper than it may be.
    pub fn is_topic_too_large(&self, topic: &str) -> bool {
        self.topic_excess(topic).is_some()
    }

    /// What a topic name or filter has more of than it may.
    pub fn topic_excess(&self, topic: &str) -> Option<TopicExcess> {
        let (bytes_max, levels_max) = (self.topic_bytes_max, self.topic_levels_max);
        if topic.len() > bytes_max {
            return Some(TopicExcess { what: "bytes", max: bytes_max, setting: "topic-bytes-max" });
        }
        (levels(topic) > levels_max).then_some(TopicExcess {
            what: "levels",
            max: levels_max,
            setting: "topic-levels-max",
        })
    }

    /// How long a session of MQTT 3.1 or 3.1.1 outlives its connection.
    pub fn session_expiry(&self) -> SessionExpiry {
        expiry_or_never(self.session_expiry_secs)
    }

    /// The longest that a session of MQTT 5.0 outlives its connection.
    pub fn session_expiry_max(&self) -> SessionExpiry {
        expiry_or_never(self.session_expiry_max_secs)
    }
}

fn expiry_or_never(secs: u32) -> SessionExpiry {
    if secs == 0 { SessionExpiry::NEVER } else { SessionExpiry::from_secs(secs) }
}

/// What a topic name or filter has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicExcess {
    what: &'static str,
    max: usize,
    setting: &'static str,
}

impl fmt::Display for TopicExcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, max, setting } = self;
        write!(f, "it has more than {max} {what}, `{setting}`")
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 16 << 20,
            topic_bytes_max: 65_535,
            topic_levels_max: 128,
            client_id_bytes_max: 1_024,
            subscriptions_max: 10_000,
            inflight_max: 512,
            queue_messages_max: 10_000,
            queue_bytes_max: 32 << 20,
            outgoing_bytes_max: 256 << 10,
            queue_total_bytes_max: 1 << 30,
            connect_timeout_secs: 5,
            packet_timeout_secs: 120,
            connect_rate_max: 20_000,
            handshakes_max: 1_000,
            retained_messages_max: 1_000_000,
            retained_bytes_max: 1 << 30,
            sessions_max: 1_000_000,
            session_expiry_secs: 7 * 24 * 3_600,
            session_expiry_max_secs: 7 * 24 * 3_600,
            receive_max: 1_024,
            topic_alias_max: 16,
            keep_alive_max_secs: 0,
            user_properties_max: 128,
            properties_bytes_max: 65_535,
        }
    }
}
