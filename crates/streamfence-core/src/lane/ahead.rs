//! What a lane is looked at for before it is asked anything: with very many lanes, it is the waits for memory that cost.

use std::hint::black_box;
use std::sync::Arc;

use super::Lane;

/// From how many queued messages on looking ahead is worth the look.
const WORTH_A_LOOK: usize = 4;

impl Lane {
    /// Looks at the messages that may be sent next and does nothing with them: where they are no longer in the caches, one
    /// wait for memory is for all of them and not for each.
    #[inline]
    pub(crate) fn look_ahead(&self, most: usize) {
        if self.queue.len() < WORTH_A_LOOK {
            return;
        }
        let seen = self.queue.iter().take(most).fold(0, |seen, queued| {
            // Its first, its middle and its last: all lines of it that sending it needs.
            let message = &queued.message;
            seen ^ Arc::strong_count(message) as u64 ^ u64::from(message.frames()) ^ message.size_bytes()
        });
        // What it goes on with once these are sent.
        let at = self.spilled.as_ref().map_or(0, |spilled| spilled.cursor.position.0);
        black_box(seen ^ at);
    }

    /// The offset of what was queued last: a look at the end of its queue.
    pub(crate) fn newest_seen(&self) -> u64 {
        self.queue.back().map_or(0, |queued| u64::from(queued.gaps.is_empty()))
    }
}
