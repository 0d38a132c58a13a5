//! Acknowledgements that wait for their time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// As many may wait; then nothing more is read. A server has no more than its `maxInFlight` open for one topic.
const MOST: usize = 65_536;

/// Acknowledgements that wait, all for the same time, so that they are due in the order they came.
#[derive(Debug)]
pub(crate) struct Acks {
    delay: Duration,
    /// Due, topic and id of the message.
    waiting: VecDeque<(Instant, String, String)>,
}

impl Acks {
    pub(crate) fn new(delay: Duration) -> Self {
        Self { delay, waiting: VecDeque::new() }
    }

    pub(crate) fn add(&mut self, now: Instant, topic: &str, id: &str) {
        self.waiting.push_back((now + self.delay, topic.to_owned(), id.to_owned()));
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.front().map(|(due, ..)| *due)
    }

    /// Those whose time has come, topic and id.
    pub(crate) fn due(&mut self, now: Instant) -> impl Iterator<Item = (String, String)> {
        let count = self.waiting.iter().take_while(|(due, ..)| *due <= now).count();
        self.waiting.drain(..count).map(|(_, topic, id)| (topic, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_are_due_after_their_delay_in_order() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut acks = Acks::new(Duration::from_millis(100));
        acks.add(after(0), "a", "1");
        acks.add(after(50), "b", "2");
        assert_eq!(acks.next_due(), Some(after(100)));
        assert_eq!(acks.due(after(99)).count(), 0);
        assert_eq!(acks.due(after(149)).collect::<Vec<_>>(), [("a".to_owned(), "1".to_owned())]);
        assert_eq!(acks.due(after(150)).collect::<Vec<_>>(), [("b".to_owned(), "2".to_owned())]);
        assert!(acks.is_empty() && acks.next_due().is_none());
    }

    #[test]
    fn they_are_no_more_than_there_is_room_for() {
        let mut acks = Acks::new(Duration::from_secs(1));
        (0..MOST).for_each(|_| acks.add(Instant::now(), "a", "1"));
        assert!(acks.is_full());
    }
}
