//! What a lane's client says it has, and what it could not handle.

use std::time::Duration;

use super::Lane;
use crate::in_flight::Departed;
use crate::message::MessageId;
use crate::stats::AckOutcome;

/// What an acknowledgement of all messages up to one did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckedUpTo {
    /// What it comes to.
    pub outcome: AckOutcome,
    /// How many messages it released.
    pub released: u32,
    /// In how many places of the receipt window it made space.
    pub confirmed: u32,
}

impl AckedUpTo {
    pub(crate) fn nothing(outcome: AckOutcome) -> Self {
        Self { outcome, released: 0, confirmed: 0 }
    }
}

impl Lane {
    /// Releases a message the client says it has, or its place in the receipt window. `released` is told of a message
    /// that it releases.
    pub fn handle_ack(&mut self, id: MessageId, released: impl FnOnce(&Departed)) -> AckOutcome {
        let in_flight = self.in_flight.as_mut();
        let outcome = in_flight.map_or(AckOutcome::Unknown, |in_flight| in_flight.handle_ack(id, released));
        self.or_receipt(outcome, id)
    }

    /// Releases every message up to one the client says it has, and the places of all that in the receipt window.
    ///
    /// A lane that a reload has made best effort may have both: what was sent to be sent again until it is acked, and
    /// what is only confirmed. `on_release` is told of each message it releases.
    pub fn handle_ack_up_to(&mut self, id: MessageId, on_release: impl FnMut(&Departed)) -> AckedUpTo {
        let unknown = (AckOutcome::Unknown, 1);
        let released = self.in_flight.as_mut().map_or(unknown, |in_flight| in_flight.handle_ack_up_to(id, on_release));
        let confirmed = self.receipts.as_mut().map_or(unknown, |receipts| receipts.handle_ack_up_to(id));
        let count = |(outcome, count), wanted| if outcome == wanted { count } else { 0 };
        AckedUpTo {
            outcome: released.0.or(confirmed.0),
            released: count(released, AckOutcome::Released),
            confirmed: count(confirmed, AckOutcome::Confirmed),
        }
    }

    /// Takes the client's word that it could not handle a message: it is sent again after the delay. One of a receipt
    /// window is not, so its place is free at once: the client has it and is done with it.
    pub fn handle_nack(&mut self, id: MessageId, delay: Duration, clock: Duration) -> AckOutcome {
        let in_flight = self.in_flight.as_mut();
        let outcome = in_flight.map_or(AckOutcome::Unknown, |in_flight| in_flight.handle_nack(id, delay, clock));
        self.or_receipt(outcome, id)
    }

    /// What an ack or nack did, or what it does for the receipt window where there was nothing to ack.
    fn or_receipt(&mut self, outcome: AckOutcome, id: MessageId) -> AckOutcome {
        match (&mut self.receipts, outcome) {
            (Some(receipts), AckOutcome::Late | AckOutcome::Unknown) => outcome.or(receipts.handle_ack(id)),
            _ => outcome,
        }
    }
}
