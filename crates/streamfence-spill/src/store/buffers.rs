//! Memory for blocks, used again and again: what the system gives anew it clears first, page by page.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// How many buffers wait for their next use.
const MOST: usize = 64;

/// Buffers of one size.
#[derive(Debug)]
pub(super) struct Buffers {
    size: usize,
    spare: Mutex<Vec<Vec<u8>>>,
}

/// A buffer in use, which comes back when the last slice of it is gone.
struct Lent {
    bytes: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    pub(super) fn new(size: usize) -> Self {
        Self { size, spare: Mutex::default() }
    }

    /// An empty buffer with room for so much at least.
    pub(super) fn take(&self, size: usize) -> Vec<u8> {
        // One much smaller would keep, and read, much more than is asked for.
        if size > self.size || size < self.size / 2 {
            return Vec::with_capacity(size);
        }
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(self.size))
    }

    /// Shares what is in a buffer.
    pub(super) fn share(self: &Arc<Self>, bytes: Vec<u8>) -> Bytes {
        // One of another size is not worth keeping.
        if bytes.capacity() != self.size {
            return bytes.into();
        }
        Bytes::from_owner(Lent { bytes, home: Arc::clone(self) })
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut spare = self.home.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST {
            spare.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_the_last_slice_is_gone() {
        let buffers = Arc::new(Buffers::new(100));
        let mut buffer = buffers.take(60);
        buffer.extend_from_slice(&[7; 60]);
        let at = buffer.as_ptr();
        let block = buffers.share(buffer);
        let slice = block.slice(10..20);
        drop(block);
        let other = buffers.take(100);
        assert_ne!(other.as_ptr(), at, "somebody reads it");
        assert_eq!(slice, [7; 10][..]);
        drop(slice);
        let again = buffers.take(50);
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (at, 0, 100));
        let large = buffers.take(101);
        assert!(large.capacity() > 100);
        drop(buffers.share(large));
        (0..2 * MOST).map(|_| buffers.share(Vec::with_capacity(100))).collect::<Vec<_>>().clear();
        assert!(buffers.spare.lock().expect("nobody panicked").len() <= MOST);
    }
}
