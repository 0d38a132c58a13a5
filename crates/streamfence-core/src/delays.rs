//! How long things took, counted by length. Never a list of them: what it takes does not grow.

use std::time::Duration;

/// The upper ends of the lengths that are told apart, in seconds; there is one more for all that took longer.
pub const DELAY_BUCKETS_S: [f64; 15] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0];

/// The same in microseconds.
const BUCKETS_US: [u64; DELAY_BUCKETS_S.len()] = in_microseconds(DELAY_BUCKETS_S);

/// How often something took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// How often it took so long, by [`DELAY_BUCKETS_S`]; the last counts all that took longer.
    pub counts: [u64; DELAY_BUCKETS_S.len() + 1],
    /// How long it took in all, in microseconds.
    pub sum_us: u64,
}

impl Delays {
    /// Counts one.
    #[inline]
    pub fn count(&mut self, took: Duration) {
        self.count_one(Delay::of(took));
    }

    #[inline]
    pub(crate) fn count_one(&mut self, delay: Delay) {
        self.counts[delay.bucket] += 1;
        self.sum_us = self.sum_us.saturating_add(delay.us);
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// How long one thing took, and which of the lengths that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delay {
    bucket: usize,
    us: u64,
}

impl Delay {
    pub(crate) fn of(took: Duration) -> Self {
        let us = microseconds(took);
        Self { bucket: BUCKETS_US.partition_point(|most| *most < us), us }
    }

    /// The same for something that took about as long as this one: it is looked up only where it did not.
    #[inline]
    pub(crate) fn next(self, took: Duration) -> Self {
        let (us, bucket) = (microseconds(took), self.bucket);
        let is_more = bucket == 0 || BUCKETS_US[bucket - 1] < us;
        let is_less = BUCKETS_US.get(bucket).is_none_or(|most| us <= *most);
        if is_more && is_less { Self { bucket, us } } else { Self::of(took) }
    }
}

#[inline]
fn microseconds(took: Duration) -> u64 {
    took.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(took.subsec_micros()))
}

const fn in_microseconds(seconds: [f64; DELAY_BUCKETS_S.len()]) -> [u64; DELAY_BUCKETS_S.len()] {
    let mut us = [0; DELAY_BUCKETS_S.len()];
    let mut at = 0;
    while at < us.len() {
        // None of them is exact in binary: what is meant is the next whole one.
        us[at] = (seconds[at] * 1e6 + 0.5) as u64;
        at += 1;
    }
    us
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_belongs_to_what_it_ends_and_a_microsecond_more_does_not() {
        for (bucket, end) in DELAY_BUCKETS_S.into_iter().enumerate() {
            let (mut delays, end) = (Delays::default(), Duration::from_secs_f64(end));
            delays.count(end);
            delays.count(end + Duration::from_micros(1));
            assert_eq!((delays.counts[bucket], delays.counts[bucket + 1]), (1, 1), "around {end:?}");
            assert_eq!(delays.sum_us, 2 * end.as_micros() as u64 + 1);
        }
    }

    #[test]
    fn what_is_counted_after_something_else_is_counted_the_same() {
        let lengths: Vec<u64> =
            BUCKETS_US.into_iter().flat_map(|end| [end - 1, end, end + 1]).chain([0, u64::MAX]).collect();
        for before in &lengths {
            let before = Delay::of(Duration::from_micros(*before));
            for took in lengths.iter().map(|us| Duration::from_micros(*us)) {
                assert_eq!(before.next(took), Delay::of(took), "{took:?} after {before:?}");
            }
        }
    }

    #[test]
    fn nothing_and_for_ever_are_counted_too() {
        let mut delays = Delays::default();
        delays.count(Duration::ZERO);
        delays.count(Duration::MAX);
        let mut all = delays;
        all.add(&delays);
        assert_eq!((all.counts[0], all.counts[DELAY_BUCKETS_S.len()], all.total()), (2, 2, 4));
        assert_eq!(all.sum_us, u64::MAX);
    }
}
