//! What the writer is to do next, and what became of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use streamfence_core::{LogId, LogPosition, SpillCompletion, SpillHealth};

use super::log::{Batch, Block, Segment};
use super::{Index, RETRY, Retry, Trouble};
use crate::format::{BLOCK_HEADER_BYTES, SEGMENT_HEADER_BYTES, largest_encoding};

/// Something to do on the disk. Its result is told to the index before the next one is taken.
#[derive(Debug)]
pub(crate) enum Task {
    /// Make a segment for a log, if so much is free on the file system.
    Create { log: LogId, segment: u64, free_wanted: u64 },
    /// See whether so much is free on the file system. Nobody wants a segment; all want to know whether there is room.
    Look { free_wanted: u64 },
    /// Write as much of this as fits.
    Write(WriteTask),
    /// Remove a file.
    Remove { segment: u64 },
}

/// What to write, and where.
#[derive(Debug)]
pub(crate) struct WriteTask {
    pub(crate) log: LogId,
    pub(crate) segment: u64,
    pub(crate) epoch: u64,
    /// Where the next block goes.
    pub(crate) at: u64,
    /// The header of the segment, if it has none yet.
    pub(crate) begins: Option<Begin>,
    /// Where the segment ends.
    pub(crate) limit: u64,
    pub(crate) batches: VecDeque<Batch>,
}

/// What the header of a segment says of its log.
#[derive(Debug)]
pub(crate) struct Begin {
    pub(crate) base: LogPosition,
    pub(crate) namespace: Arc<str>,
    pub(crate) topic: Arc<str>,
}

/// How the making of a segment went.
pub(crate) type Created = Result<(), Trouble>;

/// What is in the file now.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) blocks: Vec<Block>,
    /// Up to where the segment is written.
    pub(crate) end: u64,
    /// What did not fit, or was too much for one turn.
    pub(crate) rest: VecDeque<Batch>,
}

impl Index {
    /// The next thing to do: making (or looking for room), writing and removing take turns, so that none of them holds up the others.
    pub(crate) fn next_task(&mut self, now: Instant) -> Option<Task> {
        (0..3).find_map(|_| {
            self.turn = (self.turn + 1) % 3;
            match self.turn {
                0 => self.next_create(now),
                1 => self.next_write(now),
                _ => self.next_remove(now),
            }
        })
    }

    /// When there will be something to do again that there is not now.
    pub(crate) fn next_time(&self) -> Option<Instant> {
        let Retry { create, write, remove } = self.retry;
        let create = create.filter(|_| self.full || !self.wanting.is_empty());
        let write = write.filter(|_| !self.writable.is_empty());
        let remove = remove.filter(|_| !self.removals.is_empty());
        create.into_iter().chain(write).chain(remove).min()
    }

    fn next_create(&mut self, now: Instant) -> Option<Task> {
        if !Retry::is_due(&mut self.retry.create, now) {
            return None;
        }
        while let Some(id) = self.wanting.pop_front() {
            let Some(log) = self.logs.get_mut(&id) else { continue };
            // It may want none any more.
            if !log.wants_segment(&self.geometry) {
                log.is_wanting = false;
                continue;
            }
            if !self.space.has_room(self.full) {
                self.wanting.push_front(id);
                self.run_out(now);
                return None;
            }
            let segment = self.next_number;
            self.next_number += 1;
            // From now on, so that a file half made counts.
            let free_wanted = self.space.free_wanted(self.full);
            self.space.add();
            return Some(Task::Create { log: id, segment, free_wanted });
        }
        if !self.full {
            return None;
        }
        if !self.space.has_room(true) {
            self.run_out(now);
            return None;
        }
        Some(Task::Look { free_wanted: self.space.free_wanted(true) })
    }

    /// Says whether there is room.
    pub(crate) fn looked(&mut self, has_room: bool, now: Instant) {
        if has_room {
            self.recover();
        } else {
            self.run_out(now);
        }
    }

    /// Says what became of a segment to be made.
    pub(crate) fn created(&mut self, id: LogId, number: u64, created: Created, now: Instant) {
        if let Err(trouble) = created {
            self.space.remove();
            if !self.failed && self.logs.contains_key(&id) {
                self.wanting.push_front(id);
            }
            match trouble {
                Trouble::NoSpace | Trouble::Busy => self.run_out(now),
                Trouble::Missing | Trouble::Broken => self.count_failure(),
            }
            return;
        }
        self.recover();
        let epoch = self.epochs.wrapping_add(number);
        let segment = Segment { number, epoch, end: 0, blocks: Vec::new() };
        match self.logs.get_mut(&id).filter(|_| !self.failed) {
            Some(log) => {
                log.is_wanting = false;
                log.ahead = Some(segment);
                self.settle(id);
            }
            None => self.removals.push_back(number),
        }
    }

