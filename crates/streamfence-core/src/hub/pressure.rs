//! A hub whose process has little memory left for messages.
//!
//! The hub is told how much is left; what gives way it decides itself. Lanes that let older messages give way shed them,
//! those first that cost the most: level by level, like water that is let out of the highest ponds until they are as high
//! as the next. What cannot be shed is not added to. Never a look at all lanes in one go.
//!
//! ```text
//! 1st round   look at every lane, shed nothing, learn the highest share
//! 2nd round   every lane above three quarters of it sheds down to that; learn what is the highest share now
//! 3rd ..      and so on, until enough is free or nothing is left to shed
//! ```
//!
//! Hubs that share a budget take turns, a round each, and tell each other how high their highest lane is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Hub;
use crate::lane::{Admission, ENTRY_BYTES, Rejection};
use crate::link::Room;
use crate::message::{Message, SessionKey, TopicId};
use crate::session::{GAP_BYTES, GAP_FRAMES};

/// How many lanes are looked at in one step.
const LOOKS_PER_STEP: u32 = 1_024;
/// How many messages are shed in one step.
const SHED_PER_STEP: u64 = 4_096;
/// Below what share, in bytes, all lanes are as good as empty: they shed everything at once.
const WORTH_A_LEVEL: u64 = 1_024;
/// How long a hub that found nothing more to shed does not look again, for each lane it had to look at. A hub of few
/// lanes does not rest: one step shows them all.
const REST_PER_LOOK: Duration = Duration::from_micros(10);

/// What is left of the memory for messages, as the driver knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// How many bytes the lanes may still grow by, in [`ENTRY_BYTES`] an entry. What the bodies take is counted where they
    /// are made.
    pub free_bytes: u64,
    /// By how many bytes what is published next is more than there is; 0 while it fits. The first lane to take it pays.
    pub owed_bytes: u64,
    /// How many bytes the lanes should make free; 0 while there is enough.
    pub shed_bytes: u64,
    /// What the lane costs that costs the most in any other hub of the same budget, as far as that is known.
    pub highest_bytes: u64,
}

impl Pressure {
    /// No limit at all, as before the first word about it.
    pub const NONE: Self = Self { free_bytes: u64::MAX, owed_bytes: 0, shed_bytes: 0, highest_bytes: 0 };
}

/// How far the shedding has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Relief {
    /// So much is free now, or nothing was wanted.
    Enough,
    /// The step is done and the round is not.
    Unfinished,
    /// A round is done, and this is what the lane costs that costs the most now. Other hubs may have higher ones.
    Round {
        /// Its share, in bytes.
        highest_bytes: u64,
    },
    /// No lane of this hub has anything to shed.
    Nothing,
}

impl Relief {
    /// Whether another step, of this hub or of another, may make more free.
    #[must_use]
    pub fn is_more(self) -> bool {
        matches!(self, Self::Unfinished | Self::Round { .. })
    }
}

/// What want of memory has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PressureCost {
    /// Messages refused, once per lane.
    pub rejected: u64,
    /// Messages that gave way, once per lane.
    pub displaced: u64,
    /// Bytes that shedding has made free.
    pub freed_bytes: u64,
}

/// What the hub was told last.
#[derive(Debug)]
pub(super) struct Strain {
    /// How many messages the lanes may hold, all together.
    ceiling: u64,
    /// What the next message is more than there is.
    owed: u64,
    /// The highest share that the last round has left; 0 before the first.
    highest: u64,
    /// The round that is not done yet.
    round: Option<Round>,
    /// When it makes sense to look for something to shed again.
    rested: Option<Instant>,
    cost: PressureCost,
}

impl Default for Strain {
    fn default() -> Self {
        Self { ceiling: u64::MAX, owed: 0, highest: 0, round: None, rested: None, cost: PressureCost::default() }
    }
}

/// One look at every lane.
#[derive(Debug)]
struct Round {
    /// Lanes whose share is above this shed down to it.
    level: u64,
    /// The highest share found, after shedding.
    highest: u64,
    /// Where it stands: a topic, and the next seat of it. `None` before the first.
    topic: Option<TopicId>,
    seat: usize,
    /// How many looks it has cost.
    looks: u32,
}

impl Round {
    /// The round after one that has left so much as the highest share, here or elsewhere.
    fn after(here: u64, elsewhere: u64) -> Self {
        let level = match here.max(elsewhere) {
            _ if here == 0 => u64::MAX,
            highest if highest < WORTH_A_LEVEL => 0,
            highest => highest - highest / 4,
        };
        Self { level, highest: 0, topic: None, seat: 0, looks: 0 }
    }
}

/// Where a look has led.
enum Look {
    /// To a lane whose messages may give way.
    Lane(SessionKey, u32),
    /// To the end of a topic, or to one whose messages never give way.
    Nothing,
    /// To the end of the round.
    Over,
}

impl Hub {
    /// Takes what is left of the memory for messages, and sheds if that is too little: a bounded number of messages, so
    /// call it again, with what is left by then, unless it says that there is nothing.
    ///
    /// From now on lanes that would need more than is left refuse what they are offered, unless it costs nothing: a
    /// client that has read everything and can be sent it at once gets it, and where older messages give way it takes the
    /// place of some.
    pub fn handle_pressure(&mut self, pressure: Pressure, now: Instant) -> Relief {
        let now = self.advance(now);
        let relief = if pressure.shed_bytes == 0 { Relief::Enough } else { self.relieve(pressure, now) };
        if matches!(relief, Relief::Enough | Relief::Nothing) {
            (self.strain.highest, self.strain.round) = (0, None);
        }
        self.strain.owed = pressure.owed_bytes;
        self.strain.ceiling = match pressure.free_bytes {
            u64::MAX => u64::MAX,
            free => self.books.resident().saturating_add(free / ENTRY_BYTES),
        };
        relief
    }

