//! What is counted while it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// What is counted while it runs, by all clients and publishers.
#[derive(Default)]
pub(super) struct Counts {
    /// Those that read as fast as they can.
    pub(super) quick: Group,
    pub(super) slow: Group,
    published: AtomicU64,
    /// How many requests that took.
    requests: AtomicU64,
    /// The sums of what the reports say: `matched`, `admitted` and so on.
    reports: Mutex<BTreeMap<String, u64>>,
}

/// Clients of one kind.
pub(super) struct Group {
    received: AtomicU64,
    /// Clients whose connection ended before the end.
    lost: AtomicU64,
    /// In microseconds, from just before the request to publish to the read.
    latency: Mutex<Histogram<u64>>,
}

impl Default for Group {
    fn default() -> Self {
        let longest_us = 3_600_000_000;
        let mut latency = Histogram::new_with_max(longest_us, 3).expect("an hour has three digits");
        latency.auto(true);
        Self { received: AtomicU64::default(), lost: AtomicU64::default(), latency: Mutex::new(latency) }
    }
}

impl Counts {
    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Counts a request to publish one or more.
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn lost(&self) -> u64 {
        self.quick.lost.load(Ordering::Relaxed) + self.slow.lost.load(Ordering::Relaxed)
    }

    /// Counts what became of a message.
    pub(super) fn report(&self, report: &Value) {
        self.published.fetch_add(1, Ordering::Relaxed);
        let mut sums = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, count) in report.as_object().into_iter().flatten() {
            match (count.as_u64(), sums.get_mut(name)) {
                (Some(count), Some(sum)) => *sum += count,
                (Some(count), None) => drop(sums.insert(name.clone(), count)),
                (None, _) => {}
            }
        }
    }

    pub(super) fn reported(&self, name: &str) -> u64 {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or_default()
    }

    /// All of what the reports said.
    pub(super) fn reports(&self) -> BTreeMap<String, u64> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Group {
    pub(super) fn hear(&self, latency_us: u64) {
        self.received.fetch_add(1, Ordering::Relaxed);
        // It grows with what it is told, and what is out of all bounds is none of ours.
        let _ = self.latency.lock().unwrap_or_else(PoisonError::into_inner).record(latency_us);
    }

    pub(super) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How late messages were so far.
    pub(super) fn latency(&self) -> Latency {
        let latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        let ms = |us: u64| us as f64 / 1_000.0;
        let at = |share| ms(latency.value_at_quantile(share));
        Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999), longest: ms(latency.max()) }
    }

    pub(super) fn json(&self, clients: u32, seconds: f64) -> Value {
        let Latency { p50, p99, p999, longest } = self.latency();
        let received = self.received();
        json!({
            "clients": clients,
            "lost": self.lost.load(Ordering::Relaxed),
            "received": received,
            "receivedPerSecond": received as f64 / seconds,
            // Nobody was late where nobody heard anything.
            "latencyMs": (received > 0).then(|| json!({ "p50": p50, "p99": p99, "p999": p999, "max": longest })),
        })
    }
}

/// How late messages were, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) longest: f64,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p99, p999, longest } = self;
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms, at most {longest:.2} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_said() {
        let counts = Counts::default();
        counts.report(&json!({"id": "a:1", "matched": 3, "displaced": 1}));
        counts.report(&json!({"id": "a:2", "matched": 2}));
        assert_eq!((counts.published(), counts.reported("matched"), counts.reported("displaced")), (2, 5, 1));
        (1..=1_000).for_each(|ms| counts.quick.hear(ms * 1_000));
        let said = counts.quick.json(7, 10.0);
        assert_eq!(
            (&said["clients"], &said["received"], &said["receivedPerSecond"]),
            (&json!(7), &json!(1_000), &json!(100.0))
        );
        for (name, wanted) in [("p50", 500.0), ("p99", 990.0), ("p999", 999.0), ("max", 1_000.0)] {
            let found = said["latencyMs"][name].as_f64().expect("it is a number");
            assert!((found - wanted).abs() <= wanted / 500.0, "{name}: {found}");
        }
        assert_eq!(counts.slow.json(0, 10.0)["latencyMs"], Value::Null);
    }
}
