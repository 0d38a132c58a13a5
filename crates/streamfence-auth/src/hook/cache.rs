//! Answers that hold a little longer.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::validator::AuthDecision;

/// What was asked, as a digest.
pub(super) type Key = [u8; 32];

/// Decisions and until when they hold, 8,192 at most: when the younger half is full it becomes the older half, which is
/// forgotten. Time is told and never asked for.
pub(super) struct Cache {
    /// How long a yes holds; a no holds for a fifth of it.
    time: Duration,
    halves: Mutex<Halves>,
}

#[derive(Default)]
struct Halves {
    younger: HashMap<Key, Kept>,
    older: HashMap<Key, Kept>,
}

struct Kept {
    decision: AuthDecision,
    until: Instant,
}

/// How many answers each half holds.
const HALF: usize = 4096;
/// How many times longer a yes holds than a no: who was just let in should not wait.
const NO_HOLDS: u32 = 5;

impl Cache {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, halves: Mutex::default() }
    }

    /// What was answered, if it still holds.
    pub(super) fn find(&self, key: &Key, now: Instant) -> Option<AuthDecision> {
        let halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = halves.younger.get(key).or_else(|| halves.older.get(key)).filter(|kept| kept.until > now)?;
        match &kept.decision {
            // What it grants may end before the answer does.
            AuthDecision::Accept(grant) if grant.expires.is_some_and(|end| end <= SystemTime::now()) => None,
            decision => Some(decision.clone()),
        }
    }

    /// Keeps an answer, unless it is none.
    pub(super) fn keep(&self, key: Key, decision: &AuthDecision, now: Instant) {
        let time = match decision {
            AuthDecision::Accept(_) => self.time,
            AuthDecision::Reject(_) => self.time / NO_HOLDS,
            AuthDecision::Unavailable(_) => return,
        };
        let Some(until) = now.checked_add(time).filter(|until| *until > now) else { return };
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.younger.len() >= HALF && !halves.younger.contains_key(&key) {
            halves.older = mem::take(&mut halves.younger);
        }
        halves.older.remove(&key);
        halves.younger.insert(key, Kept { decision: decision.clone(), until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validator::{Access, Grant};

    const SECOND: Duration = Duration::from_secs(1);

    fn key(number: u32) -> Key {
        let mut key = Key::default();
        key[..4].copy_from_slice(&number.to_le_bytes());
        key
    }

    #[test]
    fn a_yes_holds_for_its_time_and_a_no_for_a_fifth_of_it() {
        let (cache, now) = (Cache::new(SECOND * 5), Instant::now());
        cache.keep(key(1), &AuthDecision::accept("a"), now);
        cache.keep(key(2), &AuthDecision::reject("no"), now);
        cache.keep(key(3), &AuthDecision::unavailable("down"), now);
        let held = |after| [1, 2, 3].map(|number| cache.find(&key(number), now + after).is_some());
        assert_eq!(held(Duration::ZERO), [true, true, false]);
        assert_eq!(held(SECOND), [true, false, false]);
        assert_eq!(held(SECOND * 5), [false, false, false]);
    }

    #[test]
    fn what_was_said_last_holds() {
        let (cache, now) = (Cache::new(SECOND * 5), Instant::now());
        cache.keep(key(1), &AuthDecision::accept("a"), now);
        cache.keep(key(1), &AuthDecision::reject("no"), now);
        assert!(matches!(cache.find(&key(1), now), Some(AuthDecision::Reject(_))));
    }

    #[test]
    fn without_a_time_nothing_is_kept() {
        let (cache, now) = (Cache::new(Duration::ZERO), Instant::now());
        cache.keep(key(1), &AuthDecision::accept("a"), now);
        assert!(cache.find(&key(1), now).is_none());
        assert!(cache.halves.lock().expect("nobody failed").younger.is_empty());
    }

    #[test]
    fn an_answer_does_not_outlive_what_it_grants() {
        let (cache, now) = (Cache::new(SECOND * 5), Instant::now());
        let grant = Grant {
            principal: "a".into(),
            expires: Some(SystemTime::UNIX_EPOCH),
            ask_again: None,
            access: Access::Ask,
        };
        cache.keep(key(1), &AuthDecision::Accept(grant), now);
        assert!(cache.find(&key(1), now).is_none());
    }

    #[test]
    fn it_holds_the_last_answers_and_never_more_than_8192() {
        let (cache, now) = (Cache::new(SECOND), Instant::now());
        for number in 0..100_000 {
            cache.keep(key(number), &AuthDecision::accept("a"), now);
            assert!(cache.find(&key(number.saturating_sub(4000)), now).is_some());
        }
        let halves = cache.halves.lock().expect("nobody failed");
        assert!(halves.younger.len() <= HALF && halves.older.len() <= HALF);
    }
}
