//! The header of a frame that the fence writes itself.

use std::ops::Deref;

use super::frame::Frame;

/// The header of a whole message in one frame, as a server writes it: not masked (RFC 6455, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    bytes: [u8; Self::MOST_BYTES],
    len: u8,
}

impl FrameHead {
    /// How long a header is at most, with one byte of payload.
    pub const MOST_BYTES: usize = 11;
    /// A header of nothing, to fill an array with.
    pub const EMPTY: Self = Self { bytes: [0; Self::MOST_BYTES], len: 0 };

    /// The header of a text frame, and the first byte of its payload: the `4` of an Engine.IO message, which stands
    /// before a packet of so many bytes.
    #[must_use]
    pub fn message(size_bytes: usize) -> Self {
        let mut head = Self::of(Frame::TEXT, size_bytes + 1);
        head.put(b"4");
        head
    }

    /// The header of a binary frame.
    #[must_use]
    pub fn binary(size_bytes: usize) -> Self {
        Self::of(Frame::BINARY, size_bytes)
    }

    fn of(opcode: u8, size_bytes: usize) -> Self {
        let mut head = Self::EMPTY;
        head.put(&[FINAL | opcode]);
        match size_bytes {
            short @ ..126 => head.put(&[short as u8]),
            middle @ ..65_536 => {
                head.put(&[126]);
                head.put(&(middle as u16).to_be_bytes());
            }
            long => {
                head.put(&[127]);
                head.put(&(long as u64).to_be_bytes());
            }
        }
        head
    }

    fn put(&mut self, bytes: &[u8]) {
        let at = usize::from(self.len);
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }
}

impl Deref for FrameHead {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

const FINAL: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::FrameTracker;

    #[test]
    fn a_tracker_reads_what_was_written() {
        for size_bytes in [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 70_000] {
            for (head, opcode, before) in
                [(FrameHead::message(size_bytes), Frame::TEXT, 1), (FrameHead::binary(size_bytes), Frame::BINARY, 0)]
            {
                let mut bytes = head.to_vec();
                bytes.extend(vec![b'x'; size_bytes]);
                let mut told = Vec::new();
                FrameTracker::default()
                    .feed(&bytes, |frame| told.push((frame.opcode, frame.is_final, frame.size_bytes)));
                assert_eq!(told, [(opcode, true, (size_bytes + before) as u64)]);
            }
        }
    }
}
