//! The thread that makes, writes and removes files.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::engine::Engine;
#[cfg(test)]
use super::engine::Turn;
use crate::filesystem::{Name, SpillFile, SpillFs};
use crate::format::{BLOCK_HEADER_BYTES, BlockWriter, SegmentHeader, largest_encoding};
use crate::index::{Batch, Begin, Block, Geometry, Task, Trouble, WriteTask, Written};
use crate::ledger::LedgerWriter;

impl<F: SpillFs> Engine<F> {
    /// Works until the store is dropped.
    pub(super) fn run_writer(&self) {
        let mut buffer = Vec::new();
        while let Some(task) = self.wait_for_task() {
            self.do_task(task, &mut buffer, Instant::now());
        }
    }

    /// Does one thing, if there is one.
    #[cfg(test)]
    pub(super) fn writer_turn(&self, now: Instant) -> Turn {
        let mut state = self.lock();
        let Some(task) = state.index.next_task(now) else {
            let until = state.index.next_time();
            self.publish(state);
            return Turn::Idle(until);
        };
        self.publish(state);
        self.do_task(task, &mut Vec::new(), now);
        Turn::Worked
    }

    fn wait_for_task(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if state.is_stopping {
                return None;
            }
            let now = Instant::now();
            if let Some(task) = state.index.next_task(now) {
                self.publish(state);
                return Some(task);
            }
            if state.index.has_news() {
                // That there is no room is found while looking for something to do.
                self.publish(state);
                state = self.lock();
                continue;
            }
            let until = state.index.next_time().map(|at| at.saturating_duration_since(now));
            state = self.writing.wait(state, until);
        }
    }

    fn do_task(&self, task: Task, buffer: &mut Vec<u8>, now: Instant) {
        match task {
            Task::Create { log, segment, free_wanted } => {
                let created = self.create(segment, free_wanted);
                let mut state = self.lock();
                state.stats.failures += u64::from(created.is_err());
                state.index.created(log, segment, created, now);
                self.publish(state);
            }
            Task::Look { free_wanted } => {
                let has_room = self.fs.free_bytes().is_ok_and(|free| free >= free_wanted);
                let mut state = self.lock();
                state.index.looked(has_room, now);
                self.publish(state);
            }
            Task::Write(task) => self.write(task, buffer, now),
            Task::Remove { segment } => {
                self.files.forget(segment);
                let removed = self.fs.remove(Name::Segment(segment)).map_err(|error| Trouble::from(&error));
                let mut state = self.lock();
                state.stats.failures += u64::from(removed.is_err());
                state.index.removed(segment, removed, now);
                self.publish(state);
            }
        }
    }

    fn create(&self, segment: u64, free_wanted: u64) -> Result<(), Trouble> {
        let trouble = |error: io::Error| Trouble::from(&error);
        if self.fs.free_bytes().map_err(trouble)? < free_wanted {
            return Err(Trouble::NoSpace);
        }
        let create = || self.fs.create(Name::Segment(segment), self.geometry.segment_bytes);
        self.files.add(segment, create).map_err(trouble)?;
        Ok(())
    }

    fn write(&self, task: WriteTask, buffer: &mut Vec<u8>, now: Instant) {
        buffer.clear();
        let start = match &task.begins {
            Some(begin) => {
                self.header(&task, begin).encode(buffer);
                0
            }
            None => task.at,
        };
        let filled = fill(&task, start, buffer, &self.geometry);
        let begun = Instant::now();
        let result = self.files.get(&self.fs, task.segment).and_then(|file| write_all(&*file, buffer, start));
        let took = begun.elapsed();
        let WriteTask { log, mut batches, .. } = task;
        match result {
            Ok(()) => {
                // What is written is dropped before anybody waits for the lock.
                batches.drain(..filled.batches);
                if let Some(batch) = batches.front_mut() {
                    batch.advance(filled.records);
                }
                let mut state = self.lock();
                state.count_write(took);
                state.stats.written_bytes += buffer.len() as u64;
                let end = start + buffer.len() as u64;
                state.index.written(log, Written { blocks: filled.blocks, end, rest: batches });
                self.publish(state);
            }
            Err(error) => {
                let mut state = self.lock();
                state.count_write(took);
                state.stats.failures += 1;
                state.index.write_failed(log, batches, Trouble::from(&error), now);
                self.publish(state);
            }
        }
    }

    fn header(&self, task: &WriteTask, begin: &Begin) -> SegmentHeader {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        SegmentHeader {
            store: self.id,
            log: task.log.number,
            epoch: task.epoch,
            base: begin.base.0,
            created_ms: since.as_millis() as u64,
            namespace: Arc::clone(&begin.namespace),
            topic: Arc::clone(&begin.topic),
        }
    }
}

/// How much of a task is in the buffer.
struct Filled {
    blocks: Vec<Block>,
    /// How many batches are in it as a whole.
    batches: usize,
    /// How many records of the one after them.
    records: usize,
}

/// Spells records as blocks until a segment or a turn is full.
fn fill(task: &WriteTask, start: u64, buffer: &mut Vec<u8>, geometry: &Geometry) -> Filled {
    let mut filled = Filled { blocks: Vec::new(), batches: 0, records: 0 };
    let mut ledger = LedgerWriter::default();
    let room = (task.limit - start) as usize;
    let capacity = geometry.segment_bytes - crate::format::SEGMENT_HEADER_BYTES as u64;
    let mut place = Cursor { batches: &task.batches, batch: 0, record: 0 };
    while let Some(first) = place.peek() {
        let alone = BLOCK_HEADER_BYTES as u64 + largest_encoding(first);
        let offset = start + buffer.len() as u64;
        if alone > capacity {
            // It has its place in the order, and nothing in the file: whoever comes to it hears that it is lost.
            ledger.push(first);
            filled.blocks.extend(ledger.finish().map(|ledger| Block { offset, size: 0, ledger }));
            place.step();
            continue;
        }
        if buffer.len() as u64 + alone > room as u64 || buffer.len() >= geometry.write_bytes {
            break;
        }
        let most = geometry.block_bytes.min(room - buffer.len());
        let mut block = BlockWriter::new(buffer, task.epoch);
        while let Some(record) = place.peek() {
            let is_first = block.len() == BLOCK_HEADER_BYTES;
            let fits = block.len() as u64 + largest_encoding(record) <= most as u64;
            if !(is_first || fits && block.reaches(record.position)) {
                break;
            }
            block.push(record);
            ledger.push(record);
            place.step();
        }
        if let (Some(header), Some(ledger)) = (block.finish(), ledger.finish()) {
            filled.blocks.push(Block { offset, size: header.block_bytes() as u32, ledger });
        }
    }
    (filled.batches, filled.records) = (place.batch, place.record);
    filled
}

/// Where one is in records that came in batches.
struct Cursor<'a> {
    batches: &'a VecDeque<Batch>,
    batch: usize,
    record: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<&'a streamfence_core::Record> {
        self.batches.get(self.batch)?.records().get(self.record)
    }

    fn step(&mut self) {
        self.record += 1;
        if self.batches.get(self.batch).is_some_and(|batch| batch.records().len() <= self.record) {
            (self.batch, self.record) = (self.batch + 1, 0);
        }
    }
}

/// Writes all of it, in as many calls as it takes.
fn write_all(file: &impl SpillFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = bytes.get(count..).unwrap_or_default();
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
