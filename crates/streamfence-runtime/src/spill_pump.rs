//! The bounded bridge between a hub and the stores that its lanes spill to. Never a file, never a thread.
//!
//! Nothing here waits: a command that a store has no room for stays behind in the order it was given, and is offered again
//! with the store's next completion. What may stay behind is what a hub may have under way, which is bounded there: bytes
//! that are not written yet, a few reads and one release of each log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use streamfence_core::{SpillBackend, SpillCommand, SpillCompletion, SpillHealth, SpillStats, StoreId};

/// Counts bytes among those that messages take, until the last slice of what it gives back is gone.
pub type Charge = Arc<dyn Fn(Bytes) -> Bytes + Send + Sync>;

/// How a shard gets its part of a store.
pub(crate) type OpenSpill = Box<dyn Fn(u16, Option<Charge>) -> Box<dyn SpillBackend> + Send + Sync>;

/// The stores of one shard.
#[derive(Default)]
pub(crate) struct SpillPump {
    stores: Vec<Store>,
    /// Which of them is asked first, so that a busy one does not silence the others.
    next: usize,
    /// What is said for a store that is not there.
    unanswered: VecDeque<SpillCompletion>,
}

struct Store {
    id: StoreId,
    backend: Box<dyn SpillBackend>,
    /// What it had no room for, in order.
    waiting: VecDeque<SpillCommand>,
}

impl SpillPump {
    /// Adds a store. One that is there already stays as it is.
    pub(crate) fn add(&mut self, id: StoreId, backend: Box<dyn SpillBackend>) {
        if self.store(id).is_none() {
            self.stores.push(Store { id, backend, waiting: VecDeque::new() });
        }
    }

    /// Hands a command to its store, behind those that it had no room for.
    pub(crate) fn submit(&mut self, command: SpillCommand) {
        match self.store(command.log().store) {
            Some(store) => store.submit(command),
            None => self.unanswered.extend(refusal(command)),
        }
    }

    /// The next completion of any store; wakes the context's task when there is one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SpillCompletion> {
        if let Some(completion) = self.unanswered.pop_front() {
            return Poll::Ready(completion);
        }
        for _ in 0..self.stores.len() {
            self.next = (self.next + 1) % self.stores.len();
            let store = &mut self.stores[self.next];
            if let Poll::Ready(completion) = store.backend.poll(cx) {
                store.offer_again();
                return Poll::Ready(completion);
            }
        }
        Poll::Pending
    }

    /// How each store stands.
    pub(crate) fn stats(&self) -> impl Iterator<Item = (StoreId, SpillStats)> {
        self.stores.iter().map(|store| (store.id, store.backend.stats()))
    }

    fn store(&mut self, id: StoreId) -> Option<&mut Store> {
        self.stores.iter_mut().find(|store| store.id == id)
    }
}

impl Store {
    fn submit(&mut self, command: SpillCommand) {
        if self.waiting.is_empty() {
            if let Err(command) = self.backend.submit(command) {
                self.waiting.push_back(command);
            }
            return;
        }
        // Only the last position counts, and nothing came between.
        if let (SpillCommand::Release { log, upto }, Some(SpillCommand::Release { log: of, upto: last })) =
            (&command, self.waiting.back_mut())
            && log == of
        {
            *last = *upto;
            return;
        }
        self.waiting.push_back(command);
    }

    fn offer_again(&mut self) {
        while let Some(command) = self.waiting.pop_front() {
            if let Err(command) = self.backend.submit(command) {
                self.waiting.push_front(command);
                return;
            }
        }
    }
}

/// What a hub hears of a store that is not there: a log that is opened has failed, and nothing is read from it.
fn refusal(command: SpillCommand) -> Option<SpillCompletion> {
    match command {
        SpillCommand::Open { log, .. } => Some(SpillCompletion::Health { log, health: SpillHealth::Failed }),
        SpillCommand::Read { log, from, .. } => {
            Some(SpillCompletion::Records { log, from, next: from, records: Vec::new(), lost: Vec::new() })
        }
        SpillCommand::Append { .. } | SpillCommand::Release { .. } | SpillCommand::Close { .. } => None,
    }
}

