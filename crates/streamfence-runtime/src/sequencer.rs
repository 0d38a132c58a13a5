//! Gives every message its place: one order of a topic, the same on every shard.
//!
//! Never a queue: a publisher first reserves a slot on every shard, which is its only wait, and then takes the offset,
//! assembles the packet and sends, all under the topic's lock and without waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamfence_core::{Catalog, Epoch, MessageId, Offset, TopicId};

/// The logs of all topics.
#[derive(Debug)]
pub(crate) struct Sequencer {
    epoch: Epoch,
    topics: Vec<Mutex<TopicLog>>,
}

/// The end of one topic's log.
#[derive(Debug, Default)]
pub(crate) struct TopicLog {
    last: u64,
    /// Messages published and not yet told to the observers.
    published: u64,
    /// Their bytes.
    published_bytes: u64,
}

impl Sequencer {
    pub(crate) fn new(epoch: Epoch, catalog: &Arc<Catalog>) -> Self {
        Self { epoch, topics: catalog.topics().map(|_| Mutex::default()).collect() }
    }

    /// Takes the topic's lock: whoever holds it decides what comes next.
    pub(crate) fn lock(&self, topic: TopicId) -> MutexGuard<'_, TopicLog> {
        // A panic under the lock leaves at worst an offset that nobody has, which means nothing.
        self.topics[topic.index as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What was published since the last call: messages and bytes.
    pub(crate) fn take_published(&self, topic: TopicId) -> (u64, u64) {
        let mut log = self.lock(topic);
        (std::mem::take(&mut log.published), std::mem::take(&mut log.published_bytes))
    }
}

impl TopicLog {
    /// The id of the next message.
    pub(crate) fn next(&mut self, epoch: Epoch) -> MessageId {
        self.last += 1;
        MessageId { epoch, offset: Offset(self.last) }
    }

    pub(crate) fn count(&mut self, bytes: u64) {
        self.published += 1;
        self.published_bytes += bytes;
    }
}
