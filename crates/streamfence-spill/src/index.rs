//! Which log has which segments, what is in them, how much room there is and what is to be done next.
//!
//! A pure state machine: commands and the results of I/O go in, tasks and completions come out. Never does I/O, never
//! asks for the time.
//!
//! ```text
//!                 Create          Write           all before a position released
//!  Open ──► wanting ──► ahead ──► active ──► sealed ──► to be removed ──► gone
//!              ▲  no room: again in a second │
//!              └──── half full, or poisoned ─┘
//! ```

mod log;
mod space;
mod task;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use streamfence_core::{LogId, LogPosition, Record, SpillCompletion, SpillHealth};

use self::log::Log;
pub(crate) use self::log::{Batch, Block};
use self::space::Space;
pub(crate) use self::space::Trouble;
pub(crate) use self::task::{Begin, Task, WriteTask, Written};

/// How long something that failed for want of room, or of descriptors, is left alone.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Sizes, which tests make small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    /// A segment, header and all.
    pub(crate) segment_bytes: u64,
    /// A block that holds more than one record.
    pub(crate) block_bytes: usize,
    /// What is written with one call, but for a record that is larger.
    pub(crate) write_bytes: usize,
    /// The [stored bytes](Record::stored_bytes) of a record. A segment has room for several.
    pub(crate) record_bytes: u64,
}

/// How much a store may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of all its files together.
    pub(crate) max_bytes: u64,
    /// What it leaves free of the file system.
    pub(crate) min_free_bytes: u64,
}

/// What is to be read for one request: blocks in order.
#[derive(Debug)]
pub(crate) struct ReadPlan {
    /// From where on records are wanted.
    pub(crate) from: LogPosition,
    /// About how many bytes of bodies.
    pub(crate) most_bytes: u64,
    /// Where to go on when all of it was taken. `from` when there is nothing.
    pub(crate) next: LogPosition,
    /// What lies there.
    pub(crate) blocks: Vec<BlockPlace>,
}

/// Where a block lies, and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct BlockPlace {
    pub(crate) segment: u64,
    pub(crate) epoch: u64,
    pub(crate) block: Block,
}

/// All logs of a store.
#[derive(Debug)]
pub(crate) struct Index {
    geometry: Geometry,
    logs: BTreeMap<LogId, Log>,
    space: Space,
    /// Logs that have something to write and a place for it, each once.
    writable: VecDeque<LogId>,
    /// Logs that want a segment, each once.
    wanting: VecDeque<LogId>,
    /// Files that nobody needs.
    removals: VecDeque<u64>,
    /// The number of the next segment, and of the next use of one.
    next_number: u64,
    /// Random, so that no two stores have an epoch in common.
    epochs: u64,
    /// The stored bytes of all that waits to be written.
    waiting_bytes: u64,
    /// Writes that failed since one did not.
    failures_in_row: u32,
    /// Whether it has given up.
    failed: bool,
    /// Whether the last segment could not be made for want of room.
    full: bool,
    /// When files are made, written and removed again after something failed.
    retry: Retry,
    /// Which kind of work had the last turn.
    turn: u8,
    completions: Vec<SpillCompletion>,
}

/// Until when each kind of work is left alone.
#[derive(Clone, Copy, Debug, Default)]
struct Retry {
    create: Option<Instant>,
    write: Option<Instant>,
    remove: Option<Instant>,
}

impl Retry {
    fn is_due(at: &mut Option<Instant>, now: Instant) -> bool {
        if at.is_some_and(|at| at <= now) {
            *at = None;
        }
        at.is_none()
    }
}

impl Index {
    pub(crate) fn new(geometry: Geometry, limits: Limits, epochs: u64) -> Self {
        Self {
            geometry,
            logs: BTreeMap::new(),
            space: Space::new(geometry.segment_bytes, limits),
            writable: VecDeque::new(),
            wanting: VecDeque::new(),
            removals: VecDeque::new(),
            next_number: 0,
            epochs,
            waiting_bytes: 0,
            failures_in_row: 0,
            failed: false,
            full: false,
            retry: Retry::default(),
            turn: 2,
            completions: Vec::new(),
        }
    }

    /// Begins a log.
    pub(crate) fn open(&mut self, id: LogId, namespace: Arc<str>, topic: Arc<str>) {
        if self.logs.contains_key(&id) {
            return;
        }
        self.logs.insert(id, Log::new(namespace, topic));
        if self.failed {
            self.tell_all(SpillHealth::Failed);
        } else {
            if self.full {
                self.tell_all(SpillHealth::Full);
            }
            self.settle(id);
        }
    }

    /// Takes records to write. Gives them back when nobody will: the log is closed, or the store has failed.
    pub(crate) fn append(&mut self, id: LogId, records: Vec<Record>) -> Option<Vec<Record>> {
        let Some(log) = self.logs.get_mut(&id).filter(|_| !self.failed) else { return Some(records) };
        self.waiting_bytes += log.append(Batch::new(records));
        self.settle(id);
        None
    }

