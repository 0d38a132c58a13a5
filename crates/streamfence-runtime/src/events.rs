//! Events as they come, for whoever wants to read along. Never a queue of its own for each: who is too slow misses some.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use streamfence_core::Event;
use tokio::sync::broadcast;

/// How many events are kept for those who read along; whoever is further behind misses the oldest.
const KEPT: usize = 1_024;

/// An event, and when it was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Counts up from 1 while anybody reads along.
    pub number: u64,
    /// When it was told.
    pub at: SystemTime,
    /// What happened.
    pub event: Event,
}

/// What comes next for somebody who reads along.
#[derive(Clone, Debug)]
pub enum Next {
    /// An event.
    Event(Told),
    /// So many events were told and are kept no more: the reader was too slow.
    Missed(u64),
}

/// Reads along from when it was made; see [`Fence::events`](crate::Fence::events).
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Told>);

impl Events {
    /// Waits for what comes next; `None` once the fence is gone. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Next> {
        match self.0.recv().await {
            Ok(told) => Some(Next::Event(told)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Next::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Where events are told to those who read along.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    /// Its memory is there once somebody has read along.
    sender: OnceLock<broadcast::Sender<Told>>,
    number: AtomicU64,
}

impl Telling {
    pub(crate) fn tell(&self, event: &Event) {
        let Some(sender) = self.sender.get().filter(|sender| sender.receiver_count() > 0) else { return };
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        // The last reader may have gone just now.
        let _ = sender.send(Told { number, at: SystemTime::now(), event: event.clone() });
    }

    pub(crate) fn read_along(&self) -> Events {
        Events(self.sender.get_or_init(|| broadcast::channel(KEPT).0).subscribe())
    }
}
