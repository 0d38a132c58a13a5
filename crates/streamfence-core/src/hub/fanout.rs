//! What became of a message, told to whoever published it. Never of which lane.

use crate::lane::{Admission, Rejection};
use crate::spill::SpillRefusal;

/// What became of a published message, over all its lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Fanout {
    /// Lanes it was offered to: `admitted + rejected`.
    pub matched: u32,
    /// Lanes that queued it.
    pub admitted: u32,
    /// Of those, lanes that are full, or have spilled, and get it from disk when they have caught up so far.
    pub spilled: u32,
    /// Lanes where it replaced an older value, of those that queued it.
    pub coalesced: u32,
    /// Older messages that gave way to it.
    pub displaced: u32,
    /// Lanes that refused it.
    pub rejected: u32,
    /// Why there was no place on disk, where lanes refused it for want of that.
    pub spill_refusal: Option<SpillRefusal>,
}

impl Fanout {
    pub(super) fn add(&mut self, admission: Admission) {
        match admission {
            Admission::Admitted { coalesced, displaced } => {
                self.matched += 1;
                self.admitted += 1;
                self.coalesced += u32::from(coalesced > 0);
                self.displaced += displaced;
            }
            Admission::Spilled => self.add_all(1, Ok(())),
            Admission::Rejected(why) => self.add_all(1, Err(why)),
        }
    }

    /// The same became of it in so many lanes: it is to come from disk, or was refused for one reason.
    pub(super) fn add_all(&mut self, lanes: u32, answer: Result<(), Rejection>) {
        self.matched += lanes;
        match answer {
            Ok(()) => {
                self.admitted += lanes;
                self.spilled += lanes;
            }
            Err(why) => {
                self.rejected += lanes;
                if let Rejection::NotSpilled(why) = why {
                    self.spill_refusal = Some(why);
                }
            }
        }
    }
}
