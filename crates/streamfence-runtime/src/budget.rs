//! How much memory the messages of a fence may take, and how much they take.
//!
//! A message counts once, from its publish until its last reference is gone, whoever holds that: it is charged to the owner
//! of its bytes. An entry of a lane counts beside. What connections, sessions and empty lanes take is not in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use streamfence_core::{ENTRY_BYTES, Event, Hub, MESSAGE_BYTES, MemoryUse, Pressure, Relief};

/// The budget of a fence. No lock: all of it is counters.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: AtomicU64,
    /// May be over `bytes` by what is on its way to the shards, which is bounded.
    used: AtomicU64,
    /// Set above `high` and taken back at `low`, so that a budget which is just full does not flicker.
    is_over: AtomicBool,
    /// What it has cost since it was over.
    rejected: AtomicU64,
    displaced: AtomicU64,
    /// From the budget down to where it is low again, all shards that have something to shed do rounds of it.
    is_relieving: AtomicBool,
    /// How many rounds of shedding all shards have done.
    rounds: AtomicU64,
    shards: Box<[Standing]>,
}

/// What a shard lets the others know.
#[derive(Debug, Default)]
struct Standing {
    /// What the lane costs that costs the most; 0 while it has nothing to shed, or no reason to.
    highest: AtomicU64,
    /// Whether it had nothing to shed when it looked last, so that nobody waits for it.
    is_dry: AtomicBool,
}

impl Standing {
    /// It takes no part: nobody waits for it, and nobody sheds less because of it.
    fn leave(&self) {
        self.highest.store(0, Relaxed);
        self.is_dry.store(true, Relaxed);
    }
}

/// The bytes of a message, which count as long as anybody holds them.
struct Charged {
    bytes: Bytes,
    budget: Arc<Budget>,
}

impl Budget {
    pub(crate) fn new(bytes: u64, shards: usize) -> Self {
        Self {
            bytes: AtomicU64::new(bytes),
            used: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            rejected: AtomicU64::new(0),
            displaced: AtomicU64::new(0),
            is_relieving: AtomicBool::new(false),
            rounds: AtomicU64::new(0),
            shards: (0..shards).map(|_| Standing::default()).collect(),
        }
    }

    /// Holds messages to so many bytes from now on: where that is less than they take, shards shed until they do not.
    pub(crate) fn change(&self, bytes: u64) {
        self.bytes.store(bytes, Relaxed);
    }

    /// Counts a message until nobody holds its bytes any more.
    pub(crate) fn charge(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        self.used.fetch_add(footprint(&bytes), Relaxed);
        Bytes::from_owner(Charged { bytes, budget: self.clone() })
    }

    pub(crate) fn memory(&self) -> MemoryUse {
        MemoryUse { budget_bytes: self.bytes(), used_bytes: self.used() }
    }

    /// Whether messages have reached 31 of 32 parts of the budget and have not been down to nine tenths of it since.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    /// Looks whether that has changed: whoever sees it first has an event to tell.
    pub(crate) fn look(&self) -> Option<Event> {
        let used = self.used();
        if used > self.high() && !self.is_over.swap(true, Relaxed) {
            return Some(Event::PressureBegan { budget_bytes: self.bytes() });
        }
        if used <= self.low() && self.is_over() && self.is_over.swap(false, Relaxed) {
            let (rejected, displaced) = (self.rejected.swap(0, Relaxed), self.displaced.swap(0, Relaxed));
            return Some(Event::PressureEnded { rejected, displaced });
        }
        None
    }

    fn shards(&self) -> u64 {
        self.shards.len() as u64
    }

    fn others(&self, shard: usize) -> impl Iterator<Item = &Standing> {
        let others = self.shards.iter().enumerate().filter(move |(other, _)| *other != shard);
        others.map(|(_, standing)| standing)
    }

    /// What the lane costs that costs the most, in any other shard.
    fn highest_but(&self, shard: usize) -> u64 {
        self.others(shard).map(|standing| standing.highest.load(Relaxed)).max().unwrap_or(0)
    }

    /// How many rounds there will have been when every other shard that has anything to shed has done one.
    fn next_turn(&self, shard: usize) -> u64 {
        let others = self.others(shard).filter(|standing| !standing.is_dry.load(Relaxed)).count() as u64;
        self.rounds.fetch_add(1, Relaxed) + 1 + others
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// From where on older messages give way: early enough that the entries of a next message have a place.
    fn high(&self) -> u64 {
        let bytes = self.bytes();
        bytes - bytes / 32
    }

    /// How far is shed once the budget is reached, so that it is not reached again with the next message.
    fn low(&self) -> u64 {
        let bytes = self.bytes();
        bytes - bytes / 10
    }
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(footprint(&self.bytes), Relaxed);
    }
}

