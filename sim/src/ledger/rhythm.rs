//! When a client heard the last value of each key, where it is to hear no more than so many.

use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Rhythm {
    /// By key; `None` where the next value may come at once.
    heard: Vec<Option<Duration>>,
}

impl Rhythm {
    pub(crate) fn new(keys: usize) -> Self {
        Self { heard: vec![None; keys] }
    }

    /// Goes on with another interval, counted from when the values were heard. Without one nothing was counted, and a
    /// key whose interval is over stays free.
    pub(crate) fn reload(&mut self, old: Option<Duration>, now: Duration) {
        for heard in &mut self.heard {
            *heard = heard.filter(|&at| old.is_some_and(|interval| at + interval > now));
        }
    }

    pub(crate) fn hear(&mut self, key: usize, interval: Duration, now: Duration) {
        if let Some(last) = self.heard[key] {
            assert!(
                now >= last + interval,
                "frequency: a value {:?} after the one before, not {interval:?}",
                now - last
            );
        }
        self.heard[key] = Some(now);
    }

    /// When the next value of a key may come.
    pub(crate) fn next(&self, key: usize, interval: Duration) -> Option<Duration> {
        self.heard[key].map(|at| at + interval)
    }
}
