//! A buffer that starts on a page boundary, as direct writes and archives demand, without unsafe
//! code.

use crate::format::PAGE;

/// Grows by appending, is cleared and used again. Never shrinks.
#[derive(Debug)]
pub struct AlignedBuffer {
    /// One page longer than the capacity, so that an aligned start can be chosen within it.
    storage: Vec<u8>,
    start: usize,
    length: usize,
}

impl AlignedBuffer {
    /// An empty buffer that takes so many bytes before it allocates again.
    pub fn with_capacity(capacity: usize) -> Self {
        let storage = vec![0; capacity + PAGE];
        let start = storage.as_ptr().align_offset(PAGE);
        assert!(start < PAGE, "an aligned byte lies within the first page");
        Self {
            storage,
            start,
            length: 0,
        }
    }

    /// So many zero bytes.
    pub fn zeroed(length: usize) -> Self {
        let mut buffer = Self::with_capacity(length);
        buffer.length = length;
        buffer
    }

    /// Appends `length` bytes and returns them. What they hold is arbitrary: the caller fills all.
    pub fn append(&mut self, length: usize) -> &mut [u8] {
        let needed = self.length + length;
        if self.capacity() < needed {
            let mut larger = Self::with_capacity(needed.next_power_of_two());
            larger.append(self.length).copy_from_slice(self.bytes());
            *self = larger;
        }
        let from = self.start + self.length;
        self.length = needed;
        &mut self.storage[from..from + length]
    }

    /// Appends a copy of these bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.append(bytes.len()).copy_from_slice(bytes);
    }

    /// Forgets what is beyond this length, keeps the memory.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Forgets the content, keeps the memory.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.storage[self.start..self.start + self.length]
    }

    /// The content, to change.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.start + self.length]
    }

    fn capacity(&self) -> usize {
        self.storage.len() - PAGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_content_and_alignment() {
        let mut buffer = AlignedBuffer::with_capacity(PAGE);
        for byte in 1..=9 {
            buffer.append(PAGE).fill(byte);
            assert_eq!(buffer.bytes().as_ptr().align_offset(PAGE), 0);
        }
        for (page, byte) in buffer.bytes().chunks_exact(PAGE).zip(1..=9) {
            assert!(page.iter().all(|b| *b == byte));
        }
        buffer.extend_from_slice(b"more");
        assert_eq!(buffer.bytes()[9 * PAGE..], *b"more");
        buffer.clear();
        assert!(buffer.bytes().is_empty());
    }
}
