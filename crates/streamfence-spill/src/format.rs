//! How segments, blocks and records are spelled: bytes in, bytes out, little endian.
//!
//! ```text
//! segment   header, 4 KiB | block | block | ...       a file
//! block     header | record | record | ...            about 32 KiB, checked and lost as a whole
//! record    what was published, whom it is for        may be as large as a block of its own
//! ```
//!
//! Reading is total: whatever the bytes are, there are records or an error, and never more memory than there were bytes.
//! A block carries the epoch of its segment, so that what a file held in an earlier life is not taken for new.
//!
//! Never a file.

mod block;
mod record;
mod segment;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use block::forge;
pub(crate) use block::{BLOCK_HEADER_BYTES, BlockHeader, BlockWriter, Wanted, check_block, decode_block};
pub(crate) use record::largest_encoding;
pub(crate) use segment::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// What is wrong with bytes that should be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("{what} is cut off: {found} bytes, wanted {wanted}")]
    Short { what: &'static str, found: u64, wanted: u64 },
    #[error("{what} starts with {found:#x}, wanted {wanted:#x}")]
    Magic { what: &'static str, found: u64, wanted: u64 },
    #[error("format version {found}, wanted {wanted}")]
    Version { found: u16, wanted: u16 },
    #[error("{what} has checksum {found:#010x}, wanted {wanted:#010x}")]
    Checksum { what: &'static str, found: u32, wanted: u32 },
    #[error("block of epoch {found:#018x}, wanted {wanted:#018x}")]
    Epoch { found: u64, wanted: u64 },
    #[error("{what} is {found}, which cannot be")]
    Value { what: &'static str, found: u64 },
}

/// Takes fields off the front of bytes.
struct Fields<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Fields<'a> {
    fn new(rest: &'a [u8], what: &'static str) -> Self {
        Self { rest, what }
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], FormatError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(FormatError::Short { what: self.what, found: self.rest.len() as u64, wanted: count as u64 });
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8, FormatError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, FormatError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, FormatError> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