fn footprint(bytes: &Bytes) -> u64 {
    MESSAGE_BYTES + bytes.len() as u64
}

/// How long a shard that has done its round waits for the others to do theirs: for our CPU, so this is very long.
const PATIENCE: Duration = Duration::from_millis(100);

/// One shard's part in a budget: what its lanes hold, and what it still has to shed.
#[derive(Debug)]
pub(crate) struct Portion {
    budget: Arc<Budget>,
    shard: usize,
    /// The entries counted so far.
    entries: u64,
    /// Whether it has nothing left to shed, until the budget is reached again.
    is_done: bool,
    /// Whether it is in the middle of a round.
    is_amid: bool,
    /// How many rounds the shards must have done until it is this one's turn again, and how long it waits for that.
    turn: u64,
    patience: Option<Instant>,
}

impl Portion {
    pub(crate) fn new(budget: Arc<Budget>, shard: usize) -> Self {
        Self { budget, shard, entries: 0, is_done: false, is_amid: false, turn: 0, patience: None }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Counts what the lanes hold now, and what it has cost.
    pub(crate) fn settle(&mut self, hub: &mut Hub) {
        let entries = hub.in_memory();
        if entries > self.entries {
            self.budget.used.fetch_add((entries - self.entries) * ENTRY_BYTES, Relaxed);
        } else if entries < self.entries {
            self.budget.used.fetch_sub((self.entries - entries) * ENTRY_BYTES, Relaxed);
        }
        self.entries = entries;
        let cost = hub.take_pressure_cost();
        if cost != Default::default() {
            self.budget.rejected.fetch_add(cost.rejected, Relaxed);
            self.budget.displaced.fetch_add(cost.displaced, Relaxed);
        }
    }

    /// Tells the hub what is left, and has it shed a bounded number of messages where that is too little. `true` when it
    /// is worth the wait until more is free: for a next step of this shard, or for the others'.
    pub(crate) fn relieve(&mut self, hub: &mut Hub, now: Instant) -> bool {
        self.settle(hub);
        let (used, low) = (self.budget.used(), self.budget.low());
        if used > self.budget.high() {
            self.budget.is_relieving.store(true, Relaxed);
            self.is_done = false;
        } else if used <= low && self.budget.is_relieving.load(Relaxed) {
            self.budget.is_relieving.store(false, Relaxed);
        }
        if self.budget.is_relieving.load(Relaxed) {
            if !self.is_done && used > low {
                self.shed(hub, used - low, now);
                if !self.is_done && self.budget.used() > low {
                    return true;
                }
            }
        } else if self.turn > 0 {
            self.standing().highest.store(0, Relaxed);
            self.standing().is_dry.store(false, Relaxed);
            (self.is_done, self.is_amid, self.turn, self.patience) = (false, false, 0, None);
        }
        let (used, bytes) = (self.budget.used(), self.budget.bytes());
        let free_bytes = bytes.saturating_sub(used) / self.budget.shards();
        let owed_bytes = used.saturating_sub(bytes);
        let _nothing_is_wanted = hub.handle_pressure(Pressure { free_bytes, owed_bytes, ..Pressure::NONE }, now);
        false
    }

    /// One step of a round, if it is this shard's turn.
    fn shed(&mut self, hub: &mut Hub, shed_bytes: u64, now: Instant) {
        if !self.is_amid && self.budget.rounds.load(Relaxed) < self.turn {
            if self.patience.is_some_and(|patience| now < patience) {
                return;
            }
            // Whoever does not come to do its rounds holds nobody up, until it comes again.
            self.budget.others(self.shard).for_each(Standing::leave);
        }
        let highest_bytes = self.budget.highest_but(self.shard);
        let relief = hub.handle_pressure(Pressure { free_bytes: 0, owed_bytes: 0, shed_bytes, highest_bytes }, now);
        self.settle(hub);
        self.is_amid = relief == Relief::Unfinished;
        match relief {
            Relief::Unfinished => return,
            Relief::Round { highest_bytes } => {
                self.standing().highest.store(highest_bytes, Relaxed);
                self.standing().is_dry.store(false, Relaxed);
            }
            Relief::Enough => {}
            Relief::Nothing => {
                self.standing().leave();
                self.is_done = true;
            }
        }
        self.turn = self.budget.next_turn(self.shard);
        self.patience = Some(now + PATIENCE);
    }

    fn standing(&self) -> &Standing {
        &self.budget.shards[self.shard]
    }
}

impl Drop for Portion {
    /// The lanes end with their shard.
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.entries * ENTRY_BYTES, Relaxed);
    }
}