    fn next_write(&mut self, now: Instant) -> Option<Task> {
        if !Retry::is_due(&mut self.retry.write, now) {
            return None;
        }
        let capacity = self.geometry.segment_bytes - SEGMENT_HEADER_BYTES as u64;
        while let Some(id) = self.writable.pop_front() {
            let Some(log) = self.logs.get_mut(&id) else { continue };
            log.is_writable = false;
            let Some(first) = log.pending.front().and_then(|batch| batch.records().first()) else { continue };
            let base = first.position;
            // What no segment could hold is not written at all, and needs no room.
            let needs = BLOCK_HEADER_BYTES as u64 + largest_encoding(first);
            let needs = if needs > capacity { 0 } else { needs };
            if log.active().is_none_or(|active| active.rest(&self.geometry) < needs) {
                // What was full may have been needed by nobody for long.
                let empty = log.advance();
                self.removals.extend(empty.into_iter().chain(log.sweep()).map(|segment| segment.number));
            }
            let Some(active) = log.active() else {
                // It was full, and the next one is not made yet.
                self.settle(id);
                continue;
            };
            let (segment, epoch, at) = (active.number, active.epoch, active.end.max(SEGMENT_HEADER_BYTES as u64));
            let is_new = active.end == 0;
            let (batches, bytes) = log.take_pending(self.geometry.write_bytes);
            self.waiting_bytes -= bytes;
            log.is_writing = true;
            let begins =
                is_new.then(|| Begin { base, namespace: Arc::clone(&log.namespace), topic: Arc::clone(&log.topic) });
            let limit = self.geometry.segment_bytes;
            // The room behind the active segment changes hands only here, so that a log that moved on asks at once.
            self.settle(id);
            return Some(Task::Write(WriteTask { log: id, segment, epoch, at, begins, limit, batches }));
        }
        None
    }

    /// Says what was written.
    pub(crate) fn written(&mut self, id: LogId, written: Written) {
        self.failures_in_row = 0;
        let Some(log) = self.logs.get_mut(&id) else { return };
        log.is_writing = false;
        if let Some(last) = written.blocks.last() {
            log.appended = crate::ledger::after(last.ledger.last());
            self.completions.push(SpillCompletion::Appended { log: id, upto: log.appended });
        }
        if let Some(active) = log.active() {
            active.end = written.end;
            active.blocks.extend(written.blocks);
        }
        self.waiting_bytes += log.put_back(written.rest);
        self.settle(id);
    }

    /// Says that nothing was written for certain: what is behind the end of the segment is not to be trusted, so it goes
    /// on in another one.
    pub(crate) fn write_failed(&mut self, id: LogId, batches: VecDeque<Batch>, trouble: Trouble, now: Instant) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        log.is_writing = false;
        self.waiting_bytes += log.put_back(batches);
        match trouble {
            // The file could not even be opened.
            Trouble::Busy => self.retry.write = Some(now + RETRY),
            Trouble::NoSpace | Trouble::Missing | Trouble::Broken => {
                let empty = log.seal();
                self.removals.extend(empty.into_iter().chain(log.sweep()).map(|segment| segment.number));
                // It wants another one now, and is among those that hear whether there is one.
                self.settle(id);
                if trouble == Trouble::NoSpace {
                    self.run_out(now);
                } else {
                    self.count_failure();
                }
            }
        }
        self.settle(id);
    }

    fn next_remove(&mut self, now: Instant) -> Option<Task> {
        if !Retry::is_due(&mut self.retry.remove, now) {
            return None;
        }
        self.removals.pop_front().map(|segment| Task::Remove { segment })
    }

    /// Says whether a file is gone. What is there still counts, and is tried again.
    pub(crate) fn removed(&mut self, segment: u64, removed: Result<(), Trouble>, now: Instant) {
        match removed {
            Ok(()) | Err(Trouble::Missing) => {
                self.space.remove();
                // There is room now, perhaps.
                self.retry.create = None;
            }
            Err(Trouble::NoSpace | Trouble::Busy | Trouble::Broken) => {
                self.removals.push_back(segment);
                self.retry.remove = Some(now + RETRY);
            }
        }
    }

    /// There is no room: everybody hears of it, and it is tried again later.
    fn run_out(&mut self, now: Instant) {
        self.retry.create = Some(now + RETRY);
        if !self.failed {
            self.full = true;
            self.tell_all(SpillHealth::Full);
        }
    }

    /// There is room again.
    fn recover(&mut self) {
        if self.full {
            self.full = false;
            self.tell_all(SpillHealth::Healthy);
        }
    }

    /// A second failure in a row is one too many: the first may have been a bad place, this one is a bad disk.
    fn count_failure(&mut self) {
        self.failures_in_row += 1;
        if self.failures_in_row >= 2 && !self.failed {
            self.fail();
        }
    }
}
