//! One client in one namespace: its lanes, whose turn it is, and the nearest deadline.
//!
//! A complete machine: it knows nothing of other clients, sockets, tasks or clocks. Never another session.

mod acks;
mod ladder;
mod look;
mod pace;
mod reload;
mod slowness;
mod spill;
mod standing;
mod strikes;
mod traced;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

use self::ladder::Ladder;
use self::pace::Pace;
pub use self::slowness::{SlowReason, Slowness};
use self::standing::take_stock;
use self::strikes::Strikes;
use self::traced::tell_abandoned;
use crate::books::Books;
use crate::event::CloseReason;
use crate::in_flight::GiveUp;
use crate::lane::{Admission, Lane, Rejection, Sending, Shed, WayOut, Wishes, earlier};
use crate::link::Room;
use crate::message::{ClientId, Message, MessageId, NamespaceId, Offset, TopicId};
use crate::output::Transmit;
use crate::policy::Exhaustion;
use crate::slow_client::SlowClient;
use crate::topic::TopicEntry;
use crate::turns::Turns;

/// A client's lanes in one namespace.
#[derive(Debug)]
pub struct Session {
    client: ClientId,
    namespace: NamespaceId,
    lanes: Slab<SeatedLane>,
    /// What the server has to say about the client's topics. It goes before messages. Bounded by the driver, which
    /// takes no further wishes from a client that does not read the answers.
    control: VecDeque<Transmit>,
    /// The lanes that have something to send, each once, in the order of their turns.
    turns: Turns<u32>,
    /// No lane has a deadline before this, on the link's clock. Made exact whenever it is reached.
    nearest: Duration,
    /// Nothing is due before this in real time, which runs on while the link has no room. Made exact whenever it is
    /// reached.
    alarm: Option<Instant>,
    /// How far the client is behind; only where its namespace asks.
    ladder: Option<Box<Ladder>>,
    /// How many of the lanes have spilled and stand in their topic's log.
    spilled: u32,
    pace: Pace,
    /// What it acked that never was; only where it did.
    strikes: Option<Box<Strikes>>,
}

/// What a session finds has to be done about its own client; the hub does it.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The lane of the topic is to end, because the client does not keep up.
    Unsubscribe(Arc<TopicEntry>),
    /// The session is to end.
    Disconnect(CloseReason),
}

#[derive(Debug)]
struct SeatedLane {
    lane: Lane,
    /// Whether it stands in `turns`.
    is_waiting: bool,
    /// Where the hub's topic index holds this lane.
    seat: u32,
    /// The last message of its topic when it opened: what it is told of the time before has waited for nothing.
    after: Offset,
}

impl Session {
    /// A session without lanes.
    #[must_use]
    pub fn new(client: ClientId, namespace: NamespaceId) -> Self {
        Self {
            client,
            namespace,
            lanes: Slab::new(),
            control: VecDeque::new(),
            turns: Turns::default(),
            nearest: Duration::MAX,
            alarm: None,
            ladder: None,
            spilled: 0,
            pace: Pace::default(),
            strikes: None,
        }
    }

    /// The same for a client that is told of, or evicted, when it stays behind.
    #[must_use]
    pub fn with_ladder(mut self, rules: Option<SlowClient>) -> Self {
        self.ladder = rules.map(|rules| Box::new(Ladder::new(rules)));
        self
    }

    /// The same for one that begins now, as far as it is seen how fast its client is.
    #[must_use]
    pub fn beginning(mut self, now: Instant) -> Self {
        self.pace = Pace::begin(now);
        self
    }

    /// Opens a lane and says where it stands. A second subscription to a topic changes nothing and is `None`.
    pub fn subscribe(&mut self, topic: &Arc<TopicEntry>, wishes: Wishes) -> Option<u32> {
        if self.lane_of(topic.id).is_some() {
            return None;
        }
        let lane = Lane::new(topic.clone(), wishes, self.salt());
        if self.lanes.capacity() == 0 {
            // Most clients have one, and a slab makes room for four.
            self.lanes.reserve_exact(1);
        }
        let place = self.lanes.insert(SeatedLane { lane, is_waiting: false, seat: 0, after: Offset(0) }) as u32;
        if let Some(ladder) = &mut self.ladder {
            ladder.make_place(place);
        }
        Some(place)
    }

    /// Closes a lane; what it held is counted as abandoned. Says where the hub's topic index held it.
    pub fn unsubscribe(&mut self, topic: TopicId, books: &mut Books) -> Option<u32> {
        let place = self.lane_of(topic)?;
        let seated = self.lanes.remove(place as usize);
        self.turns.remove(place);
        if let Some(ladder) = &mut self.ladder {
            ladder.vacate(place);
        }
        self.abandon(seated.lane, books);
        Some(seated.seat)
    }