    /// What want of memory has cost since the last call.
    pub fn take_pressure_cost(&mut self) -> PressureCost {
        std::mem::take(&mut self.strain.cost)
    }

    /// Whether lanes may hold no more than they do, or nobody has paid yet for what is published next. Lanes may lose
    /// what has expired while they are offered it, so that there are places again and still nobody has.
    #[inline]
    pub(super) fn is_tight(&self) -> bool {
        self.strain.owed > 0 || self.books.resident() >= self.strain.ceiling
    }

    /// Offers a message to a lane that must not cost more afterwards.
    #[cold]
    pub(super) fn offer_tight(
        &mut self,
        key: SessionKey,
        place: u32,
        message: &Arc<Message>,
        now: Instant,
    ) -> Admission {
        let passes = self.passes_through(key, place, message);
        let session = &mut self.sessions[key.index as usize].value.session;
        let admission = if passes {
            session.offer(place, message, now, &mut self.books)
        } else {
            session.offer_tight(place, message, self.strain.owed, now, &mut self.books)
        };
        match admission {
            Admission::Admitted { displaced, .. } => {
                self.strain.cost.displaced += u64::from(displaced);
                if !passes {
                    self.strain.owed = 0;
                    // The entries it paid with are not there for the next lanes to take.
                    self.strain.ceiling = self.strain.ceiling.min(self.books.resident());
                }
            }
            Admission::Rejected(Rejection::OverBudget) => self.strain.cost.rejected += 1,
            Admission::Rejected(_) => {}
        }
        // What passes through must have left before the next message comes.
        self.settle(key, passes);
        admission
    }

    /// Whether a message would leave the lane at once, so that it costs nothing there.
    fn passes_through(&self, key: SessionKey, place: u32, message: &Message) -> bool {
        let seated = &self.sessions[key.index as usize].value;
        let lane = seated.session.lane(place);
        let is_idle = lane.passes_on(message) && !seated.session.is_ready();
        let fits = || {
            let link = self.link(seated.link)?;
            // What the client has missed is told first, and only what is left is for the message.
            let notices = lane.notices_owed();
            let room = Room { is_empty: link.room().is_empty && notices == 0, ..link.room() };
            let (frames, bytes) = (notices * GAP_FRAMES, u64::from(notices) * GAP_BYTES);
            Some(!link.is_ready() && room.takes(frames + message.frames(), bytes + message.size_bytes()))
        };
        is_idle && fits().unwrap_or(false)
    }

    /// One step of the shedding, within one round.
    fn relieve(&mut self, pressure: Pressure, now: Instant) -> Relief {
        if self.strain.rested.is_some_and(|rested| now < rested) {
            return Relief::Nothing;
        }
        let begin = || Round::after(self.strain.highest, pressure.highest_bytes);
        let mut round = self.strain.round.take().unwrap_or_else(begin);
        let (wanted, mut looks, mut most, mut bytes) = (pressure.shed_bytes, LOOKS_PER_STEP, SHED_PER_STEP, 0);
        while looks > 0 && most > 0 {
            looks -= 1;
            match self.look(&mut round) {
                Look::Nothing => {}
                Look::Lane(key, place) => {
                    let session = &mut self.sessions[key.index as usize].value.session;
                    let shed = session.shed(place, round.level, wanted - bytes, most, &mut self.books);
                    bytes += shed.bytes;
                    most -= shed.messages;
                    self.strain.cost.displaced += shed.messages;
                    self.strain.cost.freed_bytes += shed.bytes;
                    round.highest = round.highest.max(session.lane(place).share());
                    if shed.messages > 0 {
                        self.settle(key, false);
                        // There may be room for what comes next, where there was none for what gave way.
                        self.file_ready(self.sessions[key.index as usize].value.link);
                    }
                    if bytes >= wanted {
                        return Relief::Enough;
                    }
                }
                Look::Over if round.highest == 0 => {
                    let is_large = round.looks > LOOKS_PER_STEP;
                    self.strain.rested = is_large.then(|| now + REST_PER_LOOK.saturating_mul(round.looks));
                    return Relief::Nothing;
                }
                Look::Over => {
                    self.strain.highest = round.highest;
                    return Relief::Round { highest_bytes: round.highest };
                }
            }
        }
        self.strain.round = Some(round);
        Relief::Unfinished
    }

    /// The next lane of this round.
    fn look(&self, round: &mut Round) -> Look {
        round.looks = round.looks.saturating_add(1);
        let seats = round.topic.and_then(|topic| self.topics.get(topic));
        let seat = seats.and_then(|seats| seats.lanes.get(round.seat));
        if let Some(&(key, place)) = seat
            && self.sessions[key.index as usize].value.session.lane(place).policy().gives_way()
        {
            round.seat += 1;
            return Look::Lane(key, place);
        }
        // All lanes of a topic have one policy: where one never gives way, none does.
        match self.topics.after(round.topic) {
            Some(topic) => {
                (round.topic, round.seat) = (Some(topic), 0);
                Look::Nothing
            }
            None => Look::Over,
        }
    }
}
