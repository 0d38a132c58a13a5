//! What one connection takes now, and whose turn it is on it.
//!
//! Never a guess about a transport: the transport says its room, the link believes it.

use std::time::{Duration, Instant};

use crate::message::SessionKey;
use crate::turns::Turns;

/// How much a transport takes now: a level, not a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// In frames.
    pub frames: u32,
    /// In bytes.
    pub bytes: u64,
    /// Whether nothing of ours is below the lanes: then one message of any size may go, or a message larger than the
    /// window would never leave.
    pub is_empty: bool,
}

impl Room {
    /// No room at all.
    pub const NONE: Self = Self { frames: 0, bytes: 0, is_empty: false };

    /// Whether so much fits.
    #[must_use]
    pub fn takes(&self, frames: u32, bytes: u64) -> bool {
        self.is_empty || (frames <= self.frames && bytes <= self.bytes)
    }

    /// Takes so much away.
    pub fn take(&mut self, frames: u32, bytes: u64) {
        self.frames = self.frames.saturating_sub(frames);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.is_empty = false;
    }

    /// Whether something may still go.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.is_empty || (self.frames > 0 && self.bytes > 0)
    }
}

/// One connection: its room, and the turns of its sessions.
#[derive(Debug, Default)]
pub(crate) struct Link {
    room: Room,
    clock: Stopwatch,
    /// All its sessions. A handful: one per namespace.
    sessions: Vec<SessionKey>,
    /// The sessions that have something to say, each once, in the order of their turns.
    turns: Turns<SessionKey>,
    /// Whether it stands in the hub's ready queue.
    pub(crate) is_filed: bool,
    /// How many answers its sessions have waiting.
    pub(crate) control_backlog: usize,
}

impl Link {
    pub(crate) fn join(&mut self, session: SessionKey) {
        self.sessions.push(session);
    }

    pub(crate) fn leave(&mut self, session: SessionKey) {
        self.sessions.retain(|&other| other != session);
        self.turns.remove(session);
    }

    /// Gives a session its turn, once.
    pub(crate) fn queue_up(&mut self, session: SessionKey) {
        if !self.turns.contains(session) {
            self.turns.push_back(session);
        }
    }

    /// Takes what the transport says; `true` when the link's clock began to run with it.
    pub(crate) fn handle_room(&mut self, room: Room, now: Instant) -> bool {
        self.room = room;
        self.clock.run_while(room.is_some(), now)
    }

    /// Takes the room that was used, and stops the clock when none is left.
    pub(crate) fn use_room(&mut self, left: Room, now: Instant) {
        self.room = left;
        self.clock.run_while(left.is_some(), now);
    }

    pub(crate) fn next_turn(&mut self) -> Option<SessionKey> {
        self.turns.pop_front()
    }

    /// Puts a session back that could not say what it has, at the front.
    pub(crate) fn keep_turn(&mut self, session: SessionKey) {
        self.turns.push_front(session);
    }

    pub(crate) fn room(&self) -> Room {
        self.room
    }

    pub(crate) fn clock(&self) -> &Stopwatch {
        &self.clock
    }

    pub(crate) fn sessions(&self) -> &[SessionKey] {
        &self.sessions
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.room.is_some() && !self.turns.is_empty()
    }
}

/// A clock that runs only while the link has room.
///
/// Pausing every deadline of a connection is one assignment, because deadlines are written on this clock.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    elapsed: Duration,
    since: Option<Instant>,
    /// Since when it stands still, as far as it was told.
    stopped: Option<Instant>,
}

impl Stopwatch {
    pub(crate) fn now(&self, now: Instant) -> Duration {
        self.elapsed + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// When the clock will show `due`, if it runs on and time reaches that far.
    pub(crate) fn instant_of(&self, due: Duration) -> Option<Instant> {
        self.since?.checked_add(due.saturating_sub(self.elapsed))
    }

    /// For how long it has stood still; `None` while it runs.
    pub(crate) fn stopped_for(&self, now: Instant) -> Option<Duration> {
        self.stopped.map(|stopped| now.saturating_duration_since(stopped))
    }

    /// Runs, or stands still; `true` when it began to run with this.
    fn run_while(&mut self, has_room: bool, now: Instant) -> bool {
        match (has_room, self.since) {
            (true, None) => {
                self.since = Some(now);
                self.stopped = None;
                return true;
            }
            (false, Some(_)) => {
                self.elapsed = self.now(now);
                self.since = None;
                self.stopped = Some(now);
            }
            (false, None) => {
                self.stopped.get_or_insert(now);
            }
            (true, Some(_)) => {}
        }
        false
    }
}
