//! The first 4 KiB of a file: whose log it is part of, and from which position on.

use std::sync::Arc;

use super::{Fields, FormatError};

/// How long it is: what follows is aligned to pages.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 4096;
/// `SFSPILL` and a digit, as it lies in the file.
const MAGIC: u64 = u64::from_le_bytes(*b"SFSPILL1");
/// Raised whenever an older reader would misread.
pub(crate) const VERSION: u16 = 1;
/// Longest namespace and longest topic that are kept: they are for people, and cut without harm.
const LONGEST_NAME: usize = 1024;
/// Where the checksum of all before it lies.
const CRC_AT: usize = SEGMENT_HEADER_BYTES - 4;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The directory it was made in.
    pub(crate) store: [u8; 16],
    /// The number of its log.
    pub(crate) log: u64,
    /// Which use of the file this is: its blocks say the same.
    pub(crate) epoch: u64,
    /// No position in it is smaller.
    pub(crate) base: u64,
    /// When it was begun, in milliseconds since 1970.
    pub(crate) created_ms: u64,
    /// The namespace's path.
    pub(crate) namespace: Arc<str>,
    /// The topic's name.
    pub(crate) topic: Arc<str>,
}

impl SegmentHeader {
    /// Puts it at the end of the bytes.
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        let start = into.len();
        let (namespace, topic) = (cut(&self.namespace), cut(&self.topic));
        into.extend_from_slice(&MAGIC.to_le_bytes());
        into.extend_from_slice(&VERSION.to_le_bytes());
        // Flags, none yet.
        into.extend_from_slice(&0u16.to_le_bytes());
        into.extend_from_slice(&(namespace.len() as u16).to_le_bytes());
        into.extend_from_slice(&(topic.len() as u16).to_le_bytes());
        into.extend_from_slice(&self.store);
        for number in [self.log, self.epoch, self.base, self.created_ms] {
            into.extend_from_slice(&number.to_le_bytes());
        }
        into.extend_from_slice(namespace.as_bytes());
        into.extend_from_slice(topic.as_bytes());
        into.resize(start + CRC_AT, 0);
        let crc = crc32c::crc32c(&into[start..]);
        into.extend_from_slice(&crc.to_le_bytes());
    }

    /// Reads it off the front of a file.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let what = "segment header";
        let mut fields = Fields::new(bytes, what);
        let whole = fields.bytes(SEGMENT_HEADER_BYTES)?;
        let mut fields = Fields::new(whole, what);
        let found = fields.u64()?;
        if found != MAGIC {
            return Err(FormatError::Magic { what, found, wanted: MAGIC });
        }
        let found = fields.u16()?;
        let (covered, crc) = whole.split_at(CRC_AT);
        let (is, wanted) = (crc32c::crc32c(covered), Fields::new(crc, what).u32()?);
        if is != wanted {
            return Err(FormatError::Checksum { what, found: is, wanted });
        }
        // After the checksum, so that a version is only ever what somebody wrote.
        if found != VERSION {
            return Err(FormatError::Version { found, wanted: VERSION });
        }
        fields.u16()?;
        let (namespace, topic) = (fields.u16()?, fields.u16()?);
        let store = fields.array()?;
        let [log, epoch, base, created_ms] = [fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?];
        let mut name = |length: u16| fields.bytes(length.into()).map(|name| Arc::from(String::from_utf8_lossy(name)));
        let (namespace, topic) = (name(namespace)?, name(topic)?);
        Ok(Self { store, log, epoch, base, created_ms, namespace, topic })
    }
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST_NAME)]
}
