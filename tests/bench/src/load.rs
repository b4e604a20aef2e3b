//! The load: one thread, many links, pre-encoded packets, as few system calls as the broker lets it.
//!
//! What may be under way is bounded: a flow sends as long as fewer than `window` messages of each publisher have not
//! reached all their receivers. So nothing has to be dropped, and batches are as large as the broker lets them become.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::time::{ClockId, clock_gettime};

use crate::link::{Link, READ_BYTES};
use crate::packets::{self, Frame, Publish, Version, kind};
use crate::stream::Address;

/// Messages that a publisher appends before the next one has its turn.
const BURST: u64 = 32;

/// How long nothing may come before what is missing counts as lost.
const SILENCE: Duration = Duration::from_secs(5);

/// Publishers and receivers that share a window.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    publishers: Vec<Publisher>,
    /// How many receivers get each message.
    pub(crate) copies: u64,
    /// Messages of all publishers that may be under way.
    pub(crate) window: u64,
    sent: u64,
    received: u64,
    /// Whether its messages are sent in their order, not at random.
    in_order: bool,
    /// The publisher whose turn it is.
    turn: usize,
}

#[derive(Debug)]
struct Publisher {
    link: usize,
    /// What it sends, in random order if there are several.
    messages: Vec<Publish>,
    /// QoS 1 and 2: not yet acknowledged.
    in_flight: u64,
    last_id: u16,
}

impl Flow {
    pub(crate) fn new(copies: usize, window: u64) -> Self {
        Self { copies: copies as u64, window, ..Self::default() }
    }

    fn missing(&self) -> u64 {
        (self.sent * self.copies).saturating_sub(self.received)
    }
}

/// Whom a link works for.
#[derive(Debug, Clone, Copy)]
enum Role {
    Receiver { flow: usize },
    Publisher { flow: usize, publisher: usize },
}

/// When messages are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as the window has room.
    Full,
    /// So many in a second, one by one, each with the time at which it was due in its payload.
    Rate { per_second: u64, payload: usize },
}

/// What was seen between warm-up and the end of sending, and how it ended.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) elapsed: Duration,
    pub(crate) delivered: u64,
    /// CPU time of the broker and of this thread.
    pub(crate) broker: Duration,
    pub(crate) load: Duration,
    /// From when a message was due to when it was there, in nanoseconds, sorted.
    pub(crate) latencies: Vec<u64>,
    /// Of the whole run, warm-up included.
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
}

pub(crate) struct Load {
    epoll: OwnedFd,
    links: Vec<Link>,
    roles: Vec<Role>,
    flows: Vec<Flow>,
    /// Links that have something to write, and whether a link is among them.
    dirty: Vec<usize>,
    is_dirty: Vec<bool>,
    /// Links that wait for room in their socket.
    blocked: Vec<bool>,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    random: u64,
    started: Instant,
    latencies: Vec<u64>,
}