impl std::fmt::Debug for SpillPump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stores: Vec<_> = self.stores.iter().map(|store| (store.id, store.waiting.len())).collect();
        f.debug_struct("SpillPump").field("stores", &stores).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::task::Waker;

    use streamfence_core::{LogId, LogPosition};

    use super::*;

    /// What a store has taken, and what it says next.
    #[derive(Debug, Default)]
    struct Desk {
        /// How many commands it takes.
        room: usize,
        taken: Vec<String>,
        completions: VecDeque<SpillCompletion>,
    }

    #[derive(Clone, Default)]
    struct FakeStore(Arc<Mutex<Desk>>);

    impl SpillBackend for FakeStore {
        fn submit(&mut self, command: SpillCommand) -> Result<(), SpillCommand> {
            let mut desk = self.0.lock().expect("nobody panics with it");
            if desk.room == 0 {
                return Err(command);
            }
            desk.room -= 1;
            desk.taken.push(match command {
                SpillCommand::Release { log, upto } => format!("release {} {}", log.number, upto.0),
                SpillCommand::Close { log } => format!("close {}", log.number),
                other => format!("{other:?}"),
            });
            Ok(())
        }

        fn poll(&mut self, _: &mut Context<'_>) -> Poll<SpillCompletion> {
            let mut desk = self.0.lock().expect("nobody panics with it");
            desk.completions.pop_front().map_or(Poll::Pending, Poll::Ready)
        }

        fn stats(&self) -> SpillStats {
            SpillStats { bytes: 7, ..SpillStats::default() }
        }
    }

    impl FakeStore {
        fn with_room(room: usize) -> Self {
            Self(Arc::new(Mutex::new(Desk { room, ..Desk::default() })))
        }

        fn says(&self, completions: impl IntoIterator<Item = SpillCompletion>, room: usize) {
            let mut desk = self.0.lock().expect("nobody panics with it");
            desk.completions.extend(completions);
            desk.room += room;
        }

        fn taken(&self) -> Vec<String> {
            self.0.lock().expect("nobody panics with it").taken.clone()
        }
    }

    fn log(store: u16, number: u64) -> LogId {
        LogId { store: StoreId(store), number }
    }

    fn granted(store: u16, bytes: u64) -> SpillCompletion {
        SpillCompletion::Granted { log: log(store, 0), bytes }
    }

    fn next(pump: &mut SpillPump) -> Option<SpillCompletion> {
        match pump.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(completion) => Some(completion),
            Poll::Pending => None,
        }
    }

    fn release(number: u64, upto: u64) -> SpillCommand {
        SpillCommand::Release { log: log(0, number), upto: LogPosition(upto) }
    }

    #[test]
    fn what_does_not_fit_waits_its_turn_and_is_offered_again() {
        let store = FakeStore::with_room(1);
        let mut pump = SpillPump::default();
        pump.add(StoreId(0), Box::new(store.clone()));
        pump.submit(release(1, 1));
        pump.submit(release(1, 2));
        // There is room again, and yet nothing overtakes what waits.
        store.says([], 1);
        pump.submit(SpillCommand::Close { log: log(0, 2) });
        assert_eq!(store.taken(), ["release 1 1"]);
        store.says([granted(0, 5)], 0);
        assert!(next(&mut pump).is_some());
        assert_eq!(store.taken(), ["release 1 1", "release 1 2"]);
        store.says([granted(0, 5)], 1);
        assert!(next(&mut pump).is_some());
        assert_eq!(store.taken(), ["release 1 1", "release 1 2", "close 2"]);
        assert!(next(&mut pump).is_none());
    }

    #[test]
    fn releases_that_wait_are_one_of_each_log() {
        let store = FakeStore::with_room(0);
        let mut pump = SpillPump::default();
        pump.add(StoreId(0), Box::new(store.clone()));
        for upto in 1..=1_000 {
            pump.submit(release(1, upto));
        }
        pump.submit(release(2, 7));
        store.says([granted(0, 5)], 9);
        assert!(next(&mut pump).is_some());
        assert_eq!(store.taken(), ["release 1 1000", "release 2 7"]);
    }

    #[test]
    fn a_busy_store_does_not_silence_another() {
        let (busy, quiet) = (FakeStore::default(), FakeStore::default());
        let mut pump = SpillPump::default();
        pump.add(StoreId(0), Box::new(busy.clone()));
        pump.add(StoreId(1), Box::new(quiet.clone()));
        busy.says((0..100).map(|bytes| granted(0, bytes)), 0);
        quiet.says([granted(1, 0)], 0);
        let heard = [next(&mut pump), next(&mut pump)];
        let stores = heard.map(|completion| match completion {
            Some(SpillCompletion::Granted { log, .. }) => log.store.0,
            other => panic!("wanted a grant, heard {other:?}"),
        });
        assert!(stores.contains(&1), "{stores:?}");
        assert_eq!(pump.stats().map(|(id, stats)| (id.0, stats.bytes)).collect::<Vec<_>>(), [(0, 7), (1, 7)]);
    }

    #[test]
    fn a_store_that_is_not_there_has_failed() {
        let mut pump = SpillPump::default();
        pump.submit(SpillCommand::Open { log: log(3, 1), namespace: "/n".into(), topic: "t".into() });
        pump.submit(SpillCommand::Close { log: log(3, 1) });
        let heard = next(&mut pump);
        assert!(matches!(heard, Some(SpillCompletion::Health { health: SpillHealth::Failed, .. })), "heard {heard:?}");
        assert!(next(&mut pump).is_none());
    }
}
