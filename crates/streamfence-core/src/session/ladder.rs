//! How far a client is behind, over all its lanes, and since when.
//!
//! ```text
//!           above soft              for the whole patience
//! in time ------------> behind --------------------------> slow (began)
//!    ^                     |                                |
//!    '---------------------'------ below both again --------' (ended, if it began)
//!
//!           above hard                no progress for the whole patience
//! in time ------------> pressing --------------------------------------> evicted
//!                        ^    | progress: the patience begins anew
//!                        '----'
//! ```
//!
//! Time is real here and not the link's: a blocked link stands still, and that is what is to be noticed. Never a lane's
//! decision.

use std::time::{Duration, Instant};

use crate::lane::Lane;
use crate::slow_client::{Eviction, Load, SlowClient};

/// Where one client stands on the ladder of its namespace.
#[derive(Debug)]
pub(super) struct Ladder {
    rules: SlowClient,
    /// What each lane held when it was last looked at, by its place.
    lanes: Vec<Load>,
    /// Sum over `lanes`, kept so that nothing walks them.
    held: Load,
    /// Since when it is above a soft limit.
    behind_since: Option<Instant>,
    /// Whether that was told.
    is_slow: bool,
    /// What it lost since `behind_since`.
    lost: u64,
    /// Since when it is above a hard limit and makes no progress.
    pressing_since: Option<Instant>,
    /// Whether it made progress since the last look.
    has_moved: bool,
    /// Whether, at the last look, it had read all there was to read and the rest was held by its rhythm.
    was_idle: bool,
}

/// What a look at the ladder found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    Began(Load),
    Ended { lasted: Duration, lost: u64 },
}

impl Ladder {
    pub(super) fn new(rules: SlowClient) -> Self {
        Self {
            rules,
            lanes: Vec::new(),
            held: Load::default(),
            behind_since: None,
            is_slow: false,
            lost: 0,
            pressing_since: None,
            has_moved: false,
            was_idle: false,
        }
    }

    /// Goes by other rules from now on.
    pub(super) fn follow(&mut self, rules: SlowClient) {
        self.rules = rules;
    }

    /// Makes place for the lane at a place, so that nothing has to when it is weighed.
    pub(super) fn make_place(&mut self, place: u32) {
        if self.lanes.len() <= place as usize {
            self.lanes.resize(place as usize + 1, Load::default());
        }
    }

    /// Takes in what a lane holds now.
    pub(super) fn weigh(&mut self, place: u32, lane: &Lane) {
        self.put(place, Load { messages: lane.len() as u64, bytes: lane.bytes() });
    }

    /// Takes in that a lane is gone, and what it held with it.
    pub(super) fn vacate(&mut self, place: u32) {
        self.put(place, Load::default());
    }

    fn put(&mut self, place: u32, load: Load) {
        let before = std::mem::replace(&mut self.lanes[place as usize], load);
        self.held.messages = self.held.messages + load.messages - before.messages;
        self.held.bytes = self.held.bytes + load.bytes - before.bytes;
    }

    /// Notes that messages were lost to the client.
    pub(super) fn lose(&mut self, messages: u64) {
        if self.behind_since.is_some() {
            self.lost += messages;
        }
    }

    /// Notes that something was sent for the first time, or acked.
    pub(super) fn progress(&mut self) {
        self.has_moved = true;
    }

    /// Looks where the client stands now, and says what is to be told. `is_idle` says whether nothing waits for it but
    /// what its rhythm holds, which is not its fault: its patience begins when something does.
    pub(super) fn look(&mut self, now: Instant, is_idle: impl FnOnce() -> bool) -> Option<Edge> {
        let is_pressing = self.rules.hard.is_below(self.held);
        let is_idle = is_pressing && is_idle();
        let was_idle = std::mem::replace(&mut self.was_idle, is_idle);
        let has_moved = std::mem::take(&mut self.has_moved) || is_idle || was_idle;
        self.pressing_since = match self.pressing_since {
            _ if !is_pressing => None,
            Some(since) if !has_moved => Some(since),
            _ => Some(now),
        };
        if !self.rules.soft.is_below(self.held) {
            return self.get_off(now);
        }
        let since = *self.behind_since.get_or_insert(now);
        if self.is_slow || self.ends(since).is_none_or(|at| at > now) {
            return None;
        }
        self.is_slow = true;
        Some(Edge::Began(self.held))
    }

    /// Starts again from the ground: the client is in time, or nobody looks at it any more.
    pub(super) fn get_off(&mut self, now: Instant) -> Option<Edge> {
        let since = self.behind_since.take()?;
        let lost = std::mem::take(&mut self.lost);
        let lasted = now.saturating_duration_since(since);
        std::mem::take(&mut self.is_slow).then_some(Edge::Ended { lasted, lost })
    }

    /// Forgets that a client pressed on a hard limit: nobody looks at it for a while.
    pub(super) fn ease(&mut self) {
        self.pressing_since = None;
    }

    /// What is to be done with the client, where the patience with it has run out. It begins anew with this.
    pub(super) fn evict(&mut self, now: Instant) -> Option<Eviction> {
        let since = self.pressing_since?;
        if self.ends(since).is_none_or(|at| at > now) {
            return None;
        }
        self.pressing_since = Some(now);
        Some(self.rules.eviction)
    }

    /// The place of the fullest lane, counted in what the client has too much of.
    pub(super) fn fullest(&self) -> Option<u32> {
        let is_heavy = self.rules.hard.bytes.is_some_and(|limit| self.held.bytes > limit);
        let weight = |load: &Load| if is_heavy { (load.bytes, load.messages) } else { (load.messages, load.bytes) };
        // The first of equals: which one it is must not depend on chance.
        let fullest = self.lanes.iter().enumerate().rev().max_by_key(|(_, load)| weight(load));
        fullest.map(|(place, _)| place as u32)
    }

    /// When to look again, if nothing happens until then.
    pub(super) fn due(&self) -> Option<Instant> {
        let slow = self.behind_since.filter(|_| !self.is_slow).and_then(|since| self.ends(since));
        let evicted = self.pressing_since.and_then(|since| self.ends(since));
        slow.into_iter().chain(evicted).min()
    }

    /// When the patience that began then ends; a patience longer than time can tell never does.
    fn ends(&self, since: Instant) -> Option<Instant> {
        since.checked_add(self.rules.patience)
    }

    /// Since when it is above a soft limit, once that counts as slow.
    pub(super) fn slow_since(&self) -> Option<Instant> {
        self.behind_since.filter(|_| self.is_slow)
    }

    /// What all its lanes hold.
    pub(super) fn held(&self) -> Load {
        self.held
    }
}