    /// Where to read for a request.
    pub(crate) fn plan_read(&self, id: LogId, from: LogPosition, most_bytes: u32) -> ReadPlan {
        let mut plan = ReadPlan { from, most_bytes: most_bytes.into(), next: from, blocks: Vec::new() };
        if let Some(log) = self.logs.get(&id) {
            log.plan_read(&mut plan);
        }
        plan
    }

    /// Lets go of what lies before a position.
    pub(crate) fn release(&mut self, id: LogId, upto: LogPosition) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        log.release(upto);
        self.removals.extend(log.sweep().map(|segment| segment.number));
    }

    /// Lets go of a log. What was to be written is given back, so that it is dropped elsewhere.
    pub(crate) fn close(&mut self, id: LogId) -> VecDeque<Batch> {
        let Some(mut log) = self.logs.remove(&id) else { return VecDeque::new() };
        self.waiting_bytes -= log.waiting_bytes;
        // Lines hold nobody who has gone: they may stand for long.
        self.wanting.retain(|wanting| *wanting != id);
        self.writable.retain(|writable| *writable != id);
        self.removals.extend(log.segments.drain(..).chain(log.ahead.take()).map(|segment| segment.number));
        log.pending
    }

    /// The stored bytes of all that waits to be written.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    /// All logs of a shard.
    pub(crate) fn logs_of(&self, shard: u16) -> Vec<LogId> {
        self.logs.keys().filter(|log| log.shard() == shard).copied().collect()
    }

    /// The numbers of all files there are.
    pub(crate) fn files(&self) -> Vec<u64> {
        let mut files: Vec<u64> =
            self.logs.values().flat_map(|log| log.segments.iter().chain(&log.ahead)).map(|it| it.number).collect();
        files.extend(&self.removals);
        files.sort_unstable();
        files
    }

    /// What has come about, in order.
    pub(crate) fn take_completions(&mut self) -> Vec<SpillCompletion> {
        std::mem::take(&mut self.completions)
    }

    /// Whether there may be a task, now or later.
    pub(crate) fn has_work(&self) -> bool {
        !(self.writable.is_empty() && self.wanting.is_empty() && self.removals.is_empty())
    }

    /// Whether something has come about.
    pub(crate) fn has_news(&self) -> bool {
        !self.completions.is_empty()
    }

    /// Bytes and number of the files there are.
    pub(crate) fn taken(&self) -> (u64, u64) {
        self.space.taken()
    }

    /// Decides anew what a log wants: a segment, a turn to write, word of more room.
    fn settle(&mut self, id: LogId) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        if self.failed {
            return;
        }
        if log.wants_segment(&self.geometry) && !log.is_wanting {
            log.is_wanting = true;
            self.wanting.push_back(id);
        }
        if log.can_write() && !log.is_writable {
            log.is_writable = true;
            self.writable.push_back(id);
        }
        if let Some(bytes) = log.grant(&self.geometry) {
            self.completions.push(SpillCompletion::Granted { log: id, bytes });
        }
    }

    /// Says how it stands to all logs, if that is news to them.
    fn tell_all(&mut self, health: SpillHealth) {
        for (&id, log) in &mut self.logs {
            if log.told != health {
                log.told = health;
                self.completions.push(SpillCompletion::Health { log: id, health });
            }
        }
    }

    /// Gives up writing: what lies in the files stays.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
        self.full = false;
        self.writable.clear();
        self.wanting.clear();
        self.waiting_bytes = 0;
        for log in self.logs.values_mut() {
            log.pending.clear();
            log.waiting_bytes = 0;
            let empty = log.seal();
            let unused = empty.into_iter().chain(log.ahead.take());
            self.removals.extend(unused.chain(log.sweep()).map(|segment| segment.number));
        }
        self.tell_all(SpillHealth::Failed);
    }
}

#[cfg(test)]
impl Index {
    /// That what is kept beside what it is derived from agrees with it, when no task is under way.
    pub(crate) fn check(&self) {
        self.logs.values().for_each(|log| log.check(&self.geometry));
        assert_eq!(self.waiting_bytes, self.logs.values().map(|log| log.waiting_bytes).sum::<u64>());
        assert_eq!(self.files().len() as u64, self.taken().1, "each file counts, and counts once");
        for (id, log) in &self.logs {
            let count = |line: &VecDeque<LogId>| line.iter().filter(|it| *it == id).count();
            assert_eq!(count(&self.wanting), usize::from(log.is_wanting && !self.failed));
            assert_eq!(count(&self.writable), usize::from(log.is_writable && !self.failed));
            assert!(!log.is_writing);
            assert!(self.failed || log.is_writable || !log.can_write(), "nobody is forgotten who can write");
            assert!(self.failed || log.is_wanting || !log.wants_segment(&self.geometry), "nor one who wants room");
        }
        assert!(self.wanting.iter().chain(&self.writable).all(|id| self.logs.contains_key(id)));
    }
}

#[cfg(test)]
mod tests;
