//! How many of something a server has room for, which may change while it has some.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of the connections of a server, or of its handshakes.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    /// How many there are, free and taken.
    count: Mutex<u32>,
}

impl Places {
    pub(super) fn new(count: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(count as usize)), count: Mutex::new(count) }
    }

    /// A place, if one is free.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Waits for a place. May be dropped and called again.
    pub(super) async fn wait(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.free).acquire_owned().await.expect("places are never closed")
    }

    pub(super) fn are_taken(&self) -> bool {
        self.free.available_permits() == 0
    }

    /// Waits until all of them are free.
    pub(super) async fn all_free(&self) {
        let count = *self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let _all = self.free.acquire_many(count).await;
    }

    /// Has so many places from now on. Where that is less than are taken, nobody loses one: those that come free are
    /// gone until there are no more than that.
    pub(super) fn resize(&self, new: u32) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *count, new);
        self.free.add_permits(new.saturating_sub(old) as usize);
        let surplus = old.saturating_sub(new);
        let taken = surplus - self.free.forget_permits(surplus as usize) as u32;
        if taken > 0 {
            let free = Arc::clone(&self.free);
            tokio::spawn(async move {
                // In front of whoever wants one later: as long as this waits, no place is free.
                if let Ok(places) = free.acquire_many_owned(taken).await {
                    places.forget();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_that_are_taken_go_when_they_come_free() {
        let places = Places::new(3);
        let mut taken: Vec<_> = (0..3).map(|_| places.take().expect("there are three")).collect();
        places.resize(1);
        tokio::task::yield_now().await;
        for _ in 0..2 {
            taken.pop();
            tokio::task::yield_now().await;
            assert!(places.take().is_none(), "one of one is taken");
        }
        taken.pop();
        assert!(places.take().is_some());
        places.all_free().await;
    }

    #[tokio::test]
    async fn more_places_pay_what_fewer_have_left_owing() {
        let places = Places::new(4);
        let taken: Vec<_> = (0..4).map(|_| places.take().expect("there are four")).collect();
        places.resize(2);
        tokio::task::yield_now().await;
        places.resize(3);
        tokio::task::yield_now().await;
        assert!(places.are_taken(), "four of three are taken");
        places.resize(5);
        tokio::task::yield_now().await;
        let fifth = places.take();
        assert!(fifth.is_some() && places.are_taken(), "four of five were taken");
        drop((taken, fifth));
        places.all_free().await;
        assert_eq!(places.free.available_permits(), 5);
    }

    #[tokio::test]
    async fn free_places_go_at_once() {
        let places = Places::new(10);
        let _one = places.take();
        places.resize(1);
        assert!(places.are_taken());
    }
}
