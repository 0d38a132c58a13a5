//! What happened, as a number that tells two runs apart, as lines to read, and as totals.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// What all parts of one run write on.
#[derive(Clone, Debug)]
pub(crate) struct Trace(Rc<RefCell<Inner>>);

#[derive(Debug)]
struct Inner {
    hash: u64,
    step: u32,
    lines: VecDeque<String>,
    /// How many lines are kept.
    most: usize,
    facts: Vec<(&'static str, u64)>,
}

impl Trace {
    /// Keeps the last `most` lines, which cost more than the run itself.
    pub(crate) fn new(most: usize) -> Self {
        let lines = VecDeque::new();
        Self(Rc::new(RefCell::new(Inner { hash: 0xcbf2_9ce4_8422_2325, step: 0, lines, most, facts: Vec::new() })))
    }

    pub(crate) fn begin(&self, step: u32) {
        self.0.borrow_mut().step = step;
    }

    pub(crate) fn step(&self) -> u32 {
        self.0.borrow().step
    }

    /// Notes what happened, in numbers and in words.
    pub(crate) fn note(&self, numbers: &[u64], words: impl FnOnce() -> String) {
        let mut inner = self.0.borrow_mut();
        for number in numbers {
            inner.hash = (inner.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
        if inner.most > 0 {
            if inner.lines.len() == inner.most {
                inner.lines.pop_front();
            }
            let line = format!("{:>6}  {}", inner.step, words());
            inner.lines.push_back(line);
        }
    }

    /// Counts something that a run must have seen to mean anything.
    pub(crate) fn count(&self, what: &'static str, times: u64) {
        let facts = &mut self.0.borrow_mut().facts;
        match facts.iter_mut().find(|(name, _)| *name == what) {
            Some((_, count)) => *count += times,
            None => facts.push((what, times)),
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.0.borrow().hash
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.iter().cloned().collect()
    }

    pub(crate) fn facts(&self) -> Vec<(&'static str, u64)> {
        self.0.borrow().facts.clone()
    }
}
