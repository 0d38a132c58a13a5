//! How many handshakes go on at once, and which of them gives way when more want to begin.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::server::places::Places;

/// The handshakes of one listener.
///
/// While all places are taken, new connections wait in the system's backlog: a crowd of honest clients that comes back
/// at once is served in order, as fast as there is CPU, and nobody is turned away. Where no place comes free, the oldest
/// handshake gives way once it has had its time: clients that never finish theirs hold up others for a moment only.
#[derive(Debug)]
pub(in crate::server) struct Handshakes {
    places: Places,
    max: u32,
    /// In the order they began. Those that are over may still be in it: it holds at most twice as many as may go on.
    going: VecDeque<Going>,
}

#[derive(Debug)]
struct Going {
    since: Instant,
    give_way: oneshot::Sender<()>,
}

/// One handshake that goes on, until it is dropped.
#[derive(Debug)]
pub(in crate::server) struct Handshake {
    _place: OwnedSemaphorePermit,
    displaced: oneshot::Receiver<()>,
}

impl Handshakes {
    pub(in crate::server) fn new(max: u32) -> Self {
        let max = max.max(1);
        Self { places: Places::new(max), max, going: VecDeque::new() }
    }

    /// Lets so many go on at once from now on; those that are too many come to their end.
    pub(in crate::server) fn allow(&mut self, max: u32) {
        let max = max.max(1);
        if max != self.max {
            self.places.resize(max);
            self.max = max;
        }
    }

    /// Waits for a place. May be dropped and called again.
    pub(in crate::server) async fn place(&mut self) -> OwnedSemaphorePermit {
        loop {
            let Some(oldest) = self.oldest() else { return self.places.wait().await };
            let its_time_is_over = oldest + FAIR_TIME;
            let no_place_came = Instant::now() + TURN;
            match timeout_at(its_time_is_over.max(no_place_came), self.places.wait()).await {
                Ok(place) => return place,
                Err(_elapsed) => self.displace_oldest(),
            }
        }
    }

    /// Begins a handshake in this place.
    pub(in crate::server) fn begin(&mut self, place: OwnedSemaphorePermit) -> Handshake {
        let (give_way, displaced) = oneshot::channel();
        if self.going.len() >= 2 * self.max as usize {
            self.going.retain(|going| !going.give_way.is_closed());
        }
        self.going.push_back(Going { since: Instant::now(), give_way });
        Handshake { _place: place, displaced }
    }

    /// When the oldest one that goes on began.
    fn oldest(&mut self) -> Option<Instant> {
        while self.going.pop_front_if(|going| going.give_way.is_closed()).is_some() {}
        self.going.front().map(|oldest| oldest.since)
    }

    fn displace_oldest(&mut self) {
        if let Some(oldest) = self.going.pop_front() {
            // One that has just come to its end makes a place too.
            let _over = oldest.give_way.send(());
        }
    }
}

impl Handshake {
    /// Waits until it has to give way.
    pub(in crate::server) async fn displaced(self) {
        // The accept loop may have ended; then nobody wants the place.
        if self.displaced.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What a handshake may take before it has to give way: many times what one takes around the world.
const FAIR_TIME: Duration = Duration::from_secs(1);
/// How long a place may take to come free by itself, before one is taken: where handshakes are finished, however slowly
/// for want of CPU, nobody gives way.
const TURN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;
