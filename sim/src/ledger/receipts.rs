//! What a client was sent and has not yet confirmed, where nothing is sent again.

use streamfence_core::AckOutcome;

#[derive(Debug)]
pub(crate) struct Receipts {
    most: usize,
    /// By offset, in the order of hearing.
    unconfirmed: Vec<u64>,
    /// The highest offset heard.
    newest: u64,
}

impl Receipts {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, unconfirmed: Vec::new(), newest: 0 }
    }

    /// Goes on with another window: for what is sent from now on.
    pub(crate) fn reload(&mut self, most: usize) {
        self.most = most;
    }

    pub(crate) fn hear(&mut self, offset: u64) {
        let count = self.unconfirmed.len();
        assert!(count < self.most, "receipts: {count} are unconfirmed, one more was sent, {} may be", self.most);
        self.unconfirmed.push(offset);
        self.newest = self.newest.max(offset);
    }

    /// Its client came back: what was sent before is not waited for.
    pub(crate) fn resume(&mut self) {
        self.unconfirmed.clear();
    }

    pub(crate) fn is_full(&self) -> bool {
        self.unconfirmed.len() >= self.most
    }

    /// What a receipt for `offset` does.
    pub(crate) fn ack(&mut self, offset: u64) -> AckOutcome {
        let before = self.unconfirmed.len();
        self.unconfirmed.retain(|&sent| sent != offset);
        match before - self.unconfirmed.len() {
            1 => AckOutcome::Confirmed,
            _ if self.was_heard(offset) => AckOutcome::Late,
            _ => AckOutcome::Unknown,
        }
    }

    /// How many messages a receipt for all up to `offset` confirms; `None` where it is of nothing.
    pub(crate) fn ack_up_to(&mut self, offset: u64) -> Option<u64> {
        if !self.was_heard(offset) {
            return None;
        }
        let before = self.unconfirmed.len();
        self.unconfirmed.retain(|&sent| sent > offset);
        Some((before - self.unconfirmed.len()) as u64)
    }

    /// What waits to be confirmed.
    pub(crate) fn unconfirmed(&self) -> &[u64] {
        &self.unconfirmed
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    fn was_heard(&self, offset: u64) -> bool {
        self.newest > 0 && offset <= self.newest
    }
}
