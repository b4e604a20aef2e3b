use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;

use crate::net::Transport;
use crate::queue::Outgoing;

/// Slices that one system call is given at most.
const SLICES_PER_WRITE: usize = 32;

/// Bytes that a connection's task is writing: answers, and what it took over from the session.
#[derive(Debug, Default)]
pub(super) struct Writer {
    waiting: Outgoing,
}

impl Writer {
    /// Where answers are appended.
    pub(super) fn replies(&mut self) -> &mut BytesMut {
        self.waiting.tail()
    }

    /// Appends what a session has for its client.
    pub(super) fn append(&mut self, outgoing: Outgoing) {
        self.waiting.append(outgoing);
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Writes until nothing waits or the peer takes no more. Gives the memory back when nothing waits.
    pub(super) fn poll_write(&mut self, transport: &mut Transport, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting.has_remaining() {
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let used = self.waiting.chunks_vectored(&mut slices);
            let written = if let [slice] = &slices[..used] {
                ready!(Pin::new(&mut *transport).poll_write(cx, slice))?
            } else {
                ready!(Pin::new(&mut *transport).poll_write_vectored(cx, &slices[..used]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
        }
        self.waiting = Outgoing::default();
        Poll::Ready(Ok(()))
    }
}
