//! What a lane tells of messages whose ways are recorded. Never what becomes of them.

use std::sync::Arc;
use std::time::Instant;

use super::Lane;
use crate::message::Message;
use crate::trace::Left;

impl Lane {
    /// Whether recorded messages have left that are to be told of.
    #[inline]
    pub(crate) fn has_left_behind(&self) -> bool {
        !self.left.is_empty()
    }

    /// Those, in order.
    pub(crate) fn take_left(&mut self) -> Vec<Left> {
        self.left.take()
    }

    /// Looks at everything it holds in memory: each message, when it was sent for the first time if it was, and how often.
    pub(crate) fn for_each_held(&self, mut look: impl FnMut(&Arc<Message>, Option<Instant>, u32)) {
        let in_flight = self.in_flight.iter().flat_map(|in_flight| in_flight.all());
        in_flight.for_each(|(message, sent, attempts)| look(message, Some(sent), attempts));
        let held = self.conflation.iter().flat_map(|conflation| conflation.values());
        self.queue.iter().map(|queued| &queued.message).chain(held).for_each(|message| look(message, None, 0));
    }
}
