//! How many wrong tokens came from where. Never what was wrong with them.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use streamfence_auth::{AcceptedTokens, AddressKey, FailureLimit, FailureLimiter, Token};
use tokio::time::Instant;

/// The wrong tokens that came to an adapter, by address. It takes no memory before the first of them.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    limiter: Option<Box<FailureLimiter>>,
    /// The tokens that were good of late.
    accepted: Option<AcceptedTokens>,
    alarm: Alarm,
    /// Whether it was said that some addresses are not known.
    is_said: bool,
}

impl Failures {
    /// Whether nobody looks at tokens from there now.
    pub(super) fn are_too_many(&self, address: IpAddr) -> bool {
        let state = self.lock();
        let refused = |limiter: &FailureLimiter| limiter.refused_for(AddressKey::from(address), now()).is_some();
        state.limiter.as_deref().is_some_and(refused)
    }

    /// Whether a token was good of late: then it is looked at, wherever it comes from.
    pub(super) fn knows(&self, token: &Token) -> bool {
        self.lock().accepted.as_ref().is_some_and(|accepted| accepted.knows(token))
    }

    /// Remembers a token that is good.
    pub(super) fn pardon(&self, token: &Token) {
        self.lock().accepted.get_or_insert_default().note(token);
    }

    /// Forgets a token that is good no more.
    pub(super) fn forget(&self, token: &Token) {
        if let Some(accepted) = &mut self.lock().accepted {
            accepted.forget(token);
        }
    }

    /// Counts a wrong token, where there is a limit; with none whoever was refused before may try again, too. Says how
    /// many there were in this minute from everywhere, when that is what somebody wants to hear of.
    pub(super) fn count(
        &self,
        address: Option<IpAddr>,
        limit: Option<FailureLimit>,
        alarm: Option<NonZeroU32>,
    ) -> Option<u32> {
        let mut state = self.lock();
        state.count_for(address, limit);
        state.alarm.count(alarm, now())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count_for(&mut self, address: Option<IpAddr>, limit: Option<FailureLimit>) {
        let Some(limit) = limit else {
            self.limiter = None;
            return;
        };
        let Some(address) = address else {
            if !std::mem::replace(&mut self.is_said, true) {
                let what = "wrong tokens are not limited where the address of a client is not known";
                tracing::warn!(code = "auth_failures_unlimited", "{what}");
            }
            return;
        };
        let limiter = self.limiter.get_or_insert_with(|| Box::new(FailureLimiter::new(limit, now())));
        limiter.set_limit(limit);
        limiter.fail(AddressKey::from(address), now());
    }
}

/// The wrong tokens of the last minute, wherever they came from.
#[derive(Debug, Default)]
struct Alarm {
    /// When the newest of the slots began.
    since: Option<std::time::Instant>,
    /// How many there were in each slot, the newest first.
    slots: [u32; SLOTS],
    raised: Option<std::time::Instant>,
}

impl Alarm {
    /// Counts one. Says how many there are when they are as many as that, or more, once in a minute.
    fn count(&mut self, most: Option<NonZeroU32>, now: std::time::Instant) -> Option<u32> {
        self.move_on(now);
        self.slots[0] = self.slots[0].saturating_add(1);
        let failures = self.slots.iter().fold(0, |sum: u32, slot| sum.saturating_add(*slot));
        let was_raised = self.raised.is_some_and(|raised| now.saturating_duration_since(raised) < MINUTE);
        if was_raised || most.is_none_or(|most| failures < most.get()) {
            return None;
        }
        self.raised = Some(now);
        Some(failures)
    }

    /// Forgets what is older than a minute.
    fn move_on(&mut self, now: std::time::Instant) {
        let since = *self.since.get_or_insert(now);
        let passed = (now.saturating_duration_since(since).as_secs() / SLOT.as_secs()).min(u64::from(u32::MAX)) as u32;
        let over = (passed as usize).min(SLOTS);
        self.slots.rotate_right(over % SLOTS);
        self.slots[..over].fill(0);
        self.since = Some(since + SLOT * passed);
    }
}

const SLOTS: usize = 12;
const SLOT: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_raised_once_in_a_minute_by_as_many_as_that_in_any_minute() {
        let (mut alarm, most, start) = (Alarm::default(), NonZeroU32::new(3), now());
        let mut count = |after: u64, most| alarm.count(most, start + Duration::from_secs(after));
        assert_eq!([0, 1, 54, 59].map(|after| count(after, most)), [None, None, Some(3), None]);
        assert_eq!([150, 209, 211].map(|after| count(after, most)), [None; 3], "the first is more than a minute ago");
        assert_eq!(count(212, most), Some(3), "it does not matter when a minute begins");
        assert_eq!([400, 400, 400, 400].map(|after| count(after, None)), [None; 4]);
        assert_eq!(count(401, NonZeroU32::new(2)), Some(5), "what is wanted may have become less");
    }
}
