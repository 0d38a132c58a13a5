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

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Hub;
use crate::lane::{Admission, ENTRY_BYTES, Rejection, WayOut};
use crate::link::Room;
use crate::message::{LinkKey, Message, SessionKey, TopicId};
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
    /// Links without room, for whose empty lanes there is something on disk.
    roomless: HashSet<LinkKey>,
    cost: PressureCost,
}

impl Default for Strain {
    fn default() -> Self {
        Self {
            ceiling: u64::MAX,
            owed: 0,
            highest: 0,
            round: None,
            rested: None,
            roomless: HashSet::new(),
            cost: PressureCost::default(),
        }
    }
}

impl Strain {
    /// Remembers a link whose lanes take something when it has room again.
    pub(super) fn await_room(&mut self, link: LinkKey) {
        self.roomless.insert(link);
    }

    /// Whether a link that has room now, or is gone, was one of those.
    pub(super) fn awaits(&mut self, link: LinkKey) -> bool {
        !self.roomless.is_empty() && self.roomless.remove(&link)
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
            free => self.books.in_memory().saturating_add(free / ENTRY_BYTES),
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
        self.strain.owed > 0 || self.books.in_memory() >= self.strain.ceiling
    }

    /// Offers a message to a lane that must not cost more afterwards.
    #[cold]
    pub(super) fn offer_tight(
        &mut self,
        key: SessionKey,
        place: u32,
        message: &Arc<Message>,
        way_out: Option<WayOut>,
        now: Instant,
    ) -> Admission {
        // A lane that could spill takes one message at a time from disk, so it may as well take this one.
        let passes = self.passes_through(key, place, message) || way_out.is_some() && self.can_send_first(key, place);
        let session = &mut self.sessions[key.index as usize].value.session;
        let admission = if passes {
            session.offer(place, message, now, &mut self.books)
        } else {
            session.offer_tight(place, message, self.strain.owed, way_out, now, &mut self.books)
        };
        match admission {
            Admission::Admitted { displaced, .. } => {
                self.strain.cost.displaced += u64::from(displaced);
                if !passes {
                    self.strain.owed = 0;
                    // The entries it paid with are not there for the next lanes to take.
                    self.strain.ceiling = self.strain.ceiling.min(self.books.in_memory());
                }
            }
            Admission::Rejected(Rejection::OverBudget) => self.strain.cost.rejected += 1,
            // What it costs until it is written is bounded by what may wait for the disk.
            Admission::Spilled => return admission,
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

    /// Whether a lane is empty, and what it holds next can be sent at once.
    pub(super) fn can_send_first(&self, key: SessionKey, place: u32) -> bool {
        let seated = &self.sessions[key.index as usize].value;
        let has_room = self.link(seated.link).is_some_and(|link| link.room().takes(1, 1));
        has_room && seated.session.lane(place).is_empty()
    }

    /// One step of the shedding, within one round.
    fn relieve(&mut self, pressure: Pressure, now: Instant) -> Relief {
        if self.strain.rested.is_some_and(|rested| now < rested) {
            return Relief::Nothing;
        }
        let wanted = self.shed_tails(pressure.shed_bytes);
        if wanted == 0 {
            return Relief::Enough;
        }
        let begin = || Round::after(self.strain.highest, pressure.highest_bytes);
        let mut round = self.strain.round.take().unwrap_or_else(begin);
        let (mut looks, mut most, mut bytes) = (LOOKS_PER_STEP, SHED_PER_STEP, 0);
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
                        self.settle_lighter(key);
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

    /// Lets go of what is on disk too, and says how many bytes are still to be made free: that costs nobody a message.
    fn shed_tails(&mut self, wanted: u64) -> u64 {
        let freed = self.spills.drop_tails();
        self.strain.cost.freed_bytes += freed;
        wanted.saturating_sub(freed)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;

    /// A hub whose lanes let the oldest give way, and what each of them is reached by.
    struct Stage {
        hub: Hub,
        topic: Arc<TopicEntry>,
        lanes: Vec<SessionKey>,
        now: Instant,
        offset: u64,
    }

    impl Stage {
        #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
        fn new(lanes: u32) -> Self {
            let namespace = Namespace::new("/a").topic("t").best_effort(Overflow::DropOldest);
            let namespace = namespace.max_queued_messages(u32::MAX).max_queued_bytes(u64::MAX);
            let catalog = Arc::new(Catalog::builder().namespace(namespace).build().expect("it is valid"));
            let topic = catalog.entry(catalog.topics().next().expect("there is one")).clone();
            let (mut hub, now) = (Hub::new(catalog, Epoch(7)), Instant::now());
            let join = |number: u32| {
                let link = hub.open(now);
                let mut client = [0; 12];
                client[..4].copy_from_slice(&number.to_be_bytes());
                let session = hub.join(link, NamespaceId(0), ClientId(client), Transport::Other, now);
                let session = session.expect("the link is open");
                hub.subscribe(session, &topic, Wishes::default(), None, now);
                session
            };
            let lanes = (0..lanes).map(join).collect();
            Self { hub, topic, lanes, now, offset: 0 }
        }

        /// Fills one lane with messages that nobody else holds.
        fn fill(&mut self, lane: usize, messages: u32, size: usize) {
            for _ in 0..messages {
                self.offset += 1;
                let id = MessageId { epoch: Epoch(7), offset: Offset(self.offset) };
                let (topic, body) = (self.topic.clone(), Body::plain(vec![0; size].into()));
                let message = Message { topic, id, key: None, published: self.now, expires: None, trace: None, body };
                let _ = self.hub.publish_to(self.lanes[lane], &Arc::new(message), self.now);
            }
        }

        /// One step towards more free memory than there is to be had.
        fn step(&mut self) -> Relief {
            self.hub.handle_pressure(Pressure { shed_bytes: 1 << 40, ..Pressure::NONE }, self.now)
        }
    }

    #[test]
    fn a_step_looks_at_so_many_lanes_and_sheds_so_many_messages_and_no_more() {
        let lanes = LOOKS_PER_STEP + LOOKS_PER_STEP / 2;
        let mut stage = Stage::new(lanes);
        stage.fill(0, 1, 1_000);
        assert_eq!(stage.step(), Relief::Unfinished);
        assert_eq!(stage.hub.strain.round.as_ref().map(|round| round.looks), Some(LOOKS_PER_STEP));
        assert_eq!(stage.step(), Relief::Round { highest_bytes: ENTRY_BYTES + MESSAGE_BYTES + 1_000 });

        let (mut stage, messages) = (Stage::new(2), 5 * SHED_PER_STEP);
        stage.fill(0, messages as u32, 0);
        let highest_bytes = messages * (ENTRY_BYTES + MESSAGE_BYTES);
        assert_eq!(stage.step(), Relief::Round { highest_bytes });
        assert_eq!(stage.step(), Relief::Unfinished, "a quarter of it is more than may be shed at once");
        assert_eq!(stage.hub.take_pressure_cost().displaced, SHED_PER_STEP);
        assert_eq!(stage.step(), Relief::Round { highest_bytes: highest_bytes / 5 * 4 }, "the other lane is empty");
    }

    #[test]
    fn a_large_hub_with_nothing_to_shed_rests_and_a_small_one_does_not() {
        let mut small = Stage::new(LOOKS_PER_STEP - 2);
        assert_eq!(small.step(), Relief::Nothing);
        small.fill(0, 1, 10);
        assert!(small.step().is_more());

        let lanes = LOOKS_PER_STEP + 100;
        let mut large = Stage::new(lanes);
        assert_eq!([large.step(), large.step()], [Relief::Unfinished, Relief::Nothing]);
        large.fill(0, 1, 10);
        let (begin, rest) = (large.now, REST_PER_LOOK * lanes);
        large.now = begin + rest - Duration::from_nanos(1);
        assert_eq!(large.step(), Relief::Nothing);
        // It has looked at the beginning and at the end of the topic, too.
        large.now = begin + rest + REST_PER_LOOK * 2;
        assert_eq!(large.step(), Relief::Unfinished);
    }

    #[test]
    fn lanes_that_are_as_good_as_empty_shed_everything_at_once() {
        let mut stage = Stage::new(2);
        let left = WORTH_A_LEVEL - ENTRY_BYTES - MESSAGE_BYTES;
        stage.fill(0, 1, left as usize);
        stage.fill(1, 1, left as usize / 2);
        assert_eq!(stage.step(), Relief::Round { highest_bytes: WORTH_A_LEVEL });
        let highest_bytes = WORTH_A_LEVEL - left / 2;
        assert_eq!(stage.step(), Relief::Round { highest_bytes }, "the higher of two that are worth a level");
        stage.fill(0, 1, 0);
        assert_eq!(stage.step(), Relief::Nothing);
        assert_eq!(stage.hub.resident(), 0);
    }

    #[test]
    fn no_more_is_shed_than_is_wanted_over_all_lanes() {
        let mut stage = Stage::new(3);
        let freed = ENTRY_BYTES + MESSAGE_BYTES + 1_000;
        for lane in 0..3 {
            stage.fill(lane, 8, 1_000);
        }
        assert_eq!(stage.step(), Relief::Round { highest_bytes: 8 * freed });
        // Each lane may shed a quarter, and no more than that: the second pays what the first has left to pay.
        let shed = |stage: &mut Stage, shed_bytes| {
            let relief = stage.hub.handle_pressure(Pressure { shed_bytes, ..Pressure::NONE }, stage.now);
            (relief, stage.hub.take_pressure_cost())
        };
        let cost = |displaced| PressureCost { rejected: 0, displaced, freed_bytes: displaced * freed };
        let left = |stage: &Stage| {
            let session = |&key: &SessionKey| stage.hub.session(key).expect("nobody has left").lane(0).len();
            stage.lanes.iter().map(session).collect::<Vec<_>>()
        };
        assert_eq!(shed(&mut stage, freed), (Relief::Enough, cost(1)));
        assert_eq!(left(&stage), [7, 8, 8]);
        // It has had enough, so it looks anew.
        assert_eq!(shed(&mut stage, freed), (Relief::Round { highest_bytes: 8 * freed }, cost(0)));
        assert_eq!(shed(&mut stage, 2 * freed), (Relief::Enough, cost(2)));
        assert_eq!(left(&stage), [6, 7, 8]);
    }
}
