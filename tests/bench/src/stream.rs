//! One byte stream over TCP, TLS or WebSocket, which never waits.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// What carries the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Tls,
    /// WebSocket over TCP.
    Ws,
}

/// Where a broker is, and how to get there.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) port: u16,
    pub(crate) carrier: Carrier,
    /// For TLS: whom to trust.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Stream {
    socket: TcpStream,
    layer: Layer,
}

#[derive(Debug)]
enum Layer {
    Plain,
    Tls(Box<ClientConnection>),
    WebSocket(Frames),
}

impl Stream {
    /// Connects, handshakes included.
    pub(crate) fn connect(address: &Address) -> Result<Self> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, address.port)).context("cannot connect")?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(HANDSHAKE))?;
        let mut stream = Self { socket, layer: Layer::Plain };
        match address.carrier {
            Carrier::Tcp => {}
            Carrier::Tls => {
                let config = address.tls.clone().context("nothing says whom to trust")?;
                let mut tls = ClientConnection::new(config, ServerName::try_from("localhost")?)?;
                while tls.is_handshaking() {
                    tls.complete_io(&mut stream.socket).context("no handshake of TLS")?;
                }
                stream.layer = Layer::Tls(Box::new(tls));
            }
            Carrier::Ws => {
                upgrade(&mut stream.socket).context("no handshake of WebSocket")?;
                stream.layer = Layer::WebSocket(Frames::default());
            }
        }
        stream.socket.set_nonblocking(true)?;
        Ok(stream)
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Reads what is there into `buffer`: how many bytes of packets, and whether there may be more at once.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        match &mut self.layer {
            Layer::Plain => {
                let Some(length) = read_some(&mut self.socket, buffer)? else { return Ok((0, false)) };
                Ok((length, length == buffer.len()))
            }
            Layer::Tls(tls) => {
                let more = match tls.read_tls(&mut self.socket) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => true,
                    Err(err) if err.kind() == io::ErrorKind::WouldBlock => false,
                    Err(err) => return Err(err),
                };
                tls.process_new_packets().map_err(io::Error::other)?;
                match tls.reader().read(buffer) {
                    Ok(length) => Ok((length, true)),
                    Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok((0, more)),
                    Err(err) => Err(err),
                }
            }
            Layer::WebSocket(frames) => {
                let Some(length) = read_some(&mut self.socket, buffer)? else { return Ok((0, false)) };
                Ok((frames.open(&mut buffer[..length]), length == buffer.len()))
            }
        }
    }

    /// Writes of `bytes` what there is room for: how many are done with. What a layer made of them and could not write
    /// goes with the next call.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.layer {
            Layer::Plain => write_some(&mut self.socket, bytes),
            Layer::Tls(tls) => {
                let taken = tls.writer().write(bytes)?;
                while tls.wants_write() {
                    match tls.write_tls(&mut self.socket) {
                        Ok(_) => {}
                        Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                        Err(err) => return Err(err),
                    }
                }
                Ok(taken)
            }
            Layer::WebSocket(frames) => {
                let mut taken = 0;
                if frames.outgoing.is_empty() && !bytes.is_empty() {
                    frames.wrap(bytes);
                    taken = bytes.len();
                }
                let written = write_some(&mut self.socket, &frames.outgoing)?;
                frames.outgoing.drain(..written);
                Ok(taken)
            }
        }
    }

    /// Whether a layer still has bytes to write.
    pub(crate) fn holds_back(&self) -> bool {
        match &self.layer {
            Layer::Plain => false,
            Layer::Tls(tls) => tls.wants_write(),
            Layer::WebSocket(frames) => !frames.outgoing.is_empty(),
        }
    }
}

fn read_some(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match socket.read(buffer) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(length) => Ok(Some(length)),
        Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(err) => Err(err),
    }
}

fn write_some(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match socket.write(bytes) {
        Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

/// The handshake of WebSocket. The answer's key is not looked at: the server is one of ours to try.
fn upgrade(socket: &mut TcpStream) -> Result<()> {
    socket.write_all(
        b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YW1xdHQgYmVuY2htYXJrIQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
    )?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        answer.push(byte[0]);
        ensure!(answer.len() < 4096, "the answer does not end");
    }
    ensure!(answer.starts_with(b"HTTP/1.1 101"), "it said {:?}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// Both directions of a WebSocket's frames.
#[derive(Debug, Default)]
struct Frames {
    /// A header that has not come whole.
    header: Vec<u8>,
    /// Bytes still to come of the frame that is being read.
    left: usize,
    outgoing: Vec<u8>,
}

impl Frames {
    /// Takes the headers out of what was read: how many bytes of payload remain, at the start of `bytes`.
    fn open(&mut self, bytes: &mut [u8]) -> usize {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            if self.left > 0 {
                let length = self.left.min(bytes.len() - from);
                bytes.copy_within(from..from + length, to);
                (from, to, self.left) = (from + length, to + length, self.left - length);
                continue;
            }
            self.header.push(bytes[from]);
            from += 1;
            let header = self.header.as_slice();
            // A server's frames have no mask: two bytes, or with a longer length four or ten.
            self.left = match *header {
                [_, length] if length < 126 => usize::from(length),
                [_, 126, a, b] => usize::from(u16::from_be_bytes([a, b])),
                [_, 127, _, _, _, _, a, b, c, d] => u32::from_be_bytes([a, b, c, d]) as usize,
                _ => continue,
            };
            self.header.clear();
        }
        to
    }

    /// Makes one frame of `bytes`. Its mask is zero, so that masking costs the load nothing; the server unmasks all the same.
    fn wrap(&mut self, bytes: &[u8]) {
        const MASKED: u8 = 0x80;
        self.outgoing.push(0x82);
        match (u8::try_from(bytes.len()), u16::try_from(bytes.len())) {
            (Ok(length @ ..126), _) => self.outgoing.push(MASKED | length),
            (_, Ok(length)) => {
                self.outgoing.push(MASKED | 126);
                self.outgoing.extend(length.to_be_bytes());
            }
            _ => {
                self.outgoing.push(MASKED | 127);
                self.outgoing.extend((bytes.len() as u64).to_be_bytes());
            }
        }
        self.outgoing.extend([0; 4]);
        self.outgoing.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_opened_however_they_are_cut() {
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for length in [3_usize, 0, 125, 126, 70_000] {
            let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
            wire.push(0x82);
            match length {
                ..126 => wire.push(length as u8),
                126..65_536 => {
                    wire.push(126);
                    wire.extend((length as u16).to_be_bytes());
                }
                _ => {
                    wire.push(127);
                    wire.extend((length as u64).to_be_bytes());
                }
            }
            wire.extend(&payload);
            expected.extend(payload);
        }
        for cut in [1, 2, 7, 1000, wire.len()] {
            let (mut frames, mut opened) = (Frames::default(), Vec::new());
            for piece in wire.chunks(cut) {
                let mut piece = piece.to_vec();
                let length = frames.open(&mut piece);
                opened.extend_from_slice(&piece[..length]);
            }
            assert!(opened == expected, "cut into pieces of {cut}");
        }
    }
}
