//! One client of the load: its stream, what goes out, and what has come in part.

use std::io;

use anyhow::{Context, Result, bail, ensure};

use crate::packets::{self, DISCONNECT, Frame, Version, frame, kind};
use crate::rights;
use crate::stream::{Address, Stream};

/// Bytes that one read takes at most. All links share one such buffer.
pub(crate) const READ_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: Stream,
    /// Encoded packets; those before `written` are gone.
    pub(crate) out: Vec<u8>,
    written: usize,
    /// The start of a packet whose end has not come.
    rest: Vec<u8>,
}

impl Link {
    /// Connects, and sends the CONNECT of a client of the load.
    pub(crate) fn open(address: &Address, version: Version, client_id: &str) -> Result<Self> {
        Self::open_as(address, version, client_id, rights::USER)
    }

    /// The same as another user.
    pub(crate) fn open_as(address: &Address, version: Version, client_id: &str, username: &str) -> Result<Self> {
        let stream = Stream::connect(address)?;
        let out = packets::connect(version, client_id, username);
        let mut link = Self { stream, out, written: 0, rest: Vec::new() };
        link.flush()?;
        Ok(link)
    }

    /// Writes as much as there is room for: whether that is all.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while self.written < self.out.len() || self.stream.holds_back() {
            let written = self.stream.write(&self.out[self.written..])?;
            self.written += written;
            if written == 0 {
                break;
            }
        }
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        Ok(self.out.is_empty() && !self.stream.holds_back())
    }

    /// Reads what is there, and hands on each whole packet with `out`, for answers.
    pub(crate) fn read(&mut self, buffer: &mut [u8], mut take: impl FnMut(Frame<'_>, &mut Vec<u8>)) -> io::Result<()> {
        loop {
            let kept = self.rest.len();
            buffer[..kept].copy_from_slice(&self.rest);
            let (length, more) = self.stream.read(&mut buffer[kept..])?;
            let mut bytes = &buffer[..kept + length];
            while let Some((frame, whole)) = frame(bytes) {
                take(frame, &mut self.out);
                bytes = &bytes[whole..];
            }
            if bytes.len() == buffer.len() {
                return Err(io::Error::other("a packet is larger than all that is sent here"));
            }
            if length > 0 {
                self.rest.clear();
                self.rest.extend_from_slice(bytes);
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Waits for a CONNACK or SUBACK that accepts; blocks, and is for what comes before the clock runs.
    pub(crate) fn wait_for(&mut self, wanted: u8, version: Version, buffer: &mut [u8]) -> Result<()> {
        let name = if wanted == kind::CONNACK { "CONNACK" } else { "SUBACK" };
        let mut answer = None;
        while answer.is_none() {
            let for_room = !self.flush()?;
            wait(&self.stream, for_room).with_context(|| format!("no {name}"))?;
            self.read(buffer, |frame, _| {
                if frame.first == wanted {
                    answer = Some(frame.accepts(version));
                }
            })?;
        }
        ensure!(answer == Some(true), "the {name} refuses");
        Ok(())
    }

    /// Waits for something to come, then reads; blocks, and is for what comes after the clock has run.
    pub(crate) fn wait_and_read(&mut self, buffer: &mut [u8], take: impl FnMut(Frame<'_>, &mut Vec<u8>)) -> Result<()> {
        wait(&self.stream, false)?;
        Ok(self.read(buffer, take)?)
    }

    /// Ends the connection in order, as far as there is room.
    pub(crate) fn close(mut self) {
        self.out.extend(DISCONNECT);
        // The broker may be gone.
        drop(self.flush());
    }
}

/// Waits until there is something to read, or also room to write.
fn wait(stream: &Stream, for_room: bool) -> Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let events = if for_room { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
    let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
    if poll(&mut [PollFd::new(stream.socket(), events)], Some(&patience))? == 0 {
        bail!("nothing came for 30 s");
    }
    Ok(())
}
