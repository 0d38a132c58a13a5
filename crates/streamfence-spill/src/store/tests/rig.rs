//! A store without threads: turns are taken when the test says so, at the time it says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use streamfence_core::{
    LogId, LogPosition, LostRecords, Record, SpillBackend, SpillCommand, SpillCompletion, SpillHealth,
};

use crate::filesystem::SpillFs;
use crate::index::{Geometry, Limits};
use crate::store::backend::Backend;
use crate::store::engine::{Engine, Turn};
use crate::store::outbox::Own;
use crate::testing::{record, spelled};

/// Small enough that a few records fill a segment.
pub(super) const TINY: Geometry =
    Geometry { segment_bytes: 4096 + 8192, block_bytes: 1024, write_bytes: 4096, record_bytes: 2048 };

/// As much as there is.
pub(super) const UNLIMITED: Limits = Limits { max_bytes: u64::MAX, min_free_bytes: 0 };

/// A store, one shard of it, and what is known of its logs.
pub(super) struct Rig<F: SpillFs> {
    pub(super) engine: Arc<Engine<F>>,
    backend: Backend<F>,
    pub(super) now: Instant,
    pub(super) logs: BTreeMap<LogId, Known>,
    /// The sizes of the memory that records were given in.
    pub(super) owned: Arc<Mutex<Vec<usize>>>,
}

/// What a hub knows of a log, and what a test knows besides.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What may be appended.
    pub(super) granted: u64,
    /// All that was appended and not yet released.
    pub(super) records: VecDeque<Record>,
    /// The position after the last record submitted.
    pub(super) next: u64,
    /// The position after the last record written.
    pub(super) appended: u64,
    pub(super) health: Option<SpillHealth>,
    /// Reads that were not answered yet, by where they begin.
    reading: Vec<u64>,
    /// What was said to be lost.
    pub(super) lost: Vec<LostRecords>,
    /// Records that came back.
    pub(super) read: u64,
}

impl<F: SpillFs> Rig<F> {
    pub(super) fn new(fs: F, geometry: Geometry, limits: Limits) -> Self {
        let engine = Arc::new(Engine::new(fs, geometry, limits, geometry.block_bytes * 8, [9; 16]));
        let owned = Arc::new(Mutex::default());
        let own: Own = {
            let owned = Arc::clone(&owned);
            Arc::new(move |bytes: Bytes| {
                let mut owned: MutexGuard<'_, Vec<usize>> = owned.lock().expect("nobody panicked");
                owned.push(bytes.len());
                bytes
            })
        };
        let backend = Backend::new(Arc::clone(&engine), 0, Some(own));
        Self { engine, backend, now: Instant::now(), logs: BTreeMap::new(), owned }
    }

    pub(super) fn open(&mut self, log: LogId) {
        self.logs.insert(log, Known::default());
        self.submit(SpillCommand::Open { log, namespace: "/feed".into(), topic: "tick".into() });
    }

    /// Opens logs and writes a record of 500 bytes to each.
    pub(super) fn start(&mut self, logs: impl IntoIterator<Item = LogId>) {
        for log in logs {
            self.open(log);
            self.settle();
            self.append(log, vec![record(0, 500)]);
            self.settle();
        }
    }

    /// Appends records that are as good as granted.
    pub(super) fn append(&mut self, log: LogId, records: Vec<Record>) {
        let known = self.logs.get_mut(&log).expect("the log is open");
        for record in &records {
            known.granted = known.granted.saturating_sub(record.stored_bytes());
            known.next = record.position.0 + 1;
        }
        known.records.extend(records.iter().cloned());
        self.submit(SpillCommand::Append { log, records });
    }

    pub(super) fn read(&mut self, log: LogId, from: u64, most_bytes: u32) {
        self.logs.entry(log).or_default().reading.push(from);
        self.submit(SpillCommand::Read { log, from: LogPosition(from), most_bytes });
    }

