//! Whoever waits for acks of a message, or records its way, and what it is told.

use super::Hub;
use crate::awaited::AckNews;
use crate::message::{Message, MessageId, TopicId};
use crate::trace::TracedDelivery;

impl Hub {
    /// Tells from now on what becomes of a message at each client whose lane admits it: ask before it is published, and
    /// then for the [news](Self::poll_ack_news). How many clients that are is in the fanout of the publish.
    ///
    /// What is lost or expires on disk, where a lane has spilled, is told only when the lane or its client ends: whoever
    /// waits has to have a time limit of its own, and [stops waiting](Self::forget_acks) some day.
    pub fn await_acks(&mut self, message: &Message) {
        self.books.awaited.insert(message.topic.id, message.id);
    }

    /// Tells no more of a message.
    pub fn forget_acks(&mut self, topic: TopicId, id: MessageId) {
        self.books.awaited.remove(topic, id);
    }

    /// What became of an awaited message at one client; to be asked for until there is nothing more.
    pub fn poll_ack_news(&mut self) -> Option<AckNews> {
        self.books.awaited.pop_news()
    }

    /// What became of a message whose way is recorded, at one client; to be asked for until there is nothing more.
    ///
    /// Of what a lane has from disk nothing is told: the trace of a message ends where it was last in memory.
    pub fn poll_traced(&mut self) -> Option<Box<TracedDelivery>> {
        self.books.traces.pop()
    }
}
