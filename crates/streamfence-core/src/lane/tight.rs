//! A lane of a process that has no memory left.
//!
//! What a lane costs is told in shares: an entry is its own, and of a message that n places hold it has an nth. So a
//! message that nobody else holds counts whole, and one that ten thousand lanes share costs each of them next to nothing.

use std::sync::Arc;
use std::time::Instant;

use super::held::pace_key;
use super::{Admission, Lane, Rejection};
use crate::message::Message;
use crate::policy::{Delivery, Overflow};
use crate::spill_log::Cursor;

/// What an entry of a lane counts as, in bytes: its place in the queue, and what little lies around it.
pub const ENTRY_BYTES: u64 = 48;
/// What a message counts as beside its body, in bytes: itself, its reference count and the owner of its bytes.
pub const MESSAGE_BYTES: u64 = 256;

/// From how many of its messages the share of a lane is estimated, so that a look costs the same for all lanes.
const LOOK: usize = 8;

/// Where a message goes that a lane has no memory for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WayOut {
    /// The place in the topic's log.
    pub(crate) vacancy: Cursor,
    /// Whether it is for some clients alone.
    pub(crate) is_private: bool,
}

/// What was shed from a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shed {
    /// How many messages.
    pub(crate) messages: u64,
    /// How many bytes nobody holds any more.
    pub(crate) bytes: u64,
}

impl Lane {
    /// Offers a message that must not cost more than this lane makes free for it: an entry, and what is `owed` beside.
    ///
    /// A newer value takes the place of one that pays for it, and where the policy lets older messages give way they do.
    /// Where it lets the lane spill, and there is a place on disk, it does: memory is what a disk is there to spare.
    /// Everything else is refused.
    pub(crate) fn offer_tight(
        &mut self,
        message: &Arc<Message>,
        owed: u64,
        way_out: Option<WayOut>,
        now: Instant,
    ) -> Admission {
        let admission = match (self.decide_tight(message, ENTRY_BYTES + owed, now), way_out) {
            (Admission::Rejected(Rejection::OverBudget), Some(WayOut { vacancy, is_private }))
                if self.policy.spills() =>
            {
                return self.begin_spill(message, vacancy, is_private, now);
            }
            (admission, _) => admission,
        };
        self.note_refusal(message, admission);
        admission
    }

    /// Whether a message would leave at once if there were room for it, and leave nothing behind.
    pub(crate) fn passes_on(&self, message: &Message) -> bool {
        let has_to_wait = || {
            self.conflation.as_ref().is_some_and(|conflation| conflation.is_waiting(pace_key(&self.policy, message)))
        };
        self.is_empty() && !self.policy.is_at_least_once() && self.may_send(message) && !has_to_wait()
    }

    /// How many notices would go before the next message that it is offered while it is empty.
    pub(crate) fn notices_owed(&self) -> u32 {
        self.gaps.len() as u32
    }

    /// What its queued and held messages cost that would be free without it, estimated from a few of them.
    pub(crate) fn share(&self) -> u64 {
        if self.oldest_to_go().is_none() {
            return 0;
        }
        let waiting = (self.queue.len() + self.held()) as u64;
        let held = self.conflation.iter().flat_map(|conflation| conflation.values());
        let messages = self.queue.iter().map(|queued| &queued.message).chain(held);
        let cost: u64 = messages.take(LOOK).map(share_of).sum();
        cost * waiting / waiting.min(LOOK as u64)
    }

    /// Gives up the oldest until its share is down to `level`, `wanted` bytes are free or `most` messages are gone.
    pub(crate) fn shed(&mut self, level: u64, wanted: u64, most: u64) -> Shed {
        let (mut share, mut shed) = (self.share(), Shed::default());
        while share > level && shed.bytes < wanted && shed.messages < most {
            let Some(oldest) = self.oldest_to_go() else { break };
            shed.bytes += freed_with(oldest);
            share = share.saturating_sub(share_of(oldest));
            self.displace_front();
            shed.messages += 1;
        }
        shed
    }

    fn decide_tight(&mut self, message: &Arc<Message>, price: u64, now: Instant) -> Admission {
        if let Some(why) = self.never_takes(message, now) {
            return Admission::Rejected(why);
        }
        let held = self.conflation.as_ref().and_then(|conflation| conflation.held(message.key.as_ref()));
        if let Some(freed) = held.map(freed_with) {
            let replaced = if freed >= price { self.replace_held(message, Overflow::RejectNew) } else { None };
            return replaced.unwrap_or(Admission::Rejected(Rejection::OverBudget));
        }
        if let Some(place) = self.older_value(message)
            && freed_with(&self.queue[place].message) >= price
        {
            let grown = self.bytes() - self.queue[place].message.size_bytes() + message.size_bytes();
            if grown <= self.policy.limits.bytes.get() {
                self.replace(place, message);
                return Admission::Admitted { coalesced: 1, displaced: 0 };
            }
        }
        let Some(to_go) = self.way_for(message, price).filter(|_| self.policy.gives_way()) else {
            return Admission::Rejected(Rejection::OverBudget);
        };
        let is_snapshot = matches!(self.policy.delivery, Delivery::BestEffort { overflow: Overflow::SnapshotOnly, .. });
        if is_snapshot {
            return self.replace_all(message);
        }
        for _ in 0..to_go {
            self.displace_front();
        }
        let coalesced = match self.older_value(message) {
            Some(place) => {
                self.replace(place, message);
                1
            }
            None => {
                self.take_in(message);
                0
            }
        };
        Admission::Admitted { coalesced, displaced: to_go }
    }

    /// The message that would give way first, unless it was published when the topic promised to deliver it.
    fn oldest_to_go(&self) -> Option<&Arc<Message>> {
        let held = || self.conflation.as_ref().and_then(|conflation| conflation.front());
        self.front().or_else(held).filter(|oldest| !oldest.is_at_least_once())
    }

    /// How many of the oldest must go so that the lane does not grow and the price is paid. `None` when all of them are not
    /// enough.
    fn way_for(&self, message: &Message, price: u64) -> Option<u32> {
        let (mut paid, mut bytes) = (0, 0);
        let to_go = self.queue.iter().take_while(|queued| !queued.message.is_at_least_once());
        for (place, queued) in to_go.enumerate() {
            paid += freed_with(&queued.message);
            bytes += queued.message.size_bytes();
            if paid >= price && bytes >= message.size_bytes() {
                return Some(place as u32 + 1);
            }
        }
        None
    }
}

/// What a message counts as, whoever holds it.
fn footprint(message: &Message) -> u64 {
    MESSAGE_BYTES + message.size_bytes()
}

/// What is free when a lane lets go of a message.
fn freed_with(message: &Arc<Message>) -> u64 {
    ENTRY_BYTES + if Arc::strong_count(message) == 1 { footprint(message) } else { 0 }
}

/// What one of those who hold a message pays for it.
fn share_of(message: &Arc<Message>) -> u64 {
    ENTRY_BYTES + footprint(message) / (Arc::strong_count(message) as u64).max(1)
}
