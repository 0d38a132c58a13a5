//! The threads that read.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use streamfence_core::{LogPosition, Record, SpillCompletion};

use super::engine::Engine;
#[cfg(test)]
use super::engine::Turn;
use super::outbox::Outbox;
use super::reads::ReadRequest;
use crate::filesystem::{SpillFile, SpillFs};
use crate::format::{BlockHeader, Wanted, check_block, decode_block};
use crate::index::{BlockPlace, ReadPlan, Trouble};
use crate::ledger::after;

/// How long reads are left alone when there are no descriptors for them.
const RETRY: Duration = Duration::from_millis(100);

/// A read with what is needed for it.
struct Job {
    request: ReadRequest,
    plan: ReadPlan,
    outbox: Option<Arc<Outbox>>,
}

/// Why there are no records of a block.
enum Unread {
    /// They are lost.
    Lost,
    /// They are there, but not now.
    Later,
}

/// What reading cost.
#[derive(Default)]
struct Costs {
    calls: Vec<Duration>,
    failures: u64,
    damaged: u64,
}

impl<F: SpillFs> Engine<F> {
    /// Works until the store is dropped.
    pub(super) fn run_reader(&self) {
        while let Some(job) = self.wait_for_read() {
            self.read(job, Instant::now());
        }
    }

    /// Answers one read, if there is one.
    #[cfg(test)]
    pub(super) fn reader_turn(&self, now: Instant) -> Turn {
        match self.next_read(now) {
            Ok(job) => {
                self.read(job, now);
                Turn::Worked
            }
            Err(until) => Turn::Idle(until),
        }
    }

    #[cfg(test)]
    fn next_read(&self, now: Instant) -> Result<Job, Option<Instant>> {
        let mut state = self.lock();
        state.next_read(now).ok_or(state.reads_wait)
    }

