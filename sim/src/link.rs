//! A connection as its other end knows it: what it said it takes, less what came.

use std::time::Duration;

use streamfence_core::{LinkKey, NamespaceId, Room};

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) key: LinkKey,
    /// The client it is of, by its place in the world.
    pub(crate) client: usize,
    pub(crate) room: Room,
    /// How long there has been room, until `since` at least.
    elapsed: Duration,
    since: Option<Duration>,
    /// The sessions on it, by their places in the shard: one a namespace.
    pub(crate) peers: Vec<(NamespaceId, usize)>,
}

impl Link {
    pub(crate) fn new(key: LinkKey, client: usize) -> Self {
        Self { key, client, room: Room::NONE, elapsed: Duration::ZERO, since: None, peers: Vec::new() }
    }

    /// What its clock shows: it stands still while there is no room.
    pub(crate) fn clock(&self, now: Duration) -> Duration {
        self.elapsed + self.since.map_or(Duration::ZERO, |since| now - since)
    }

    pub(crate) fn runs(&self) -> bool {
        self.since.is_some()
    }

    pub(crate) fn set_room(&mut self, room: Room, now: Duration) {
        self.room = room;
        let has_room = room.is_empty || (room.frames > 0 && room.bytes > 0);
        if has_room != self.runs() {
            self.elapsed = self.clock(now);
            self.since = has_room.then_some(now);
        }
    }

    pub(crate) fn peer(&self, namespace: NamespaceId) -> Option<usize> {
        self.peers.iter().find(|(of, _)| *of == namespace).map(|&(_, peer)| peer)
    }
}
