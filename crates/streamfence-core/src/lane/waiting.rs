//! Since when a lane waits for its client. Never what is held back on purpose: a value that waits for its interval, or a
//! message that the client has put off, is nobody's fault.

use std::time::Instant;

use super::Lane;

impl Lane {
    /// Since when its client owes an ack, or something waits that would be sent if the client took it, in memory or on disk;
    /// of the latter that is a guess, and never too late.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        let in_flight = self.in_flight.as_ref();
        let overdue = in_flight.and_then(|in_flight| in_flight.overdue_since());
        let unacked = in_flight.and_then(|in_flight| in_flight.unacked_since());
        overdue.into_iter().chain(unacked).chain(self.queued_since()).min()
    }

    /// Since when what comes next has not been sent. A value may have been held for its whole interval before it was queued:
    /// when exactly it was, nobody notes, so that interval is never counted.
    fn queued_since(&self) -> Option<Instant> {
        let spilled = || self.spilled.as_ref().map(|spilled| spilled.oldest);
        let published = self.front().map(|message| message.published).or_else(spilled)?;
        let interval = self.conflation.as_ref().map(|conflation| conflation.interval()).unwrap_or_default();
        Some(published + interval)
    }
}
