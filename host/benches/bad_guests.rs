//! What plugins that misbehave do to messages that have nothing to do with them.
//!
//!     cargo bench -p amqtt --bench bad_guests                       # as released
//!     cargo bench -p amqtt --bench bad_guests --profile dev
//!     cargo bench -p amqtt --bench bad_guests -- spin 'slow in'     # those whose names contain a text
//!
//! Beside messages between two clients others, from another address, do what makes the plugin misbehave, with the plugin
//! and, in turn, at another broker without it. Prints for each misbehaviour
//!
//! - the 99th percentile of the latency without and with it, medians of five runs each, and messages that are missing; the
//!   first row has that without a plugin, beside another process that takes what time nobody else wants;
//! - what became of the requests that made it misbehave, in all five runs;
//! - how soon after that a new client from a third address gets in and has a message through about which the plugin is
//!   asked: within a second, most of which `auth` waits where a plugin has failed in it several times;
//! - the counters in `$SYS` that are not zero, how much memory the broker has more than before, and what the log says first.
//!
//! `tests/bench/RESULTS.md` has what it found.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a benchmark ends where something fails")]

mod traffic;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use amqtt_tests::guests;
use traffic::{Process, connect, median, open_at, traffic};

const RUNS: usize = 5;

/// The most that a misbehaviour may raise the latency by.
const RATIO_MAX: f64 = 1.2;

/// How long one run takes.
const RUN: Duration = Duration::from_secs(2);

/// Time between two things that make the plugin misbehave.
const PROVOCATION: Duration = Duration::from_millis(20);

/// How long counters are waited for: they come each second.
const COUNTERS: Duration = Duration::from_millis(2_200);

/// Where those come from that make the plugin misbehave: whatever makes a plugin fail slows its address down.
const PROVOKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Where another client comes from afterwards.
const NEWCOMER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Hooks and what the plugin does in them.
const CASES: [(&str, &[&str]); 4] = [
    ("topic-check", &["spin", "trap", "recurse", "hog", "slow", "huge", "log-flood", "publish-storm"]),
    ("auth", &["spin", "trap", "hog"]),
    ("events", &["spin", "trap", "hog", "slow", "log-flood", "publish-storm"]),
    ("ticks", &["spin", "trap"]),
];

/// Rows without any: how much of its time, in milliseconds, another process takes at `SCHED_IDLE`. The second is what the
/// guest that is slow takes.
const FLOORS: [(&str, [u32; 2]); 2] = [
    ("none, another process uses a core at `SCHED_IDLE`", [20, 20]),
    ("none, another process uses a core at `SCHED_IDLE` for 9 ms of each 20", [9, 20]),
];

/// Counters that tell of plugins.
const COUNTED: [&str; 8] = [
    "plugin-faults/guest_misbehaves",
    "plugin-log-lines-dropped/guest_misbehaves",
    "plugin-publishes-refused/guest_misbehaves",
    "events-dropped",
    "topic-checks-aside",
    "addresses-slowed",
    "auth-turned-away",
    "auth-asked-again",
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    println!(
        "| guest | p99 without, ms | with, ms | ratio (limit {RATIO_MAX}) | missing | clients see | another client after | \
         in `$SYS` | MiB more | the log says first |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | --- | ---: | --- | ---: | --- |");
    for (name, share) in FLOORS {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted)) {
            report_floor(name, share);
        }
    }
    for (hook, misbehaviours) in CASES {
        for does in misbehaviours {
            let name = format!("{does} in {hook}");
            if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted)) {
                report(&name, hook, does);
            }
        }
    }
}

/// What the machine does to the latency where no plugin misbehaves, and another process uses the time that nobody else
/// wants, as a plugin that is slow within its limits does.
fn report_floor(name: &str, [busy, of]: [u32; 2]) {
    let burn = format!(
        "import time\nwhile True:\n  began = time.monotonic()\n  while time.monotonic() - began < {busy}e-3: pass\n  \
         time.sleep(max(0, began + {of}e-3 - time.monotonic()))"
    );
    let folder = tempfile::tempdir().unwrap();
    let broker = start_broker(folder.path(), "auth_anonymous, broker_sys");
    let pause = || thread::sleep(RUN);
    let ratios = (0..RUNS).map(|_| {
        let before = traffic(&broker, None, pause).p99_ms;
        let mut other = Command::new("chrt").args(["--idle", "0", "python3", "-c", &burn]).spawn().unwrap();
        let during = traffic(&broker, None, pause).p99_ms;
        other.kill().unwrap();
        other.wait().unwrap();
        (before, during, during / before)
    });
    let ratios: Vec<_> = ratios.collect();
    let of = |part: fn(&(f64, f64, f64)) -> f64| median(ratios.iter().map(part));
    println!("| {name} | {:.2} | {:.2} | {:.2} | | | | | | |", of(|run| run.0), of(|run| run.1), of(|run| run.2));
}

fn report(name: &str, hook: &str, does: &str) {
    let folder = tempfile::tempdir().unwrap();
    let guest = format!(
        "auth_anonymous, broker_sys, {{guest_misbehaves: {{hook: {hook}, does: {does}, grants: {{publish: ['bad/storm']}}}}}}"
    );
    let without = start_broker(folder.path(), "auth_anonymous, broker_sys");
    let with = start_broker(folder.path(), &guest);
    let [mut provoking_without, mut provoking] = [&without, &with].map(Provoker::connect);
    let (mut before, mut during, mut missing) = (Vec::new(), Vec::new(), 0);
    let resident = with.resident_mib();
    for _ in 0..RUNS {
        before.push(traffic(&without, None, || provoking_without.go_on(hook)).p99_ms);
        let arrived = traffic(&with, None, || provoking.go_on(hook));
        during.push(arrived.p99_ms);
        missing += arrived.missing;
    }
    let again = serve_another(&with);
    let ratio = median(during.iter().zip(&before).map(|(during, before)| during / before));
    println!(
        "| {name} | {:.2} | {:.2} | {ratio:.2} | {missing} | {} | {:.0} ms | {} | {:.1} | {} |",
        median(before),
        median(during),
        provoking.seen(hook),
        again.as_secs_f64() * 1e3,
        counters(&with),
        with.resident_mib() - resident,
        first_said(&with),
    );
}

