//! What a subscription must come to when all is over.

use std::time::Duration;

use super::{Ledger, Totals};
use crate::scene::Order;

impl Ledger {
    /// All have read and acked, and one more message has come to everybody.
    pub(crate) fn check_rest(&mut self, now: Duration) {
        let unacked = self.window.as_ref().map_or((0, 0), |window| window.held(now));
        assert_eq!(unacked.0, 0, "rest: messages are left unacked");
        assert!(self.receipts.iter().all(|receipts| receipts.unconfirmed().is_empty()), "rest: receipts are left");
        assert!(!self.is_overflowing, "rest: an overflow never ended");
        let by_key = self.rule.order() == Order::ByKey || self.is_mixed;
        assert!(by_key || self.waiting.is_empty(), "rest: {:?} never came", self.waiting);
        self.totals.missed += self.waiting.len() as u64;
        let Totals { offered, heard, too_large, superseded, missed, expired, told } = self.totals;
        assert_eq!(offered, heard + superseded + missed, "rest: every message was heard, replaced or missed");
        let has_no_ttl = self.rule.ttl_ms.is_none();
        if by_key {
            assert!(self.lost + too_large <= missed, "rest: {} are said lost, {missed} were missed", self.lost);
            let notices = self.rule.policy.gap_notices && has_no_ttl && !self.is_mixed;
            let is_right = told == self.lost + too_large || (self.was_strained && told >= self.lost + too_large);
            assert!(!notices || is_right, "rest: {told} were told missed, {} lost", self.lost);
        } else {
            let (least, most) = (missed - too_large - expired.min(missed - too_large), missed - too_large);
            let least = if self.was_strained { 0 } else { least };
            assert!((least..=most).contains(&self.lost), "rest: {} are said lost, {missed} were missed", self.lost);
            let is_unsure = self.was_strained && self.rule.order() == Order::Newest;
            assert!(
                !self.rule.policy.gap_notices || is_unsure || told == missed,
                "rest: {told} of {missed} missed were told"
            );
        }
        // The newest value of a key is what a lane that coalesces is for.
        if (self.rule.order() != Order::Kept || self.is_mixed) && has_no_ttl && self.lost == 0 && !self.was_strained {
            let newest = self.newest_offered.iter().max();
            assert_eq!(newest, Some(&self.newest), "rest: the newest value never came");
            assert!(
                !by_key || self.is_mixed || self.newest_offered == self.newest_of_key,
                "rest: the newest value of a key never came"
            );
        }
    }
}
