//! When a token that was accepted is looked at again though nothing has changed. Never by whom.

use std::time::Duration;

use streamfence_auth::Grant;
use tokio::time::Instant;

/// When a grant is to be confirmed, and until when it stands without that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recheck {
    /// How long it stood from the beginning.
    time: Duration,
    next: Instant,
    until: Instant,
}

/// How many times its time a grant stands that nobody has confirmed or denied.
const PATIENCE: u32 = 3;
/// By which part of its time at most it is looked at sooner, so that those of a crowd are not all at once.
const SPREAD: u32 = 4;
/// After which part of its time it is asked about again where nobody could say.
const NEXT_TRY: u32 = 4;

impl Recheck {
    /// Of what was granted now, if its validator wants to be asked again. Each `turn` has another moment, and those of a row
    /// of turns lie as far apart as they can.
    pub(super) fn of(grant: &Grant, turn: u32, now: Instant) -> Option<Self> {
        let time = grant.ask_again?;
        // By the golden ratio, whose multiples fill a circle evenly.
        let part = f64::from(turn.wrapping_mul(0x9E37_79B9)) / f64::from(u32::MAX);
        let next = now.checked_add(time - (time / SPREAD).mul_f64(part))?;
        let until = time.checked_mul(PATIENCE).and_then(|time| now.checked_add(time))?;
        Some(Self { time, next, until })
    }

    pub(super) fn is_due(self, now: Instant) -> bool {
        now >= self.next
    }

    /// Nobody could say: when it is tried again. `None` where the grant stands no longer.
    pub(super) fn put_off(self, now: Instant) -> Option<Self> {
        let next = (now + self.time / NEXT_TRY).min(self.until);
        (now < self.until).then_some(Self { next, ..self })
    }
}

#[cfg(test)]
mod tests {
    use streamfence_auth::Access;

    use super::*;

    const TIME: Duration = Duration::from_secs(40);

    fn grant(ask_again: Option<Duration>) -> Grant {
        Grant { principal: "ann".into(), expires: None, ask_again, access: Access::Ask }
    }

    #[test]
    fn those_of_a_crowd_are_spread_over_the_last_quarter_of_their_time() {
        let now = Instant::now();
        let mut after: Vec<_> = (0..1000)
            .map(|turn| Recheck::of(&grant(Some(TIME)), turn, now).expect("it has a time").next - now)
            .collect();
        after.sort_unstable();
        assert!(after[0] >= Duration::from_secs(30) && after[999] <= TIME, "{after:?}");
        let far = after.windows(2).map(|two| two[1] - two[0]).max().expect("there are some");
        assert!(far < Duration::from_millis(100), "{far:?}");
    }

    #[test]
    fn where_nobody_can_say_it_is_tried_sooner_until_three_times_its_time_is_over() {
        let now = Instant::now();
        let mut recheck = Recheck::of(&grant(Some(TIME)), 0, now).expect("it has a time");
        let mut tries = Vec::new();
        loop {
            assert!(!recheck.is_due(recheck.next - Duration::from_millis(1)) && recheck.is_due(recheck.next));
            tries.push((recheck.next - now).as_secs());
            match recheck.put_off(recheck.next) {
                Some(later) => recheck = later,
                None => break,
            }
        }
        assert_eq!(tries, [40, 50, 60, 70, 80, 90, 100, 110, 120]);
    }

    #[test]
    fn without_a_time_or_with_one_beyond_all_time_it_is_not() {
        for time in [None, Some(Duration::MAX)] {
            assert!(Recheck::of(&grant(time), 7, Instant::now()).is_none());
        }
    }
}
