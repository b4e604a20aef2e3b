use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fault::WebSocketFault;
use super::incoming::{Closed, Incoming};
use super::outgoing::{Ending, FRAME_BYTES_MAX, Outgoing, PARTS_MAX};

/// A WebSocket after its handshake, as a stream of what its frames carry.
///
/// Each write is one binary frame. Pings are answered and closing is agreed on within reads, writes and flushes.
#[derive(Debug)]
pub struct WebSocket<S> {
    io: S,
    incoming: Incoming,
    outgoing: Outgoing,
    end: End,
}

/// How far a WebSocket is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// The client has said that it is done.
    ByPeer,
    /// What the client did has to be told.
    Fault(WebSocketFault),
    /// What still comes is of no interest.
    Ignoring,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A WebSocket whose handshake is done.
    pub(super) fn new(io: S, message_bytes_max: u64) -> Self {
        Self { io, incoming: Incoming::new(message_bytes_max), outgoing: Outgoing::default(), end: End::Open }
    }

    /// What carries it.
    pub(in crate::net) fn get_ref(&self) -> &S {
        &self.io
    }

    /// Says why the connection ends. A shutdown that is not preceded by this says that all is well.
    pub(in crate::net) fn close(&mut self, why: Ending) {
        self.outgoing.close(Some(why.close_code()));
    }

    /// Writes control frames, as far as a frame may begin.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(frame) = self.outgoing.control() {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, frame))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.control_written(count);
        }
        Poll::Ready(Ok(()))
    }

    /// Answers what was read. What cannot leave at once does so with the next write or flush.
    fn answer(&mut self, result: Result<(), Closed>, cx: &mut Context<'_>) -> io::Result<()> {
        let ping = self.incoming.take_ping();
        if ping.is_none() && result.is_ok() {
            return Ok(());
        }
        if let Some(payload) = ping {
            self.outgoing.pong(payload);
        }
        match result {
            Ok(()) => {}
            Err(Closed::ByPeer(code)) => {
                self.outgoing.close(code);
                self.end = End::ByPeer;
            }
            Err(Closed::Fault(fault)) => {
                self.outgoing.close(Some(fault.close_code()));
                self.end = End::Fault(fault);
            }
        }
        match Pin::new(self).poll_flush(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        loop {
            match this.end {
                End::Open | End::Ignoring => {}
                End::ByPeer => return Poll::Ready(Ok(())),
                End::Fault(fault) => {
                    this.end = End::Ignoring;
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
                }
            }
            ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
            let read = &mut buffer.filled_mut()[before..];
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let payload = if this.end == End::Open {
                let (payload, result) = this.incoming.decode(read);
                this.answer(result, cx)?;
                payload
            } else {
                0
            };
            buffer.set_filled(before + payload);
            if payload > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.outgoing.in_frame() {
            ready!(this.poll_control(cx))?;
            if this.outgoing.is_closed() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            // More slices than go into one write would have to be written later, and may not be here any more.
            let len: usize = slices.iter().take(PARTS_MAX - 1).map(|slice| slice.len()).sum();
            if len == 0 {
                return Poll::Ready(Ok(0));
            }
            this.outgoing.begin(len.min(FRAME_BYTES_MAX));
        }
        loop {
            let mut parts = [IoSlice::new(&[]); PARTS_MAX];
            let used = this.outgoing.parts(slices, &mut parts);
            let count = ready!(Pin::new(&mut this.io).poll_write_vectored(cx, &parts[..used]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let payload = this.outgoing.written(count);
            if payload > 0 {
                return Poll::Ready(Ok(payload));
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_control(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.close(Ending::Normal);
        ready!(this.poll_control(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}
