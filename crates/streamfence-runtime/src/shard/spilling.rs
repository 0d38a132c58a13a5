//! What a shard hears of the stores its lanes spill to. Never what is to be done about it: that is the hub's.

use std::task::{Context, Poll, Waker};

use streamfence_core::SpillCompletion;
use tokio::time::Instant;

use super::Shard;

/// Completions handled in one turn: what is read comes in large pieces, and the clients wait meanwhile.
const COMPLETIONS_PER_TURN: usize = 16;

impl Shard {
    /// Hears what has become of what was asked of the stores. `true` when there may be more.
    pub(super) fn take_completions(&mut self, now: Instant) -> bool {
        for _ in 0..COMPLETIONS_PER_TURN {
            // Nobody is to be woken: before the shard sleeps, it asks with its own waker.
            match self.parts.spill.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(completion) => self.hear_store(completion, now),
                Poll::Pending => return false,
            }
        }
        true
    }

    pub(super) fn hear_store(&mut self, completion: SpillCompletion, now: Instant) {
        self.catch_up(now);
        self.hub.handle_spill(completion, now.into_std());
    }

    /// Says how the stores stand: what one shard sees all see, so one says it.
    pub(super) fn hand_over_stores(&self) {
        if self.parts.index == 0 {
            for (store, stats) in self.parts.spill.stats() {
                self.parts.watchers.spill(store, &stats);
            }
        }
    }
}
