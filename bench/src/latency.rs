//! How long messages were on their way, from all clients together.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Nanoseconds of the machine's one monotonic clock, which all processes share.
pub(crate) fn now_ns() -> u64 {
    let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).expect("the clock does not begin below zero");
    now.as_nanos() as u64
}

/// Counts of times, in steps of at most a thirty-second of each.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    longest_us: u64,
}

/// What a histogram says, in microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) longest_us: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; place(u64::MAX) + 1], longest_us: 0 }
    }
}

impl Histogram {
    pub(crate) fn add_ns(&mut self, ns: u64) {
        let us = ns / 1_000;
        self.counts[place(us)] += 1;
        self.longest_us = self.longest_us.max(us);
    }

    /// What was counted since this was asked last.
    pub(crate) fn take(&mut self) -> Spread {
        let count = self.counts.iter().sum();
        let spread = Spread { count, p50_us: self.at(0.5), p99_us: self.at(0.99), longest_us: self.longest_us as f64 };
        *self = Self::default();
        spread
    }

    /// Below which this share of all lies.
    fn at(&self, share: f64) -> f64 {
        let mut left = (self.counts.iter().sum::<u64>() as f64 * share).ceil() as u64;
        for (place, count) in self.counts.iter().enumerate() {
            if left <= *count {
                return middle(place);
            }
            left -= count;
        }
        0.0
    }
}

/// Below `STEPS` each microsecond has its place; above, each power of two has `STEPS` places.
fn place(us: u64) -> usize {
    let Some(power) = (us / STEPS).checked_ilog2() else { return us as usize };
    (u64::from(power + 1) * STEPS + ((us >> power) - STEPS)) as usize
}

/// The middle of what a place counts.
fn middle(place: usize) -> f64 {
    let (row, step) = (place as u64 / STEPS, place as u64 % STEPS);
    match row.checked_sub(1) {
        None => step as f64,
        Some(power) => (STEPS + step) as f64 * 2_f64.powi(power as i32) + (2_f64.powi(power as i32) - 1.0) / 2.0,
    }
}

const STEPS: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_found_again_within_a_thirty_second_of_it() {
        for us in (0..200).chain([1_000, 1_023, 1_024, 54_321, 1 << 40]) {
            let found = middle(place(us));
            assert!((found - us as f64).abs() <= us as f64 / 32.0, "{us} is found as {found}");
        }
        assert!(place(u64::MAX) < 2_048);
    }

    #[test]
    fn the_spread_is_of_what_was_counted_since() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|ms| histogram.add_ns(ms * 1_000_000));
        let spread = histogram.take();
        assert_eq!(spread.count, 100);
        assert!((48_000.0..52_000.0).contains(&spread.p50_us), "{spread:?}");
        assert!((95_000.0..103_000.0).contains(&spread.p99_us), "{spread:?}");
        assert_eq!(spread.longest_us, 100_000.0);
        assert_eq!(histogram.take().count, 0);
    }
}