    /// Closes every lane and drops every answer: the client is gone.
    pub fn close(&mut self, books: &mut Books) -> Vec<(TopicId, u32)> {
        self.control.clear();
        self.turns.clear();
        let lanes = std::mem::take(&mut self.lanes);
        let mut seats = Vec::with_capacity(lanes.len());
        for (_, seated) in lanes {
            seats.push((seated.lane.topic(), seated.seat));
            self.abandon(seated.lane, books);
        }
        seats
    }

    /// Offers a message to the lane at a place.
    pub fn offer(&mut self, place: u32, message: &Arc<Message>, now: Instant, books: &mut Books) -> Admission {
        self.offer_by(place, message, now, books, |lane| lane.offer(message, now))
    }

    /// The same, for a message that must not cost more than the lane makes free for it.
    pub(crate) fn offer_tight(
        &mut self,
        place: u32,
        message: &Arc<Message>,
        owed: u64,
        way_out: Option<WayOut>,
        now: Instant,
        books: &mut Books,
    ) -> Admission {
        self.offer_by(place, message, now, books, |lane| lane.offer_tight(message, owed, way_out, now))
    }

    /// Sheds the oldest of the lane at a place.
    pub(crate) fn shed(&mut self, place: u32, level: u64, wanted: u64, most: u64, books: &mut Books) -> Shed {
        let seated = &mut self.lanes[place as usize];
        let shed = seated.lane.shed(level, wanted, most);
        books.shed(seated.lane.topic(), shed.messages);
        seated.lane.count_shed(shed.messages);
        seated.tell_left(self.client, books);
        seated.begin_overflow(shed.messages, self.client, books);
        take_stock(&mut self.ladder, place, &seated.lane, shed.messages);
        seated.queue_up(place, &mut self.turns);
        shed
    }

    #[inline]
    fn offer_by(
        &mut self,
        place: u32,
        message: &Arc<Message>,
        now: Instant,
        books: &mut Books,
        decide: impl FnOnce(&mut Lane) -> Admission,
    ) -> Admission {
        let seated = &mut self.lanes[place as usize];
        let expired = seated.expire(now, self.client, books);
        let admission = decide(&mut seated.lane);
        seated.lane.count_offer(admission);
        books.offered(message.topic.id, admission);
        seated.trace_offer(message, admission, self.client, books);
        let lost = match admission {
            Admission::Admitted { displaced, .. } => u64::from(displaced),
            Admission::Spilled => 0,
            Admission::Rejected(Rejection::Full | Rejection::NotSpilled(_)) => 1,
            // None is a slow client: nothing catches up from it.
            Admission::Rejected(Rejection::TooLarge | Rejection::Expired | Rejection::OverBudget) => 0,
        };
        seated.begin_overflow(lost, self.client, books);
        if let Some(at) = seated.lane.poll_alarm() {
            self.alarm = earlier(self.alarm, Some(at));
        }
        take_stock(&mut self.ladder, place, &seated.lane, lost + expired);
        seated.queue_up(place, &mut self.turns);
        admission
    }

    /// Begins again on a new link: what was sent and not acked is to be sent again.
    pub fn resume(&mut self, clock: Duration, books: &mut Books) {
        self.nearest = Duration::MAX;
        for (place, seated) in &mut self.lanes {
            seated.lane.resume(clock);
            if let Some(due) = seated.lane.poll_timeout() {
                self.nearest = self.nearest.min(due);
            }
            // A receipt that is waited for no more may be all that kept it from having caught up.
            seated.end_overflow(self.client, books);
            seated.queue_up(place as u32, &mut self.turns);
        }
    }

    /// Drops every answer, and says how many there were.
    pub fn drop_answers(&mut self) -> usize {
        std::mem::take(&mut self.control).len()
    }

    /// Says something about the client's topics, before any message.
    pub fn tell(&mut self, what: Transmit) {
        self.control.push_back(what);
    }

    /// Counts acks of what never was, and says whether they are too many now. `on_the_way` is how many of them a client
    /// may send that does all as it should.
    pub fn strike(&mut self, count: u32, now: Instant, on_the_way: impl FnOnce() -> u32) -> bool {
        self.strikes.get_or_insert_with(|| Box::new(Strikes::new(now))).add(count, now, on_the_way)
    }