impl Load {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            links: Vec::new(),
            roles: Vec::new(),
            flows: Vec::new(),
            dirty: Vec::new(),
            is_dirty: Vec::new(),
            blocked: Vec::new(),
            events: Vec::with_capacity(256),
            buffer: vec![0; READ_BYTES],
            random: 0x9e37_79b9_7f4a_7c15,
            started: Instant::now(),
            latencies: Vec::new(),
        })
    }

    pub(crate) fn add_flow(&mut self, flow: Flow) -> usize {
        self.flows.push(flow);
        self.flows.len() - 1
    }

    /// Connects a client that receives for `flow`, subscribed to `filters`.
    pub(crate) fn add_receiver(
        &mut self,
        flow: usize,
        address: &Address,
        version: Version,
        filters: &[String],
        qos: u8,
    ) -> Result<()> {
        let at = self.connect(address, version, Role::Receiver { flow })?;
        for filters in filters.chunks(1000) {
            self.links[at].out.extend(packets::subscribe(version, 1, filters, qos));
            self.links[at].wait_for(kind::SUBACK, version, &mut self.buffer).context("a receiver")?;
        }
        Ok(())
    }

    /// Connects a client that publishes `messages` for `flow`.
    pub(crate) fn add_publisher(
        &mut self,
        flow: usize,
        address: &Address,
        version: Version,
        messages: Vec<Publish>,
    ) -> Result<()> {
        let publisher = self.flows[flow].publishers.len();
        let link = self.connect(address, version, Role::Publisher { flow, publisher })?;
        self.flows[flow].publishers.push(Publisher { link, messages, in_flight: 0, last_id: 0 });
        Ok(())
    }

    fn connect(&mut self, address: &Address, version: Version, role: Role) -> Result<usize> {
        let at = self.links.len();
        let mut link = Link::open(address, version, &format!("bench-{at}"))?;
        link.wait_for(kind::CONNACK, version, &mut self.buffer)?;
        let events = epoll::EventFlags::IN;
        epoll::add(&self.epoll, link.stream.socket(), epoll::EventData::new_u64(at as u64), events)?;
        self.links.push(link);
        self.roles.push(role);
        self.is_dirty.push(false);
        self.blocked.push(false);
        Ok(at)
    }

    /// Sends for `warm_up` and then `measured`, then waits for what is under way. `broker_cpu` reads the broker's CPU time.
    pub(crate) fn run(
        &mut self,
        pace: Pace,
        warm_up: Duration,
        measured: Duration,
        broker_cpu: &mut dyn FnMut() -> Result<Duration>,
    ) -> Result<Seen> {
        self.started = Instant::now();
        self.send(pace, warm_up)?;
        self.latencies.clear();
        let (start, before) = (Instant::now(), self.received());
        let (broker, load) = (broker_cpu()?, thread_cpu());
        self.send(pace, warm_up + measured)?;
        let mut seen = Seen {
            elapsed: start.elapsed(),
            delivered: self.received() - before,
            broker: broker_cpu()? - broker,
            load: thread_cpu() - load,
            latencies: std::mem::take(&mut self.latencies),
            ..Seen::default()
        };
        seen.latencies.sort_unstable();
        self.drain(pace)?;
        seen.lost = self.flows.iter().map(Flow::missing).sum();
        seen.doubled = self.flows.iter().map(|flow| flow.received.saturating_sub(flow.sent * flow.copies)).sum();
        Ok(seen)
    }

    /// Sends every message of the one publisher of `flow` once, in order, and waits until the broker has them.
    pub(crate) fn send_each_once(&mut self, flow: usize) -> Result<()> {
        self.flows[flow].in_order = true;
        let count = self.flows[flow].publishers.iter().map(|publisher| publisher.messages.len() as u64).sum();
        let mut last = (Instant::now(), 0);
        while self.flows[flow].sent < count {
            self.fill(count);
            self.turn(Pace::Full, 100)?;
            let sent = self.flows[flow].sent;
            if sent != last.1 {
                last = (Instant::now(), sent);
            }
            ensure!(last.0.elapsed() < SILENCE, "the broker took {sent} of {count} messages and no more");
        }
        self.drain(Pace::Full)?;
        ensure!(!self.is_under_way(), "the broker did not acknowledge all of {count} messages");
        Ok(())
    }

    /// Receives for all flows until nothing is missing or under way, or nothing comes any more.
    pub(crate) fn drain(&mut self, pace: Pace) -> Result<()> {
        let mut last = (Instant::now(), self.received());
        while self.is_under_way() && last.0.elapsed() < SILENCE {
            self.turn(pace, 100)?;
            if self.received() != last.1 {
                last = (Instant::now(), self.received());
            }
        }
        Ok(())
    }

    /// Subscribes the one receiver of `flow` to `filter` and counts what comes as if `count` messages had been sent.
    pub(crate) fn fetch(&mut self, flow: usize, version: Version, filter: &str, count: u64) -> Result<Duration> {
        let receiver = self
            .roles
            .iter()
            .position(|role| matches!(role, Role::Receiver { flow: of } if *of == flow))
            .context("the flow has no receiver")?;
        let start = Instant::now();
        self.flows[flow].sent += count;
        self.links[receiver].out.extend(packets::subscribe(version, 2, &[filter.to_owned()], 0));
        self.touch(receiver);
        self.drain(Pace::Full)?;
        Ok(start.elapsed())
    }

    pub(crate) fn missing(&self) -> u64 {
        self.flows.iter().map(Flow::missing).sum()
    }

    pub(crate) fn received(&self) -> u64 {
        self.flows.iter().map(|flow| flow.received).sum()
    }

    /// Ends all connections in order.
    pub(crate) fn close(self) {
        self.links.into_iter().for_each(Link::close);
    }

    fn is_under_way(&self) -> bool {
        let in_flight = |flow: &Flow| flow.publishers.iter().any(|publisher| publisher.in_flight > 0);
        !self.dirty.is_empty() || self.flows.iter().any(|flow| flow.missing() > 0 || in_flight(flow))
    }

    /// Works until `until` after the start.
    fn send(&mut self, pace: Pace, until: Duration) -> Result<()> {
        loop {
            let now = self.started.elapsed();
            if now >= until {
                return Ok(());
            }
            match pace {
                Pace::Full => {
                    self.fill(u64::MAX);
                    self.turn(pace, 10)?;
                }
                Pace::Rate { per_second, .. } => {
                    self.send_due(per_second, now);
                    // Not asleep: waking up would be measured too.
                    self.turn(pace, 0)?;
                }
            }
        }
    }

    /// Appends messages while windows have room, up to `count` in all of each flow.
    fn fill(&mut self, count: u64) {
        for at in 0..self.flows.len() {
            let flow = &self.flows[at];
            let under_way = flow.missing() / flow.copies.max(1);
            let mut room = flow.window.saturating_sub(under_way).min(count.saturating_sub(flow.sent));
            let each = flow.window / flow.publishers.len().max(1) as u64;
            for _ in 0..flow.publishers.len() * each.div_ceil(BURST) as usize {
                if room == 0 {
                    break;
                }
                let flow = &self.flows[at];
                let publisher = &flow.publishers[flow.turn];
                let burst = room.min(BURST).min(each.saturating_sub(publisher.in_flight));
                let (turn, link) = (flow.turn, publisher.link);
                // What a socket does not take is not added to.
                if !self.blocked[link] {
                    for _ in 0..burst {
                        self.publish(at, turn, None);
                    }
                    room -= burst;
                }
                let flow = &mut self.flows[at];
                flow.turn = (flow.turn + 1) % flow.publishers.len();
            }
        }
    }

    /// Appends what has become due by `now`, publishers of all flows in turn.
    fn send_due(&mut self, per_second: u64, now: Duration) {
        let nanos = |message: u64| message * 1_000_000_000 / per_second;
        let now = now.as_nanos() as u64;
        loop {
            let sent: u64 = self.flows.iter().map(|flow| flow.sent).sum();
            let due = nanos(sent);
            if due > now {
                return;
            }
            let flow = (sent % self.flows.len() as u64) as usize;
            let turn = self.flows[flow].turn;
            self.publish(flow, turn, Some(due));
            self.flows[flow].turn = (turn + 1) % self.flows[flow].publishers.len();
        }
    }

    fn publish(&mut self, flow: usize, publisher: usize, stamp: Option<u64>) {
        let flow = &mut self.flows[flow];
        flow.sent += 1;
        let publisher = &mut flow.publishers[publisher];
        let message = match publisher.messages.as_slice() {
            [only] => only,
            several if flow.in_order => &several[(flow.sent - 1) as usize % several.len()],
            several => {
                self.random ^= self.random << 13;
                self.random ^= self.random >> 7;
                self.random ^= self.random << 17;
                &several[(self.random % several.len() as u64) as usize]
            }
        };
        // Never 0, and as many as the window ago an identifier is free again.
        publisher.last_id = publisher.last_id.checked_add(1).unwrap_or(1);
        if message.is_acknowledged() {
            publisher.in_flight += 1;
        }
        let link = publisher.link;
        message.append(&mut self.links[link].out, publisher.last_id, stamp);
        self.touch(link);
    }

    fn touch(&mut self, link: usize) {
        if !self.is_dirty[link] {
            self.is_dirty[link] = true;
            self.dirty.push(link);
        }
    }

    /// Writes what there is, and reads what has come, waiting for it up to `patience_ms`.
    fn turn(&mut self, pace: Pace, patience_ms: i64) -> Result<()> {
        self.flush()?;
        let timeout = Timespec { tv_sec: 0, tv_nsec: patience_ms * 1_000_000 };
        self.events.clear();
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout))?;
        for at in 0..self.events.len() {
            let epoll::Event { flags, data, .. } = self.events[at];
            let link = data.u64() as usize;
            if flags.contains(epoll::EventFlags::OUT) {
                self.touch(link);
            }
            if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                self.read(link, pace).with_context(|| format!("connection {link} of the load ended"))?;
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        for at in 0..self.dirty.len() {
            let link = self.dirty[at];
            self.is_dirty[link] = false;
            let done = self.links[link].flush().with_context(|| format!("connection {link} of the load ended"))?;
            if done == self.blocked[link] {
                self.blocked[link] = !done;
                let room = if done { epoll::EventFlags::empty() } else { epoll::EventFlags::OUT };
                let data = epoll::EventData::new_u64(link as u64);
                epoll::modify(&self.epoll, self.links[link].stream.socket(), data, epoll::EventFlags::IN | room)?;
            }
        }
        self.dirty.clear();
        Ok(())
    }

    fn read(&mut self, link: usize, pace: Pace) -> io::Result<()> {
        let (flow, publisher) = match self.roles[link] {
            Role::Receiver { flow } => (flow, None),
            Role::Publisher { flow, publisher } => (flow, Some(publisher)),
        };
        let flow = &mut self.flows[flow];
        let (started, latencies) = (self.started, &mut self.latencies);
        let mut now = None;
        self.links[link].read(&mut self.buffer, |frame, out| {
            if frame.is_publish() {
                flow.received += 1;
                acknowledge(frame, out);
                if let Pace::Rate { payload, .. } = pace {
                    // One read is one moment.
                    let now = *now.get_or_insert_with(|| started.elapsed().as_nanos() as u64);
                    latencies.extend(frame.stamp(payload).map(|due| now.saturating_sub(due)));
                }
                return;
            }
            let Some(id) = frame.acknowledged() else { return };
            match frame.first {
                kind::PUBACK | kind::PUBCOMP => {
                    if let Some(publisher) = publisher {
                        let in_flight = &mut flow.publishers[publisher].in_flight;
                        *in_flight = in_flight.saturating_sub(1);
                    }
                }
                kind::PUBREC => out.extend(packets::ack(kind::PUBREL, id)),
                kind::PUBREL => out.extend(packets::ack(kind::PUBCOMP, id)),
                _ => {}
            }
        })?;
        if !self.links[link].out.is_empty() {
            self.touch(link);
        }
        Ok(())
    }
}

fn acknowledge(frame: Frame<'_>, out: &mut Vec<u8>) {
    match frame.delivered() {
        Some((1, id)) => out.extend(packets::ack(kind::PUBACK, id)),
        Some((2, id)) => out.extend(packets::ack(kind::PUBREC, id)),
        _ => {}
    }
}

/// CPU time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}
