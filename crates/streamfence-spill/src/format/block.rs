//! Some records under one header, written, checked and lost together.

use bytes::Bytes;
use streamfence_core::{Epoch, LogPosition, Record};

use super::record;
use super::{Fields, FormatError};

/// How long the header of a block is.
pub(crate) const BLOCK_HEADER_BYTES: usize = 72;
const MAGIC: u32 = u32::from_le_bytes(*b"SFBK");
const WHAT: &str = "block header";

/// What a block says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    /// The bytes of its records.
    pub(crate) size: u32,
    body_crc: u32,
    /// Which use of the file it belongs to.
    pub(crate) epoch: u64,
    /// The position of its first record.
    pub(crate) first: LogPosition,
    /// The position of its last record.
    pub(crate) last: LogPosition,
    /// How many records it has.
    pub(crate) count: u32,
    /// How many of them are for everybody.
    pub(crate) messages: u32,
    /// The bytes of the bodies of those.
    pub(crate) message_bytes: u64,
    /// The epoch of its first message, so that the others need not repeat it.
    ids: Epoch,
}

impl BlockHeader {
    /// Reads it off the front of bytes. Its epoch is not looked at.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let whole = Fields::new(bytes, WHAT).bytes(BLOCK_HEADER_BYTES)?;
        let mut fields = Fields::new(whole, WHAT);
        let found = fields.u32()?;
        if found != MAGIC {
            return Err(FormatError::Magic { what: WHAT, found: found.into(), wanted: MAGIC.into() });
        }
        let (found, wanted) = (crc32c::crc32c(&whole[8..]), fields.u32()?);
        if found != wanted {
            return Err(FormatError::Checksum { what: WHAT, found, wanted });
        }
        let (body_crc, size) = (fields.u32()?, fields.u32()?);
        let (epoch, first, last) = (fields.u64()?, LogPosition(fields.u64()?), LogPosition(fields.u64()?));
        let (count, messages, message_bytes) = (fields.u32()?, fields.u32()?, fields.u64()?);
        let ids = Epoch(fields.u64()?);
        // Flags, none yet: a block that was compressed or sealed is none that this reader understands.
        let flags = fields.u64()?;
        if flags != 0 {
            return Err(FormatError::Value { what: "a block's flags", found: flags });
        }
        Ok(Self { size, body_crc, epoch, first, last, count, messages, message_bytes, ids })
    }

    /// The bytes of the whole block.
    pub(crate) fn block_bytes(&self) -> u64 {
        BLOCK_HEADER_BYTES as u64 + u64::from(self.size)
    }

    fn encode(&self) -> [u8; BLOCK_HEADER_BYTES] {
        let mut bytes = [0; BLOCK_HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.body_crc.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.size.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.last.0.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.count.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.messages.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.message_bytes.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.ids.0.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
}

/// Builds one block at the end of a buffer.
pub(crate) struct BlockWriter<'a> {
    into: &'a mut Vec<u8>,
    /// Where the block begins in the buffer.
    start: usize,
    /// What the header will say, but for checksum and size.
    header: Option<BlockHeader>,
    epoch: u64,
}

impl<'a> BlockWriter<'a> {
    pub(crate) fn new(into: &'a mut Vec<u8>, epoch: u64) -> Self {
        let start = into.len();
        into.resize(start + BLOCK_HEADER_BYTES, 0);
        Self { into, start, header: None, epoch }
    }

    /// How many bytes it has so far, with its header.
    pub(crate) fn len(&self) -> usize {
        self.into.len() - self.start
    }

    /// Whether a record's position can be said in this block.
    pub(crate) fn reaches(&self, position: LogPosition) -> bool {
        self.header.is_none_or(|header| position.0 - header.first.0 <= u64::from(u32::MAX))
    }

