//! A store as one shard sees it.

use std::sync::Arc;
use std::task::{Context, Poll};

use streamfence_core::{SpillBackend, SpillCommand, SpillCompletion, SpillStats};

use super::engine::Engine;
use super::outbox::{Outbox, Own};
use crate::filesystem::SpillFs;

/// Commands of one shard go in, its completions come out. Dropping it closes its logs.
#[derive(Debug)]
pub(super) struct Backend<F: SpillFs> {
    engine: Arc<Engine<F>>,
    shard: u16,
    outbox: Arc<Outbox>,
}

impl<F: SpillFs> Backend<F> {
    pub(super) fn new(engine: Arc<Engine<F>>, shard: u16, own: Option<Own>) -> Self {
        let outbox = Arc::new(Outbox::new(own));
        engine.register(shard, Arc::clone(&outbox));
        Self { engine, shard, outbox }
    }
}

impl<F: SpillFs> SpillBackend for Backend<F> {
    fn submit(&mut self, command: SpillCommand) -> Result<(), SpillCommand> {
        self.engine.submit(command)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SpillCompletion> {
        self.outbox.poll(cx)
    }

    fn stats(&self) -> SpillStats {
        self.engine.stats()
    }
}

impl<F: SpillFs> Drop for Backend<F> {
    fn drop(&mut self) {
        self.engine.deregister(self.shard, &self.outbox);
    }
}
