//! Whose turn it is, among those that have something to say.
//!
//! Never who they are: a link keeps sessions in it, a session lanes.

use std::collections::VecDeque;

/// A queue that holds one entry at most most of the time, and that one without memory of its own: nearly every link has
/// one session, and nearly every session one lane with something to send.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    first: Option<T>,
    /// What comes behind the first; empty without one. Kept once it was needed.
    #[expect(clippy::box_collection, reason = "most have no second, and there are very many")]
    rest: Option<Box<VecDeque<T>>>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { first: None, rest: None }
    }
}

impl<T: Copy + PartialEq> Turns<T> {
    /// Who is next.
    #[inline]
    pub(crate) fn front(&self) -> Option<T> {
        self.first
    }

    /// Takes out who is next.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let next = self.rest.as_mut().and_then(|rest| rest.pop_front());
        std::mem::replace(&mut self.first, next)
    }

    /// Queues up behind all others.
    #[inline]
    pub(crate) fn push_back(&mut self, entry: T) {
        if self.first.is_none() {
            self.first = Some(entry);
        } else {
            self.rest.get_or_insert_default().push_back(entry);
        }
    }

    /// Queues up before all others.
    pub(crate) fn push_front(&mut self, entry: T) {
        if let Some(first) = self.first.replace(entry) {
            self.rest.get_or_insert_default().push_front(first);
        }
    }

    /// Whether it stands in the queue. A walk, over a handful.
    #[inline]
    pub(crate) fn contains(&self, entry: T) -> bool {
        self.first == Some(entry) || self.rest.as_ref().is_some_and(|rest| rest.contains(&entry))
    }

    /// Takes an entry out, wherever it stands.
    pub(crate) fn remove(&mut self, entry: T) {
        if let Some(rest) = &mut self.rest {
            rest.retain(|other| *other != entry);
        }
        if self.first == Some(entry) {
            self.pop_front();
        }
    }

    /// Whether nobody waits for a turn.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_queue(steps in proptest::collection::vec((0..6, 0..4_u32), 0..64)) {
            let (mut turns, mut model) = (Turns::default(), VecDeque::new());
            for (step, entry) in steps {
                match step {
                    0 | 1 => {
                        turns.push_back(entry);
                        model.push_back(entry);
                    }
                    2 => {
                        turns.push_front(entry);
                        model.push_front(entry);
                    }
                    3 => prop_assert_eq!(turns.pop_front(), model.pop_front()),
                    4 => {
                        turns.remove(entry);
                        model.retain(|other| *other != entry);
                    }
                    _ => prop_assert_eq!(turns.contains(entry), model.contains(&entry)),
                }
                prop_assert_eq!((turns.front(), turns.is_empty()), (model.front().copied(), model.is_empty()));
            }
            let left: Vec<_> = std::iter::from_fn(|| turns.pop_front()).collect();
            prop_assert_eq!(left, Vec::from(model));
        }
    }

    #[test]
    fn one_that_waits_alone_needs_no_memory() {
        let counted = allocation_counter::measure(|| {
            let mut turns = Turns::default();
            for entry in 0..9_u32 {
                turns.push_back(entry);
                assert_eq!(turns.pop_front(), Some(entry));
            }
            turns.push_back(9);
            turns.clear();
            assert!(turns.is_empty());
        });
        assert_eq!(counted.count_total, 0);
    }
}
