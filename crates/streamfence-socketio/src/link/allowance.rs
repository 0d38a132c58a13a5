//! What a peer may send at once, and how fast after that, in limits of our own that nobody needs to know.

use std::time::Duration;

use tokio::time::Instant;

/// What a peer may still send: a bucket that fills up again with time.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// When the bucket is full again; `None` before the first.
    full_at: Option<Instant>,
}

/// How much that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// How many may come at once.
    pub(crate) at_once: u32,
    /// How long it takes until another one may come.
    pub(crate) each: Duration,
}

/// How many CONNECTs a client may send: more namespaces than anybody joins.
///
/// The library makes a task of each before it looks whether the client has joined that namespace already, and one that it
/// ignores is not even answered: nothing else bounds them. Who sends more than its share is read no further for a while.
pub(crate) const CONNECTS: Share = Share { at_once: 128, each: Duration::from_millis(20) };
/// How much a client may send that is no message: pings, pongs, heartbeats, pieces with next to nothing in them. One that
/// says it is alive does so a few times a minute.
pub(crate) const IDLE: Share = Share { at_once: 1_000, each: Duration::from_millis(5) };

impl Allowance {
    /// Takes note of so many. Says until when nothing more is to be read, where they are too many.
    pub(crate) fn spend(&mut self, count: u32, share: Share, now: Instant) -> Option<Instant> {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now)) + share.each * count;
        self.full_at = Some(full_at);
        let too_soon = (full_at - now).saturating_sub(share.each * share.at_once);
        (!too_soon.is_zero()).then(|| now + too_soon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_spent_at_once_and_comes_back_with_time() {
        let start = Instant::now();
        let Share { at_once, each } = CONNECTS;
        let mut allowance = Allowance::default();
        assert_eq!(allowance.spend(at_once, CONNECTS, start), None);
        assert_eq!(allowance.spend(1, CONNECTS, start), Some(start + each));
        assert_eq!(allowance.spend(1, CONNECTS, start + each * 2), None);
        assert_eq!(allowance.spend(10, CONNECTS, start + each * 2), Some(start + each * 12));
        // Never more than a full bucket, however long it has stood.
        let later = start + Duration::from_secs(3600);
        assert_eq!(allowance.spend(at_once + 5, CONNECTS, later), Some(later + each * 5));
        assert!(allowance.spend(u32::MAX, CONNECTS, later).is_some());
    }
}
