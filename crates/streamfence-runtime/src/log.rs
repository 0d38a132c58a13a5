//! Gives every message its place: one order of a topic, the same on every shard.
//!
//! Never a queue: a publisher first reserves a slot on every shard, which is its only wait, and then takes the offset,
//! assembles the packet and sends, all under the topic's lock and without waiting.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamfence_core::{Epoch, MessageId, Offset};

/// The end of one topic's log.
#[derive(Debug)]
pub(crate) struct Log {
    epoch: Epoch,
    last: Mutex<u64>,
    published: Arc<Published>,
}

/// What was published to the topics of a class and not yet told to the observers.
#[derive(Debug, Default)]
pub(crate) struct Published {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Log {
    pub(crate) fn new(epoch: Epoch, published: Arc<Published>) -> Self {
        Self { epoch, last: Mutex::new(0), published }
    }

    /// Takes the topic's lock: whoever holds it decides what comes next.
    pub(crate) fn lock(&self) -> LogEnd<'_> {
        // A panic under the lock leaves at worst an offset that nobody has, which means nothing.
        LogEnd { log: self, last: self.last.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    pub(crate) fn published(&self) -> &Arc<Published> {
        &self.published
    }
}

/// A topic's lock, held.
pub(crate) struct LogEnd<'a> {
    log: &'a Log,
    last: MutexGuard<'a, u64>,
}

impl LogEnd<'_> {
    /// The id of the next message.
    pub(crate) fn next(&mut self) -> MessageId {
        *self.last += 1;
        MessageId { epoch: self.log.epoch, offset: Offset(*self.last) }
    }

    pub(crate) fn count(&self, bytes: u64) {
        self.log.published.messages.fetch_add(1, Relaxed);
        self.log.published.bytes.fetch_add(bytes, Relaxed);
    }
}

impl Published {
    /// What was published since the last call: messages and bytes.
    pub(crate) fn take(&self) -> (u64, u64) {
        (self.messages.swap(0, Relaxed), self.bytes.swap(0, Relaxed))
    }
}
