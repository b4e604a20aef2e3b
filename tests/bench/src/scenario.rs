//! What is measured: the list, and the words for it.

use std::fmt;

use crate::packets::Version;
use crate::stream::Carrier;

/// One row of the table, before anybody has run it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The group that `--only` chooses by.
    pub group: &'static str,
    pub(crate) scenario: Scenario,
    pub(crate) version: Version,
    pub(crate) qos: u8,
    /// Bytes of each payload.
    pub(crate) payload: usize,
    pub(crate) carrier: Carrier,
    /// Whether the broker has the load's core as well.
    pub(crate) two_cores: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Each publisher has one receiver.
    Pairs(usize),
    /// One publisher, all receive.
    FanOut(usize),
    /// All publish, one receives.
    FanIn(usize),
    /// As many publishers as members of one shared subscription.
    Shared(usize),
    /// Ten pairs, each with a tenth of the topics, in random order.
    RandomTopics(usize),
    /// Ten pairs at a fixed number of messages in a second.
    Latency(Rate),
    /// Connections one after the other: connected, greeted, closed.
    Storm,
    /// Connections with one subscription that do nothing.
    Idle,
    /// Ten pairs beside so many subscriptions to other topics.
    Subscriptions(usize),
    /// All retained messages, fetched by a wildcard.
    Retained,
}

/// How many messages in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    Fixed(u64),
    /// A share in percent of what the first peer beside us does at most, with 10 pairs at QoS 0, in these results.
    OfPeer(u64),
}

impl Case {
    fn new(group: &'static str, scenario: Scenario) -> Self {
        Self { group, scenario, version: Version::V3_1_1, qos: 0, payload: 64, carrier: Carrier::Tcp, two_cores: false }
    }

    /// All cases, in the order of the table.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for version in [Version::V3_1_1, Version::V5_0] {
            for qos in 0..=2 {
                cases.push(Self { version, qos, ..Self::new("pairs", Scenario::Pairs(10)) });
            }
        }
        for qos in 0..=2 {
            cases.push(Self { qos, payload: 4096, ..Self::new("large", Scenario::Pairs(10)) });
        }
        for receivers in [100, 1000] {
            for qos in [0, 1] {
                cases.push(Self { qos, ..Self::new("fan-out", Scenario::FanOut(receivers)) });
            }
        }
        for qos in [0, 1] {
            cases.push(Self { qos, ..Self::new("fan-in", Scenario::FanIn(100)) });
        }
        for qos in [0, 1] {
            cases.push(Self { qos, ..Self::new("shared", Scenario::Shared(10)) });
        }
        cases.push(Self::new("random", Scenario::RandomTopics(10_000)));
        for carrier in [Carrier::Tls, Carrier::Ws] {
            cases.push(Self { carrier, ..Self::new("carriers", Scenario::Pairs(10)) });
            cases.push(Self { carrier, ..Self::new("carriers", Scenario::FanOut(100)) });
        }
        for qos in [0, 1] {
            cases.push(Self { qos, ..Self::new("latency", Scenario::Latency(Rate::Fixed(10_000))) });
        }
        for share in [35, 70] {
            cases.push(Self::new("latency", Scenario::Latency(Rate::OfPeer(share))));
        }
        cases.push(Self::new("storm", Scenario::Storm));
        cases.push(Self::new("idle", Scenario::Idle));
        for others in [100, 10_000, 1_000_000] {
            cases.push(Self::new("subscriptions", Scenario::Subscriptions(others)));
        }
        cases.push(Self::new("retained", Scenario::Retained));
        for qos in [0, 1] {
            cases.push(Self { qos, two_cores: true, ..Self::new("two-cores", Scenario::Pairs(10)) });
        }
        cases
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scenario {
            Scenario::Pairs(pairs) => write!(f, "{pairs} pairs")?,
            Scenario::FanOut(receivers) => write!(f, "1 to {receivers}")?,
            Scenario::FanIn(publishers) => write!(f, "{publishers} to 1")?,
            Scenario::Shared(members) => write!(f, "{members} to a shared subscription of {members}")?,
            Scenario::RandomTopics(topics) => write!(f, "10 pairs, {topics} random topics")?,
            Scenario::Latency(Rate::Fixed(rate)) => write!(f, "latency at {rate} messages/s")?,
            Scenario::Latency(Rate::OfPeer(share)) => write!(f, "latency at {share} % of the peer's maximum")?,
            Scenario::Storm => return write!(f, "connection storm"),
            Scenario::Idle => return write!(f, "idle connections"),
            Scenario::Subscriptions(others) => write!(f, "10 pairs beside {others} subscriptions")?,
            Scenario::Retained => return write!(f, "retained messages by a wildcard"),
        }
        write!(f, ", QoS {}", self.qos)?;
        if self.version == Version::V5_0 {
            write!(f, ", MQTT 5.0")?;
        }
        if self.payload != 64 {
            write!(f, ", {} B", self.payload)?;
        }
        match self.carrier {
            Carrier::Tcp => {}
            Carrier::Tls => write!(f, ", TLS")?,
            Carrier::Ws => write!(f, ", WebSocket")?,
        }
        if self.two_cores {
            write!(f, ", both cores")?;
        }
        Ok(())
    }
}
