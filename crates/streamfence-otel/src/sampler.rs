//! Which publishes are recorded, and under which names.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use streamfence_core::TraceContext;

/// Decides, and gives names that nobody else has: a keyed hash of a number that counts up, with keys of this process alone.
#[derive(Debug)]
pub(crate) struct Sampler {
    keys: [RandomState; 2],
    count: AtomicU64,
    /// A random number up to this one is a yes; `None` asks for none.
    most: Option<u64>,
}

impl Sampler {
    /// For this share of the publishes that say nothing of a trace, from 0 to 1.
    pub(crate) fn new(ratio: f64) -> Self {
        // A number that is none counts as 0, and the cast stays within its type.
        let most = (ratio > 0.0).then(|| (ratio.min(1.0) * u64::MAX as f64) as u64);
        Self { keys: [RandomState::new(), RandomState::new()], count: AtomicU64::new(0), most }
    }

    /// The context of a publish that is recorded.
    pub(crate) fn begin(&self, parent: Option<&TraceContext>) -> Option<TraceContext> {
        let (trace_id, state) = match parent {
            Some(parent) if parent.is_sampled() => (parent.trace_id, parent.state.clone()),
            Some(_) => return None,
            None => {
                let most = self.most?;
                let [head, tail] = self.random();
                if head > most {
                    return None;
                }
                let [other, _] = self.random();
                (joined(other, tail), None)
            }
        };
        Some(TraceContext { trace_id, span_id: self.span_id(), flags: 1, state, is_recorded: true })
    }

    /// The name of another span.
    pub(crate) fn span_id(&self) -> [u8; 8] {
        let [number, _] = self.random();
        // All zeros is no name.
        number.max(1).to_be_bytes()
    }

    fn random(&self) -> [u64; 2] {
        let number = self.count.fetch_add(1, Relaxed);
        [self.keys[0].hash_one(number), self.keys[1].hash_one(number)]
    }
}

fn joined(head: u64, tail: u64) -> [u8; 16] {
    (u128::from(head) << 64 | u128::from(tail)).max(1).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn parent(text: &str) -> TraceContext {
        text.parse().expect("it is one")
    }

    #[test]
    fn what_a_publisher_says_is_followed() {
        for ratio in [0.0, 1.0] {
            let sampler = Sampler::new(ratio);
            let yes = parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").with_state("a=1");
            let mine = sampler.begin(Some(&yes)).expect("it is sampled");
            assert_eq!((mine.trace_id, mine.state.as_deref()), (yes.trace_id, Some("a=1")));
            assert!(mine.span_id != yes.span_id && mine.is_sampled() && mine.is_recorded);
            let no = parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
            assert_eq!(sampler.begin(Some(&no)), None);
        }
    }

    #[test]
    fn of_the_others_there_is_the_share_that_was_asked_for() {
        let of = |ratio: f64| {
            let sampler = Sampler::new(ratio);
            (0..10_000).filter_map(|_| sampler.begin(None)).collect::<Vec<_>>()
        };
        for none in [0.0, -1.0, f64::NAN] {
            assert!(of(none).is_empty(), "{none}");
        }
        let all = of(1.0);
        assert_eq!(all.len(), 10_000);
        assert_eq!(all.iter().map(|one| (one.trace_id, one.span_id)).collect::<HashSet<_>>().len(), 10_000);
        // Five standard deviations around the mean: wrong once in millions of runs.
        let some = of(0.1).len();
        assert!((850..=1_150).contains(&some), "{some}");
    }
}
