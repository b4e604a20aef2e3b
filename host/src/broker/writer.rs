use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;

use crate::codec::{FixedHeader, Glance};
use crate::net::Transport;
use crate::queue::{Outgoing, SpareBuffers};

/// Slices that one system call is given at most.
const SLICES_PER_WRITE: usize = 32;

/// Bytes that a connection's task is writing: answers, and what it took over from the session.
#[derive(Debug, Default)]
pub(super) struct Writer {
    waiting: Outgoing,
    /// Bytes at the front of `waiting` whose packets plugins have been told of.
    told: usize,
}

impl Writer {
    /// Where answers are appended.
    pub(super) fn replies(&mut self) -> &mut BytesMut {
        self.waiting.tail()
    }

    /// Takes a spare buffer for answers, if it has none.
    pub(super) fn begin(&mut self, spare: &mut SpareBuffers) {
        self.waiting.begin(spare);
    }

    /// Gives the buffer back, if nothing waits: an idle connection has none.
    pub(super) fn end(&mut self, spare: &mut SpareBuffers) {
        self.waiting.end(spare);
    }

    /// Appends what a session has for its client.
    pub(super) fn append(&mut self, mut outgoing: Outgoing, spare: &mut SpareBuffers) {
        self.waiting.end(spare);
        self.waiting.append(&mut outgoing);
        outgoing.end(spare);
    }

    /// Shows the packets that wait and that plugins have not been told of.
    pub(super) fn untold_packets(&self, mut show: impl FnMut(Glance<'_>)) {
        let mut skip = self.told;
        for mut chunk in self.waiting.chunks() {
            while skip < chunk.len() {
                chunk = &chunk[skip..];
                let Some(header) = FixedHeader::read_any(chunk) else { return };
                // A large payload is in the next chunk.
                let body = &chunk[header.header_len..header.packet_len().min(chunk.len())];
                show(Glance::new(header, body));
                skip = header.packet_len();
            }
            skip -= chunk.len();
        }
    }

    /// Plugins have been told of every packet that waits.
    pub(super) fn tell(&mut self) {
        self.told = self.waiting.len();
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Writes until nothing waits here or below, or the peer takes no more.
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
            self.told = self.told.saturating_sub(written);
        }
        Pin::new(transport).poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn untold(writer: &Writer) -> Vec<(u8, usize)> {
        let mut seen = Vec::new();
        writer.untold_packets(|glance| seen.push((glance.packet_type, glance.packet_len)));
        seen
    }

    #[test]
    fn every_packet_is_told_once_wherever_it_lies() {
        let mut writer = Writer::default();
        writer.replies().extend_from_slice(b"\xd0\x00\x40\x02\x00\x01");
        assert_eq!(untold(&writer), [(13, 2), (4, 4)]);
        writer.tell();
        assert!(untold(&writer).is_empty());
        // The payload of the second is a chunk of its own.
        let mut outgoing = Outgoing::default();
        outgoing.tail().extend_from_slice(b"\x30\x04\x00\x01ab\x30\x88\x27\x00\x01a");
        outgoing.push_shared(Bytes::from(vec![b'x'; 4_997]));
        outgoing.tail().extend_from_slice(b"\xd0\x00");
        writer.append(outgoing, &mut SpareBuffers::default());
        assert_eq!(untold(&writer), [(3, 6), (3, 5_003), (13, 2)]);
        writer.tell();
        writer.replies().extend_from_slice(b"\xb0\x02\x00\x01");
        assert_eq!(untold(&writer), [(11, 4)]);
        // What is written is not looked at again.
        writer.waiting.advance(3);
        writer.told -= 3;
        assert_eq!(untold(&writer), [(11, 4)]);
    }

    /// What TLS has taken and the peer has not is not written yet.
    #[test]
    fn writing_ends_when_everything_has_left() {
        use std::sync::Arc;
        use std::time::Duration;

        use tokio::io::AsyncReadExt;
        use tokio::net::{TcpListener, TcpStream};
        use tokio::time::timeout;
        use tokio_rustls::rustls::crypto::ring;
        use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
        use tokio_rustls::{TlsAcceptor, TlsConnector};

        let test = async {
            let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
            let mut roots = RootCertStore::empty();
            roots.add(own.cert.der().clone()).expect("vouches for itself");
            let provider = Arc::new(ring::default_provider());
            let key = own.signing_key.serialize_der().try_into().expect("is a key");
            let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key))
                .expect("is in order");
            let client = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("are there")
                .with_root_certificates(roots)
                .with_no_client_auth();
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let peer = TcpStream::connect(listener.local_addr().expect("has an address")).await.expect("is accepted");
            let (ours, _) = listener.accept().await.expect("comes");
            let connector = TlsConnector::from(Arc::new(client));
            let (ours, peer) = tokio::join!(
                TlsAcceptor::from(Arc::new(server)).accept(ours),
                connector.connect("localhost".try_into().expect("a name"), peer)
            );
            let (ours, mut peer) = (ours.expect("shakes hands"), peer.expect("shakes hands"));
            let (mut transport, mut writer, mut len) = (Transport::Tls(Box::new(ours)), Writer::default(), 0);
            // Until the system takes no more, and TLS still does.
            let is_behind = |transport: &Transport| match transport {
                Transport::Tls(stream) => stream.get_ref().1.wants_write(),
                _ => false,
            };
            while !is_behind(&transport) {
                writer.replies().extend_from_slice(&[7; 1_000]);
                len += 1_000;
                // Whether it is through is looked at above.
                let _ = std::future::poll_fn(|cx| Poll::Ready(writer.poll_write(&mut transport, cx))).await;
            }
            assert_eq!(writer.len(), 0, "TLS has taken it");
            let mut read = vec![0; len];
            let (written, all) = tokio::join!(
                std::future::poll_fn(|cx| writer.poll_write(&mut transport, cx)),
                peer.read_exact(&mut read)
            );
            written.expect("is taken");
            all.expect("comes");
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { timeout(Duration::from_secs(20), test).await }).expect("ends in time");
    }
}
