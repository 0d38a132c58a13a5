//! A lane that goes on under other settings, with everything it holds.

use std::sync::Arc;

use super::Lane;
use crate::conflation::Conflation;
use crate::in_flight::InFlight;
use crate::policy::Delivery;
use crate::receipts::Receipts;
use crate::topic::TopicEntry;

impl Lane {
    /// Goes on under the settings its topic has now: for what is offered, sent and due from now on. Discards nothing,
    /// and a message keeps the promise it was published under.
    pub fn reload(&mut self, topic: Arc<TopicEntry>, salt: u64) {
        let policy = topic.class.policy.at_most(self.wishes.max_frequency);
        if policy.max_frequency().is_none() || policy.coalesces_by_key() != self.policy.coalesces_by_key() {
            self.hold_no_more();
        }
        self.policy = policy;
        self.topic = topic;
        self.follow_policy(salt);
    }

    /// Has what its policy needs, and no more.
    pub(super) fn follow_policy(&mut self, salt: u64) {
        if let Delivery::AtLeastOnce { window, retry, .. } = self.policy.delivery {
            let window = self.wishes.window.map_or(window, |wanted| wanted.min(window));
            match &mut self.in_flight {
                Some(in_flight) => in_flight.reload(window, retry),
                None => self.in_flight = Some(Box::new(InFlight::new(window, retry, salt))),
            }
        }
        let receipts = self.policy.receipt_window.filter(|_| !self.policy.is_at_least_once());
        let receipts = receipts.map(|widest| self.wishes.window.map_or(widest, |wanted| wanted.min(widest)));
        match (&mut self.receipts, receipts) {
            (Some(receipts), Some(window)) => receipts.reload(window),
            (receipts, window) => *receipts = window.map(|window| Box::new(Receipts::new(window))),
        }
        match (&mut self.conflation, self.policy.max_frequency()) {
            (Some(conflation), Some(frequency)) => conflation.reload(frequency),
            (conflation, frequency) => *conflation = frequency.map(|frequency| Box::new(Conflation::new(frequency))),
        }
        if !self.policy.coalesces_by_key() {
            self.newest = None;
        } else if self.newest.is_none() {
            self.newest = Some(Box::default());
            self.index_newest();
        }
    }
}
