//! How fast a client takes its messages, looked at once in a while. Never a decision.

use std::time::{Duration, Instant};

/// The least time between two looks that says anything.
const INTERVAL: Duration = Duration::from_millis(500);

/// How many messages were delivered between the last two looks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When that was, or when it began.
    at: Option<Instant>,
    delivered: u64,
    per_second: u32,
}

impl Pace {
    /// Nothing was delivered before this.
    pub(super) fn begin(now: Instant) -> Self {
        Self { at: Some(now), ..Self::default() }
    }

    /// Takes in how many messages were delivered until now.
    pub(super) fn look(&mut self, delivered: impl FnOnce() -> u64, now: Instant) {
        let passed = self.at.map(|at| now.saturating_duration_since(at));
        if passed.is_some_and(|passed| passed < INTERVAL) {
            return;
        }
        let delivered = delivered();
        if let Some(passed) = passed {
            // A lane that has ended took its numbers with it.
            let more = delivered.saturating_sub(self.delivered) as f64;
            self.per_second = (more / passed.as_secs_f64()).round() as u32;
        }
        (self.at, self.delivered) = (Some(now), delivered);
    }

    pub(super) fn per_second(&self) -> u32 {
        self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
    fn a_pace_is_what_was_delivered_between_two_looks_that_are_far_enough_apart() {
        let start = Instant::now();
        let mut pace = Pace::begin(start);
        let mut look = |ms: u64, delivered: u64| {
            pace.look(|| delivered, start + Duration::from_millis(ms));
            pace.per_second()
        };
        assert_eq!(look(100, 9), 0, "too early to say");
        assert_eq!(look(1_000, 40), 40);
        assert_eq!(look(1_400, 90), 40, "as it was when it was looked at last");
        assert_eq!(look(3_000, 100), 30);
        assert_eq!(look(4_000, 20), 0, "a lane has ended and took its numbers along");
    }
}
