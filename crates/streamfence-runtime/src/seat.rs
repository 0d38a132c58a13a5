//! What a shard keeps per link beside the hub: where the client hears, and which sessions it has.

use std::collections::HashMap;

use streamfence_core::{ClassId, NamespaceId, Room, SessionKey};
use tokio::sync::mpsc;

use crate::handler::Job;
use crate::link::Link;
use crate::outlet::Outlet;

/// One open link of a shard.
pub(crate) struct Seat {
    pub(crate) link: Link,
    pub(crate) outlet: Box<dyn Outlet>,
    /// A handful: one per namespace the connection has joined.
    pub(crate) sessions: Vec<Joined>,
    /// What the hub was told last.
    pub(crate) room: Room,
    /// Whether it was left without room by its last send and its writer has not run since.
    pub(crate) is_busy: bool,
    /// Whether its inbox waits until the client has heard the answers to its last wishes.
    pub(crate) is_parked: bool,
}

/// A session of a link.
pub(crate) struct Joined {
    pub(crate) namespace: NamespaceId,
    pub(crate) session: SessionKey,
    /// Who works through the messages the client publishes, by class: a client may speak to thousands of topics made from
    /// a pattern. Dropping the sender ends the worker.
    pub(crate) workers: HashMap<ClassId, mpsc::Sender<Job>>,
}

impl Seat {
    pub(crate) fn new(link: Link, outlet: Box<dyn Outlet>) -> Self {
        Self { link, outlet, room: Room::NONE, sessions: Vec::new(), is_busy: false, is_parked: false }
    }

    /// Notes what the transport takes now. Says whether its writer had still to run, and whether it has now.
    pub(crate) fn take_room(&mut self, room: Room) -> (bool, bool) {
        self.room = room;
        let is_busy = !room.is_some() && !self.outlet.is_blocked();
        (std::mem::replace(&mut self.is_busy, is_busy), is_busy)
    }

    pub(crate) fn joined(&mut self, namespace: NamespaceId) -> Option<&mut Joined> {
        self.sessions.iter_mut().find(|joined| joined.namespace == namespace)
    }
}
