//! What a client says it has, and what that releases.

use std::time::{Duration, Instant};

use super::Session;
use crate::books::Books;
use crate::lane::{AckedUpTo, Lane};
use crate::message::{MessageId, TopicId};
use crate::stats::AckOutcome;

impl Session {
    /// Releases a message the client says it has.
    pub fn handle_ack(&mut self, topic: TopicId, id: MessageId, now: Instant, books: &mut Books) -> AckOutcome {
        let client = self.client;
        let outcome = self.settle_ack(topic, books, |lane, books| {
            lane.handle_ack(id, |departed| books.released(client, departed, now))
        });
        let outcome = outcome.unwrap_or(AckOutcome::Foreign);
        if outcome == AckOutcome::Released && !books.awaited.is_empty() {
            books.awaited.settle(topic, id, self.client, true);
        }
        self.note_receipt(outcome);
        books.acked(topic, outcome, 1);
        outcome
    }

    /// Releases every message up to one the client says it has.
    pub fn handle_ack_up_to(&mut self, topic: TopicId, id: MessageId, now: Instant, books: &mut Books) -> AckOutcome {
        let awaited = self.awaited_of(topic, books);
        let client = self.client;
        let heard = self.settle_ack(topic, books, |lane, books| {
            lane.handle_ack_up_to(id, |departed| books.released(client, departed, now))
        });
        self.settle_awaited(topic, awaited, true, books);
        let AckedUpTo { outcome, released, confirmed } = heard.unwrap_or(AckedUpTo::nothing(AckOutcome::Foreign));
        if confirmed > 0 {
            self.note_receipt(AckOutcome::Confirmed);
        }
        books.acked(topic, AckOutcome::Released, released);
        books.acked(topic, AckOutcome::Confirmed, confirmed);
        books.acked(topic, outcome, u32::from(released + confirmed == 0));
        outcome
    }

    /// Takes the client's word that it could not handle a message.
    pub fn handle_nack(
        &mut self,
        topic: TopicId,
        id: MessageId,
        delay: Duration,
        clock: Duration,
        books: &mut Books,
    ) -> AckOutcome {
        let outcome = self.settle_ack(topic, books, |lane, _| lane.handle_nack(id, delay, clock));
        let outcome = outcome.unwrap_or(AckOutcome::Foreign);
        if outcome == AckOutcome::Nacked {
            self.nearest = self.nearest.min(clock.saturating_add(delay));
        }
        self.note_receipt(outcome);
        books.acked(topic, outcome, 1);
        outcome
    }

    /// Lets the lane of a topic hear an acknowledgement, and gives it its turn if that opened its window.
    fn settle_ack<T>(
        &mut self,
        topic: TopicId,
        books: &mut Books,
        hear: impl FnOnce(&mut Lane, &mut Books) -> T,
    ) -> Option<T> {
        let place = self.lane_of(topic)?;
        let seated = &mut self.lanes[place as usize];
        let before = seated.lane.len();
        let outcome = hear(&mut seated.lane, books);
        seated.end_overflow(self.client, books);
        if let Some(ladder) = &mut self.ladder
            && seated.lane.len() < before
        {
            ladder.weigh(place, &seated.lane);
            ladder.progress();
        }
        seated.queue_up(place, &mut self.turns);
        Some(outcome)
    }

    /// A receipt is a sign of life as an ack is, though what it is for has left its lane long ago.
    fn note_receipt(&mut self, outcome: AckOutcome) {
        if outcome == AckOutcome::Confirmed
            && let Some(ladder) = &mut self.ladder
        {
            ladder.progress();
        }
    }

    /// The awaited messages that the lane of a topic holds.
    fn awaited_of(&self, topic: TopicId, books: &Books) -> Vec<MessageId> {
        if books.awaited.is_empty() {
            return Vec::new();
        }
        self.lane_of(topic).map(|place| self.lanes[place as usize].awaited(books)).unwrap_or_default()
    }

    /// Tells of those that it holds no more.
    fn settle_awaited(&self, topic: TopicId, held: Vec<MessageId>, is_acked: bool, books: &mut Books) {
        if !held.is_empty()
            && let Some(place) = self.lane_of(topic)
        {
            books.awaited.settle_gone(held, self.lane(place), self.client, is_acked);
        }
    }
}
