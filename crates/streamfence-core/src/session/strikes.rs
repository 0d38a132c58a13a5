//! How many messages that never were a client has acked of late. Never which, and never what an ack does.

use std::time::{Duration, Instant};

/// What is held against a client, of one minute. There is one only for those that have acked what never was.
#[derive(Debug)]
pub(super) struct Strikes {
    /// When the minute began.
    since: Instant,
    count: u32,
    /// How many are too many; reckoned when the first [`FREE`] are used up.
    most: Option<u32>,
}

/// How many a client has free in any case: more than a mistake makes.
const FREE: u32 = 1_000;
const MINUTE: Duration = Duration::from_secs(60);

impl Strikes {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, count: 0, most: None }
    }

    /// Counts some more, and says whether they are too many now. `on_the_way` is how many acks of messages sent before
    /// anybody remembers may come from a client that does all as it should.
    pub(super) fn add(&mut self, count: u32, now: Instant, on_the_way: impl FnOnce() -> u32) -> bool {
        if now.saturating_duration_since(self.since) >= MINUTE {
            (self.since, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(count);
        self.count > FREE && self.count > *self.most.get_or_insert_with(|| FREE.saturating_add(on_the_way()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn too_many_are_too_many_within_a_minute() {
        let start = Instant::now();
        let mut strikes = Strikes::new(start);
        assert!(!strikes.add(1_000, start, || panic!("nobody asks before they are used up")));
        assert!(strikes.add(1, start + MINUTE / 2, || 0));
        let mut spread = Strikes::new(start);
        assert!((0..10).all(|minute| !spread.add(1_000, start + MINUTE * minute, || 0)));
        assert!(spread.add(u32::MAX, start + MINUTE * 9, || 0));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn what_may_be_on_the_way_is_free_too() {
        let start = Instant::now();
        let mut strikes = Strikes::new(start);
        assert!(!strikes.add(1_500, start, || 500));
        assert!(strikes.add(1, start, || panic!("it is asked once")));
        assert!(!Strikes::new(start).add(u32::MAX, start, || u32::MAX), "sums stand still at the highest there is");
    }
}
