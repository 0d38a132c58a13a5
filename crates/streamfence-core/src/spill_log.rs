//! What lies on disk of one topic, as its lanes see it: positions, sums, credits, and the end of it that is still in memory.
//!
//! ```text
//!            Release                    Appended            Append
//! forgotten ---------> on disk .......... | tail in memory .. | under way .. | unsent .. | next
//!                      ^ cursors of lanes that are far behind    ^ and of those that are not
//! ```
//!
//! A lane that has spilled is a cursor, so a message costs the same however many there are: one slot here, until it is in
//! the file and every lane near it has taken it. What all lanes have taken before it was written never is. Never a lane,
//! never a file.

mod commands;
mod memory;
mod reads;
mod refusals;

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::memory::Memory;
pub(crate) use self::memory::Slot;
use self::reads::Reads;
pub(crate) use self::reads::Want;
pub(crate) use self::refusals::Refusals;
use crate::message::{Message, Offset, SessionKey};
use crate::spill::{Audience, LogId, LogPosition};
use crate::topic::TopicEntry;

/// How much of what has spilled may be in memory, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpillLimits {
    /// How many stored bytes a log takes in beyond what was granted: enough until the first room has been made.
    pub allowance_bytes: u64,
    /// How many stored bytes of all logs of a hub may wait to be written.
    pub unwritten_bytes: u64,
    /// From how many stored bytes on there is a log: a burst that is smaller, and over within the linger, costs no file.
    pub open_bytes: u64,
    /// How many stored bytes wait together for one append.
    pub append_bytes: u64,
    /// How long what waits for an append waits for more: what is taken by all lanes until then is never written.
    pub linger: Duration,
    /// How many stored bytes stay in memory after they were written, for lanes that are nearly there.
    pub tail_bytes: u64,
    /// How many of those all logs of a hub keep together; beyond, none keeps any.
    pub tails_bytes: u64,
    /// How many clients the audiences of all that the logs of a hub hold may name: each is remembered.
    pub names: u64,
}

impl Default for SpillLimits {
    fn default() -> Self {
        Self {
            allowance_bytes: 1 << 20,
            unwritten_bytes: 8 << 20,
            open_bytes: 64 << 10,
            append_bytes: 256 << 10,
            linger: Duration::from_millis(20),
            tail_bytes: 1 << 20,
            tails_bytes: 8 << 20,
            names: 1 << 20,
        }
    }
}

/// What all logs of a hub have that is not written, in stored bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) bytes: u64,
    /// How many of those have no room on disk yet.
    pub(crate) unplaced: u64,
}

impl Waiting {
    /// Whether there may be so much more, and whether or not it has room on disk. What has none takes half at most: it may
    /// wait for very long, and what need not wait shall go on.
    pub(crate) fn takes(self, cost: u64, has_place: bool, limits: &SpillLimits) -> bool {
        let most = limits.unwritten_bytes;
        let may_wait = has_place || self.unplaced == 0 || self.unplaced + cost <= most / 2;
        may_wait && (self.bytes == 0 || self.bytes + cost <= most)
    }
}

/// In what steps, in bytes of bodies, it is told that nobody reads any more.
const RELEASE_BYTES: u64 = 1 << 20;
/// The same in clients named by audiences.
const RELEASE_NAMES: u64 = 1_024;
/// How many classes are kept apart for the messages of one log: one more for each reload while it is read.
const CLASSES_APART: usize = 64;

/// How many records, for everybody, and of how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Sums {
    pub(crate) fn one(bytes: u64) -> Self {
        Self { messages: 1, bytes }
    }
}

impl Add for Sums {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { messages: self.messages + more.messages, bytes: self.bytes + more.bytes }
    }
}

impl Sub for Sums {
    type Output = Self;

    /// Never below zero: of what was damaged, the bytes are not known exactly.
    fn sub(self, less: Self) -> Self {
        Self { messages: self.messages.saturating_sub(less.messages), bytes: self.bytes.saturating_sub(less.bytes) }
    }
}

/// A place in a log, and what lies before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The next record.
    pub(crate) position: LogPosition,
    /// The records for everybody before it.
    pub(crate) sums: Sums,
    /// The number of the next refusal to be told.
    pub(crate) refusals: u64,
    /// The offset of the last message before it, or one that is no larger than that of the next.
    pub(crate) offset: Offset,
}

/// How much was taken before a position.
#[derive(Clone, Copy, Debug)]
struct Mark {
    position: LogPosition,
    bytes: u64,
    names: u64,
}

