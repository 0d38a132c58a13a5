//! How much memory the messages of a fence may take, and how much they take.
//!
//! A message counts once, from its publish until its last reference is gone, whoever holds that: it is charged to the owner
//! of its bytes. An entry of a lane counts beside. What connections, sessions and empty lanes take is not in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use bytes::Bytes;
use streamfence_core::{ENTRY_BYTES, Event, Hub, MESSAGE_BYTES, MemoryUse, Pressure};

/// The budget of a fence. No lock: all of it is counters.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: u64,
    /// May be over `bytes` by what is on its way to the shards, which is bounded.
    used: AtomicU64,
    /// Set above `bytes` and taken back at `low`, so that a budget which is just full does not flicker.
    is_over: AtomicBool,
    /// What it has cost since it was over.
    rejected: AtomicU64,
    displaced: AtomicU64,
}

/// The bytes of a message, which count as long as anybody holds them.
struct Charged {
    bytes: Bytes,
    budget: Arc<Budget>,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let counter = || AtomicU64::new(0);
        Self { bytes, used: counter(), is_over: AtomicBool::new(false), rejected: counter(), displaced: counter() }
    }

    /// Counts a message until nobody holds its bytes any more.
    pub(crate) fn charge(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        self.used.fetch_add(footprint(&bytes), Relaxed);
        Bytes::from_owner(Charged { bytes, budget: self.clone() })
    }

    pub(crate) fn memory(&self) -> MemoryUse {
        MemoryUse { budget_bytes: self.bytes, used_bytes: self.used() }
    }

    /// Whether messages have reached the budget and have not been down to nine tenths of it since.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    /// Looks whether that has changed: whoever sees it first has an event to tell.
    pub(crate) fn look(&self) -> Option<Event> {
        let used = self.used();
        if used > self.bytes && !self.is_over.swap(true, Relaxed) {
            return Some(Event::PressureBegan { budget_bytes: self.bytes });
        }
        if used <= self.low() && self.is_over() && self.is_over.swap(false, Relaxed) {
            let (rejected, displaced) = (self.rejected.swap(0, Relaxed), self.displaced.swap(0, Relaxed));
            return Some(Event::PressureEnded { rejected, displaced });
        }
        None
    }

    fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// How far is shed once the budget is reached, so that it is not reached again with the next message.
    fn low(&self) -> u64 {
        self.bytes - self.bytes / 10
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

/// One shard's part in a budget: what its lanes hold, and what it still has to shed.
#[derive(Debug)]
pub(crate) struct Portion {
    budget: Arc<Budget>,
    /// Between how many shards what is free, or to be shed, is divided.
    shards: u64,
    /// The entries counted so far.
    entries: u64,
    /// From the budget down to where it is low again, or until nothing more can be shed.
    is_relieving: bool,
}

impl Portion {
    pub(crate) fn new(budget: Arc<Budget>, shards: usize) -> Self {
        Self { budget, shards: shards as u64, entries: 0, is_relieving: false }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Counts what the lanes hold now, and what it has cost.
    pub(crate) fn settle(&mut self, hub: &mut Hub) {
        let entries = hub.resident();
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

    /// Tells the hub what is left, and has it shed a bounded number of messages where that is too little. `true` when there
    /// is more to shed.
    pub(crate) fn relieve(&mut self, hub: &mut Hub, now: Instant) -> bool {
        self.settle(hub);
        let (used, low) = (self.budget.used(), self.budget.low());
        self.is_relieving = used > self.budget.bytes || (self.is_relieving && used > low);
        if self.is_relieving {
            let before = hub.resident();
            let shed_bytes = (used - low).div_ceil(self.shards);
            let is_more = hub.handle_pressure(Pressure { free_bytes: 0, shed_bytes }, now);
            let has_shed = hub.resident() < before;
            self.settle(hub);
            if (is_more || has_shed) && self.budget.used() > low {
                return true;
            }
            self.is_relieving = false;
        }
        let free_bytes = self.budget.bytes.saturating_sub(self.budget.used()) / self.shards;
        hub.handle_pressure(Pressure { free_bytes, shed_bytes: 0 }, now)
    }
}

impl Drop for Portion {
    /// The lanes end with their shard.
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.entries * ENTRY_BYTES, Relaxed);
    }
}
