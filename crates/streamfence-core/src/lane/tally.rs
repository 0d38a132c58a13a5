//! What a lane counts of its own, for whoever looks at one client. Never what is decided by.

use std::ops::AddAssign;

use super::{Admission, Lane, Refill, Rejection};

/// What has become of the messages of one lane since its client subscribed.
///
/// What has spilled and was refused on the way is counted when the lane gets to where it would have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneTotals {
    /// Messages that left as promised: taken by the transport, or acked where an ack is wanted.
    pub delivered: u64,
    /// Queued messages replaced by a newer value.
    pub coalesced: u64,
    /// Queued messages that gave way to newer ones.
    pub displaced: u64,
    /// New messages that were refused, for whatever reason but their age.
    pub rejected: u64,
    /// Messages whose time was over.
    pub expired: u64,
    /// Messages sent again.
    pub retries: u64,
    /// Messages given up after the last retry.
    pub exhausted: u64,
    /// Messages that lay on disk and could not be read.
    pub lost_on_disk: u64,
}

impl LaneTotals {
    /// Messages lost to the client, each counted once.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.displaced + self.rejected + self.expired + self.exhausted + self.lost_on_disk
    }
}

impl AddAssign for LaneTotals {
    fn add_assign(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.coalesced += other.coalesced;
        self.displaced += other.displaced;
        self.rejected += other.rejected;
        self.expired += other.expired;
        self.retries += other.retries;
        self.exhausted += other.exhausted;
        self.lost_on_disk += other.lost_on_disk;
    }
}

/// The counters themselves: there are very many lanes, and what is nothing new while all is well costs nothing then. They
/// stand still at their highest value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Entries that left the front of the queue and were not sent. What was sent is what left it otherwise.
    pub(super) unsent: u64,
    /// Messages that were sent and left without an ack.
    unacked: u32,
    coalesced: u32,
    displaced: u32,
    rejected: u32,
    expired: u32,
    retries: u32,
    exhausted: u32,
    lost_on_disk: u32,
}

impl Lane {
    /// What has become of its messages.
    #[must_use]
    pub fn totals(&self) -> LaneTotals {
        let Tally { coalesced, displaced, rejected, expired, retries, exhausted, lost_on_disk, .. } = self.tally;
        LaneTotals {
            delivered: self.delivered(),
            coalesced: coalesced.into(),
            displaced: displaced.into(),
            rejected: rejected.into(),
            expired: expired.into(),
            retries: retries.into(),
            exhausted: exhausted.into(),
            lost_on_disk: lost_on_disk.into(),
        }
    }

    /// How many messages left as promised. Nothing counts them: `first` says how many have left the front of the queue, and
    /// all but a few of those were sent.
    pub(crate) fn delivered(&self) -> u64 {
        let in_flight = self.in_flight.as_ref().map_or(0, |in_flight| in_flight.len() as u64);
        let sent = self.first.saturating_sub(self.tally.unsent);
        sent.saturating_sub(in_flight + u64::from(self.tally.unacked))
    }

    /// Counts what became of a message that was offered.
    #[inline]
    pub(crate) fn count_offer(&mut self, admission: Admission) {
        match admission {
            Admission::Admitted { coalesced: 0, displaced: 0 } | Admission::Spilled => {}
            Admission::Admitted { coalesced, displaced } => {
                add(&mut self.tally.coalesced, coalesced.into());
                add(&mut self.tally.displaced, displaced.into());
            }
            Admission::Rejected(Rejection::Expired) => add(&mut self.tally.expired, 1),
            Admission::Rejected(_) => add(&mut self.tally.rejected, 1),
        }
    }

    /// Counts messages that were shed.
    pub(crate) fn count_shed(&mut self, messages: u64) {
        add(&mut self.tally.displaced, messages);
    }

    /// Counts what came from disk, or did not.
    #[inline]
    pub(crate) fn count_refill(&mut self, refill: &Refill) {
        if refill.expired + refill.lost + refill.missed == 0 {
            // Nearly always, and then no memory is looked at.
            return;
        }
        add(&mut self.tally.expired, refill.expired);
        add(&mut self.tally.lost_on_disk, refill.lost);
        add(&mut self.tally.rejected, refill.missed);
    }

    /// Counts a message that was sent again.
    pub(crate) fn count_retry(&mut self) {
        add(&mut self.tally.retries, 1);
    }

    /// Counts messages whose time was over before they were sent.
    pub(super) fn count_expired(&mut self, expired: u64) {
        add(&mut self.tally.expired, expired);
    }

    /// Counts messages that were in flight and are given up: those sent as often as they may be, and those whose time was
    /// over.
    #[inline]
    pub(super) fn count_given_up(&mut self, exhausted: u64, expired: u64) {
        if exhausted + expired == 0 {
            return;
        }
        add(&mut self.tally.exhausted, exhausted);
        add(&mut self.tally.expired, expired);
        add(&mut self.tally.unacked, exhausted + expired);
    }
}

fn add(counter: &mut u32, more: u64) {
    *counter = counter.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
}
