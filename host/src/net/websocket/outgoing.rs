use std::io::IoSlice;

use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

/// Bytes of payload of the largest frame that is sent. Clients of several libraries take no message above 1 MiB unless
/// they are told to.
pub(super) const FRAME_BYTES_MAX: usize = 64 << 10;

/// Parts of one write: a header, and slices of payload.
pub(super) const PARTS_MAX: usize = 33;

/// Bytes of the longest header that a server writes.
const HEADER_BYTES_MAX: usize = 10;

/// Why the broker ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It has served its purpose.
    Normal,
    /// The broker shuts down.
    GoingAway,
    /// The client may not be here, or not any more.
    Refused,
    /// The client does not keep to MQTT.
    Violation,
}

impl Ending {
    /// The status for the client (RFC 6455, 7.4.1).
    pub(super) fn close_code(self) -> CloseCode {
        match self {
            Self::Normal => CloseCode::Normal,
            Self::GoingAway => CloseCode::Away,
            Self::Refused => CloseCode::Policy,
            Self::Violation => CloseCode::Protocol,
        }
    }
}

/// Puts frames together. A frame that has begun is finished before another one begins.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    header: [u8; HEADER_BYTES_MAX],
    /// The part of `header` that has not been written.
    header_from: usize,
    header_to: usize,
    /// Bytes of payload that the frame has promised and that have not been written.
    payload_left: usize,
    /// A control frame, and how much of it has been written.
    control: Option<(Vec<u8>, usize)>,
    /// The answer to the latest ping.
    pong: Option<Vec<u8>>,
    close: Closing,
}

#[derive(Debug, Default)]
enum Closing {
    #[default]
    Open,
    /// The frame that says so waits.
    Waiting(Vec<u8>),
    /// Nothing may follow (5.5.1).
    Said,
}

impl Outgoing {
    /// Answers a ping, as soon as a frame may begin.
    pub(super) fn pong(&mut self, payload: Vec<u8>) {
        self.pong = encoded(Frame::pong(payload));
    }

    /// Says that the connection ends, as soon as a frame may begin. The first reason counts.
    pub(super) fn close(&mut self, code: Option<CloseCode>) {
        if matches!(self.close, Closing::Open) {
            let frame = Frame::close(code.map(|code| CloseFrame { code, reason: "".into() }));
            self.close = encoded(frame).map_or(Closing::Said, Closing::Waiting);
        }
    }

    /// Whether nothing more may be sent.
    pub(super) fn is_closed(&self) -> bool {
        !matches!(self.close, Closing::Open)
    }

    /// The rest of the control frame that is to be written now, if there is one and a frame may begin.
    pub(super) fn control(&mut self) -> Option<&[u8]> {
        if self.in_frame() || matches!((&self.close, &self.control), (Closing::Said, None)) {
            return None;
        }
        if self.control.is_none() {
            let next = match std::mem::take(&mut self.close) {
                Closing::Waiting(frame) => {
                    self.close = Closing::Said;
                    Some(frame)
                }
                other => {
                    self.close = other;
                    self.pong.take()
                }
            };
            self.control = next.map(|frame| (frame, 0));
        }
        self.control.as_ref().map(|(frame, written)| &frame[*written..])
    }

    /// Some bytes of the control frame have been written.
    pub(super) fn control_written(&mut self, count: usize) {
        let Some((frame, written)) = &mut self.control else { return };
        *written += count;
        if *written >= frame.len() {
            self.control = None;
        }
    }

    /// Whether a data frame has begun and not ended.
    pub(super) fn in_frame(&self) -> bool {
        self.header_from < self.header_to || self.payload_left > 0
    }

    /// Begins a data frame.
    pub(super) fn begin(&mut self, payload_len: usize) {
        let opcode = OpCode::Data(Data::Binary);
        let header = FrameHeader { is_final: true, opcode, ..FrameHeader::default() };
        let mut room = &mut self.header[..];
        let written = header.format(payload_len as u64, &mut room);
        debug_assert!(written.is_ok(), "the longest header has room");
        (self.header_from, self.header_to) = (0, HEADER_BYTES_MAX - room.len());
        self.payload_left = payload_len;
    }

    /// What is left of the frame, its payload taken from the front of `slices`; returns how many parts that is.
    pub(super) fn parts<'a>(&'a self, slices: &'a [IoSlice<'a>], parts: &mut [IoSlice<'a>; PARTS_MAX]) -> usize {
        let mut used = 0;
        if self.header_from < self.header_to {
            parts[0] = IoSlice::new(&self.header[self.header_from..self.header_to]);
            used = 1;
        }
        let mut left = self.payload_left;
        for slice in slices {
            if left == 0 || used == PARTS_MAX {
                break;
            }
            let len = slice.len().min(left);
            parts[used] = IoSlice::new(&slice[..len]);
            left -= len;
            used += 1;
        }
        used
    }

    /// Bytes of the frame have been written; returns how many of them were payload.
    pub(super) fn written(&mut self, count: usize) -> usize {
        let of_header = count.min(self.header_to - self.header_from);
        self.header_from += of_header;
        let of_payload = (count - of_header).min(self.payload_left);
        self.payload_left -= of_payload;
        of_payload
    }
}

fn encoded(frame: Frame) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(frame.len());
    // Writing to memory does not fail.
    frame.format(&mut bytes).ok()?;
    Some(bytes)
}
