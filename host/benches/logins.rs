//! What many logins at once do to the latency of messages between clients that are connected.
//!
//!     cargo bench -p amqtt --bench logins                  # as released
//!     cargo bench -p amqtt --bench logins --profile dev    # plugins and other crates are optimised there too
//!
//! Prints the 99th percentile of the latency without and during the logins, the median of five runs each. Then the same
//! where the logins go to a process that lets everybody in without asking: what it shows is what clients of this number
//! cost the machine whatever the broker does, as they run on the same cores.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a benchmark ends where something fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const RUNS: usize = 5;

/// How many logins of how many rounds of sha-512 crypt, and the most that they may raise the latency by.
const CASES: [(usize, u32); 2] = [(500, 5_000), (20, 656_000)];
const RATIO_MAX: f64 = 2.0;

/// Time between two messages.
const PERIOD: Duration = Duration::from_millis(1);

/// How long the latency is measured without logins.
const QUIET: Duration = Duration::from_secs(3);

/// Set for the process that the logins of the comparison go to.
const OPEN_DOOR: &str = "AMQTT_BENCH_OPEN_DOOR";

fn main() {
    if std::env::var_os(OPEN_DOOR).is_some() {
        return let_everybody_in();
    }
    let folder = tempfile::tempdir().unwrap();
    for (logins, rounds) in CASES {
        let broker = Broker::start(folder.path(), rounds);
        let (door, to) = (OpenDoor::start(), format!("{logins} logins with {rounds} rounds"));
        for connections in [Connections::OpenBefore, Connections::OpenedMeanwhile] {
            let took = report(&broker, broker.port, logins, &to, connections, Duration::ZERO);
            report(&broker, door.port, logins, &format!("{logins} logins elsewhere"), connections, took);
        }
    }
}

/// Accepts connections on one thread and answers whatever comes on each with a CONNACK.
fn let_everybody_in() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    eprintln!("listening on {}", listener.local_addr().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut connect = [0; 256];
                while tokio::io::AsyncReadExt::read(&mut stream, &mut connect).await.is_ok_and(|bytes| bytes > 0) {
                    tokio::io::AsyncWriteExt::write_all(&mut stream, &[0x20, 2, 0, 0]).await.unwrap();
                }
            });
        }
    });
}

/// That process.
struct OpenDoor {
    child: Child,
    port: u16,
}

impl OpenDoor {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let mut child = child.env(OPEN_DOOR, "").stderr(Stdio::piped()).spawn().unwrap();
        let port = port_of(&mut child);
        Self { child, port }
    }
}

impl Drop for OpenDoor {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The port that a process says it listens on. What else it says is read and dropped.
fn port_of(child: &mut Child) -> u16 {
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let listening = log.find(|line| line.contains("listening on")).unwrap();
    thread::spawn(move || log.for_each(drop));
    listening.rsplit(':').next().unwrap().parse().unwrap()
}

/// Whether the time of the logins has that of opening their connections in it, which is other work than auth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connections {
    OpenBefore,
    OpenedMeanwhile,
}

/// Measures for `at_least` so long, and says how long the logins took.
fn report(
    broker: &Broker,
    port: u16,
    logins: usize,
    what: &str,
    connections: Connections,
    at_least: Duration,
) -> Duration {
    let runs: Vec<(f64, f64, f64)> = (0..RUNS).map(|_| run(broker, port, logins, connections, at_least)).collect();
    let median = |of: fn(&(f64, f64, f64)) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[RUNS / 2]
    };
    let ratio = median(|run| run.1 / run.0);
    println!(
        "{what}, {connections:?}: p99 {:.2} ms before, {:.2} ms during, ratio {ratio:.2} (limit {RATIO_MAX}); \
             all answered after {:.1} s; medians of {RUNS} runs",
        median(|run| run.0),
        median(|run| run.1),
        median(|run| run.2),
    );
    Duration::from_secs_f64(median(|run| run.2))
}

/// The 99th percentile of the latency in milliseconds before and during logins, and the seconds that these took.
fn run(broker: &Broker, port: u16, logins: usize, connections: Connections, at_least: Duration) -> (f64, f64, f64) {
    let quiet = latency(broker, || thread::sleep(QUIET));
    let mut took = Duration::ZERO;
    let open = || (0..logins).map(|_| open_connection(port)).collect::<Vec<_>>();
    let opened = (connections == Connections::OpenBefore).then(open);
    let busy = latency(broker, || {
        let mut clients = opened.unwrap_or_else(open);
        let began = Instant::now();
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(&connect(&format!("login-{number}"))).unwrap();
        }
        clients.iter_mut().for_each(accepted);
        took = began.elapsed();
        thread::sleep(at_least.saturating_sub(took));
    });
    (quiet, busy, took.as_secs_f64())
}

/// Sends a message each millisecond while `meanwhile` runs, and says how long the slowest hundredth took to arrive.
fn latency(broker: &Broker, meanwhile: impl FnOnce()) -> f64 {
    let (mut publisher, mut subscriber) = (broker.client("publisher"), broker.client("subscriber"));
    subscriber.write_all(b"\x82\x06\0\x01\0\x01t\0").unwrap();
    subscriber.read_exact(&mut [0; 5]).unwrap();
    let (began, done) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let ended = Arc::clone(&done);
    let publishing = thread::spawn(move || {
        for number in 0.. {
            let due = began + PERIOD * number;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // The last message says that it is the last.
            let last = ended.load(Ordering::Relaxed);
            let sent = if last { u64::MAX } else { began.elapsed().as_nanos() as u64 };
            publisher.write_all(&[b"\x30\x0b\0\x01t".as_slice(), &sent.to_be_bytes()].concat()).unwrap();
            if last {
                return;
            }
        }
    });
    let receiving = thread::spawn(move || {
        let mut latencies = Vec::new();
        loop {
            let mut message = [0; 13];
            subscriber.read_exact(&mut message).unwrap();
            let sent = u64::from_be_bytes(message[5..].try_into().unwrap());
            if sent == u64::MAX {
                return latencies;
            }
            latencies.push(began.elapsed().saturating_sub(Duration::from_nanos(sent)));
        }
    });
    meanwhile();
    done.store(true, Ordering::Relaxed);
    publishing.join().unwrap();
    let mut latencies = receiving.join().unwrap();
    latencies.sort();
    latencies[latencies.len() * 99 / 100].as_secs_f64() * 1e3
}

struct Broker {
    child: Child,
    port: u16,
}

impl Broker {
    fn start(folder: &Path, rounds: u32) -> Self {
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
        let mut child = amqtt().arg("-c").arg(config).stderr(Stdio::piped()).spawn().unwrap();
        let port = port_of(&mut child);
        Self { child, port }
    }

    fn client(&self, client_id: &str) -> TcpStream {
        let mut stream = open_connection(self.port);
        stream.write_all(&connect(client_id)).unwrap();
        accepted(&mut stream);
        stream
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn open_connection(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// A CONNECT of MQTT 3.1.1 with the user's name and password.
fn connect(client_id: &str) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x04\xc2\0\0".to_vec();
    for text in [client_id, "user", "password"] {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    [&[0x10, body.len() as u8], body.as_slice()].concat()
}

fn accepted(stream: &mut TcpStream) {
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).unwrap();
    assert_eq!(connack, [0x20, 2, 0, 0], "refused");
}