/// The log of one topic.
#[derive(Debug)]
pub(crate) struct SpillLog {
    id: LogId,
    limits: SpillLimits,
    namespace: Arc<str>,
    name: Arc<str>,
    /// The lanes that read it, as they stand in their sessions. A lane knows its seat.
    pub(crate) lanes: Vec<(SessionKey, u32)>,
    /// How many lanes stand at each position.
    cursors: BTreeMap<LogPosition, u32>,
    /// How many of the lanes take nothing new.
    pub(crate) shut: u32,
    /// At how many bytes for everybody a lane has as much as it may have, at the earliest; with the lane's place.
    pub(crate) quotas: BTreeMap<(u64, SessionKey), u32>,
    /// Where the next record goes.
    tail: Cursor,
    /// How many messages for everybody were offered, taken or not, and the offset of the last.
    pub(crate) offered: (u64, Offset),
    /// Under which classes the records were appended, each from a position on. Bounded by `CLASSES_APART`.
    classes: VecDeque<(LogPosition, Arc<TopicEntry>)>,
    pub(crate) refusals: Refusals,
    memory: Memory,
    pub(crate) reads: Reads,
    /// What was granted and not used.
    granted: u64,
    is_opened: bool,
    /// What was taken before a position: one mark for each step, the oldest at or before the first cursor.
    marks: VecDeque<Mark>,
    /// The bytes of all bodies ever taken.
    bytes: u64,
    /// How many clients the audiences of all that were ever taken name: lanes remember each of those places.
    names: u64,
    /// Whether the store is still to be told that it may forget what lies before the first cursor.
    owes_release: bool,
    /// Since when no lane reads it.
    idle_since: Option<Instant>,
    is_closing: bool,
    /// When it is to be looked at again, as filed with the hub.
    pub(crate) filed: Option<Instant>,
    /// Whether it stands in the hub's queue of those that have a command.
    pub(crate) is_queued: bool,
}

impl SpillLog {
    pub(crate) fn new(id: LogId, topic: &TopicEntry, limits: SpillLimits) -> Self {
        Self {
            id,
            limits,
            namespace: topic.class.path.clone(),
            name: topic.name.clone(),
            lanes: Vec::new(),
            cursors: BTreeMap::new(),
            shut: 0,
            quotas: BTreeMap::new(),
            tail: Cursor::default(),
            offered: (0, Offset(0)),
            classes: VecDeque::new(),
            refusals: Refusals::default(),
            memory: Memory::default(),
            reads: Reads::default(),
            granted: 0,
            is_opened: false,
            marks: VecDeque::new(),
            bytes: 0,
            names: 0,
            owes_release: false,
            idle_since: None,
            is_closing: false,
            filed: None,
            is_queued: false,
        }
    }

    /// Whether a record may be taken that costs so much on disk, beside all that waits to be written.
    pub(crate) fn takes(&self, cost: u64, waiting: Waiting) -> bool {
        let unsent = self.memory.unsent();
        // One record of any size may wait alone: else a large one would never be taken.
        let is_granted = unsent == 0 || unsent + cost <= self.granted + self.limits.allowance_bytes;
        let has_place = unsent + cost <= self.granted;
        is_granted && waiting.takes(cost, has_place, &self.limits)
    }

    /// Takes a message in at the end.
    pub(crate) fn append(&mut self, message: &Arc<Message>, audience: Audience, cost: u64, now: Instant, step: u64) {
        if self.classes.back().is_none_or(|(_, topic)| !Arc::ptr_eq(topic, &message.topic)) {
            if self.classes.len() == CLASSES_APART {
                self.classes.pop_back();
            }
            self.classes.push_back((self.tail.position, message.topic.clone()));
        }
        let bytes = message.size_bytes();
        let step = step.clamp(1, RELEASE_BYTES);
        let is_over = |mark: &Mark| self.bytes - mark.bytes >= step || self.names - mark.names >= RELEASE_NAMES;
        if self.marks.back().is_none_or(is_over) {
            self.marks.push_back(Mark { position: self.tail.position, bytes: self.bytes, names: self.names });
        }
        self.bytes += bytes;
        self.names += audience.names() as u64;
        let before = self.tail.sums;
        if audience.is_broadcast() {
            self.tail.sums = before + Sums::one(bytes);
        }
        self.memory.push(Slot { message: message.clone(), audience, cost, before, since: now });
        self.tail.position.0 += 1;
        self.tail.offset = self.tail.offset.max(message.id.offset);
    }

    /// Notes that a message for everybody was offered, whatever becomes of it.
    pub(crate) fn note_offered(&mut self, offset: Offset) {
        self.offered = (self.offered.0 + 1, offset);
        self.tail.offset = self.tail.offset.max(offset);
    }