    /// Adds a record that lies behind all before it.
    pub(crate) fn push(&mut self, record: &Record) {
        let header = self.header.get_or_insert(BlockHeader {
            size: 0,
            body_crc: 0,
            epoch: self.epoch,
            first: record.position,
            last: record.position,
            count: 0,
            messages: 0,
            message_bytes: 0,
            ids: record.id.epoch,
        });
        header.last = record.position;
        header.count += 1;
        if record.audience.is_broadcast() {
            header.messages += 1;
            header.message_bytes += record.body.bytes.len() as u64;
        }
        record::encode(record, header.first, header.ids, self.into);
    }

    /// Closes the block and says what it is; one without records was never there.
    pub(crate) fn finish(self) -> Option<BlockHeader> {
        let Some(mut header) = self.header else {
            self.into.truncate(self.start);
            return None;
        };
        let (head, body) = self.into[self.start..].split_at_mut(BLOCK_HEADER_BYTES);
        header.size = body.len() as u32;
        header.body_crc = crc32c::crc32c(body);
        head.copy_from_slice(&header.encode());
        Some(header)
    }
}

/// Checks a block's checksums and its epoch; what follows the block is not looked at.
pub(crate) fn check_block(block: &[u8], epoch: u64) -> Result<BlockHeader, FormatError> {
    let header = BlockHeader::decode(block)?;
    if header.epoch != epoch {
        return Err(FormatError::Epoch { found: header.epoch, wanted: epoch });
    }
    let mut fields = Fields::new(block, "block");
    fields.bytes(BLOCK_HEADER_BYTES)?;
    let found = crc32c::crc32c(fields.bytes(header.size as usize)?);
    if found != header.body_crc {
        return Err(FormatError::Checksum { what: "block", found, wanted: header.body_crc });
    }
    Ok(header)
}

/// Makes the size and the checksums of a block right, so that what comes after them is put to the test.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn forge(block: &mut [u8]) {
    let Some((head, body)) = block.split_at_mut_checked(BLOCK_HEADER_BYTES) else { return };
    head[..4].copy_from_slice(&MAGIC.to_le_bytes());
    head[8..12].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    head[12..16].copy_from_slice(&(body.len() as u32).to_le_bytes());
    // No flags.
    head[64..].fill(0);
    let crc = crc32c::crc32c(&head[8..]);
    head[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// What is wanted of blocks that are read one after the other.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// From which position on.
    pub(crate) from: LogPosition,
    /// About how many bytes of bodies are still wanted. The record that reaches it is the last.
    pub(crate) bytes: u64,
}

/// Adds records of a checked block, which share its memory, until there are enough. On an error, nothing is added.
///
/// Says where to go on, if that is within the block.
pub(crate) fn decode_block(
    block: &Bytes,
    header: &BlockHeader,
    wanted: &mut Wanted,
    into: &mut Vec<Record>,
) -> Result<Option<LogPosition>, FormatError> {
    let before = into.len();
    let result = decode_records(block, header, wanted, into);
    if result.is_err() {
        into.truncate(before);
    }
    result
}

fn decode_records(
    block: &Bytes,
    header: &BlockHeader,
    wanted: &mut Wanted,
    into: &mut Vec<Record>,
) -> Result<Option<LogPosition>, FormatError> {
    let end = BLOCK_HEADER_BYTES + header.size as usize;
    if block.len() < end {
        return Err(FormatError::Short { what: "block", found: block.len() as u64, wanted: end as u64 });
    }
    let (mut at, mut count, mut least) = (BLOCK_HEADER_BYTES, 0, header.first);
    while at < end {
        if wanted.bytes == 0 {
            return Ok(Some(least));
        }
        let place = record::Place { block, at, first: header.first, epoch: header.ids };
        let (position, record, next) = record::decode(&place, wanted.from)?;
        if position < least || position > header.last {
            return Err(FormatError::Value { what: "a position", found: position.0 });
        }
        least = LogPosition(position.0.saturating_add(1));
        (at, count) = (next, count + 1);
        if let Some(record) = record {
            wanted.bytes = wanted.bytes.saturating_sub(record.body.bytes.len().max(1) as u64);
            into.push(record);
        }
    }
    if count != header.count || at != end {
        return Err(FormatError::Value { what: "the number of records of a block", found: header.count.into() });
    }
    Ok(None)
}
