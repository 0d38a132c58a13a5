//! Records and blocks for tests.

use bytes::Bytes;
use streamfence_core::{Audience, Body, ClientId, Epoch, LogId, LogPosition, MessageId, Offset, Record, StoreId};

use crate::format::{BlockHeader, BlockWriter};

/// A record for everybody, with a body of so many bytes that are its own.
pub(crate) fn record(position: u64, size: usize) -> Record {
    let fill = position.to_le_bytes();
    let body: Vec<u8> = (0..size).map(|at| fill[at % 8] ^ at as u8).collect();
    Record {
        position: LogPosition(position),
        audience: Audience::All,
        id: MessageId { epoch: Epoch(77), offset: Offset(position + 1) },
        key: None,
        published_us: position * 10,
        expires_us: None,
        body: Body::plain(body.into()),
    }
}

/// A record for one.
pub(crate) fn private(position: u64, size: usize) -> Record {
    Record { audience: Audience::Private(Box::new([ClientId([3; 12])])), ..record(position, size) }
}

/// A block of these records.
pub(crate) fn block(epoch: u64, records: &[Record]) -> (BlockHeader, Bytes) {
    let mut bytes = Vec::new();
    let mut writer = BlockWriter::new(&mut bytes, epoch);
    records.iter().for_each(|record| writer.push(record));
    let header = writer.finish().expect("there are records");
    (header, bytes.into())
}

/// A log of shard 0.
pub(crate) fn log(number: u64) -> LogId {
    LogId { store: StoreId(0), number }
}

/// All of a record, for comparisons, with a checksum in place of its text.
pub(crate) fn spelled(record: &Record) -> String {
    let Record { position, audience, id, key, published_us, expires_us, body } = record;
    let Body { bytes, payload, attachments } = body;
    let (size, crc) = (bytes.len(), crc32c::crc32c(bytes));
    format!(
        "{} {audience:?} {id} {key:?} {published_us} {expires_us:?} {payload:?} {attachments:?} {size} {crc:x}",
        position.0
    )
}
