//! One log: its segments from the oldest that is needed to the one made ahead, and what waits to be written.

use std::collections::VecDeque;
use std::sync::Arc;

use streamfence_core::{LogPosition, Record, SpillHealth};

use super::{BlockPlace, Geometry, ReadPlan};
use crate::format::SEGMENT_HEADER_BYTES;
use crate::ledger::{Ledger, after};

/// Records that came together.
#[derive(Debug)]
pub(crate) struct Batch {
    records: Vec<Record>,
    /// How many of them are written.
    done: usize,
    /// What the others take of what was granted.
    stored_bytes: u64,
}

impl Batch {
    pub(crate) fn new(records: Vec<Record>) -> Self {
        let stored_bytes = records.iter().map(Record::stored_bytes).sum();
        Self { records, done: 0, stored_bytes }
    }

    /// What is to be written.
    pub(crate) fn records(&self) -> &[Record] {
        &self.records[self.done..]
    }

    /// Says that so many of them are written.
    pub(crate) fn advance(&mut self, count: usize) {
        let written: u64 = self.records().iter().take(count).map(Record::stored_bytes).sum();
        self.done = self.records.len().min(self.done + count);
        self.stored_bytes -= written;
    }
}

/// A block of a segment.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// How long it is, header and all. 0 is a record that was never written, because nothing could hold it.
    pub(crate) size: u32,
    /// What is in it.
    pub(crate) ledger: Ledger,
}

/// A file.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Which use of the file this is.
    pub(super) epoch: u64,
    /// Up to where it is written; 0 before its header is.
    pub(super) end: u64,
    /// In order, without holes in the file.
    pub(super) blocks: Vec<Block>,
}

impl Segment {
    /// What is left of it, for blocks.
    pub(super) fn rest(&self, geometry: &Geometry) -> u64 {
        geometry.segment_bytes.saturating_sub(self.end.max(SEGMENT_HEADER_BYTES as u64))
    }

    fn last(&self) -> Option<LogPosition> {
        self.blocks.last().map(|block| block.ledger.last())
    }
}

#[derive(Debug)]
pub(super) struct Log {
    pub(super) namespace: Arc<str>,
    pub(super) topic: Arc<str>,
    /// With something in them, or about to be; the last one is written to, unless it is sealed.
    pub(super) segments: VecDeque<Segment>,
    /// Whether nothing more is written to the last segment.
    is_sealed: bool,
    /// Made for what comes after the last segment.
    pub(super) ahead: Option<Segment>,
    /// What waits to be written.
    pub(super) pending: VecDeque<Batch>,
    /// Its stored bytes.
    pub(super) waiting_bytes: u64,
    /// The stored bytes of what the writer has in hand.
    writing_bytes: u64,
    /// What was granted and not yet used.
    outstanding_bytes: u64,
    /// The position after the last record written.
    pub(super) appended: LogPosition,
    /// Nobody reads before it.
    released: LogPosition,
    /// What was last said about it.
    pub(super) told: SpillHealth,
    /// Whether the writer has some of it in hand.
    pub(super) is_writing: bool,
    /// Whether it stands in the line of those that can write.
    pub(super) is_writable: bool,
    /// Whether it stands in the line of those that want a segment, or one is being made for it.
    pub(super) is_wanting: bool,
}

impl Log {
    pub(super) fn new(namespace: Arc<str>, topic: Arc<str>) -> Self {
        Self {
            namespace,
            topic,
            segments: VecDeque::new(),
            is_sealed: false,
            ahead: None,
            pending: VecDeque::new(),
            waiting_bytes: 0,
            writing_bytes: 0,
            outstanding_bytes: 0,
            appended: LogPosition(0),
            released: LogPosition(0),
            told: SpillHealth::Healthy,
            is_writing: false,
            is_writable: false,
            is_wanting: false,
        }
    }

    /// Takes records that wait, and says how many bytes that is.
    pub(super) fn append(&mut self, batch: Batch) -> u64 {
        let stored_bytes = batch.stored_bytes;
        if batch.records().is_empty() {
            return 0;
        }
        self.outstanding_bytes = self.outstanding_bytes.saturating_sub(batch.stored_bytes);
        self.waiting_bytes += batch.stored_bytes;
        self.pending.push_back(batch);
        stored_bytes
    }

    /// Takes what is written with one call, and says how many bytes that is.
    pub(super) fn take_pending(&mut self, bytes: usize) -> (VecDeque<Batch>, u64) {
        let mut taken = VecDeque::new();
        let mut taken_bytes = 0;
        while taken_bytes < bytes as u64
            && let Some(batch) = self.pending.pop_front()
        {
            taken_bytes += batch.stored_bytes;
            taken.push_back(batch);
        }
        self.waiting_bytes -= taken_bytes;
        self.writing_bytes = taken_bytes;
        (taken, taken_bytes)
    }

    /// Puts back what of it is still to be written, and says how many bytes that is.
    pub(super) fn put_back(&mut self, batches: VecDeque<Batch>) -> u64 {
        self.writing_bytes = 0;
        let before = self.waiting_bytes;
        for batch in batches.into_iter().rev() {
            self.waiting_bytes += batch.stored_bytes;
            self.pending.push_front(batch);
        }
        self.waiting_bytes - before
    }

