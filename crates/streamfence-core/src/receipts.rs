//! What a best-effort client was sent and has not yet confirmed.
//!
//! A socket takes what a slow handler has not looked at yet, so room in the transport says little about such a client.
//! Never a message: nothing is sent again, so nothing but ids is kept.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use crate::message::MessageId;
use crate::stats::AckOutcome;

/// The receipt window of a best-effort lane.
#[derive(Debug)]
pub struct Receipts {
    /// In the order of sending. Invariant: it grows only while it has less than `window` entries.
    sent: VecDeque<MessageId>,
    window: NonZeroU16,
    /// The newest message ever sent: what tells a late confirmation from an unknown one.
    newest: Option<MessageId>,
}

impl Receipts {
    /// An empty window.
    #[must_use]
    pub fn new(window: NonZeroU16) -> Self {
        Self { sent: VecDeque::new(), window, newest: None }
    }

    /// Goes on with another window: for what is sent from now on.
    pub fn reload(&mut self, window: NonZeroU16) {
        self.window = window;
    }

    /// Takes in a message that is being sent.
    ///
    /// # Panics
    /// When the window is full: ask [`Receipts::has_space`] first.
    pub fn record(&mut self, id: MessageId) {
        assert!(self.has_space(), "the receipt window of {} is full", self.window);
        self.newest = self.newest.max(Some(id));
        self.sent.push_back(id);
    }

    /// Forgets what was sent on a link that is gone: whatever of it arrived, no confirmation of it is to be expected.
    pub fn clear(&mut self) {
        self.sent.clear();
    }

    /// Makes space for one more, because the client says it has this one.
    pub fn handle_ack(&mut self, id: MessageId) -> AckOutcome {
        // A walk over a small window: where values take the places of older ones, ids are not sent in their order.
        match self.sent.iter().position(|sent| *sent == id) {
            Some(place) => {
                self.sent.remove(place);
                AckOutcome::Confirmed
            }
            None if self.was_sent(id) => AckOutcome::Late,
            None => AckOutcome::Unknown,
        }
    }

    /// Makes space for every message up to and including one that the client says it has, by their ids; says what that
    /// was, and of how many messages.
    pub fn handle_ack_up_to(&mut self, id: MessageId) -> (AckOutcome, u32) {
        if !self.was_sent(id) {
            return (AckOutcome::Unknown, 1);
        }
        let before = self.sent.len();
        self.sent.retain(|sent| *sent > id);
        match before - self.sent.len() {
            0 => (AckOutcome::Late, 1),
            confirmed => (AckOutcome::Confirmed, confirmed as u32),
        }
    }

    /// How many messages may be sent and not yet confirmed.
    #[must_use]
    pub fn window(&self) -> NonZeroU16 {
        self.window
    }

    /// How many messages are sent and not confirmed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether everything is confirmed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether another message may be sent.
    #[must_use]
    pub fn has_space(&self) -> bool {
        self.sent.len() < usize::from(self.window.get())
    }

    fn was_sent(&self, id: MessageId) -> bool {
        self.newest.is_some_and(|newest| newest.epoch == id.epoch && id.offset <= newest.offset)
    }
}