    /// Does what is due, on the link's clock and in real time, and says what that means for the client.
    pub fn handle_timeout(&mut self, clock: Duration, now: Instant, books: &mut Books) -> Option<Verdict> {
        if self.alarm.is_some_and(|at| at <= now) {
            self.alarm = None;
            self.release_held(now, books);
        }
        let verdict = if clock >= self.nearest { self.handle_overdue(clock, now, books) } else { None };
        self.reassess(now, books);
        verdict.or_else(|| self.evict(now))
    }

    /// Gives lanes their turn whose held values may be sent now.
    fn release_held(&mut self, now: Instant, books: &mut Books) {
        for (place, seated) in &mut self.lanes {
            if let Some(at) = seated.lane.poll_alarm() {
                if at <= now {
                    let expired = seated.expire(now, self.client, books);
                    take_stock(&mut self.ladder, place as u32, &seated.lane, expired);
                }
                self.alarm = earlier(self.alarm, seated.lane.poll_alarm());
            }
            seated.queue_up(place as u32, &mut self.turns);
        }
    }

    /// Gives lanes their turn with all that they hold, which is held no more. Says whether there was any.
    pub(crate) fn hold_no_more(&mut self) -> bool {
        let mut any = false;
        for (place, seated) in &mut self.lanes {
            any |= seated.lane.hold_no_more();
            seated.queue_up(place as u32, &mut self.turns);
        }
        any
    }

    /// Looks for messages that were not acked in time.
    fn handle_overdue(&mut self, clock: Duration, now: Instant, books: &mut Books) -> Option<Verdict> {
        self.nearest = Duration::MAX;
        let (client, mut verdict) = (self.client, None);
        for (place, seated) in &mut self.lanes {
            let before = seated.lane.len();
            let awaited = seated.awaited(books);
            seated.lane.handle_timeout(clock, now, |departed, why| match why {
                GiveUp::Exhausted { reason } => {
                    if departed.message.topic.class.exhaustion == Exhaustion::Disconnect {
                        verdict = Some(Verdict::Disconnect(CloseReason::RetriesExhausted));
                    }
                    books.exhausted(client, departed, reason);
                }
                GiveUp::Expired => books.overdue(client, &departed),
            });
            books.awaited.settle_gone(awaited, &seated.lane, client, false);
            seated.end_overflow(client, books);
            take_stock(&mut self.ladder, place as u32, &seated.lane, (before - seated.lane.len()) as u64);
            if let Some(due) = seated.lane.poll_timeout() {
                self.nearest = self.nearest.min(due);
            }
            seated.queue_up(place as u32, &mut self.turns);
        }
        verdict
    }

    /// Looks at what the lane whose turn it is would send, so that the waits for memory overlap.
    #[inline]
    pub(crate) fn look_ahead(&self, most: usize) {
        if let Some(place) = self.turns.front() {
            self.lanes[place as usize].lane.look_ahead(most);
        }
    }

    /// The next thing to say that there is room for: answers first, then the lanes in turn, a message each. What the
    /// link's clock shows is asked for only where something awaits an ack.
    pub fn poll_transmit(
        &mut self,
        room: &mut Room,
        clock: impl Fn() -> Duration,
        now: Instant,
        books: &mut Books,
    ) -> Option<Transmit> {
        if let Some(what) = self.control.front() {
            let (frames, bytes) = (what.frames(), what.size_bytes());
            if !room.takes(frames, bytes) {
                return None;
            }
            room.take(frames, bytes);
            let answer = self.control.pop_front();
            if self.control.is_empty() {
                // Most clients ask once.
                self.control = VecDeque::new();
            }
            return answer;
        }
        loop {
            let place = self.turns.front()?;
            let seated = &mut self.lanes[place as usize];
            let expired = seated.expire(now, self.client, books);
            take_stock(&mut self.ladder, place, &seated.lane, expired);
            let Some(next) = seated.lane.next() else {
                // An ack or a newer value left it with nothing to send.
                seated.is_waiting = false;
                self.turns.pop_front();
                continue;
            };
            if seated.lane.has_gap() {
                // It goes before the message, and the lane keeps its turn for that.
                if !room.takes(GAP_FRAMES, GAP_BYTES) {
                    return None;
                }
                room.take(GAP_FRAMES, GAP_BYTES);
                let gap = seated.lane.take_gap().expect("it was there just now");
                return Some(Transmit::Gap { namespace: self.namespace, topic: seated.lane.entry().clone(), gap });
            }
            let (frames, bytes) = (next.frames(), next.size_bytes());
            if !room.takes(frames, bytes) {
                // It keeps its turn: what is large waits for an empty transport rather than for ever.
                return None;
            }
            room.take(frames, bytes);
            let Sending { message, attempt, awaits_ack } = seated.lane.send(clock, now);
            let has_waited = attempt == 1 && message.id.offset > seated.after;
            books.sent(self.client, &message, attempt, awaits_ack, now, has_waited);
            if attempt > 1 {
                seated.lane.count_retry();
            }
            seated.end_overflow(self.client, books);
            if let Some(ladder) = &mut self.ladder {
                ladder.weigh(place, &seated.lane);
                if attempt == 1 {
                    ladder.progress();
                }
            }
            if let Some(due) = seated.lane.poll_timeout() {
                self.nearest = self.nearest.min(due);
            }
            self.turns.pop_front();
            if seated.lane.next().is_some() {
                self.turns.push_back(place);
            } else {
                seated.is_waiting = false;
            }
            return Some(Transmit::Message { namespace: self.namespace, message, attempt });
        }
    }

