//! Wakes threads that wait for the engine, and costs nothing where none does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Duration;

/// Threads that sleep until there is something for them, all on the same lock.
#[derive(Debug, Default)]
pub(super) struct Bell {
    condvar: Condvar,
    /// How many sleep. Changed under the lock alone, so that nobody falls asleep unseen.
    sleeping: AtomicUsize,
}

impl Bell {
    /// Sleeps until it rings, or so long. It may be for nothing.
    pub(super) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>, time: Option<Duration>) -> MutexGuard<'a, T> {
        self.sleeping.fetch_add(1, Ordering::Relaxed);
        let guard = match time {
            Some(time) => self.condvar.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner).0,
            None => self.condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
        };
        self.sleeping.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// Whether somebody sleeps. To be asked under the lock.
    pub(super) fn has_sleepers<T>(&self, _lock: &MutexGuard<'_, T>) -> bool {
        self.sleeping.load(Ordering::Relaxed) > 0
    }

    /// Wakes one thread. Best without the lock, for which it would have to wait.
    pub(super) fn ring(&self) {
        self.condvar.notify_one();
    }

    /// Wakes all.
    pub(super) fn ring_for_all(&self) {
        self.condvar.notify_all();
    }
}
