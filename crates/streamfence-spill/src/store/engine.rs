//! What the threads and the backends share: the index, the waiting reads, the open files.
//!
//! One lock, held for bookkeeping alone: nobody touches the disk under it.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use streamfence_core::{IO_BUCKETS_S, LogId, SpillCommand, SpillCompletion, SpillStats};

use super::bell::Bell;
use super::buffers::Buffers;
use super::cache::Cache;
use super::files::Files;
use super::outbox::Outbox;
use super::reads::{ReadRequest, Reads};
use crate::filesystem::{Name, SpillFs};
use crate::index::{Batch, Geometry, Index, Limits};

/// How many reads may wait for each shard. A hub has a few for each of its logs.
const MOST_READS: usize = 4096;
/// How many stored bytes may wait to be written for each shard. A hub has 8 MiB at most.
const MOST_WAITING_BYTES: u64 = 64 << 20;

pub(super) struct Engine<F: SpillFs> {
    pub(super) fs: F,
    pub(super) geometry: Geometry,
    /// The directory's, for the headers of files.
    pub(super) id: [u8; 16],
    pub(super) files: Files<F>,
    pub(super) cache: Mutex<Cache>,
    pub(super) buffers: Arc<Buffers>,
    state: Mutex<State>,
    /// Rings when there is something for the writer.
    pub(super) writing: Bell,
    /// Rings when there is something for a reader.
    pub(super) reading: Bell,
}

pub(super) struct State {
    pub(super) index: Index,
    pub(super) reads: Reads,
    /// Until when readers leave the disk alone, because there are no descriptors.
    pub(super) reads_wait: Option<Instant>,
    pub(super) stats: SpillStats,
    pub(super) is_stopping: bool,
    outboxes: BTreeMap<u16, Arc<Outbox>>,
    /// Who is to be woken when the lock is free.
    wakers: Vec<Waker>,
}

/// What a turn of a thread came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(test)]
pub(super) enum Turn {
    Worked,
    /// There is nothing to do before this.
    Idle(Option<Instant>),
}

