//! Whether a client is slow now, and what it is seen by: the one definition of slow, for whoever looks (lists, gauges,
//! alerts). Never what is done about it: that is the ladder's, and a lane's policy.

use std::time::{Duration, Instant};

use super::Session;
use crate::lane::Lane;

/// How long what could be sent to a client, or the ack it owes, may wait before the client counts as slow.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a transport may take nothing while something waits for it before its client counts as slow.
const LONGEST_BLOCK: Duration = Duration::from_secs(1);

/// What a slow client is seen by. A closed set: it stands in answers, and is a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlowReason {
    /// It has stayed above a soft limit of its namespace's ladder for the whole patience.
    Depth,
    /// Its transport has taken nothing for more than a second, and something waits for it.
    Blocked,
    /// On one topic it has as many messages as it may without having acked them, and its transport would take more; and
    /// messages of that topic are lost meanwhile, or one has waited for more than five seconds.
    Unacked,
    /// It has lost messages and not caught up since.
    Overflow,
    /// A message that could be sent if the client took it, or that it has not acked, has waited for more than five seconds.
    /// What is held back on purpose (a value for its interval, what the client has put off with a nack) does not count.
    Age,
}

impl SlowReason {
    /// All of them; of several, the first is told.
    pub const ALL: [Self; 5] = [Self::Depth, Self::Blocked, Self::Unacked, Self::Overflow, Self::Age];

    /// Its place in [`SlowReason::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The name used in answers and labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::Blocked => "blocked",
            Self::Unacked => "unacked",
            Self::Overflow => "overflow",
            Self::Age => "age",
        }
    }
}

/// That a client is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slowness {
    /// What it is seen by.
    pub reason: SlowReason,
    /// For how long, at least.
    pub lasted: Duration,
}

impl Session {
    /// Whether its client is slow now. `blocked` is for how long its transport has taken nothing.
    pub(crate) fn slowness(&self, blocked: Option<Duration>, now: Instant) -> Option<Slowness> {
        if let Some(since) = self.ladder.as_ref().and_then(|ladder| ladder.slow_since()) {
            return Some(Slowness { reason: SlowReason::Depth, lasted: now.saturating_duration_since(since) });
        }
        if let Some(lasted) = blocked.filter(|lasted| *lasted > LONGEST_BLOCK && self.is_ready()) {
            return Some(Slowness { reason: SlowReason::Blocked, lasted });
        }
        let age = |since: Option<Instant>| since.map(|since| now.saturating_duration_since(since)).unwrap_or_default();
        // Each lane by its own age: what waits in another says nothing of the acks that are owed here.
        let unacked = self.lanes().filter(|lane| lane.waits_for_acks());
        let unacked = unacked.map(|lane| (age(lane.waiting_since()), lane.is_overflowing()));
        let unacked = unacked.filter(|(age, is_overflowing)| *age > LONGEST_WAIT || *is_overflowing);
        if let Some(lasted) = unacked.map(|(age, _)| age).max() {
            return Some(Slowness { reason: SlowReason::Unacked, lasted });
        }
        let lasted = age(self.lanes().filter_map(Lane::waiting_since).min());
        let reason = match () {
            () if self.lanes().any(Lane::is_overflowing) => SlowReason::Overflow,
            () if lasted > LONGEST_WAIT => SlowReason::Age,
            () => return None,
        };
        Some(Slowness { reason, lasted })
    }

    /// How long the oldest message of all its lanes has waited; zero when they are empty.
    pub(crate) fn oldest(&self, now: Instant) -> Duration {
        let published = self.lanes().filter_map(Lane::oldest_published).min();
        published.map(|published| now.saturating_duration_since(published)).unwrap_or_default()
    }
}
