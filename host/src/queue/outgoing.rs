use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use super::SpareBuffers;

/// Payloads of at least this many bytes are shared between outgoing buffers, smaller ones are copied.
///
/// Copying a few cache lines costs less than counting a reference and one more slice in the system call.
pub const SHARED_BYTES_MIN: usize = 4_096;

/// Bytes on their way to one connection: packets one behind the other, large payloads shared.
///
/// It owns no memory while it is empty and new.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// What comes before `tail`; none where only small packets wait, as mostly.
    chunks: Option<Box<Chunks>>,
    tail: BytesMut,
}

/// Bytes in several pieces, oldest first.
#[derive(Debug, Default)]
struct Chunks {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Outgoing {
    /// The buffer that small packets are appended to.
    pub fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Takes a spare buffer to append to, if it has none.
    pub fn begin(&mut self, spare: &mut SpareBuffers) {
        if self.tail.capacity() == 0 {
            self.tail = spare.take();
        }
    }

    /// Gives the buffer back once nothing waits any more.
    pub fn end(&mut self, spare: &mut SpareBuffers) {
        if self.is_empty() && self.tail.capacity() > 0 {
            spare.give(std::mem::take(&mut self.tail));
        }
    }

    /// Appends bytes without copying them.
    pub fn push_shared(&mut self, bytes: Bytes) {
        if !self.tail.is_empty() {
            let tail = self.tail.split().freeze();
            self.push_chunk(tail);
        }
        self.push_chunk(bytes);
    }

    /// Appends everything that `other` holds, and leaves it with nothing but perhaps a buffer.
    pub fn append(&mut self, other: &mut Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            std::mem::swap(self, other);
        } else if other.chunks.is_none() && other.tail.len() < SHARED_BYTES_MIN {
            self.tail.extend_from_slice(&other.tail);
            other.tail.clear();
        } else {
            if !self.tail.is_empty() {
                let tail = self.tail.split().freeze();
                self.push_chunk(tail);
            }
            if let Some(mut others) = other.chunks.take() {
                let chunks = self.chunks.get_or_insert_default();
                chunks.bytes += others.bytes;
                chunks.pieces.append(&mut others.pieces);
            }
            self.tail = std::mem::take(&mut other.tail);
        }
    }

    /// The bytes that wait, in order, as they lie in memory. Of a packet, everything but a large payload lies together.
    pub fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let chunks = self.chunks.iter().flat_map(|chunks| &chunks.pieces);
        chunks.map(|chunk| &chunk[..]).chain([&self.tail[..]])
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.chunks.as_ref().map_or(0, |chunks| chunks.bytes) + self.tail.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push_chunk(&mut self, bytes: Bytes) {
        let chunks = self.chunks.get_or_insert_default();
        chunks.bytes += bytes.len();
        chunks.pieces.push_back(bytes);
    }
}

impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.as_ref().and_then(|chunks| chunks.pieces.front()).map_or(&self.tail, |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let waiting = self.chunks().filter(|chunk| !chunk.is_empty());
        let mut used = 0;
        for (slot, bytes) in slices.iter_mut().zip(waiting) {
            *slot = IoSlice::new(bytes);
            used += 1;
        }
        used
    }

    fn advance(&mut self, mut count: usize) {
        if let Some(chunks) = &mut self.chunks {
            while let Some(front) = chunks.pieces.front_mut() {
                let taken = count.min(front.len());
                (chunks.bytes, count) = (chunks.bytes - taken, count - taken);
                if taken < front.len() {
                    return front.advance(taken);
                }
                chunks.pieces.pop_front();
            }
            self.chunks = None;
        }
        self.tail.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(mut outgoing: Outgoing, step: usize) -> Vec<u8> {
        let mut written = Vec::new();
        while outgoing.has_remaining() {
            let mut slices = [IoSlice::new(&[]); 3];
            let used = outgoing.chunks_vectored(&mut slices);
            let visible: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.iter().copied()).collect();
            let count = step.min(visible.len());
            written.extend_from_slice(&visible[..count]);
            outgoing.advance(count);
        }
        assert_eq!(outgoing.len(), 0);
        written
    }

    #[test]
    fn bytes_leave_in_the_order_they_came() {
        for step in 1..12 {
            let mut outgoing = Outgoing::default();
            outgoing.tail().extend_from_slice(b"ab");
            outgoing.push_shared(Bytes::from_static(b"cde"));
            outgoing.push_shared(Bytes::from_static(b"f"));
            outgoing.tail().extend_from_slice(b"gh");
            let mut other = Outgoing::default();
            other.push_shared(Bytes::from_static(b"ij"));
            other.tail().extend_from_slice(b"k");
            outgoing.append(&mut other);
            assert!(other.is_empty());
            outgoing.tail().extend_from_slice(b"l");
            assert_eq!(outgoing.len(), 12);
            assert_eq!(drain(outgoing, step), b"abcdefghijkl", "{step} at a time");
        }
    }
}
