//! What a block holds, record by record, in about two bytes each: so that what was lost can be told when the block itself
//! cannot be read any more, from any position on.

use std::sync::Arc;

use streamfence_core::{LogPosition, LostRecords, Record};

/// The records of one block: for each the positions left out before it, whom it is for, and its size.
///
/// ```text
/// varint   size << 2 | private << 1 | gap
/// varint   positions left out, where `gap`
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    first: LogPosition,
    last: LogPosition,
    count: u32,
    entries: Arc<[u8]>,
}

impl Ledger {
    /// The first position.
    pub(crate) fn first(&self) -> LogPosition {
        self.first
    }

    /// The last position.
    pub(crate) fn last(&self) -> LogPosition {
        self.last
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> usize {
        self.count as usize
    }

    /// What is missing without this block, from a position on.
    pub(crate) fn lost(&self, from: LogPosition) -> LostRecords {
        let mut lost = LostRecords { positions: from.max(self.first)..after(self.last), messages: 0, bytes: 0 };
        let (mut rest, mut position) = (&*self.entries, self.first.0);
        while let Some(entry) = take(&mut rest) {
            if entry & 1 != 0 {
                position += take(&mut rest).unwrap_or(0);
            }
            if position >= from.0 && entry & 2 == 0 {
                lost.messages += 1;
                lost.bytes += entry >> 2;
            }
            position += 1;
        }
        lost
    }
}

/// Writes the ledger of a block while the block is written.
#[derive(Debug, Default)]
pub(crate) struct LedgerWriter {
    span: Option<(LogPosition, LogPosition)>,
    count: u32,
    entries: Vec<u8>,
}

impl LedgerWriter {
    /// Enters a record that lies behind all before it.
    pub(crate) fn push(&mut self, record: &Record) {
        let skipped = self.span.map_or(0, |(_, last)| record.position.0.saturating_sub(after(last).0));
        let private = u64::from(!record.audience.is_broadcast());
        put(&mut self.entries, (record.body.bytes.len() as u64) << 2 | private << 1 | u64::from(skipped > 0));
        if skipped > 0 {
            put(&mut self.entries, skipped);
        }
        self.count += 1;
        self.span = Some((self.span.map_or(record.position, |(first, _)| first), record.position));
    }

    /// The ledger of what was entered, after which another block begins. `None` when that is nothing.
    pub(crate) fn finish(&mut self) -> Option<Ledger> {
        let (first, last) = self.span.take()?;
        let entries = Arc::from(&*self.entries);
        self.entries.clear();
        Some(Ledger { first, last, count: std::mem::take(&mut self.count), entries })
    }
}

/// The position after one.
pub(crate) fn after(position: LogPosition) -> LogPosition {
    LogPosition(position.0.saturating_add(1))
}

fn put(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn take(from: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{private, record};

    #[test]
    fn what_is_lost_is_known_from_any_position_on() {
        let mut writer = LedgerWriter::default();
        for record in [record(10, 5), record(11, 200), private(500, 7), record(501, 0), record(600, 70_000)] {
            writer.push(&record);
        }
        let ledger = writer.finish().expect("records were entered");
        let lost = |from| {
            let lost = ledger.lost(LogPosition(from));
            (lost.positions.start.0..lost.positions.end.0, lost.messages, lost.bytes)
        };
        assert_eq!(ledger.count(), 5);
        assert_eq!(lost(0), (10..601, 4, 70_205));
        assert_eq!(lost(11), (11..601, 3, 70_200));
        assert_eq!(lost(12), (12..601, 2, 70_000));
        assert_eq!(lost(501), (501..601, 2, 70_000));
        assert_eq!(lost(502), (502..601, 1, 70_000));
        assert!(writer.finish().is_none(), "the next block begins empty");
    }
}
