//! What the client acks, and what that may come to.

use std::time::Duration;

use streamfence_core::AckOutcome;

use super::receipts::Receipts;
use super::{Ledger, Window};

impl Ledger {
    /// What an ack of `offset` may be answered with.
    pub(crate) fn ack(&mut self, offset: u64, now: Duration) -> &'static [AckOutcome] {
        let by_window = self.window.as_mut().map_or(&[AckOutcome::Unknown][..], |window| window.ack(offset, now));
        self.or_receipt(by_window, offset)
    }

    /// The same of a nack, for which nothing of a receipt window is sent again either.
    pub(crate) fn nack(
        &mut self,
        offset: u64,
        delay: Duration,
        clock: Duration,
        now: Duration,
    ) -> &'static [AckOutcome] {
        let by_window = self.window.as_mut();
        let by_window = by_window.map_or(&[AckOutcome::Unknown][..], |window| window.nack(offset, delay, clock, now));
        self.or_receipt(by_window, offset)
    }

    fn or_receipt(&mut self, by_window: &'static [AckOutcome], offset: u64) -> &'static [AckOutcome] {
        match self.receipts.as_mut().map(|receipts| receipts.ack(offset)) {
            Some(AckOutcome::Confirmed) => &[AckOutcome::Confirmed],
            Some(AckOutcome::Late) if by_window == [AckOutcome::Unknown] => &[AckOutcome::Late],
            _ => by_window,
        }
    }

    /// How many messages an ack of all up to `offset` releases, at least and at most, and how many it confirms; `None`
    /// where it is of nothing.
    pub(crate) fn ack_up_to(&mut self, offset: u64, now: Duration) -> Option<((u64, u64), u64)> {
        let released = self.window.as_mut().and_then(|window| window.ack_up_to(offset, now));
        let confirmed = self.receipts.as_mut().and_then(|receipts| receipts.ack_up_to(offset));
        (released.is_some() || confirmed.is_some()).then(|| (released.unwrap_or_default(), confirmed.unwrap_or(0)))
    }

    /// What its client has heard and not yet said that it has.
    pub(crate) fn unacked(&self) -> impl Iterator<Item = u64> + '_ {
        let unconfirmed = self.receipts.iter().flat_map(|receipts| receipts.unconfirmed().iter().copied());
        self.window.iter().flat_map(Window::unacked).chain(unconfirmed)
    }

    /// The newest that it is to say so of.
    pub(crate) fn newest_to_ack(&self) -> u64 {
        let by_window = self.window.as_ref().map_or(0, Window::newest);
        self.receipts.as_ref().map_or(0, Receipts::newest).max(by_window)
    }
}
