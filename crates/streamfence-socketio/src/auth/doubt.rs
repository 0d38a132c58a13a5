//! When a subscription is asked about again of which nobody could say whether it may go on. Never by whom.

use std::time::Duration;

use streamfence_core::TopicId;
use tokio::time::Instant;

/// By which part of its time a subscription is asked about again first, and at most; each time it waits twice as long.
const FIRST_TRY: u32 = 64;
const LONGEST_PAUSE: u32 = 4;
/// For how many times its time it stands from the first question that was not answered. It was granted one time before that
/// at most, so it stands for three, as a token does.
const PATIENCE: u32 = 2;

/// The subscriptions of one client that are in doubt. As few as there are subscriptions.
#[derive(Debug, Default)]
pub(super) struct Doubts(Vec<Doubt>);

#[derive(Clone, Copy, Debug)]
struct Doubt {
    topic: TopicId,
    pause: Duration,
    next: Instant,
    until: Instant,
    is_being_asked: bool,
}

impl Doubts {
    /// Nobody could say of this one, which is asked about once in a `time`. `false` where it stands no longer.
    pub(super) fn add(&mut self, topic: TopicId, time: Duration, now: Instant) -> bool {
        let longest = time / LONGEST_PAUSE;
        match self.0.iter_mut().find(|doubt| doubt.topic == topic) {
            Some(doubt) => {
                doubt.pause = (doubt.pause * 2).min(longest);
                doubt.next = (now + doubt.pause).min(doubt.until);
                doubt.is_being_asked = false;
                now < doubt.until
            }
            None => {
                let pause = time / FIRST_TRY;
                // What lies beyond all time needs no second question.
                let Some(until) = time.checked_mul(PATIENCE).and_then(|time| now.checked_add(time)) else {
                    return true;
                };
                self.0.push(Doubt { topic, pause, next: now + pause, until, is_being_asked: false });
                true
            }
        }
    }

    /// It is in doubt no more, whatever was said, or it is over.
    pub(super) fn remove(&mut self, topic: TopicId) {
        self.0.retain(|doubt| doubt.topic != topic);
    }

    /// Those to ask about now, each once until it is answered.
    pub(super) fn due(&mut self, now: Instant) -> Vec<TopicId> {
        let due = self.0.iter_mut().filter(|doubt| doubt.next <= now && !doubt.is_being_asked);
        due.map(|doubt| {
            doubt.is_being_asked = true;
            doubt.topic
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(64);
    const TOPIC: TopicId = TopicId { index: 1, generation: 0 };

    #[test]
    fn it_is_asked_about_soon_then_more_seldom_and_stands_for_two_times_its_time() {
        let began = Instant::now();
        let (mut doubts, mut now, mut tries) = (Doubts::default(), began, Vec::new());
        while doubts.add(TOPIC, TIME, now) {
            assert_eq!(doubts.0.len(), 1);
            assert_eq!(doubts.due(doubts.0[0].next - Duration::from_millis(1)), []);
            now = doubts.0[0].next;
            assert_eq!((doubts.due(now), doubts.due(now)), (vec![TOPIC], vec![]), "once until it is answered");
            tries.push((now - began).as_secs());
        }
        assert_eq!(tries, [1, 3, 7, 15, 31, 47, 63, 79, 95, 111, 127, 128]);
    }

    #[test]
    fn one_that_is_answered_or_over_is_forgotten_and_one_without_end_is_none() {
        let (mut doubts, now) = (Doubts::default(), Instant::now());
        assert!(doubts.add(TOPIC, Duration::MAX, now) && doubts.0.is_empty());
        assert!(doubts.add(TOPIC, TIME, now));
        doubts.remove(TOPIC);
        assert_eq!(doubts.due(now + TIME), []);
    }
}