impl<F: SpillFs> Engine<F> {
    pub(super) fn new(fs: F, geometry: Geometry, limits: Limits, cache_bytes: usize, id: [u8; 16]) -> Self {
        // Epochs are apart from those of other stores as their ids are.
        let epochs = u64::from_le_bytes(std::array::from_fn(|at| id[at]));
        Self {
            fs,
            geometry,
            id,
            files: Files::new(),
            cache: Mutex::new(Cache::new(cache_bytes)),
            buffers: Arc::new(Buffers::new(geometry.block_bytes)),
            state: Mutex::new(State {
                index: Index::new(geometry, limits, epochs),
                reads: Reads::default(),
                reads_wait: None,
                stats: SpillStats::default(),
                is_stopping: false,
                outboxes: BTreeMap::new(),
                wakers: Vec::new(),
            }),
            writing: Bell::default(),
            reading: Bell::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked has been told of; what it left is whole, because no bookkeeping is left half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a command, or gives it back. Once the store is dropped, they come to nothing.
    pub(super) fn submit(&self, command: SpillCommand) -> Result<(), SpillCommand> {
        let mut state = self.lock();
        if state.is_stopping {
            return Ok(());
        }
        let shards = state.outboxes.len().max(1);
        // Whatever is let go of is dropped after the lock.
        let mut unwritten = None;
        let mut closed = None;
        match command {
            SpillCommand::Open { log, namespace, topic } => state.index.open(log, namespace, topic),
            SpillCommand::Append { log, records } => {
                if state.index.waiting_bytes() > MOST_WAITING_BYTES * shards as u64 {
                    return Err(SpillCommand::Append { log, records });
                }
                unwritten = state.index.append(log, records);
            }
            SpillCommand::Read { log, from, most_bytes } => {
                if state.reads.len() >= MOST_READS * shards {
                    return Err(SpillCommand::Read { log, from, most_bytes });
                }
                state.reads.push(ReadRequest { log, from, most_bytes });
            }
            SpillCommand::Release { log, upto } => state.index.release(log, upto),
            SpillCommand::Close { log } => closed = Some(state.index.close(log)),
        }
        self.publish(state);
        drop((unwritten, closed));
        Ok(())
    }

    /// Hands what has come about to whom it concerns, lets go of the lock, and wakes whoever has something to do now.
    pub(super) fn publish(&self, mut state: MutexGuard<'_, State>) {
        for completion in state.index.take_completions() {
            state.deliver(completion);
        }
        let wakers = std::mem::take(&mut state.wakers);
        let is_for_writer = state.index.has_work() && self.writing.has_sleepers(&state);
        let is_for_reader = state.reads.len() > 0 && self.reading.has_sleepers(&state);
        drop(state);
        if is_for_writer {
            self.writing.ring();
        }
        if is_for_reader {
            self.reading.ring();
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Makes an outbox the one of its shard, and closes the logs of the one before.
    pub(super) fn register(&self, shard: u16, outbox: Arc<Outbox>) {
        let mut state = self.lock();
        let before = state.outboxes.insert(shard, outbox);
        let unwritten = if before.is_some() { state.close_all(shard) } else { Vec::new() };
        self.publish(state);
        drop(unwritten);
    }

    /// Closes the logs of a shard, if this outbox is still its own.
    pub(super) fn deregister(&self, shard: u16, outbox: &Arc<Outbox>) {
        let mut state = self.lock();
        if !state.outboxes.get(&shard).is_some_and(|current| Arc::ptr_eq(current, outbox)) {
            return;
        }
        state.outboxes.remove(&shard);
        let unwritten = state.close_all(shard);
        self.publish(state);
        drop(unwritten);
    }

    pub(super) fn stats(&self) -> SpillStats {
        let state = self.lock();
        let (bytes, segments) = state.index.taken();
        SpillStats { bytes, segments, ..state.stats }
    }

    /// Ends the threads, as soon as they have done what they are at.
    pub(super) fn stop(&self) {
        self.lock().is_stopping = true;
        self.writing.ring_for_all();
        self.reading.ring_for_all();
    }

    /// Removes all files there are. The threads have ended.
    pub(super) fn wipe(&self) {
        self.files.keep(0);
        let files = self.lock().index.files();
        for segment in files {
            // What stays is wiped at the next start.
            let _ = self.fs.remove(Name::Segment(segment));
        }
    }

    /// Runs a thread. Should it panic, which would be a mistake of ours, logs hear that nothing is written any more.
    pub(super) fn guard(&self, work: impl FnOnce(&Self)) {
        if panic::catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            let mut state = self.lock();
            state.index.fail();
            self.publish(state);
        }
    }
}

impl State {
    /// Puts a completion where its shard finds it.
    pub(super) fn deliver(&mut self, completion: SpillCompletion) {
        if let Some(outbox) = self.outbox(completion.log()) {
            self.wakers.extend(outbox.push(completion));
        }
    }

    pub(super) fn outbox(&self, log: LogId) -> Option<Arc<Outbox>> {
        self.outboxes.get(&log.shard()).cloned()
    }

    fn close_all(&mut self, shard: u16) -> Vec<Batch> {
        let logs = self.index.logs_of(shard);
        logs.into_iter().flat_map(|log| self.index.close(log)).collect()
    }

    /// Counts a call to write.
    pub(super) fn count_write(&mut self, took: Duration) {
        self.stats.write_times[bucket(took)] += 1;
        self.stats.write_us += took.as_micros() as u64;
    }

    /// Counts a call to read.
    pub(super) fn count_read(&mut self, took: Duration) {
        self.stats.read_times[bucket(took)] += 1;
        self.stats.read_us += took.as_micros() as u64;
    }
}

fn bucket(took: Duration) -> usize {
    IO_BUCKETS_S.iter().position(|most| took.as_secs_f64() <= *most).unwrap_or(IO_BUCKETS_S.len())
}

impl<F: SpillFs> fmt::Debug for Engine<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