    /// Gives up, in all lanes, what is not worth sending any more, and says whether that changed anything.
    pub fn expire(&mut self, now: Instant, books: &mut Books) -> bool {
        let (mut any, was_ready) = (false, self.is_ready());
        for (place, seated) in &mut self.lanes {
            let expired = seated.expire(now, self.client, books);
            any |= expired != 0;
            take_stock(&mut self.ladder, place as u32, &seated.lane, expired);
            // What comes after it may need no place in a window that is full.
            seated.queue_up(place as u32, &mut self.turns);
        }
        let lanes = &self.lanes;
        self.pace.look(|| lanes.iter().map(|(_, seated)| seated.lane.delivered()).sum(), now);
        any || (self.is_ready() && !was_ready)
    }

    /// Whether anything may ever be due, as far as is known now. While not, there is nothing to look at and to file.
    #[inline]
    pub(crate) fn has_timers(&self) -> bool {
        self.nearest != Duration::MAX || self.alarm.is_some() || self.ladder.is_some()
    }

    /// Notes where the hub's topic index holds a lane.
    pub(crate) fn seat(&mut self, place: u32, seat: u32) {
        self.lanes[place as usize].seat = seat;
    }

    /// Notes after which message of its topic a lane has opened.
    pub(crate) fn opens_after(&mut self, place: u32, offset: Offset) {
        self.lanes[place as usize].after = offset;
    }

    /// The name is random, so it is as good a salt as any, and the same in every run of a simulation.
    fn salt(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.client.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn abandon(&self, mut lane: Lane, books: &mut Books) {
        if !books.awaited.is_empty() {
            for id in books.awaited.held_by(&lane) {
                books.awaited.settle(lane.topic(), id, self.client, false);
            }
        }
        tell_abandoned(&lane, self.client, books);
        books.abandoned(lane.topic(), lane.len() as u64);
        #[cfg(any(test, feature = "test-util"))]
        books.lane_closed(lane.topic(), lane.totals());
        if let Some(lost) = lane.take_lost() {
            books.overflow_ended(lane.entry(), self.client, lost);
        }
    }
}

/// The room a gap notice takes: one frame, and generously as many bytes as any answer.
pub(crate) const GAP_FRAMES: u32 = 1;
pub(crate) const GAP_BYTES: u64 = 256;

impl SeatedLane {
    /// Gives up what is not worth sending any more, and says how many messages those were.
    fn expire(&mut self, now: Instant, client: ClientId, books: &mut Books) -> u64 {
        let awaited = self.awaited(books);
        let expired = self.lane.expire(now);
        if expired > 0 {
            self.tell_left(client, books);
            books.awaited.settle_gone(awaited, &self.lane, client, false);
            books.expired(self.lane.topic(), expired);
            self.end_overflow(client, books);
        }
        expired
    }

    /// The awaited messages that it holds; mostly nobody waits for any.
    #[inline]
    fn awaited(&self, books: &Books) -> Vec<MessageId> {
        if books.awaited.is_empty() { Vec::new() } else { books.awaited.held_by(&self.lane) }
    }

    /// Takes its turn if it has something to send and does not wait for one yet.
    fn queue_up(&mut self, place: u32, turns: &mut Turns<u32>) {
        if !self.is_waiting && self.lane.next().is_some() {
            self.is_waiting = true;
            turns.push_back(place);
        }
    }

    fn begin_overflow(&mut self, lost: u64, client: ClientId, books: &mut Books) {
        if self.lane.begin_overflow(lost) {
            books.overflow_began(self.lane.entry(), client);
        }
    }

    fn end_overflow(&mut self, client: ClientId, books: &mut Books) {
        if let Some(lost) = self.lane.end_overflow() {
            books.overflow_ended(self.lane.entry(), client, lost);
        }
    }
}
