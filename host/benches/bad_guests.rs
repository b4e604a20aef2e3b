//! What plugins that misbehave do to the latency of messages that have nothing to do with them.
//!
//!     cargo bench -p amqtt --bench bad_guests                  # as released
//!     cargo bench -p amqtt --bench bad_guests --profile dev
//!
//! Beside messages between two clients others do what makes the plugin misbehave, with the plugin and, in turn, at another
//! broker without it. Prints for each misbehaviour what the log says first, what those clients see, and the 99th
//! percentile of the latency, the median of five runs each.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a benchmark ends where something fails")]

mod traffic;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use amqtt_tests::guests;
use traffic::{Process, connack, connect, latency, median, open};

const RUNS: usize = 5;

/// The most that a misbehaviour may raise the latency by.
const RATIO_MAX: f64 = 1.2;

/// How long one run takes.
const RUN: Duration = Duration::from_secs(2);

/// Time between two things that make the plugin misbehave.
const PROVOCATION: Duration = Duration::from_millis(20);

/// Hooks and what the plugin does in them.
const CASES: [(&str, &[&str]); 4] = [
    ("topic-check", &["spin", "trap", "recurse", "hog", "slow", "huge", "log-flood", "publish-storm"]),
    ("auth", &["spin", "trap", "hog"]),
    ("events", &["spin", "trap", "hog", "slow", "log-flood", "publish-storm"]),
    ("ticks", &["spin", "trap"]),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    println!("| guest | p99 without | p99 with | ratio (limit {RATIO_MAX}) | clients see | the log says first |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (hook, misbehaviours) in CASES {
        for does in misbehaviours {
            let name = format!("{does} in {hook}");
            if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted)) {
                report(&name, hook, does);
            }
        }
    }
}

fn report(name: &str, hook: &str, does: &str) {
    let folder = tempfile::tempdir().unwrap();
    let guest = format!(
        "auth_anonymous, {{guest_misbehaves: {{hook: {hook}, does: {does}, grants: {{publish: ['bad/storm']}}}}}}"
    );
    let (without, with) = (start_broker(folder.path(), "auth_anonymous"), start_broker(folder.path(), &guest));
    let (mut before, mut during, mut seen) = (Vec::new(), Vec::new(), Seen::default());
    for _ in 0..RUNS {
        before.push(run(&without, hook, &mut Seen::default()));
        during.push(run(&with, hook, &mut seen));
    }
    let ratio = median(during.iter().zip(&before).map(|(during, before)| during / before));
    let faults =
        with.logged("guest_misbehaves").into_iter().filter(|line| line.contains("ERROR") || line.contains("WARN"));
    let first = faults.map(|line| line.split_once("plugin").map_or(line.clone(), |(_, text)| format!("plugin{text}")));
    println!(
        "| {name} | {:.2} ms | {:.2} ms | {ratio:.2} | {} | {} |",
        median(before),
        median(during),
        seen.in_words(hook),
        first.take(1).collect::<String>().replace('|', "\\|"),
    );
}

/// What became of what clients did to make the plugin misbehave.
#[derive(Debug, Default)]
struct Seen {
    done: usize,
    answered: usize,
    refused: usize,
    delivered: usize,
}

impl Seen {
    fn in_words(&self, hook: &str) -> String {
        let Self { done, answered, refused, delivered } = self;
        if hook == "auth" {
            format!("of {done} logins {answered} answered, {refused} refused")
        } else {
            format!("of {done} messages {answered} acknowledged, {delivered} delivered")
        }
    }
}

/// The latency in milliseconds while clients make the plugin misbehave.
fn run(broker: &Process, hook: &str, seen: &mut Seen) -> f64 {
    latency(broker, None, || {
        let ends = Instant::now() + RUN;
        if hook == "auth" { log_in(broker, ends, seen) } else { publish(broker, ends, seen) }
    })
}

/// One login after the other, each on a connection of its own.
fn log_in(broker: &Process, ends: Instant, seen: &mut Seen) {
    let mut waiting = Vec::new();
    while Instant::now() < ends {
        let mut stream = open(broker.port);
        stream.write_all(&connect(&format!("bad-login-{}", seen.done), None)).unwrap();
        seen.done += 1;
        waiting.push(stream);
        thread::sleep(PROVOCATION);
    }
    for mut stream in waiting {
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        if stream.peek(&mut [0; 4]).is_ok_and(|bytes| bytes == 4) {
            seen.answered += 1;
            seen.refused += usize::from(connack(&mut stream) != 0);
        }
    }
}

/// One message of QoS 1 after the other, which another client is subscribed to.
fn publish(broker: &Process, ends: Instant, seen: &mut Seen) {
    let (mut publisher, mut subscriber) = (broker.client("bad-publisher", None), broker.client("bad-subscriber", None));
    subscriber.write_all(b"\x82\x0a\0\x01\0\x05bad/x\0").unwrap();
    subscriber.read_exact(&mut [0; 5]).unwrap();
    while Instant::now() < ends {
        publisher.write_all(b"\x32\x09\0\x05bad/x\0\x01").unwrap();
        seen.done += 1;
        thread::sleep(PROVOCATION);
    }
    seen.answered += packets(&mut publisher, 4);
    seen.delivered += packets(&mut subscriber, 9);
}

/// How many packets of so many bytes have come.
fn packets(stream: &mut TcpStream, bytes: usize) -> usize {
    stream.set_nonblocking(true).unwrap();
    let mut come = Vec::new();
    // Ends with what says that there is no more now.
    drop(stream.read_to_end(&mut come));
    come.len() / bytes
}

fn start_broker(folder: &Path, plugins: &str) -> Process {
    let config = folder.join("broker.yaml");
    let text = format!("listeners: {{default: {{bind: \"127.0.0.1:0\"}}}}\nplugins: [{plugins}]\n");
    std::fs::write(&config, text).unwrap();
    Process::start(Command::new(env!("CARGO_BIN_EXE_amqtt")).arg("-c").arg(config).args(["--plugin-dir", guests::DIR]))
}