    pub(super) fn release(&mut self, log: LogId, upto: u64) {
        let known = self.logs.get_mut(&log).expect("the log is open");
        known.records.retain(|record| record.position.0 >= upto);
        self.submit(SpillCommand::Release { log, upto: LogPosition(upto) });
    }

    pub(super) fn close(&mut self, log: LogId) {
        // A read may still be answered, with nothing.
        self.known(log).records.clear();
        self.submit(SpillCommand::Close { log });
    }

    fn submit(&mut self, command: SpillCommand) {
        self.backend.submit(command).expect("there is room for a few commands");
    }

    /// Does all there is to do now, and checks what comes of it.
    pub(super) fn settle(&mut self) {
        // Each turn does something, or the test hangs; so many somethings are none.
        for _ in 0..100_000 {
            let writer = self.engine.writer_turn(self.now);
            let reader = self.engine.reader_turn(self.now);
            self.hear();
            if writer != Turn::Worked && reader != Turn::Worked {
                self.engine.lock().index.check();
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// One turn of the writer.
    pub(super) fn write_once(&mut self) -> Turn {
        let turn = self.engine.writer_turn(self.now);
        self.hear();
        turn
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.settle();
    }

    fn hear(&mut self) {
        while let Poll::Ready(completion) = self.backend.poll(&mut Context::from_waker(Waker::noop())) {
            self.take(completion);
        }
    }

    fn take(&mut self, completion: SpillCompletion) {
        match completion {
            SpillCompletion::Granted { log, bytes } => self.known(log).granted += bytes,
            SpillCompletion::Appended { log, upto } => {
                let known = self.known(log);
                assert!(upto.0 > known.appended, "it grows");
                assert!(upto.0 <= known.next, "not more than was submitted");
                known.appended = upto.0;
            }
            SpillCompletion::Health { log, health } => self.known(log).health = Some(health),
            SpillCompletion::Records { log, from, next, records, lost } => {
                self.known(log).check(from.0, next.0, &records, lost);
            }
        }
    }

    fn known(&mut self, log: LogId) -> &mut Known {
        self.logs.get_mut(&log).expect("nothing is heard of a log that was never opened")
    }

    pub(super) fn is_answered(&self) -> bool {
        self.logs.values().all(|known| known.reading.is_empty())
    }
}

impl Known {
    /// That what was read is what was written, but for what is said to be lost, and that this is counted exactly.
    fn check(&mut self, from: u64, next: u64, records: &[Record], lost: Vec<LostRecords>) {
        let asked = self.reading.iter().position(|asked| *asked == from).expect("it was asked for, and once");
        self.reading.swap_remove(asked);
        let span =
            |range: std::ops::Range<u64>| self.records.iter().filter(move |record| range.contains(&record.position.0));
        let is_lost = |record: &&Record| lost.iter().any(|lost| lost.positions.contains(&record.position));
        let wanted: Vec<String> = span(from..next).filter(|record| !is_lost(record)).map(spelled).collect();
        let found: Vec<String> = records
            .iter()
            // What is released in between may still come.
            .filter(|record| self.records.front().is_some_and(|first| record.position >= first.position))
            .map(spelled)
            .collect();
        assert_eq!(found, wanted, "from {from} to {next}, lost {lost:?}");
        assert!(records.is_sorted_by_key(|record| record.position));
        for lost in &lost {
            let missing = span(lost.positions.start.0..lost.positions.end.0);
            if self.records.front().is_some_and(|first| first.position.0 <= lost.positions.start.0) {
                let messages: Vec<&Record> = missing.filter(|record| record.audience.is_broadcast()).collect();
                let bytes: u64 = messages.iter().map(|record| record.body.bytes.len() as u64).sum();
                assert_eq!((lost.messages, lost.bytes), (messages.len() as u64, bytes));
            }
        }
        let is_there = self.records.iter().any(|record| record.position.0 >= from && record.position.0 < self.appended);
        assert!(next > from || !is_there && records.is_empty(), "a read goes on: from {from} to {next}");
        self.read += records.len() as u64;
        self.lost.extend(lost);
    }
}
