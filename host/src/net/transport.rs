use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

#[cfg(any(target_os = "linux", target_os = "android"))]
use tokio::io::Interest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::websocket::{Ending, WebSocket};

/// A connection as a stream of bytes, whatever carries it.
///
/// What is written has left only after a flush. All but plain TCP keep their state in a box, so that a plain connection
/// is no larger for them.
#[derive(Debug)]
pub enum Transport {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// WebSocket.
    Ws(Box<WebSocket<TcpStream>>),
    /// WebSocket within TLS.
    Wss(Box<WebSocket<TlsStream<TcpStream>>>),
}

impl Transport {
    /// Waits until there is something to read, where that can be told without reading.
    pub async fn readable(&self) {
        if let Self::Tcp(stream) = self {
            // An error is what reading will say.
            drop(stream.readable().await);
        }
    }

    /// Waits until the peer has closed the connection, where the system tells that before all of it is read. Elsewhere it
    /// waits for ever.
    pub async fn closed(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let stream = match self {
                Self::Tcp(stream) => stream,
                Self::Tls(stream) => stream.get_ref().0,
                Self::Ws(stream) => stream.get_ref(),
                Self::Wss(stream) => stream.get_ref().get_ref().0,
            };
            // This waits for urgent data, which nobody has asked the system for, or the end, and not for other data.
            drop(stream.ready(Interest::PRIORITY).await);
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        std::future::pending().await
    }

    /// Whether an end is something that is said, and may be lost if the connection is closed too soon after it.
    pub fn says_end(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }

    /// Keeps why the connection ends for the shutdown, where there are words for it.
    pub fn end(&mut self, why: Ending) {
        match self {
            Self::Tcp(_) | Self::Tls(_) => {}
            Self::Ws(stream) => stream.close(why),
            Self::Wss(stream) => stream.close(why),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Ws(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Wss(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Ws(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Wss(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Ws(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Wss(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Ws(stream) => Pin::new(stream).poll_flush(cx),
            Self::Wss(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Ws(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Wss(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
