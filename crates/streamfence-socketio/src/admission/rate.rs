//! How often something may happen.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// So many in a while, and so many at once.
///
/// ```
/// use std::time::Duration;
/// use streamfence_socketio::Rate;
///
/// let rate = Rate::new(100, Duration::from_secs(1)).burst(200);
/// # assert_eq!(rate.burst.get(), 200);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many, over time.
    pub count: NonZeroU32,
    /// In how much time.
    pub per: Duration,
    /// How many at once, after a time of silence.
    pub burst: NonZeroU32,
}

impl Rate {
    /// So many in this time, and as many at once; 0 counts as 1.
    #[must_use]
    pub fn new(count: u32, per: Duration) -> Self {
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self { count, per, burst: count }
    }

    /// So many at once; 0 counts as 1.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        self
    }

    /// So many times as much of it.
    pub(super) fn times(self, factor: u32) -> Self {
        let times = |count: NonZeroU32| NonZeroU32::new(count.get().saturating_mul(factor)).unwrap_or(count);
        Self { count: times(self.count), per: self.per, burst: times(self.burst) }
    }

    /// How long one takes to be allowed for, in nanoseconds.
    fn interval(&self) -> u64 {
        let per = u64::try_from(self.per.as_nanos()).unwrap_or(u64::MAX);
        (per / u64::from(self.count.get())).max(1)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} ms, {} at once", self.count, self.per.as_millis(), self.burst)
    }
}

/// What is left of a rate, as the one time until which all that happened is paid for. Nothing of the rate is in it, so
/// that the rate may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bucket(u64);

impl Bucket {
    /// Takes one, or says how long it takes until there is one. `now` is in nanoseconds.
    pub(crate) fn take(&mut self, rate: &Rate, now: u64) -> Result<(), Duration> {
        let interval = rate.interval();
        let slack = interval.saturating_mul(rate.burst.get().into());
        // What was paid for under a wider rate is forgiven as far as this one knows it.
        let paid = self.0.clamp(now, now.saturating_add(slack));
        let next = paid.saturating_add(interval);
        let wait = next.saturating_sub(now).saturating_sub(slack);
        if wait > 0 {
            return Err(Duration::from_nanos(wait));
        }
        self.0 = next;
        Ok(())
    }
}

/// Time in nanoseconds, since the first look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new(now: Instant) -> Self {
        Self(now)
    }

    pub(crate) fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.0).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_burst_is_let_in_and_then_one_an_interval() {
        let rate = Rate::new(10, Duration::from_secs(1)).burst(3);
        let mut bucket = Bucket::default();
        assert!((0..3).all(|_| bucket.take(&rate, 0).is_ok()));
        assert_eq!(bucket.take(&rate, 0), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(&rate, 40 * MS), Err(Duration::from_millis(60)));
        assert_eq!(bucket.take(&rate, 100 * MS), Ok(()));
        assert!(bucket.take(&rate, 100 * MS).is_err());
        // Silence gives the burst back, and no more than that.
        assert!((0..3).all(|_| bucket.take(&rate, 3_600_000 * MS).is_ok()));
        assert!(bucket.take(&rate, 3_600_000 * MS).is_err());
    }

    #[test]
    fn another_rate_holds_at_once() {
        let wide = Rate::new(1, Duration::from_secs(60)).burst(1_000);
        let mut bucket = Bucket::default();
        (0..1_000).for_each(|_| assert!(bucket.take(&wide, 0).is_ok()));
        let narrow = Rate::new(10, Duration::from_secs(1)).burst(1);
        assert_eq!(bucket.take(&narrow, 0), Err(Duration::from_millis(100)), "an hour of debt is not kept");
    }

    proptest! {
        /// In no window is there more than its rate and one burst, whatever the times.
        #[test]
        fn no_window_has_more_than_the_rate_and_a_burst(
            count in 1_u32..50,
            burst in 1_u32..50,
            mut times in proptest::collection::vec(0_u64..5_000, 1..400),
        ) {
            times.sort_unstable();
            let rate = Rate::new(count, Duration::from_secs(1)).burst(burst);
            let mut bucket = Bucket::default();
            let taken: Vec<u64> = times.into_iter().filter(|at| bucket.take(&rate, at * MS).is_ok()).collect();
            for (first, start) in taken.iter().enumerate() {
                for (last, end) in taken.iter().enumerate().skip(first) {
                    let most = u64::from(burst) + (end - start) * u64::from(count) / 1_000 + 1;
                    prop_assert!((last - first + 1) as u64 <= most);
                }
            }
        }
    }
}
