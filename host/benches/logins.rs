//! What many logins at once do to the latency of messages between clients that are connected.
//!
//!     cargo bench -p amqtt --bench logins                  # as released
//!     cargo bench -p amqtt --bench logins --profile dev    # plugins and other crates are optimised there too
//!
//! Prints the 99th percentile of the latency without and during the logins, the median of five runs each: of clients that
//! compete with the broker for its cores, and of clients that leave these at once to whoever wants them, as those that are
//! on other machines do. On Linux, what differs between the two is the kernel's: a thread that wakes up on the core of one
//! that is busy may wait for a whole tick, 4 ms with `CONFIG_HZ=250`.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a benchmark ends where something fails")]

mod traffic;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use traffic::{Process, connack, connect, median, open, traffic};

const RUNS: usize = 5;

/// How many logins of how many rounds of sha-512 crypt, and the most that they may raise the latency by.
const CASES: [(usize, u32); 2] = [(500, 5_000), (20, 656_000)];
const RATIO_MAX: f64 = 2.0;

/// How long the latency is measured without logins.
const QUIET: Duration = Duration::from_secs(3);

const USER: Option<&str> = Some("user");

fn main() {
    let folder = tempfile::tempdir().unwrap();
    for (logins, rounds) in CASES {
        let broker = start_broker(folder.path(), rounds);
        for connections in [Connections::OpenBefore, Connections::OpenedMeanwhile] {
            let left_to_others = cfg!(target_os = "linux").then_some(Cores::LeftToOthers);
            for cores in left_to_others.into_iter().chain([Cores::CompetedFor]) {
                report(&broker, Storm { logins, connections, cores }, rounds);
            }
        }
    }
}

/// Logins at once.
#[derive(Debug, Clone, Copy)]
struct Storm {
    logins: usize,
    connections: Connections,
    cores: Cores,
}

/// Whether the time of the logins has that of opening their connections in it, which is other work than auth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connections {
    OpenBefore,
    OpenedMeanwhile,
}

/// What the clients that log in do with the cores of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cores {
    LeftToOthers,
    CompetedFor,
}

fn report(broker: &Process, storm: Storm, rounds: u32) {
    let runs: Vec<(f64, f64, f64)> = (0..RUNS).map(|_| run(broker, storm)).collect();
    let median = |of: fn(&(f64, f64, f64)) -> f64| median(runs.iter().map(of));
    println!(
        "{} logins with {rounds} rounds, {:?}, cores {:?}: p99 {:.2} ms before, {:.2} ms during, ratio {:.2} (limit \
         {RATIO_MAX}); all answered after {:.1} s; medians of {RUNS} runs",
        storm.logins,
        storm.connections,
        storm.cores,
        median(|run| run.0),
        median(|run| run.1),
        median(|run| run.1 / run.0),
        median(|run| run.2),
    );
}

/// The 99th percentile of the latency in milliseconds before and during logins, and the seconds that these took.
fn run(broker: &Process, storm: Storm) -> (f64, f64, f64) {
    let port = broker.port;
    let quiet = traffic(broker, USER, || thread::sleep(QUIET));
    let open_all = move || (0..storm.logins).map(|_| open(port)).collect::<Vec<_>>();
    let opened = (storm.connections == Connections::OpenBefore).then(open_all);
    let mut took = Duration::ZERO;
    let busy = traffic(broker, USER, || {
        // On a thread of its own: one that gives way does so for good.
        let storming = thread::spawn(move || {
            if storm.cores == Cores::LeftToOthers {
                give_way();
            }
            let mut clients = opened.unwrap_or_else(open_all);
            let began = Instant::now();
            for (number, client) in clients.iter_mut().enumerate() {
                client.write_all(&connect(&format!("login-{number}"), USER)).unwrap();
            }
            clients.iter_mut().for_each(|client| assert_eq!(connack(client), 0, "refused"));
            began.elapsed()
        });
        took = storming.join().unwrap();
    });
    (quiet.p99_ms, busy.p99_ms, took.as_secs_f64())
}

/// Leaves the core to whoever else wants it (`SCHED_IDLE` of sched(7)).
#[cfg(target_os = "linux")]
fn give_way() {
    use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy};
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // Sets the policy, and fails then at the priority, which has no meaning with it.
    drop(set_thread_priority_and_policy(
        thread_priority::thread_native_id(),
        thread_priority::ThreadPriority::Min,
        policy,
    ));
    assert_eq!(thread_priority::thread_schedule_policy().unwrap(), policy);
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}

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
