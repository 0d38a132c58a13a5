//! What a lane with a frequency does with values whose key has to wait. Which keys those are, `conflation.rs` knows.

use std::sync::Arc;
use std::time::Instant;

use super::{Admission, Lane, Rejection, earlier};
use crate::gap::LossReason;
use crate::message::{Key, Message};
use crate::policy::{Overflow, Policy};
use crate::trace::DeliveryOutcome;

impl Lane {
    /// Queues the message, or holds it while its key waits.
    pub(super) fn take_in(&mut self, message: &Arc<Message>) {
        if let Some(conflation) = &mut self.conflation
            && let key = pace_key(&self.policy, message)
            && conflation.is_waiting(key)
        {
            if let Some(older) = conflation.hold(key, message) {
                self.left.note(&older, DeliveryOutcome::Coalesced);
            }
            self.nearest_expiry = earlier(self.nearest_expiry, message.expires);
        } else {
            self.push_back(message.clone());
        }
    }

    /// Holds the message in place of the held one with its key.
    pub(super) fn replace_held(&mut self, message: &Arc<Message>, overflow: Overflow) -> Option<Admission> {
        let older = self.conflation.as_ref()?.held(message.key.as_ref())?.size_bytes();
        let grown = self.bytes() - older + message.size_bytes();
        // A lane whose limit was lowered may hold too much already; this does not make it more.
        if grown > self.policy.limits.bytes.get() && message.size_bytes() > older {
            if overflow != Overflow::DropOldest {
                return Some(Admission::Rejected(Rejection::Full));
            }
            // The older value gives way to the newer one first, and then the others, the oldest before.
            if let Some(older) = self.conflation.as_mut()?.remove(message.key.as_ref()) {
                self.left.note(&older, DeliveryOutcome::Coalesced);
            }
            let Admission::Admitted { displaced, .. } = self.displace_until_admitted(message) else {
                unreachable!("displacing always admits a message that is not too large")
            };
            return Some(Admission::Admitted { coalesced: 1, displaced });
        }
        if let Some(older) = self.conflation.as_mut()?.hold(message.key.as_ref(), message) {
            self.left.note(&older, DeliveryOutcome::Coalesced);
        }
        self.nearest_expiry = earlier(self.nearest_expiry, message.expires);
        Some(Admission::Admitted { coalesced: 1, displaced: 0 })
    }

    /// Lets the key of a message that is being sent wait from now on.
    pub(super) fn begin_interval(&mut self, message: &Message, now: Instant) {
        if let Some(conflation) = &mut self.conflation {
            conflation.sent(pace_key(&self.policy, message), now);
            // With very many keys the first of them is free before its time.
            self.release(now);
        }
    }

    /// Queues the held values whose interval is over.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some(message) = self.conflation.as_mut().and_then(|conflation| conflation.release(now)) {
            self.push_back(message);
        }
    }

    /// Gives up the held values whose time is over, and says how many those were.
    pub(super) fn expire_held(&mut self, now: Instant) -> u64 {
        let Some(conflation) = &mut self.conflation else { return 0 };
        let (mut expired, gaps, left, notes) = (0, &mut self.gaps, &mut self.left, self.policy.gap_notices);
        conflation.expire(now, |message| {
            expired += 1;
            left.note(message, DeliveryOutcome::Expired);
            if notes {
                gaps.note(message.id.offset, LossReason::Expired);
            }
        });
        let nearest = conflation.values().filter_map(|message| message.expires).min();
        self.nearest_expiry = earlier(self.nearest_expiry, nearest);
        expired
    }

    /// Queues all that is held, and says whether that was anything: there is no interval any more, or it is one of other
    /// keys, or nobody will wait for its end.
    pub(crate) fn hold_no_more(&mut self) -> bool {
        let Some(mut conflation) = self.conflation.take() else { return false };
        let mut any = false;
        while let Some(message) = conflation.pop_front() {
            self.push_back(message);
            any = true;
        }
        any
    }

    /// Drops all that is held, and says how much that was: one value, where they all share a rhythm.
    pub(super) fn drop_held(&mut self) -> u64 {
        let Some(conflation) = &mut self.conflation else { return 0 };
        let dropped = std::iter::from_fn(|| conflation.pop_front());
        dropped.inspect(|message| self.left.note(message, DeliveryOutcome::Coalesced)).count() as u64
    }

    /// Whether nothing waits for its client: all it holds waits for its interval.
    pub(crate) fn only_holds(&self) -> bool {
        self.len() == self.held()
    }

    /// How many values are held.
    pub(super) fn held(&self) -> usize {
        self.conflation.as_ref().map_or(0, |conflation| conflation.len())
    }
}

/// What a frequency is counted by: the key, but for a lane that holds one value whatever the key.
pub(super) fn pace_key<'a>(policy: &Policy, message: &'a Message) -> Option<&'a Key> {
    message.key.as_ref().filter(|_| policy.coalesces_by_key())
}
