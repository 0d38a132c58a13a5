//! Lines of the log that whoever floods the door could write as many of as it likes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

/// Says the first few of a second one by one, and how many more there were at its end.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Arc<Mutex<Second>>);

#[derive(Debug, Default)]
struct Second {
    /// How many there were; none while no second is awaited.
    count: u64,
}

/// How many of a second are said one by one.
const SAID: u64 = 10;
const SECOND: Duration = Duration::from_secs(1);

impl Seldom {
    /// Whether this one is to be said now. How many were not is told to `rest` when the second is over, or the runtime.
    pub(crate) fn is_said(&self, rest: fn(u64)) -> bool {
        let count = {
            let mut second = lock(&self.0);
            second.count += 1;
            second.count
        };
        if count == 1 {
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(Rest { second: self.0.clone(), rest }.end())),
                // Nobody would end it.
                Err(_no_runtime) => lock(&self.0).count = 0,
            }
        }
        count <= SAID
    }
}

/// What is told of the second, when it is over or the runtime ends before it.
struct Rest {
    second: Arc<Mutex<Second>>,
    rest: fn(u64),
}

impl Rest {
    async fn end(self) {
        tokio::time::sleep(SECOND).await;
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let count = std::mem::take(&mut lock(&self.second).count);
        if count > SAID {
            (self.rest)(count - SAID);
        }
    }
}

fn lock(second: &Mutex<Second>) -> MutexGuard<'_, Second> {
    second.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_a_flood_few_are_said_and_all_are_counted() {
        static REST: AtomicU64 = AtomicU64::new(0);
        let tell = |count| {
            REST.fetch_add(count, Ordering::SeqCst);
        };
        let seldom = Seldom::default();
        for second in 1..=3 {
            let said = (0..1_000).filter(|_| seldom.is_said(tell)).count();
            assert_eq!(said, 10);
            tokio::time::sleep(SECOND * 2).await;
            assert_eq!(REST.load(Ordering::SeqCst), second * 990);
        }
        assert!(seldom.is_said(tell));
        tokio::time::sleep(SECOND * 2).await;
        assert_eq!(REST.load(Ordering::SeqCst), 3 * 990, "there were no more");
    }

    #[test]
    fn what_was_not_said_is_counted_when_the_runtime_ends() {
        static REST: AtomicU64 = AtomicU64::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it starts");
        let seldom = Seldom::default();
        let tell = |count| {
            REST.fetch_add(count, Ordering::SeqCst);
        };
        let said = runtime.block_on(async { (0..100).filter(|_| seldom.is_said(tell)).count() });
        drop(runtime);
        assert_eq!((said, REST.load(Ordering::SeqCst)), (10, 90));
    }
}
