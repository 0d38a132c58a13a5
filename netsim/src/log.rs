//! What happened, line by line: equal runs have equal logs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What all parts of one run write on. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Log(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    now: Duration,
    hash: u64,
    lines: VecDeque<String>,
    /// How many lines are kept.
    most: usize,
    facts: BTreeMap<&'static str, u64>,
    failure: Option<String>,
}

impl Log {
    /// Keeps the last `most` lines.
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            now: Duration::ZERO,
            hash: 0xcbf2_9ce4_8422_2325,
            lines: VecDeque::new(),
            most,
            facts: BTreeMap::new(),
            failure: None,
        })))
    }

    /// What time it is from now on.
    pub(crate) fn set_now(&self, now: Duration) {
        self.inner().now = now;
    }

    /// How long the run has lasted.
    pub(crate) fn now(&self) -> Duration {
        self.inner().now
    }

    /// Notes what somebody does.
    pub(crate) fn say(&self, who: &str, what: &str) {
        let mut inner = self.inner();
        let line = format!("{:>8.3} {who:<10} {what}", inner.now.as_secs_f64());
        for byte in line.bytes() {
            inner.hash = (inner.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if inner.lines.len() == inner.most {
            inner.lines.pop_front();
        }
        if inner.most > 0 {
            inner.lines.push_back(line);
        }
    }

    /// Counts something that a run must have seen to mean anything.
    pub(crate) fn count(&self, what: &'static str, times: u64) {
        *self.inner().facts.entry(what).or_default() += times;
    }

    /// Says what may not be, and is. The first such word is the failure of the run.
    pub(crate) fn fail(&self, what: String) {
        self.inner().failure.get_or_insert(what);
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.inner().failure.clone()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.inner().hash
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.inner().lines.iter().cloned().collect()
    }

    pub(crate) fn facts(&self) -> BTreeMap<&'static str, u64> {
        self.inner().facts.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
