//! WASI 0.2 for plugins that import it, with nothing behind it: no files, no network, no environment, no arguments.
//!
//! Many languages' components import WASI whether they use it or not. What is left of it: clocks, random numbers, and
//! standard output and standard error, which go to the log. It belongs to threads outside of tokio: it waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime::{Error, Result};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::bindings::io::poll as asynchronous;
use wasmtime_wasi::p2::bindings::sync::io::poll;
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamResult};
use wasmtime_wasi::runtime::in_tokio;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, async_trait};

use super::state::{State, TimedOut};
use crate::hooks::capabilities::{Capabilities, LogLevel};
use crate::hooks::limits::{LOG_MESSAGE_BYTES_MAX, WASI_RANDOM_BYTES_MAX, WASI_RESOURCES_MAX, WASI_WRITE_BYTES_MAX};

/// The packages of WASI 0.2 that are offered.
const PACKAGES: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// Whether a package of this version is there.
pub(super) fn offers(package: &str, version: Option<&str>) -> bool {
    PACKAGES.contains(&package) && version.is_some_and(|version| version.starts_with("0.2."))
}

/// Offers WASI to a plugin.
pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    // Waiting is bounded here, and has no bound there.
    linker.allow_shadowing(true);
    poll::add_to_linker::<State, HasWaiting>(linker, |state| Waiting(state))?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What WASI keeps of one instance.
pub(super) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    quiet: Arc<AtomicBool>,
}

impl Wasi {
    /// A quiet one writes nothing to the log until [`Wasi::speak`].
    pub(super) fn new(capabilities: &Arc<Capabilities>, quiet: bool) -> Self {
        let quiet = Arc::new(AtomicBool::new(quiet));
        let output = |level| LogStream {
            lines: Arc::new(Lines {
                capabilities: Arc::clone(capabilities),
                level,
                quiet: Arc::clone(&quiet),
                begun: Mutex::default(),
            }),
        };
        let context = WasiCtx::builder()
            .stdout(output(LogLevel::INFO))
            .stderr(output(LogLevel::WARN))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(WASI_RANDOM_BYTES_MAX)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(WASI_RESOURCES_MAX);
        Self { context, table, quiet }
    }

    /// From now on, what it writes goes to the log.
    pub(super) fn speak(&self) {
        self.quiet.store(false, Ordering::Relaxed);
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.as_mut().expect("a state has it where `link` was called");
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// Waits for what a plugin wants to wait for, for no longer than the running call may take.
struct Waiting<'a>(&'a mut State);

struct HasWaiting;

impl HasData for HasWaiting {
    type Data<'a> = Waiting<'a>;
}

impl Waiting<'_> {
    /// Lets something wait, and counts the time.
    fn wait<R>(&mut self, what: impl AsyncFnOnce(&mut ResourceTable) -> Result<R>) -> Result<R> {
        let (left, limit) = self.0.deadline.waiting_left();
        let began = Instant::now();
        let table = self.0.ctx().table;
        let done = in_tokio(async { tokio::time::timeout(left, what(table)).await });
        self.0.deadline.waited(began.elapsed());
        done.unwrap_or_else(|_| Err(Error::new(TimedOut(limit))))
    }
}

impl poll::Host for Waiting<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        self.wait(async |table| asynchronous::Host::poll(table, pollables).await)
    }
}

impl poll::HostPollable for Waiting<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> Result<bool> {
        self.wait(async |table| asynchronous::HostPollable::ready(table, pollable).await)
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        self.wait(async |table| asynchronous::HostPollable::block(table, pollable).await)
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        asynchronous::HostPollable::drop(self.0.ctx().table, pollable)
    }
}

/// Standard output or standard error: lines of it go to the log under the plugin's name.
#[derive(Clone)]
struct LogStream {
    lines: Arc<Lines>,
}

struct Lines {
    capabilities: Arc<Capabilities>,
    level: LogLevel,
    quiet: Arc<AtomicBool>,
    /// A line whose end has not come.
    begun: Mutex<Vec<u8>>,
}

impl Lines {
    fn write(&self, mut bytes: &[u8]) {
        let mut begun = self.begun.lock();
        while !bytes.is_empty() {
            let room = &bytes[..bytes.len().min(LOG_MESSAGE_BYTES_MAX - begun.len())];
            let end = room.iter().position(|byte| *byte == b'\n');
            begun.extend_from_slice(&room[..end.unwrap_or(room.len())]);
            bytes = &bytes[end.map_or(room.len(), |end| end + 1)..];
            if end.is_some() || begun.len() == LOG_MESSAGE_BYTES_MAX {
                self.tell(&begun);
                begun.clear();
            }
        }
    }

    fn tell(&self, line: &[u8]) {
        if !self.quiet.load(Ordering::Relaxed) {
            self.capabilities.log.write(self.level, String::from_utf8_lossy(line).trim_end(), None);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let begun = std::mem::take(self.begun.get_mut());
        if !begun.is_empty() {
            self.tell(&begun);
        }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only other versions of WASI ask for it, and they are not offered.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.lines.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WASI_WRITE_BYTES_MAX)
    }
}

/// The status that a plugin called `exit` with, if that is what ended the call.
pub(super) fn exit_status(error: &Error) -> Option<i32> {
    error.downcast_ref::<wasmtime_wasi::I32Exit>().map(|exit| exit.0)
}

impl super::state::Deadline {
    /// How long the call may still wait, and how long it could have waited altogether.
    fn waiting_left(&self) -> (Duration, Duration) {
        (self.limit.saturating_sub(self.waited), self.limit)
    }

    fn waited(&mut self, time: Duration) {
        self.waited += time;
    }
}
