//! What many logins at once do to the latency of messages between clients that are connected.
//!
//!     cargo bench -p amqtt --bench logins                  # as released
//!     cargo bench -p amqtt --bench logins --profile dev    # plugins and other crates are optimised there too
//!
//! Prints the 99th percentile of the latency without and during the logins, the median of five runs each. Then the same
//! where the logins go to a process that lets everybody in without asking: what it shows is what clients of this number
//! cost the machine whatever the broker does, as they run on the same cores.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a benchmark ends where something fails")]

mod traffic;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use traffic::{Process, connack, connect, median, open, traffic};

const RUNS: usize = 5;

/// How many logins of how many rounds of sha-512 crypt, and the most that they may raise the latency by.
const CASES: [(usize, u32); 2] = [(500, 5_000), (20, 656_000)];
const RATIO_MAX: f64 = 2.0;

/// How long the latency is measured without logins.
const QUIET: Duration = Duration::from_secs(3);

const USER: Option<&str> = Some("user");

/// Set for the process that the logins of the comparison go to.
const OPEN_DOOR: &str = "AMQTT_BENCH_OPEN_DOOR";

fn main() {
    if std::env::var_os(OPEN_DOOR).is_some() {
        return let_everybody_in();
    }
    let folder = tempfile::tempdir().unwrap();
    let door = Process::start(Command::new(std::env::current_exe().unwrap()).env(OPEN_DOOR, ""));
    for (logins, rounds) in CASES {
        let broker = start_broker(folder.path(), rounds);
        for connections in [Connections::OpenBefore, Connections::OpenedMeanwhile] {
            let here = Storm { logins, connections, port: broker.port, at_least: Duration::ZERO };
            let took = report(&broker, &here, &format!("{logins} logins with {rounds} rounds"));
            report(&broker, &Storm { port: door.port, at_least: took, ..here }, &format!("{logins} logins elsewhere"));
        }
    }
}

/// Accepts connections on one thread and answers whatever comes on each with a CONNACK.
fn let_everybody_in() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        eprintln!("listening on {}", listener.local_addr().unwrap());
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                while stream.read(&mut [0; 256]).await.is_ok_and(|bytes| bytes > 0) {
                    stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
                }
            });
        }
    });
}

/// Logins at once.
#[derive(Debug, Clone, Copy)]
struct Storm {
    logins: usize,
    connections: Connections,
    /// Where they go.
    port: u16,
    /// How long the latency is measured, if the logins are through sooner.
    at_least: Duration,
}

/// Whether the time of the logins has that of opening their connections in it, which is other work than auth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connections {
    OpenBefore,
    OpenedMeanwhile,
}

/// Says how long the logins took.
fn report(broker: &Process, storm: &Storm, what: &str) -> Duration {
    let runs: Vec<(f64, f64, f64)> = (0..RUNS).map(|_| run(broker, storm)).collect();
    let median = |of: fn(&(f64, f64, f64)) -> f64| median(runs.iter().map(of));
    println!(
        "{what}, {:?}: p99 {:.2} ms before, {:.2} ms during, ratio {:.2} (limit {RATIO_MAX}); all answered after {:.1} s; \
         medians of {RUNS} runs",
        storm.connections,
        median(|run| run.0),
        median(|run| run.1),
        median(|run| run.1 / run.0),
        median(|run| run.2),
    );
    Duration::from_secs_f64(median(|run| run.2))
}

/// The 99th percentile of the latency in milliseconds before and during logins, and the seconds that these took.
fn run(broker: &Process, storm: &Storm) -> (f64, f64, f64) {
    let quiet = traffic(broker, USER, || thread::sleep(QUIET));
    let mut took = Duration::ZERO;
    let open_all = || (0..storm.logins).map(|_| open(storm.port)).collect::<Vec<_>>();
    let opened = (storm.connections == Connections::OpenBefore).then(open_all);
    let busy = traffic(broker, USER, || {
        let mut clients = opened.unwrap_or_else(open_all);
        let began = Instant::now();
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(&connect(&format!("login-{number}"), USER)).unwrap();
        }
        clients.iter_mut().for_each(|client| assert_eq!(connack(client), 0, "refused"));
        took = began.elapsed();
        thread::sleep(storm.at_least.saturating_sub(took));
    });
    (quiet.p99_ms, busy.p99_ms, took.as_secs_f64())
}

fn start_broker(folder: &Path, rounds: u32) -> Process {
    let amqtt = || Command::new(env!("CARGO_BIN_EXE_amqtt"));
    let passwords = folder.join(format!("passwords-{rounds}"));
    let mut passwd = amqtt();
    passwd.args(["passwd", "--rounds", &rounds.to_string()]).arg(&passwords).arg("user").stdin(Stdio::piped());
    let mut passwd = passwd.spawn().unwrap();
    passwd.stdin.take().unwrap().write_all(b"password\n").unwrap();
    assert!(passwd.wait().unwrap().success());
    let config = folder.join("broker.yaml");
    let text = format!(
        "listeners: {{default: {{bind: \"127.0.0.1:0\"}}}}\nplugins: [auth_file]\nauth: {{password-file: '{}'}}\n",
        passwords.display()
    );
    std::fs::write(&config, text).unwrap();
    Process::start(amqtt().arg("-c").arg(config))
}
