//! Messages between two clients, and how long they take; processes to send them through.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

/// Time between two messages.
const PERIOD: Duration = Duration::from_millis(1);

/// What became of messages between two clients.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    /// How many milliseconds the slowest hundredth took.
    pub p99_ms: f64,
    /// How many did not arrive.
    #[allow(dead_code, reason = "not every benchmark looks at it")]
    pub missing: usize,
}

/// Sends a message each millisecond while `meanwhile` runs. One before them is not counted: it is what plugins are asked
/// about, and what they say of it holds for the rest.
pub fn traffic(process: &Process, user: Option<&str>, meanwhile: impl FnOnce()) -> Arrived {
    let (mut publisher, mut subscriber) = (process.client("publisher", user), process.client("subscriber", user));
    subscriber.write_all(b"\x82\x06\0\x01\0\x01t\0").unwrap();
    subscriber.read_exact(&mut [0; 5]).unwrap();
    publisher.write_all(&message(0)).unwrap();
    subscriber.read_exact(&mut [0; MESSAGE_BYTES]).unwrap();
    let (began, done) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    let ended = Arc::clone(&done);
    let publishing = thread::spawn(move || {
        for number in 0.. {
            let due = began + PERIOD * number;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // The last message says that it is the last.
            let last = ended.load(Ordering::Relaxed);
            let sent = if last { u64::MAX } else { began.elapsed().as_nanos() as u64 };
            publisher.write_all(&message(sent)).unwrap();
            if last {
                return number as usize;
            }
        }
        unreachable!("there is always another number")
    });
    let receiving = thread::spawn(move || {
        let mut latencies = Vec::new();
        loop {
            let mut message = [0; MESSAGE_BYTES];
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
    let sent = publishing.join().unwrap();
    let mut latencies = receiving.join().unwrap();
    latencies.sort();
    Arrived { p99_ms: latencies[latencies.len() * 99 / 100].as_secs_f64() * 1e3, missing: sent - latencies.len() }
}

const MESSAGE_BYTES: usize = 13;

/// A PUBLISH of QoS 0 to the topic `t` with a number.
fn message(number: u64) -> Vec<u8> {
    [b"\x30\x0b\0\x01t".as_slice(), &number.to_be_bytes()].concat()
}

/// The middle one.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A server that says where it listens. It is killed when this is dropped.
pub struct Process {
    child: Child,
    pub port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listening = lines.find(|line| line.contains("listening on")).unwrap();
        let port = listening.rsplit(':').next().unwrap().parse().unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines {
                let mut kept = kept.lock().unwrap();
                // The first ones say it all.
                if kept.len() < 10_000 {
                    kept.push(line);
                }
            }
        });
        Self { child, port, log }
    }

    /// The first lines of its log that contain a text.
    #[allow(dead_code, reason = "not every benchmark looks at it")]
    pub fn logged(&self, text: &str) -> Vec<String> {
        self.log.lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// How many MiB of memory it has in use.
    #[allow(dead_code, reason = "not every benchmark looks at it")]
    pub fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        kib.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    pub fn client(&self, client_id: &str, user: Option<&str>) -> TcpStream {
        self.client_at(Ipv4Addr::LOCALHOST, client_id, user)
    }

    /// A client that comes from another address of this machine.
    pub fn client_at(&self, address: Ipv4Addr, client_id: &str, user: Option<&str>) -> TcpStream {
        let mut stream = open_at(address, self.port);
        stream.write_all(&connect(client_id, user)).unwrap();
        assert_eq!(connack(&mut stream), 0, "refused");
        stream
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[allow(dead_code, reason = "not every benchmark uses it")]
pub fn open(port: u16) -> TcpStream {
    open_at(Ipv4Addr::LOCALHOST, port)
}

pub fn open_at(address: Ipv4Addr, port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// A CONNECT of MQTT 3.1.1, with a user's name and the password `password` or without.
pub fn connect(client_id: &str, user: Option<&str>) -> Vec<u8> {
    let mut body = b"\0\x04MQTT\x04".to_vec();
    body.extend([if user.is_some() { 0xc2 } else { 2 }, 0, 0]);
    for text in [client_id].into_iter().chain(user).chain(user.map(|_| "password")) {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    [&[0x10, body.len() as u8], body.as_slice()].concat()
}

/// The return code of the CONNACK that comes.
pub fn connack(stream: &mut TcpStream) -> u8 {
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).unwrap();
    connack[3]
}