    /// Where the next record goes, and what a lane that reads from there on has before it.
    pub(crate) fn tail(&self) -> Cursor {
        Cursor { refusals: self.refusals.next(), ..self.tail }
    }

    /// A lane reads from a position on.
    pub(crate) fn join(&mut self, at: LogPosition) {
        self.idle_since = None;
        *self.cursors.entry(at).or_default() += 1;
    }

    /// A lane has come from one position to another.
    pub(crate) fn move_cursor(&mut self, from: LogPosition, to: LogPosition) {
        if from != to {
            *self.cursors.entry(to).or_default() += 1;
            self.drop_cursor(from);
        }
    }

    /// A lane reads no more.
    pub(crate) fn part(&mut self, at: LogPosition, now: Instant) {
        self.drop_cursor(at);
        if self.cursors.is_empty() {
            self.idle_since = Some(now);
            self.classes.clear();
            self.quotas.clear();
        }
    }

    fn drop_cursor(&mut self, at: LogPosition) {
        let Some(count) = self.cursors.get_mut(&at) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.cursors.remove(&at);
        let first = self.first();
        if first <= at {
            return;
        }
        self.memory.forget_before(first);
        self.refusals.forget_before(first, self.cursors.is_empty());
        while self.classes.get(1).is_some_and(|(from, _)| *from <= first) {
            self.classes.pop_front();
        }
        while self.marks.get(1).is_some_and(|mark| mark.position <= first) {
            self.marks.pop_front();
            self.owes_release = true;
        }
        if self.cursors.is_empty() {
            self.marks.clear();
            self.owes_release = true;
        }
    }

    /// The first position that any lane still needs.
    pub(crate) fn first(&self) -> LogPosition {
        self.cursors.first_key_value().map_or(self.tail.position, |(at, _)| *at)
    }

    /// How many bytes of bodies it holds for its lanes, up to a step more.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.marks.front().map_or(0, |mark| self.bytes - mark.bytes)
    }

    /// How many clients the audiences name that it holds for its lanes, up to a step more.
    pub(crate) fn held_names(&self) -> u64 {
        self.marks.front().map_or(0, |mark| self.names - mark.names)
    }

    /// How many bytes a record has on average.
    pub(crate) fn mean_bytes(&self) -> u64 {
        (self.bytes / self.tail.position.0.max(1)).max(1)
    }

    /// The record at a position, if it is in memory.
    pub(crate) fn slot(&self, at: LogPosition) -> Option<&Slot> {
        self.memory.get(at)
    }

    /// The topic as it was when the record at a position was appended.
    pub(crate) fn class_at(&self, at: LogPosition) -> Option<&Arc<TopicEntry>> {
        let place = self.classes.partition_point(|(from, _)| *from <= at);
        self.classes.get(place.saturating_sub(1)).map(|(_, topic)| topic)
    }

    /// From where on everything is in memory, and what lies before it.
    pub(crate) fn memory_start(&self) -> (LogPosition, Sums) {
        self.memory
            .get(self.memory.first())
            .map_or((self.tail.position, self.tail.sums), |slot| (self.memory.first(), slot.before))
    }

    /// How many stored bytes it keeps in memory that are not known to be written.
    pub(crate) fn unwritten(&self) -> u64 {
        self.memory.unsent() + self.memory.under_way()
    }

    /// How many stored bytes of those have no room on disk yet.
    pub(crate) fn unplaced(&self) -> u64 {
        self.memory.unsent().saturating_sub(self.granted)
    }

    /// How many stored bytes it keeps in memory that are written.
    pub(crate) fn tail_bytes(&self) -> u64 {
        self.memory.tail()
    }

    /// Lets go of what is in memory and in the file too; says how many bytes nobody holds any more.
    pub(crate) fn drop_tail(&mut self) -> u64 {
        self.memory.drop_tail(0)
    }

    pub(crate) fn id(&self) -> LogId {
        self.id
    }

    /// Checks what must hold between any two calls.
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn check(&self) {
        self.memory.check();
        let counted: u32 = self.cursors.values().sum();
        assert_eq!(counted as usize, self.lanes.len(), "every lane has a cursor");
        assert!(self.shut as usize <= self.lanes.len(), "only lanes are shut");
        assert!(
            self.cursors.keys().all(|at| *at < self.tail.position || self.shut > 0),
            "who has caught up is no reader"
        );
        let (start, _) = self.memory_start();
        assert!(
            self.first() >= self.memory.first() || start <= self.memory.appended(),
            "what is not written is in memory"
        );
        assert_eq!(self.memory.end(), self.tail.position, "the memory ends where the log does");
    }
}
