//! One case against one broker that has just been started.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::broker::Broker;
use crate::connections;
use crate::figures::{Figures, Latency};
use crate::load::{Flow, Load, Pace, Seen, thread_cpu};
use crate::packets::Publish;
use crate::rights;
use crate::scenario::{Case, Scenario};

/// How much of everything.
#[derive(Debug, Clone)]
pub struct Size {
    /// Before the clock runs.
    pub warm_up: Duration,
    /// How long messages are counted.
    pub measured: Duration,
    /// Messages of one publisher that may be under way.
    pub window: u64,
    /// Connections of the storm and of the idle ones.
    pub connections: usize,
    /// Retained messages.
    pub retained: usize,
    /// Cases with more clients or subscriptions have this many.
    pub most: usize,
}

/// Filters of one client, under the limit of 10,000 that amqtt has by default.
const FILTERS_OF_ONE: usize = 5_000;

/// Runs `case`; `rate` is the number of messages in a second of cases with a fixed one.
pub(crate) fn measure(case: &Case, size: &Size, rate: u64, broker: &Broker) -> Result<Figures> {
    match case.scenario {
        Scenario::Storm => return connections::storm(case, size, broker),
        Scenario::Idle => return connections::idle(case, size, broker),
        Scenario::Retained => return retained(case, size, broker),
        _ => {}
    }
    let mut setup = Setup { case, size, broker, load: Load::new()? };
    let mut pace = Pace::Full;
    match case.scenario {
        Scenario::Pairs(pairs) => setup.pairs(pairs, 1)?,
        Scenario::RandomTopics(topics) => setup.pairs(10, topics.min(size.most) / 10)?,
        Scenario::Latency(_) => {
            pace = Pace::Rate { per_second: rate, payload: case.payload };
            setup.pairs(10, 1)?;
        }
        Scenario::Subscriptions(others) => {
            setup.others(others.min(size.most))?;
            setup.pairs(10, 1)?;
        }
        Scenario::FanOut(receivers) => {
            setup.group(1, receivers.min(size.most), receivers.min(size.most), "calendar/all")?
        }
        Scenario::FanIn(publishers) => setup.group(publishers.min(size.most), 1, 1, "calendar/all")?,
        Scenario::Shared(members) => setup.group(members, members, 1, "$share/group/calendar/all")?,
        Scenario::Storm | Scenario::Idle | Scenario::Retained => {}
    }
    let seen = setup.load.run(pace, size.warm_up, size.measured, &mut || broker.cpu())?;
    let figures = Figures { resident_bytes: broker.resident_bytes()?, ..of(&seen)? };
    setup.load.close();
    Ok(figures)
}

struct Setup<'a> {
    case: &'a Case,
    size: &'a Size,
    broker: &'a Broker,
    load: Load,
}

impl Setup<'_> {
    /// Pairs that each have `topics` topics of their own.
    fn pairs(&mut self, pairs: usize, topics: usize) -> Result<()> {
        let Case { version, qos, payload, .. } = *self.case;
        for pair in 0..pairs {
            let topics = rights::topics_of_pair(pair, topics.max(1));
            let flow = self.load.add_flow(Flow::new(1, self.size.window));
            self.load.add_receiver(flow, &self.broker.address, version, &topics, qos)?;
            let messages = topics.iter().map(|topic| Publish::new(version, topic, qos, false, payload)).collect();
            self.load.add_publisher(flow, &self.broker.address, version, messages)?;
        }
        Ok(())
    }

    /// One flow: everybody publishes to one topic, which the receivers get by `filter`.
    fn group(&mut self, publishers: usize, receivers: usize, copies: usize, filter: &str) -> Result<()> {
        let Case { version, qos, payload, .. } = *self.case;
        let flow = self.load.add_flow(Flow::new(copies, self.size.window * publishers as u64));
        for _ in 0..receivers {
            self.load.add_receiver(flow, &self.broker.address, version, &[filter.to_owned()], qos)?;
        }
        for _ in 0..publishers {
            let messages = vec![Publish::new(version, "calendar/all", qos, false, payload)];
            self.load.add_publisher(flow, &self.broker.address, version, messages)?;
        }
        Ok(())
    }

    /// Clients that are subscribed to topics which nobody publishes to.
    fn others(&mut self, subscriptions: usize) -> Result<()> {
        let flow = self.load.add_flow(Flow::new(1, 0));
        for first in (0..subscriptions).step_by(FILTERS_OF_ONE) {
            let filters: Vec<String> = (first..subscriptions.min(first + FILTERS_OF_ONE))
                .map(|at| format!("calendar/others/{}/{}", at / 100, at % 100))
                .collect();
            self.load.add_receiver(flow, &self.broker.address, self.case.version, &filters, 0)?;
        }
        Ok(())
    }
}

/// What a run says of each message.
fn of(seen: &Seen) -> Result<Figures> {
    ensure!(seen.delivered > 0, "no message arrived");
    let messages = seen.delivered as f64;
    let latency = (!seen.latencies.is_empty()).then(|| Latency::of(&seen.latencies));
    Ok(Figures {
        per_second: messages / seen.elapsed.as_secs_f64(),
        broker_us: seen.broker.as_secs_f64() * 1e6 / messages,
        load_us: seen.load.as_secs_f64() * 1e6 / messages,
        latency,
        lost: seen.lost,
        doubled: seen.doubled,
        ..Figures::default()
    })
}

/// All retained messages are sent to one client that asks for them.
fn retained(case: &Case, size: &Size, broker: &Broker) -> Result<Figures> {
    let version = case.version;
    let count = size.retained as u64;
    let mut load = Load::new()?;
    let keeping = load.add_flow(Flow::new(0, size.window));
    // Each once: the publisher sends them in turn, with QoS 1 so that all are known to be kept.
    let messages = (0..count)
        .map(|at| Publish::new(version, &format!("calendar/kept/{}/{}", at / 100, at % 100), 1, true, case.payload))
        .collect();
    load.add_publisher(keeping, &broker.address, version, messages)?;
    load.send_each_once(keeping).context("retained messages")?;

    let fetching = load.add_flow(Flow::new(1, 0));
    load.add_receiver(fetching, &broker.address, version, &[], 0)?;
    let (cpu, own) = (broker.cpu()?, thread_cpu());
    let elapsed = load.fetch(fetching, version, "calendar/kept/#", count)?;
    let (cpu, own) = (broker.cpu()? - cpu, thread_cpu() - own);
    let figures = Figures {
        per_second: load.received() as f64 / elapsed.as_secs_f64(),
        broker_us: cpu.as_secs_f64() * 1e6 / count as f64,
        load_us: own.as_secs_f64() * 1e6 / count as f64,
        resident_bytes: broker.resident_bytes()?,
        lost: load.missing(),
        doubled: load.received().saturating_sub(count),
        ..Figures::default()
    };
    load.close();
    Ok(figures)
}