    /// The segment that is written to.
    pub(super) fn active(&mut self) -> Option<&mut Segment> {
        self.segments.back_mut().filter(|_| !self.is_sealed)
    }

    fn active_rest(&self, geometry: &Geometry) -> Option<u64> {
        self.segments.back().filter(|_| !self.is_sealed).map(|segment| segment.rest(geometry))
    }

    /// Writes no more to the segment that is written to. It is given back when nothing is in it.
    pub(super) fn seal(&mut self) -> Option<Segment> {
        self.is_sealed = true;
        self.segments.pop_back_if(|segment| segment.blocks.is_empty())
    }

    /// Goes on to the segment made ahead, if there is one. The one before is given back when nothing is in it.
    pub(super) fn advance(&mut self) -> Option<Segment> {
        let empty = self.seal();
        if let Some(next) = self.ahead.take() {
            self.segments.push_back(next);
            self.is_sealed = false;
        }
        empty
    }

    pub(super) fn can_write(&self) -> bool {
        let place = self.ahead.is_some() || (!self.segments.is_empty() && !self.is_sealed);
        place && !self.pending.is_empty() && !self.is_writing
    }

    pub(super) fn wants_segment(&self, geometry: &Geometry) -> bool {
        let rest = self.active_rest(geometry).unwrap_or(0);
        self.ahead.is_none() && rest < geometry.segment_bytes / 2
    }

    /// What may be appended on top of all that was granted before, if that is worth saying.
    pub(super) fn grant(&mut self, geometry: &Geometry) -> Option<u64> {
        let certain = match (self.active_rest(geometry), &self.ahead) {
            // What does not fit the end of one segment leaves up to a whole record of it empty.
            (Some(rest), Some(ahead)) => rest.saturating_sub(geometry.record_bytes) + ahead.rest(geometry),
            (Some(rest), None) => rest,
            (None, Some(ahead)) => ahead.rest(geometry),
            (None, None) => 0,
        };
        let more = certain.saturating_sub(self.outstanding_bytes + self.waiting_bytes + self.writing_bytes);
        // Not for every record.
        if more < geometry.segment_bytes / 64 {
            return None;
        }
        self.outstanding_bytes += more;
        Some(more)
    }

    /// Nobody reads before a position any more.
    pub(super) fn release(&mut self, upto: LogPosition) {
        self.released = self.released.max(upto);
    }

    /// Forgets what nobody needs, and gives the files of it. The segment that is written to stays.
    pub(super) fn sweep(&mut self) -> impl Iterator<Item = Segment> + '_ {
        let sealed = if self.is_sealed { self.segments.len() } else { self.segments.len().saturating_sub(1) };
        let is_needed = |segment: &Segment| segment.last().is_some_and(|last| last >= self.released);
        let dead = self.segments.iter().take(sealed).position(is_needed).unwrap_or(sealed);
        self.segments.drain(..dead)
    }

    /// Finds the blocks for a request.
    pub(super) fn plan_read(&self, plan: &mut ReadPlan) {
        let (from, most_bytes) = (plan.from, plan.most_bytes);
        // Only the last segment may be without blocks, so that they are in order.
        let start = self.segments.partition_point(|segment| segment.last().is_some_and(|last| last < from));
        let mut bytes = 0;
        for segment in self.segments.range(start..) {
            let first = segment.blocks.partition_point(|block| block.ledger.last() < from);
            for block in &segment.blocks[first..] {
                let size = u64::from(block.size);
                // One block always, however large, and no other of which only a little would be taken.
                if !plan.blocks.is_empty() && bytes + size / 2 > most_bytes {
                    return;
                }
                bytes += match block.ledger.first().0 {
                    first if first >= from.0 => size,
                    first => size * (block.ledger.last().0 - from.0) / (block.ledger.last().0 - first),
                };
                plan.next = after(block.ledger.last());
                plan.blocks.push(BlockPlace { segment: segment.number, epoch: segment.epoch, block: block.clone() });
            }
        }
    }

    /// That what is kept beside what it is derived from agrees with it.
    #[cfg(test)]
    pub(super) fn check(&self, geometry: &Geometry) {
        assert_eq!(self.waiting_bytes, self.pending.iter().map(|batch| batch.stored_bytes).sum::<u64>());
        let mut last = None;
        for (place, segment) in self.segments.iter().enumerate() {
            let is_last = place + 1 == self.segments.len();
            assert!(!segment.blocks.is_empty() || is_last && !self.is_sealed, "only the last may be empty");
            assert!(segment.end <= geometry.segment_bytes, "what is granted fits");
            assert!(is_last || segment.last() >= Some(self.released), "what nobody needs is gone");
            let mut offset = SEGMENT_HEADER_BYTES as u64;
            for block in &segment.blocks {
                assert_eq!(block.offset, offset, "no holes in the file");
                assert!(last < Some(block.ledger.first()) && block.ledger.first() <= block.ledger.last());
                offset += u64::from(block.size);
                last = Some(block.ledger.last());
            }
            assert!(segment.end == offset || segment.blocks.is_empty());
        }
        assert!(last.is_none_or(|last| after(last) == self.appended));
        assert!(self.ahead.as_ref().is_none_or(|ahead| ahead.end == 0 && ahead.blocks.is_empty()));
    }
}
