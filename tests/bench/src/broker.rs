//! A broker that runs: started, looked at from outside, killed in the end.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;

use crate::link::{Link, READ_BYTES};
use crate::packets::{Version, kind};
use crate::peer::{CERTIFICATE, KEY, Peer, Purpose};
use crate::stream::{Address, Carrier};

/// How long a broker may take to listen.
const START: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Broker {
    child: Child,
    pub(crate) address: Address,
    /// Its configuration and log.
    dir: TempDir,
}

impl Broker {
    /// Starts `peer` on `cpus`, a list as `taskset` takes it, and waits until it accepts a client.
    pub(crate) fn start(peer: &Peer, version: Version, carrier: Carrier, cpus: Option<&str>) -> Result<Self> {
        let dir = TempDir::new().context("cannot make a folder")?;
        let tls = (carrier == Carrier::Tls).then(|| certificate(dir.path())).transpose()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = peer.command(dir.path(), Purpose { version, carrier, port })?;
        if let Some(cpus) = cpus {
            let mut pinned = Command::new("taskset");
            pinned.args(["-c", cpus]).arg(command.get_program()).args(command.get_args());
            command = pinned;
        }
        let log = File::create(dir.path().join("log"))?;
        let child = command
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let mut broker = Self { child, address: Address { port, carrier, tls }, dir };
        broker.wait_until_it_listens(version).with_context(|| format!("{} does not start", peer.name))?;
        Ok(broker)
    }

    fn wait_until_it_listens(&mut self, version: Version) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let tried = Link::open(&self.address, version, "bench-start").and_then(|mut link| {
                link.wait_for(kind::CONNACK, version, &mut vec![0; READ_BYTES])?;
                link.close();
                Ok(())
            });
            let Err(error) = tried else { return Ok(()) };
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}: {}", self.end_of_log());
            }
            if Instant::now() > deadline {
                return Err(error.context(format!("it does not listen: {}", self.end_of_log())));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The CPU time of all its threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let mut nanos = 0;
        for task in fs::read_dir(&tasks).with_context(|| format!("cannot read `{tasks}`: the broker has ended"))? {
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanos +=
                text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).context("schedstat has no number")?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// The CPU time of a broker that has done all it had to.
    pub(crate) fn settled(&self) -> Result<Duration> {
        let mut before = self.cpu()?;
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(20));
            let now = self.cpu()?;
            if now - before < Duration::from_micros(500) {
                return Ok(now);
            }
            before = now;
        }
        Ok(before)
    }

    /// Bytes of memory that it has at the moment.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("the broker has ended")?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("its status has no VmRSS")?;
        let kib: u64 = line.split_whitespace().nth(1).unwrap_or_default().parse().context("VmRSS is no number")?;
        Ok(kib << 10)
    }

    /// What it has printed.
    pub(crate) fn log(&self) -> Result<String> {
        let log = fs::read(self.dir.path().join("log")).context("cannot read the broker's log")?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    /// The end of what it has printed, for a message.
    pub(crate) fn end_of_log(&self) -> String {
        let log = self.log().unwrap_or_default();
        log[log.ceil_char_boundary(log.len().saturating_sub(2000))..].to_owned()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes a certificate in `dir`: what trusts it.
fn certificate(dir: &Path) -> Result<Arc<ClientConfig>> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    fs::write(dir.join(CERTIFICATE), made.cert.pem())?;
    fs::write(dir.join(KEY), made.signing_key.serialize_pem())?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone())?;
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}
