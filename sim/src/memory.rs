//! The memory that all messages of a world may take, where that has an end.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use streamfence_core::{ENTRY_BYTES, MESSAGE_BYTES, Message};

/// The longest message there is.
pub(crate) const LONGEST: usize = 2_048;
static ZEROS: [u8; LONGEST] = [0; LONGEST];

#[derive(Debug)]
pub(crate) struct Memory {
    /// `None` where there is no end.
    budget: Cell<Option<u64>>,
    /// What the messages take that anybody holds.
    messages: Arc<AtomicU64>,
    /// What each shard lets the others know.
    shards: Vec<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    /// How many messages its lanes hold.
    entries: Cell<u64>,
    /// What the lane costs that costs the most.
    highest: Cell<u64>,
}

/// The bytes of a message, which count as long as anybody holds them.
struct Charged {
    size: usize,
    messages: Arc<AtomicU64>,
}

impl Memory {
    pub(crate) fn new(budget: Option<u64>, shards: usize) -> Self {
        let shards = (0..shards).map(|_| Standing::default()).collect();
        Self { budget: Cell::new(budget), messages: Arc::default(), shards }
    }

    /// The bytes of a new message.
    pub(crate) fn charge(&self, size: usize) -> Bytes {
        self.messages.fetch_add(MESSAGE_BYTES + size as u64, Ordering::Relaxed);
        Bytes::from_owner(Charged { size, messages: self.messages.clone() })
    }

    pub(crate) fn budget(&self) -> Option<u64> {
        self.budget.get()
    }

    /// From now on there is no end to it.
    pub(crate) fn lift(&self) {
        self.budget.set(None);
    }

    pub(crate) fn used(&self) -> u64 {
        let entries: u64 = self.shards.iter().map(|shard| shard.entries.get()).sum();
        self.messages.load(Ordering::Relaxed) + entries * ENTRY_BYTES
    }

    /// What one shard may still take of what is left.
    pub(crate) fn share_of(&self, free: u64) -> u64 {
        free / self.shards.len() as u64
    }

    pub(crate) fn set_entries(&self, shard: usize, entries: u64) {
        self.shards[shard].entries.set(entries);
    }

    pub(crate) fn set_highest(&self, shard: usize, highest: u64) {
        self.shards[shard].highest.set(highest);
    }

    pub(crate) fn highest_but(&self, shard: usize) -> u64 {
        let others = self.shards.iter().enumerate().filter(|(other, _)| *other != shard);
        others.map(|(_, standing)| standing.highest.get()).max().unwrap_or(0)
    }
}

/// What a message counts as, whoever holds it.
pub(crate) fn footprint(message: &Message) -> u64 {
    MESSAGE_BYTES + message.size_bytes()
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &ZEROS[..self.size]
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.messages.fetch_sub(MESSAGE_BYTES + self.size as u64, Ordering::Relaxed);
    }
}
