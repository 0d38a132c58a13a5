//! What the hosts of one run share, and could not share if they were real.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::books::Books;
use crate::client::Client;
use crate::log::Log;
use crate::scene::Scene;

/// How far a run has come. The server's host says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Things go wrong.
    Storm,
    /// Nothing goes wrong any more; messages are still published.
    Calm,
    /// Nothing is published any more, and everybody gets what is theirs.
    Rest,
    /// The clients leave, and nobody comes.
    Farewell,
    /// The server has stopped.
    Over,
}

/// The state of the run, and what was written down of it.
pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) log: Log,
    pub(crate) clients: RefCell<Vec<Rc<Client>>>,
    books: Arc<Mutex<Books>>,
    phase: watch::Sender<Phase>,
}

impl World {
    pub(crate) fn new(scene: Scene, log: Log) -> Rc<Self> {
        let phase = watch::Sender::new(Phase::Storm);
        Rc::new(Self { scene, log, clients: RefCell::default(), books: Arc::default(), phase })
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The books, for who writes in them from the shards.
    pub(crate) fn shared_books(&self) -> Arc<Mutex<Books>> {
        self.books.clone()
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.log.say("-", &format!("{phase:?}"));
        self.phase.send_replace(phase);
    }

    /// Waits for a phase.
    pub(crate) async fn reached(&self, phase: Phase) {
        let mut seen = self.phase.subscribe();
        let _never_closed = seen.wait_for(|now| *now >= phase).await;
    }
}
