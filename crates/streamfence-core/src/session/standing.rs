//! How a session stands on its ladder: what the ladder is told of the lanes, and what comes of it.

use std::time::Instant;

use super::ladder::{Edge, Ladder};
use super::{Session, Verdict};
use crate::books::Books;
use crate::event::{CloseReason, Event};
use crate::lane::{Lane, earlier};
use crate::slow_client::Eviction;

impl Session {
    /// Looks how far the client is behind, after anything happened to its lanes, and tells of it in the books.
    pub fn reassess(&mut self, now: Instant, books: &mut Books) {
        let Some(ladder) = &mut self.ladder else { return };
        debug_assert_eq!(ladder.held().messages, self.lanes.iter().map(|(_, seated)| seated.lane.len() as u64).sum());
        debug_assert_eq!(ladder.held().bytes, self.lanes.iter().map(|(_, seated)| seated.lane.bytes()).sum());
        // A walk over few lanes, and only of a client above a hard limit.
        let edge = ladder.look(now, || self.lanes.iter().all(|(_, seated)| seated.lane.only_holds()));
        self.alarm = earlier(self.alarm, ladder.due());
        self.tell_edge(edge, books);
    }

    /// Nobody looks how far the client is behind any more: it is away, or gone.
    pub fn get_off(&mut self, now: Instant, books: &mut Books) {
        let Some(ladder) = &mut self.ladder else { return };
        ladder.ease();
        let edge = ladder.get_off(now);
        self.tell_edge(edge, books);
    }

    fn tell_edge(&self, edge: Option<Edge>, books: &mut Books) {
        let Some(edge) = edge else { return };
        let namespace = books.catalog().namespace_entry(self.namespace).path.clone();
        let client = self.client;
        books.push_event(match edge {
            Edge::Began(held) => {
                Event::SlowClientBegan { namespace, client, messages: held.messages, bytes: held.bytes }
            }
            Edge::Ended { lasted, lost } => Event::SlowClientEnded { namespace, client, lasted, lost },
        });
    }

    /// What is to be done about a client that is above a hard limit and stays there.
    pub(super) fn evict(&mut self, now: Instant) -> Option<Verdict> {
        let ladder = self.ladder.as_mut()?;
        Some(match ladder.evict(now)? {
            Eviction::Disconnect => {
                ladder.lose(ladder.held().messages);
                Verdict::Disconnect(CloseReason::SlowClient)
            }
            Eviction::Unsubscribe => {
                let lane = &self.lanes.get(ladder.fullest()? as usize)?.lane;
                ladder.lose(lane.len() as u64);
                Verdict::Unsubscribe(lane.entry().clone())
            }
        })
    }
}

/// Lets the ladder, where there is one, take in what a lane holds now and what it lost.
pub(super) fn take_stock(ladder: &mut Option<Box<Ladder>>, place: u32, lane: &Lane, lost: u64) {
    if let Some(ladder) = ladder {
        ladder.weigh(place, lane);
        ladder.lose(lost);
    }
}
