use bytes::BytesMut;

/// Bytes that a new buffer holds: some small packets without growing, and no more than allocators have at hand.
const NEW_BYTES: usize = 1_024;

/// Bytes of the largest buffer that is kept: what one turn's reads bring for one client mostly fits.
const KEPT_BYTES_MAX: usize = 128 << 10;

/// Buffers that are kept.
const KEPT_MAX: usize = 16;

/// Buffers that were written and are empty, for whoever has something to write next: growing a new one costs more than
/// filling it.
#[derive(Debug, Default)]
pub struct SpareBuffers {
    kept: Vec<BytesMut>,
}

impl SpareBuffers {
    /// An empty buffer.
    pub fn take(&mut self) -> BytesMut {
        self.kept.pop().unwrap_or_else(|| BytesMut::with_capacity(NEW_BYTES))
    }

    /// Keeps a buffer whose content nobody needs, if there is room for it.
    pub fn give(&mut self, mut buffer: BytesMut) {
        buffer.clear();
        // What was read off at the front counts again, unless somebody shares it.
        if self.kept.len() < KEPT_MAX && buffer.try_reclaim(NEW_BYTES) && buffer.capacity() <= KEPT_BYTES_MAX {
            self.kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    #[test]
    fn buffers_are_used_again_within_bounds() {
        let mut spare = SpareBuffers::default();
        let mut buffer = spare.take();
        buffer.extend_from_slice(&[7; 5_000]);
        buffer.advance(5_000);
        let capacity = {
            spare.give(buffer);
            spare.kept[0].capacity()
        };
        assert!(capacity >= 5_000);
        let again = spare.take();
        assert_eq!((again.capacity(), again.len(), spare.kept.len()), (capacity, 0, 0));
        spare.give(BytesMut::with_capacity(KEPT_BYTES_MAX + 1));
        spare.give(BytesMut::with_capacity(8));
        assert!(spare.kept.is_empty(), "too large and too small");
        (0..KEPT_MAX + 1).for_each(|_| spare.give(BytesMut::with_capacity(NEW_BYTES)));
        assert_eq!(spare.kept.len(), KEPT_MAX);
    }

    #[test]
    fn a_buffer_that_is_shared_is_not_used_again() {
        let mut spare = SpareBuffers::default();
        let mut buffer = spare.take();
        buffer.extend_from_slice(b"shared");
        let shared = buffer.split().freeze();
        spare.give(buffer);
        spare.take().extend_from_slice(b"other");
        assert_eq!(shared, "shared");
    }
}
