//! What clients say they have, brought to whose message it was.

use std::time::{Duration, Instant};

use super::Hub;
use crate::books::Books;
use crate::message::{MessageId, SessionKey, TopicId};
use crate::session::Session;
use crate::stats::AckOutcome;

impl Hub {
    /// Takes an acknowledgement and says what it did. `None` when the session is gone.
    pub fn handle_ack(&mut self, key: SessionKey, topic: TopicId, id: MessageId, now: Instant) -> Option<AckOutcome> {
        self.acknowledge(key, (topic, id), now, |session, _, now, books| session.handle_ack(topic, id, now, books))
    }

    /// Takes an acknowledgement of every message up to one. `None` when the session is gone.
    pub fn handle_ack_up_to(
        &mut self,
        key: SessionKey,
        topic: TopicId,
        id: MessageId,
        now: Instant,
    ) -> Option<AckOutcome> {
        self.acknowledge(key, (topic, id), now, |session, _, now, books| {
            session.handle_ack_up_to(topic, id, now, books)
        })
    }

    /// Takes a client's word that it could not handle a message: it is sent again after the delay, as one more attempt.
    /// `None` when the session is gone.
    pub fn handle_nack(
        &mut self,
        key: SessionKey,
        topic: TopicId,
        id: MessageId,
        delay: Duration,
        now: Instant,
    ) -> Option<AckOutcome> {
        self.acknowledge(key, (topic, id), now, |session, clock, _, books| {
            session.handle_nack(topic, id, delay, clock, books)
        })
    }

    fn acknowledge(
        &mut self,
        key: SessionKey,
        (topic, id): (TopicId, MessageId),
        now: Instant,
        hear: impl FnOnce(&mut Session, Duration, Instant, &mut Books) -> AckOutcome,
    ) -> Option<AckOutcome> {
        let now = self.advance(now);
        self.session(key)?;
        let clock = self.clock_of(key, now);
        let outcome = hear(&mut self.sessions[key.index as usize].value.session, clock, now, &mut self.books);
        self.settle(key, false);
        self.suspect(key, topic, id, outcome, now);
        Some(outcome)
    }
}