    fn wait_for_read(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.is_stopping {
                return None;
            }
            let now = Instant::now();
            if let Some(job) = state.next_read(now) {
                return Some(job);
            }
            let until = state.reads_wait.map(|at| at.saturating_duration_since(now));
            state = self.reading.wait(state, until);
        }
    }

    fn read(&self, job: Job, now: Instant) {
        let Job { request, plan, outbox } = job;
        let mut costs = Costs::default();
        let count = plan.blocks.iter().map(|place| place.block.ledger.count()).sum();
        let (mut records, mut lost, mut next) = (Vec::with_capacity(count), Vec::new(), plan.next);
        let mut wanted = Wanted { from: plan.from, bytes: plan.most_bytes.max(1) };
        for place in &plan.blocks {
            match self.read_block(place, &mut wanted, outbox.as_deref(), &mut records, &mut costs) {
                Ok(None) => {}
                Ok(Some(within)) => {
                    next = within;
                    break;
                }
                Err(Unread::Lost) => lost.push(place.block.ledger.lost(plan.from)),
                Err(Unread::Later) => {
                    let mut state = self.lock();
                    state.count_reads(&costs);
                    state.reads.push(request);
                    state.reads_wait = Some(now + RETRY);
                    return;
                }
            }
            if wanted.bytes == 0 {
                next = after(place.block.ledger.last());
                break;
            }
        }
        let mut state = self.lock();
        state.count_reads(&costs);
        state.stats.refills += 1;
        state.stats.cached_refills += u64::from(costs.calls.is_empty());
        let ReadRequest { log, from, .. } = request;
        state.deliver(SpillCompletion::Records { log, from, next, records, lost });
        self.publish(state);
    }

    fn read_block(
        &self,
        place: &BlockPlace,
        wanted: &mut Wanted,
        outbox: Option<&Outbox>,
        into: &mut Vec<Record>,
        costs: &mut Costs,
    ) -> Result<Option<LogPosition>, Unread> {
        let key = (place.epoch, place.block.offset);
        let found = self.cache.lock().unwrap_or_else(PoisonError::into_inner).find(key);
        let (header, block) = match found {
            Some(found) => found,
            None => {
                let (header, block) = self.load(place, costs)?;
                self.cache.lock().unwrap_or_else(PoisonError::into_inner).add(key, header, block.clone());
                (header, block)
            }
        };
        // One who has left needs no records.
        let Some(outbox) = outbox else { return Ok(None) };
        let (size, before) = (block.len(), into.len());
        let next = decode_block(&outbox.own(block), &header, wanted, into).map_err(|_| {
            costs.damaged += 1;
            Unread::Lost
        })?;
        let records = &mut into[before..];
        let taken: usize = records.iter().map(|record| record.body.bytes.len()).sum();
        if taken < size / 2 {
            copy_out(records, taken, outbox);
        }
        Ok(next)
    }

    /// Reads a block from its file and checks it against what the index says.
    fn load(&self, place: &BlockPlace, costs: &mut Costs) -> Result<(BlockHeader, Bytes), Unread> {
        let size = place.block.size as usize;
        if size == 0 {
            return Err(Unread::Lost);
        }
        let bytes = match self.load_bytes(place, costs) {
            // Once more, for what comes and goes.
            Err(error) if matches!(Trouble::from(&error), Trouble::Broken | Trouble::NoSpace) => {
                self.load_bytes(place, costs)
            }
            loaded => loaded,
        };
        let bytes = bytes.map_err(|error| match Trouble::from(&error) {
            Trouble::Busy => Unread::Later,
            Trouble::NoSpace | Trouble::Missing | Trouble::Broken => Unread::Lost,
        })?;
        let ledger = &place.block.ledger;
        match check_block(&bytes, place.epoch) {
            Ok(header) if (header.first, header.last) == (ledger.first(), ledger.last()) => {
                Ok((header, self.buffers.share(bytes)))
            }
            _ => {
                costs.damaged += 1;
                Err(Unread::Lost)
            }
        }
    }

    fn load_bytes(&self, place: &BlockPlace, costs: &mut Costs) -> io::Result<Vec<u8>> {
        let begun = Instant::now();
        let result = self.files.get(&self.fs, place.segment).and_then(|file| {
            let mut bytes = self.buffers.take(place.block.size as usize);
            read_all(&*file, &mut bytes, place.block.offset)?;
            bytes.truncate(place.block.size as usize);
            Ok(bytes)
        });
        costs.calls.push(begun.elapsed());
        costs.failures += u64::from(result.is_err());
        result
    }
}

impl super::engine::State {
    fn next_read(&mut self, now: Instant) -> Option<Job> {
        if self.reads_wait.is_some_and(|at| now < at) {
            return None;
        }
        self.reads_wait = None;
        let request = self.reads.pop()?;
        let plan = self.index.plan_read(request.log, request.from, request.most_bytes);
        Some(Job { request, plan, outbox: self.outbox(request.log) })
    }

    fn count_reads(&mut self, costs: &Costs) {
        costs.calls.iter().for_each(|took| self.count_read(*took));
        self.stats.failures += costs.failures;
        self.stats.damaged_blocks += costs.damaged;
    }
}

/// Moves what was taken of a block into memory of its own, so that a little does not keep all of it.
fn copy_out(records: &mut [Record], bytes: usize, outbox: &Outbox) {
    let mut copy = BytesMut::with_capacity(bytes);
    records.iter().for_each(|record| copy.extend_from_slice(&record.body.bytes));
    let copy = outbox.own(copy.freeze());
    let mut at = 0;
    for record in records {
        let end = at + record.body.bytes.len();
        record.body.bytes = copy.slice(at..end);
        at = end;
    }
}

/// Fills a buffer's capacity, or as much of it as there is.
fn read_all(file: &impl SpillFile, into: &mut Vec<u8>, offset: u64) -> io::Result<()> {
    while into.len() < into.capacity() {
        match file.read_at(into, offset + into.len() as u64) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
