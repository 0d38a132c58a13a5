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
