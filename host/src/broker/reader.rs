use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::codec::FixedHeader;
use crate::net::Transport;

/// Packets of at least this many bytes are read into memory of their own, which their payload then shares.
const LARGE_PACKET_BYTES: usize = 16 << 10;

/// Bytes that are reserved for a large packet at once: what a peer announces costs nothing until it comes.
const RESERVE_BYTES: usize = 64 << 10;

/// Bytes that are kept of what a peer sends before it is its turn: more is left to the network.
const EARLY_BYTES_MAX: usize = 16 << 10;

/// The incoming bytes of one connection that are no whole packet yet.
///
/// Reads go to a buffer that all connections of a worker share; only what is left over of them is kept here, so that
/// an idle connection has no buffer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    rest: BytesMut,
    mode: Mode,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// `rest` is less than a packet.
    #[default]
    Small,
    /// `rest` may hold whole packets that nobody has looked at.
    Unseen,
    /// `rest` is the beginning of a packet of this many bytes.
    Large(usize),
}

/// What a read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// This many new bytes; [`Reader::consume`] is to be called.
    Bytes(usize),
    /// The peer sends no more.
    Eof,
}

impl Reader {
    /// Reads once. `buffer` is the worker's, and has to come unchanged to [`consume`](Self::consume).
    pub(super) fn poll_read(
        &mut self,
        transport: &mut Transport,
        buffer: &mut Filled<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Read>> {
        if let Mode::Large(packet_len) = self.mode {
            let missing = packet_len.saturating_sub(self.rest.len()).max(1);
            self.rest.reserve(missing.min(self.rest.len().max(RESERVE_BYTES)));
            let count = ready!(pin!(transport.read_buf(&mut self.rest)).poll(cx))?;
            return Poll::Ready(Ok(if count == 0 { Read::Eof } else { Read::Bytes(count) }));
        }
        if self.mode == Mode::Unseen {
            return Poll::Ready(Ok(Read::Bytes(0)));
        }
        let kept = self.rest.len();
        buffer.bytes[..kept].copy_from_slice(&self.rest);
        buffer.len = kept;
        let mut read = ReadBuf::new(&mut buffer.bytes[kept..]);
        ready!(Pin::new(transport).poll_read(cx, &mut read))?;
        let count = read.filled().len();
        buffer.len += count;
        Poll::Ready(Ok(if count == 0 { Read::Eof } else { Read::Bytes(count) }))
    }

    /// Hands the bytes that were read to `handle`, which says how many of them were whole packets; keeps the rest.
    ///
    /// The second argument of `handle` is the memory that the bytes lie in, where it may be shared.
    pub(super) fn consume<E>(
        &mut self,
        buffer: &Filled<'_>,
        packet_bytes_max: usize,
        handle: impl FnOnce(&[u8], Option<&Bytes>) -> Result<usize, E>,
    ) -> Result<(), E> {
        match self.mode {
            Mode::Large(packet_len) if self.rest.len() < packet_len => {}
            Mode::Large(_) => {
                let packets = std::mem::take(&mut self.rest).freeze();
                let consumed = handle(&packets, Some(&packets))?;
                self.keep(&packets[consumed..], packet_bytes_max);
            }
            Mode::Unseen => {
                let packets = std::mem::take(&mut self.rest);
                let consumed = handle(&packets, None)?;
                self.keep(&packets[consumed..], packet_bytes_max);
            }
            Mode::Small => {
                let bytes = &buffer.bytes[..buffer.len];
                let consumed = handle(bytes, None)?;
                self.keep(&bytes[consumed..], packet_bytes_max);
            }
        }
        Ok(())
    }

    /// Reads once what comes before anything can be done with it, and keeps it. `buffer` is the worker's.
    pub(super) fn poll_early(
        &mut self,
        transport: &mut Transport,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Read>> {
        let room = EARLY_BYTES_MAX.saturating_sub(self.rest.len()).clamp(1, buffer.len());
        let mut read = ReadBuf::new(&mut buffer[..room]);
        ready!(Pin::new(transport).poll_read(cx, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Ok(Read::Eof));
        }
        self.rest.extend_from_slice(read.filled());
        self.look_again();
        Poll::Ready(Ok(Read::Bytes(read.filled().len())))
    }

    /// Whether there may be more of that.
    pub(super) fn has_room_for_early(&self) -> bool {
        self.rest.len() < EARLY_BYTES_MAX
    }

    /// Whether what is kept begins with all of a packet.
    pub(super) fn has_whole_packet(&self, packet_bytes_max: usize) -> bool {
        let header = FixedHeader::read(&self.rest, packet_bytes_max).ok().flatten();
        header.is_some_and(|header| header.packet_len() <= self.rest.len())
    }

    /// Makes the next read hand out what is kept, without waiting for more.
    pub(super) fn look_again(&mut self) {
        if !self.rest.is_empty() {
            self.mode = Mode::Unseen;
        }
    }

    /// Whether a part of a packet is kept.
    pub(super) fn has_partial(&self) -> bool {
        !self.rest.is_empty()
    }

    fn keep(&mut self, rest: &[u8], packet_bytes_max: usize) {
        self.mode = match FixedHeader::read(rest, packet_bytes_max) {
            Ok(Some(header)) if header.packet_len() >= LARGE_PACKET_BYTES => Mode::Large(header.packet_len()),
            _ => Mode::Small,
        };
        self.rest.clear();
        if rest.is_empty() {
            self.rest = BytesMut::new();
        } else {
            self.rest.extend_from_slice(rest);
        }
    }
}

/// The shared buffer of a worker, and how much of it the last read has filled.
#[derive(Debug)]
pub(super) struct Filled<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl<'a> Filled<'a> {
    /// A buffer that nothing was read into.
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }
}
