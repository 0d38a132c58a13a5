//! What a session can be asked. Never a change of anything.

use std::time::{Duration, Instant};

use super::Session;
use crate::lane::Lane;
use crate::message::{ClientId, NamespaceId, TopicId};

impl Session {
    /// When to call [`Session::handle_timeout`], on the link's clock; never too late, perhaps too early.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        (self.nearest != Duration::MAX).then_some(self.nearest)
    }

    /// When to call [`Session::handle_timeout`] in real time; never too late, perhaps too early.
    #[must_use]
    pub fn poll_alarm(&self) -> Option<Instant> {
        self.alarm
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// The namespace it is in.
    #[must_use]
    pub fn namespace(&self) -> NamespaceId {
        self.namespace
    }

    /// How many messages were delivered to it in the last second, when that was looked at last.
    #[must_use]
    pub fn delivered_per_second(&self) -> u32 {
        self.pace.per_second()
    }

    /// Whether it may have something to say.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.control.is_empty() || !self.turns.is_empty()
    }

    /// How many answers wait to be said.
    #[must_use]
    pub fn control_backlog(&self) -> usize {
        self.control.len()
    }

    /// Its lanes.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().map(|(_, seated)| &seated.lane)
    }

    /// The lane at a place.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn lane(&self, place: u32) -> &Lane {
        &self.lanes[place as usize].lane
    }

    /// Where the lane of a topic stands. A walk: a session has few lanes, and the hot path knows the place.
    #[must_use]
    pub fn lane_of(&self, topic: TopicId) -> Option<u32> {
        self.lanes.iter().find(|(_, seated)| seated.lane.topic() == topic).map(|(place, _)| place as u32)
    }
}
