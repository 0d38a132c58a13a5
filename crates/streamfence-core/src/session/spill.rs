//! A session some of whose lanes have spilled: what they are offered, and what they take from their logs.

use std::sync::Arc;
use std::time::Instant;

use super::Session;
use super::standing::take_stock;
use crate::books::Books;
use crate::lane::{Admission, Lane, Refill, Spilled};
use crate::message::{ClientId, Message, TopicId};
use crate::spill::SpillRefusal;
use crate::spill_log::{Cursor, SpillLog};

impl Session {
    /// Offers a message to the lane at a place, which is hot. Where it is full it goes on at the vacancy, if there is one:
    /// then the hub has to give it its place in the log.
    pub(crate) fn offer_or_spill(
        &mut self,
        place: u32,
        message: &Arc<Message>,
        vacancy: Result<Cursor, SpillRefusal>,
        is_private: bool,
        now: Instant,
        books: &mut Books,
    ) -> Admission {
        self.offer_by(place, message, now, books, |lane| lane.offer_or_spill(message, vacancy, is_private, now))
    }

    /// Whether any of its lanes stands in a log.
    #[inline]
    pub(crate) fn has_spilled(&self) -> bool {
        self.spilled > 0
    }

    /// Notes that a lane has its place in a log, and where the log holds it.
    pub(crate) fn join_log(&mut self, place: u32, seat: u32) {
        self.spilled += 1;
        self.seat(place, seat);
    }

    /// The first lane from a place on that stands in a log: its place and its topic.
    pub(crate) fn next_spilled(&self, from: u32) -> Option<(u32, TopicId)> {
        let mut lanes = self.lanes.iter().filter(|(_, seated)| seated.lane.has_spilled());
        let (place, seated) = lanes.find(|(place, _)| *place >= from as usize)?;
        Some((place as u32, seated.lane.topic()))
    }

    /// Where the hub's topic index, or a log, holds a lane.
    pub(crate) fn seat_of(&self, place: u32) -> u32 {
        self.lanes[place as usize].seat
    }

    pub(crate) fn lane_mut(&mut self, place: u32) -> &mut Lane {
        &mut self.lanes[place as usize].lane
    }

    /// Lets the lane at a place take in what there is for it, and says whether that was anything.
    pub(crate) fn refill(
        &mut self,
        place: u32,
        books: &mut Books,
        take: impl FnOnce(&mut Lane, ClientId) -> Refill,
    ) -> bool {
        let seated = &mut self.lanes[place as usize];
        let refill = take(&mut seated.lane, self.client);
        let Refill { taken, expired, lost, missed } = refill;
        books.refilled(seated.lane.topic(), taken, expired, lost);
        seated.lane.count_refill(&refill);
        seated.tell_left(self.client, books);
        seated.begin_overflow(lost + missed, self.client, books);
        take_stock(&mut self.ladder, place, &seated.lane, expired + lost + missed);
        seated.queue_up(place, &mut self.turns);
        refill != Refill::default()
    }

    /// The lane at a place has caught up: it is hot again.
    pub(crate) fn land(&mut self, place: u32, log: &SpillLog, now: Instant, books: &mut Books) -> Option<Box<Spilled>> {
        let mut landed = None;
        self.refill(place, books, |lane, client| match lane.land(log, client) {
            Some((spilled, refill)) => {
                landed = Some(spilled);
                refill
            }
            None => Refill::default(),
        });
        let spilled = landed?;
        self.spilled -= 1;
        let seated = &mut self.lanes[place as usize];
        books.spill_ended(seated.lane.entry(), self.client, spilled.story(now));
        seated.end_overflow(self.client, books);
        Some(spilled)
    }

    /// The lane at a place gives up what it has on disk, which is counted as abandoned.
    pub(crate) fn abandon_spilled(
        &mut self,
        place: u32,
        log: &SpillLog,
        now: Instant,
        books: &mut Books,
    ) -> Option<Box<Spilled>> {
        let seated = &mut self.lanes[place as usize];
        let spilled = seated.lane.take_spilled()?;
        if !books.awaited.is_empty() {
            // Of what it has had from there it acked some, and those were told of.
            for id in books.awaited.not_held_by(&seated.lane) {
                books.awaited.settle(seated.lane.topic(), id, self.client, false);
            }
        }
        self.spilled -= 1;
        books.abandoned_on_disk(seated.lane.topic(), spilled.backlog(log).messages);
        books.spill_ended(seated.lane.entry(), self.client, spilled.story(now));
        Some(spilled)
    }
}
