use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::fault::WebSocketFault;

/// Bytes of the longest header of a frame (RFC 6455, 5.2).
const HEADER_BYTES_MAX: usize = 14;

/// Bytes of the longest control frame's payload (5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// Takes frames apart.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Bytes of a message, and so of a frame.
    message_bytes_max: u64,
    state: State,
    /// Bytes of the fragments so far, while a message is under way.
    message: Option<u64>,
    /// The latest ping that has not been answered: earlier ones need no answer of their own (5.5.3).
    ping: Option<Vec<u8>>,
}

#[derive(Debug)]
enum State {
    /// The first bytes of a header that is not complete.
    Header { bytes: [u8; HEADER_BYTES_MAX], len: usize },
    /// Within the payload of a data frame.
    Data(Payload),
    /// Within the payload of a control frame.
    Control { kind: Control, payload: Payload, bytes: Vec<u8> },
}

/// The part of a payload that is still to come.
#[derive(Debug, Clone, Copy)]
struct Payload {
    left: u64,
    /// The mask, turned so that its first byte is the next one's.
    mask: [u8; 4],
}

/// Why no more frames are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// The client has said that it is done, with this status if it gave one.
    ByPeer(Option<CloseCode>),
    /// The client does what it may not.
    Fault(WebSocketFault),
}

const NO_HEADER: State = State::Header { bytes: [0; HEADER_BYTES_MAX], len: 0 };

impl Incoming {
    pub(super) fn new(message_bytes_max: u64) -> Self {
        Self { message_bytes_max, state: NO_HEADER, message: None, ping: None }
    }

    /// Takes apart what was read, and leaves the payload of data frames at its front. Returns how much that is, and
    /// whether it is the last: then nothing more may be handed in.
    pub(super) fn decode(&mut self, bytes: &mut [u8]) -> (usize, Result<(), Closed>) {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            match &mut self.state {
                State::Header { bytes: begun, len: 0 } => match read_header(&bytes[from..]) {
                    Ok(Some((header, payload_len, header_len))) => {
                        from += header_len;
                        if let Err(closed) = self.begin(&header, payload_len) {
                            return (to, Err(closed));
                        }
                    }
                    Ok(None) => {
                        let rest = &bytes[from..];
                        begun[..rest.len()].copy_from_slice(rest);
                        self.state = State::Header { bytes: *begun, len: rest.len() };
                        from += rest.len();
                    }
                    Err(fault) => return (to, Err(Closed::Fault(fault))),
                },
                // Few bytes come this way: the rest of one header.
                State::Header { bytes: begun, len } => {
                    begun[*len] = bytes[from];
                    *len += 1;
                    from += 1;
                    match read_header(&begun[..*len]) {
                        Ok(Some((header, payload_len, _))) => {
                            if let Err(closed) = self.begin(&header, payload_len) {
                                return (to, Err(closed));
                            }
                        }
                        Ok(None) => {}
                        Err(fault) => return (to, Err(Closed::Fault(fault))),
                    }
                }
                State::Data(payload) => {
                    let len = payload.take(&mut bytes[from..]);
                    bytes.copy_within(from..from + len, to);
                    (from, to) = (from + len, to + len);
                    if payload.left == 0 {
                        self.state = NO_HEADER;
                    }
                }
                State::Control { kind, payload, bytes: kept } => {
                    let len = payload.take(&mut bytes[from..]);
                    kept.extend_from_slice(&bytes[from..from + len]);
                    from += len;
                    if payload.left == 0 {
                        let (kind, kept) = (*kind, std::mem::take(kept));
                        self.state = NO_HEADER;
                        if let Err(closed) = self.control(kind, kept) {
                            return (to, Err(closed));
                        }
                    }
                }
            }
        }
        (to, Ok(()))
    }

    /// The payload of the latest ping, once.
    pub(super) fn take_ping(&mut self) -> Option<Vec<u8>> {
        self.ping.take()
    }

    /// A header is complete.
    fn begin(&mut self, header: &FrameHeader, len: u64) -> Result<(), Closed> {
        let fault = |fault| Err(Closed::Fault(fault));
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return fault(WebSocketFault::Reserved);
        }
        let Some(mask) = header.mask else {
            return fault(WebSocketFault::Unmasked);
        };
        let payload = Payload { left: len, mask };
        match header.opcode {
            OpCode::Control(kind) => {
                if len > CONTROL_BYTES_MAX || !header.is_final {
                    return fault(WebSocketFault::Control);
                }
                if len == 0 {
                    self.state = NO_HEADER;
                    return self.control(kind, Vec::new());
                }
                self.state = State::Control { kind, payload, bytes: Vec::new() };
            }
            OpCode::Data(kind) => {
                let before = match (kind, self.message) {
                    (Data::Text, _) => return fault(WebSocketFault::Text),
                    (Data::Binary, None) => 0,
                    (Data::Continue, Some(before)) => before,
                    (Data::Binary, Some(_)) | (Data::Continue, None) => return fault(WebSocketFault::Fragments),
                    (Data::Reserved(_), _) => return fault(WebSocketFault::Reserved),
                };
                let message = before.saturating_add(len);
                if message > self.message_bytes_max {
                    return fault(WebSocketFault::TooLarge);
                }
                self.message = (!header.is_final).then_some(message);
                self.state = if len == 0 { NO_HEADER } else { State::Data(payload) };
            }
        }
        Ok(())
    }

    /// A control frame is complete.
    fn control(&mut self, kind: Control, payload: Vec<u8>) -> Result<(), Closed> {
        match kind {
            Control::Ping => self.ping = Some(payload),
            // Nobody was asked, and it does no harm (5.5.3).
            Control::Pong => {}
            Control::Close => {
                return Err(match payload.as_slice() {
                    [] => Closed::ByPeer(None),
                    [_] => Closed::Fault(WebSocketFault::Control),
                    [first, second, ..] => {
                        let code = CloseCode::from(u16::from_be_bytes([*first, *second]));
                        if code.is_allowed() {
                            Closed::ByPeer(Some(code))
                        } else {
                            Closed::Fault(WebSocketFault::Control)
                        }
                    }
                });
            }
            Control::Reserved(_) => return Err(Closed::Fault(WebSocketFault::Reserved)),
        }
        Ok(())
    }
}

impl Payload {
    /// Unmasks the part of the payload that is there, and says how long that is.
    fn take(&mut self, bytes: &mut [u8]) -> usize {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let (words, rest) = bytes[..len].as_chunks_mut::<4>();
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(self.mask)).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        self.mask.rotate_left(len % 4);
        self.left -= len as u64;
        len
    }
}

/// The header that the bytes begin with, its payload's length and its own; none if it is not complete.
fn read_header(bytes: &[u8]) -> Result<Option<(FrameHeader, u64, usize)>, WebSocketFault> {
    let mut cursor = Cursor::new(bytes);
    let header = FrameHeader::parse(&mut cursor).map_err(|_| WebSocketFault::Reserved)?;
    // It is at most 14 bytes long.
    Ok(header.map(|(header, len)| (header, len, cursor.position() as usize)))
}
