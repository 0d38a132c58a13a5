//! All logs of a hub: which of them have something to say to their store, and when.
//!
//! Never a lane, and never what lies in a log.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::time::Instant;

use slab::Slab;

use crate::spill::{LogId, SpillCommand, SpillHealth, StoreId};
use crate::spill_log::{SpillLimits, SpillLog, Waiting};
use crate::topic::TopicEntry;

#[derive(Debug, Default)]
pub(super) struct Spills {
    /// Which shard this is, of how many: 0 of none is 0 of one.
    shard: u16,
    shards: u16,
    logs: Slab<SpillLog>,
    by_number: HashMap<u64, u32>,
    /// Those that have a command, each once.
    queue: VecDeque<u32>,
    /// When a log is to be looked at, by its number; filed lazily, one for each log and a stale one for each that was closed
    /// in the last 20 ms.
    timers: BinaryHeap<Reverse<(Instant, u64)>>,
    /// How it stands with each store, as far as anything was heard.
    stores: BTreeMap<StoreId, SpillHealth>,
    /// Sum of what the logs have not written.
    unwritten: u64,
    /// Sum of what of that has no room on disk yet.
    unplaced: u64,
    /// Sum of what they have written and keep in memory.
    tails: u64,
    /// Sum of the clients that are named in what they hold.
    names: u64,
    serial: u64,
    began: Option<Instant>,
    pub(super) limits: SpillLimits,
}

impl Spills {
    pub(super) fn on_shard(&mut self, shard: u16, shards: u16) {
        (self.shard, self.shards) = (shard, shards);
    }

    /// Time begins now, unless it has begun.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began.get_or_insert(now);
    }

    /// What the times of records are counted from.
    pub(super) fn began(&self, now: Instant) -> Instant {
        self.began.unwrap_or(now)
    }

    /// This hub's part of what a topic may have.
    pub(super) fn part(&self, bytes: u64) -> u64 {
        (bytes / u64::from(self.shards.max(1))).max(1)
    }

    /// A new log for a topic, in the store its class has now.
    pub(super) fn open(&mut self, topic: &TopicEntry, store: StoreId) -> u32 {
        let id = LogId::new(store, self.shard, self.serial);
        self.serial += 1;
        let place = self.logs.insert(SpillLog::new(id, topic, self.limits)) as u32;
        self.by_number.insert(id.number, place);
        place
    }

    /// Whether there is none, as in most hubs: then no lane is to be looked at for it.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// The log at a place.
    pub(super) fn log(&self, place: u32) -> &SpillLog {
        &self.logs[place as usize]
    }

    /// The log of that name, if it is not closed.
    pub(super) fn find(&self, log: LogId) -> Option<u32> {
        self.by_number.get(&log.number).copied().filter(|place| self.log(*place).id() == log)
    }

    /// Does something to a log, and files it anew.
    pub(super) fn update<T>(&mut self, place: u32, now: Instant, change: impl FnOnce(&mut SpillLog) -> T) -> T {
        let log = &mut self.logs[place as usize];
        let (unwritten, tail, names) = (log.unwritten(), log.tail_bytes(), log.held_names());
        let unplaced = log.unplaced();
        let answer = change(log);
        self.unplaced = self.unplaced + log.unplaced() - unplaced;
        self.unwritten = self.unwritten + log.unwritten() - unwritten;
        self.tails = self.tails + log.tail_bytes() - tail;
        self.names = self.names + log.held_names() - names;
        if !log.is_queued && log.has_command(now) {
            log.is_queued = true;
            self.queue.push_back(place);
        }
        if log.filed.is_none()
            && let Some(due) = log.poll_timeout().filter(|due| *due > now)
        {
            log.filed = Some(due);
            self.timers.push(Reverse((due, log.id().number)));
        }
        answer
    }

    /// How many stored bytes wait to be written.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting { bytes: self.unwritten, unplaced: self.unplaced }
    }

    /// How many clients are named in what the logs hold.
    pub(super) fn names(&self) -> u64 {
        self.names
    }

    /// Whether logs may keep what is written in memory for a while.
    pub(super) fn keeps_tails(&self) -> bool {
        self.tails < self.limits.tails_bytes
    }

    /// Lets go of everything that is in the files too; says how many bytes nobody holds any more.
    pub(super) fn drop_tails(&mut self) -> u64 {
        self.tails = 0;
        self.logs.iter_mut().map(|(_, log)| log.drop_tail()).sum()
    }

    /// How it stands with a store, as far as anything was heard.
    pub(super) fn health(&self, store: StoreId) -> SpillHealth {
        self.stores.get(&store).copied().unwrap_or(SpillHealth::Healthy)
    }

    /// Takes note of how it stands, and says whether that is news.
    pub(super) fn note_health(&mut self, store: StoreId, health: SpillHealth) -> bool {
        self.stores.insert(store, health).unwrap_or(SpillHealth::Healthy) != health
    }

    /// Looks at the logs whose time has come.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(&Reverse((due, number))) = self.timers.peek() {
            if due > now {
                return;
            }
            self.timers.pop();
            if let Some(&place) = self.by_number.get(&number) {
                self.logs[place as usize].filed = None;
                self.update(place, now, |_| ());
            }
        }
    }

    /// When to look again.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// The next command of any log, in turn.
    pub(super) fn poll(&mut self, now: Instant) -> Option<SpillCommand> {
        let began = self.began(now);
        while let Some(place) = self.queue.pop_front() {
            self.logs[place as usize].is_queued = false;
            if let Some(command) = self.update(place, now, |log| log.poll_command(began, now)) {
                if let SpillCommand::Close { .. } = command {
                    self.forget(place);
                }
                return Some(command);
            }
        }
        None
    }

    /// The logs that nobody has read for long; they are closed with this. Those that never had a file are gone at once.
    pub(super) fn close_idle(&mut self, now: Instant) -> Vec<u32> {
        let idle = self.logs.iter().filter(|(_, log)| log.is_idle(now));
        let idle: Vec<_> = idle.map(|(place, _)| place as u32).collect();
        for &place in &idle {
            self.update(place, now, SpillLog::close);
            if !self.log(place).has_command(now) {
                self.forget(place);
            }
        }
        idle
    }

    fn forget(&mut self, place: u32) {
        let log = self.logs.remove(place as usize);
        self.by_number.remove(&log.id().number);
        self.unwritten -= log.unwritten();
        self.unplaced -= log.unplaced();
        self.tails -= log.tail_bytes();
        self.names -= log.held_names();
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        let unwritten: u64 = self.logs.iter().map(|(_, log)| log.unwritten()).sum();
        let tails: u64 = self.logs.iter().map(|(_, log)| log.tail_bytes()).sum();
        let names: u64 = self.logs.iter().map(|(_, log)| log.held_names()).sum();
        let unplaced: u64 = self.logs.iter().map(|(_, log)| log.unplaced()).sum();
        assert_eq!(self.unplaced, unplaced, "what has no room is counted");
        assert_eq!((self.unwritten, self.tails, self.names), (unwritten, tails, names), "the sums are right");
        self.logs.iter().for_each(|(_, log)| log.check());
    }
}
