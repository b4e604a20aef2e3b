//! An ordinary plugin that does what programs do: it prints, and looks what there is of a system. Built for
//! `wasm32-wasip2`, which has one; also for `wasm32-unknown-unknown` like the others, where there is none.

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Instant, SystemTime};
use std::{env, fs, process};

use amqtt_plugin_sdk::{Auth, Client, Decision, NoSettings, Plugin, plugin};

struct LooksAround;

impl Plugin for LooksAround {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        println!("wakes up");
        Ok(LooksAround)
    }
}

impl Auth for LooksAround {
    /// Lets in who finds the system as it should be.
    #[expect(clippy::panic, reason = "to see what becomes of it")]
    fn authenticate(&mut self, _: &Client, username: Option<&str>, _: Option<&[u8]>) -> Decision {
        let fine = match username {
            Some("clocks") => clocks(),
            Some("random") => random() != random(),
            Some("environment") => env::vars().count() == 0 && env::args().count() == 0,
            Some("files") => files(),
            Some("sockets") => sockets(),
            Some("exit") => process::exit(3),
            Some("panic") => panic!("on purpose"),
            _ => false,
        };
        eprintln!("was asked about {username:?}: {fine}");
        if fine { Decision::Allow } else { Decision::Deny }
    }
}

fn clocks() -> bool {
    let began = Instant::now();
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_1970.as_secs() > 1_700_000_000 && Instant::now() >= began
}

/// What keys of hash maps are begun with is random.
fn random() -> u64 {
    use std::hash::BuildHasher;
    HashMap::<(), ()>::new().hasher().hash_one(0)
}

/// Whether there are none.
fn files() -> bool {
    fs::read("/etc/passwd").is_err()
        && fs::read_dir("/").is_err()
        && fs::read_dir(".").is_err()
        && fs::write("here", "").is_err()
        && fs::write("/tmp/here", "").is_err()
}

/// Whether there are none.
fn sockets() -> bool {
    TcpStream::connect("127.0.0.1:1883").is_err()
        && TcpListener::bind("127.0.0.1:0").is_err()
        && UdpSocket::bind("127.0.0.1:0").is_err()
        && "localhost:1883".to_socket_addrs().is_err()
}

plugin!(LooksAround: Auth);