/// What the log says first of the plugin, from its name on.
fn first_said(broker: &Process) -> String {
    let lines = broker.logged("guest_misbehaves");
    let said = lines.iter().find(|line| line.contains("ERROR") || line.contains("WARN"));
    let text = said.and_then(|line| line.split_once("plugin")).map_or("", |(_, text)| text);
    if text.is_empty() { String::new() } else { format!("plugin{text}").replace('|', "\\|") }
}

/// Clients that make the plugin misbehave.
struct Provoker<'a> {
    broker: &'a Process,
    publisher: TcpStream,
    subscriber: TcpStream,
    logins: Vec<TcpStream>,
    published: usize,
}

impl<'a> Provoker<'a> {
    fn connect(broker: &'a Process) -> Self {
        let client = |name| broker.client_at(PROVOKER, name, None);
        let (publisher, mut subscriber) = (client("bad-publisher"), client("bad-subscriber"));
        subscribe(&mut subscriber, "bad/x");
        Self { broker, publisher, subscriber, logins: Vec::new(), published: 0 }
    }

    /// For the time of one run: logins, each on a connection of its own, or messages of QoS 1.
    fn go_on(&mut self, hook: &str) {
        let ends = Instant::now() + RUN;
        while Instant::now() < ends {
            if hook == "auth" {
                let mut stream = open_at(PROVOKER, self.broker.port);
                stream.write_all(&connect(&format!("bad-login-{}", self.logins.len()), None)).unwrap();
                self.logins.push(stream);
            } else {
                self.publisher.write_all(b"\x32\x09\0\x05bad/x\0\x01").unwrap();
                self.published += 1;
            }
            thread::sleep(PROVOCATION);
        }
    }

    /// What became of all that by now.
    fn seen(&mut self, hook: &str) -> String {
        if hook == "auth" {
            let connacks = self.logins.iter_mut().map(come).filter(|bytes| bytes.len() == 4);
            let codes: Vec<u8> = connacks.map(|connack| connack[3]).collect();
            let refused = codes.iter().filter(|code| **code != 0).count();
            format!("of {} logins {} answered, {refused} of them refused", self.logins.len(), codes.len())
        } else {
            let (acknowledged, delivered) = (packets(&mut self.publisher, 4), packets(&mut self.subscriber, 9));
            format!("of {} messages {acknowledged} acknowledged, {delivered} delivered", self.published)
        }
    }
}

fn subscribe(stream: &mut TcpStream, filter: &str) {
    let length = filter.len() as u8;
    let header = [0x82, length + 5, 0, 1, 0, length];
    stream.write_all(&[&header, filter.as_bytes(), &[0]].concat()).unwrap();
    stream.read_exact(&mut [0; 5]).unwrap();
}

/// How many packets of so many bytes have come.
fn packets(stream: &mut TcpStream, bytes: usize) -> usize {
    come(stream).len() / bytes
}

fn come(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_nonblocking(true).unwrap();
    let mut come = Vec::new();
    // Ends with what says that there is no more now.
    drop(stream.read_to_end(&mut come));
    come
}

/// How long a client that was not there before takes to get in, and to get a message about which nothing is known yet.
fn serve_another(broker: &Process) -> Duration {
    let began = Instant::now();
    let mut client = broker.client_at(NEWCOMER, "newcomer", None);
    subscribe(&mut client, "new");
    client.write_all(b"\x30\x06\0\x03newx").unwrap();
    client.read_exact(&mut [0; 8]).unwrap();
    began.elapsed()
}

/// What counters in `$SYS` tell of plugins.
fn counters(broker: &Process) -> String {
    const PREFIX: &str = "$SYS/broker/counters/";
    let mut client = broker.client("counters", None);
    subscribe(&mut client, &format!("{PREFIX}#"));
    thread::sleep(COUNTERS);
    let (bytes, mut counters) = (come(&mut client), BTreeMap::new());
    let mut rest = bytes.as_slice();
    // None of them has a length of more than one byte.
    while let [_, length, body @ ..] = rest {
        let (message, after) = body.split_at(usize::from(*length));
        let (topic, value) = message[2..].split_at(usize::from(message[1]));
        counters.insert(
            String::from_utf8_lossy(topic).trim_start_matches(PREFIX).to_owned(),
            String::from_utf8_lossy(value).into_owned(),
        );
        rest = after;
    }
    let told = COUNTED.iter().filter_map(|name| Some((name, counters.get(*name).filter(|value| *value != "0")?)));
    told.map(|(name, value)| format!("{} {value}", name.trim_end_matches("/guest_misbehaves")))
        .collect::<Vec<_>>()
        .join(", ")
}

fn start_broker(folder: &Path, plugins: &str) -> Process {
    let config = folder.join("broker.yaml");
    let text = format!("listeners: {{default: {{bind: \"127.0.0.1:0\"}}}}\nsys-interval: 1\nplugins: [{plugins}]\n");
    std::fs::write(&config, text).unwrap();
    Process::start(Command::new(env!("CARGO_BIN_EXE_amqtt")).arg("-c").arg(config).args(["--plugin-dir", guests::DIR]))
}
