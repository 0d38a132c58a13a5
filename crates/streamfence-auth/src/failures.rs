//! How many wrong tokens an address may offer.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::address::AddressKey;

/// How many wrong tokens are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    /// How many an address may offer within a window before its next ones are refused unchecked; at least 1.
    pub max: u32,
    /// How long a window is, which is also how long an address is refused the first time.
    pub window: Duration,
}

impl Default for FailureLimit {
    /// 20 in a minute.
    fn default() -> Self {
        Self { max: 20, window: Duration::from_secs(60) }
    }
}

/// Counts wrong tokens by address and refuses addresses that offered too many: for one window, then for twice as long
/// with each time again, up to 15 minutes. An address that stays away for those 15 minutes begins anew.
///
/// It takes 2 MiB and never more: 65,536 addresses are remembered, and where there are more, those give way that would
/// be forgotten first. Time is told and never asked for.
///
/// ```
/// use std::time::{Duration, Instant};
/// use streamfence_auth::{AddressKey, FailureLimit, FailureLimiter};
///
/// let now = Instant::now();
/// let mut limiter = FailureLimiter::new(FailureLimit { max: 2, window: Duration::from_secs(60) }, now);
/// let address = AddressKey::from(std::net::IpAddr::from([192, 0, 2, 1]));
/// assert!(!limiter.fail(address, now));
/// assert!(limiter.fail(address, now), "the second was one too many");
/// assert_eq!(limiter.refused_for(address, now), Some(Duration::from_secs(60)));
/// assert_eq!(limiter.refused_for(address, now + Duration::from_secs(60)), None);
/// ```
pub struct FailureLimiter<S = RandomState> {
    limit: FailureLimit,
    /// What the times of entries count from.
    origin: Instant,
    /// Unknown to everybody, so that nobody can choose addresses that push out one another's neighbours.
    hasher: S,
    /// Sets of [`WAYS`] entries, one after the other.
    entries: Box<[Entry]>,
}

/// How many addresses one set holds.
const WAYS: usize = 8;
/// How many addresses are remembered in all.
const ENTRIES: usize = 65_536;
/// The longest an address is refused, unless a window is longer; and how long it must stay away to be forgotten.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// What is known of an address.
///
/// ```text
/// empty ──fail──► counting ──max within a window──► refused ──time──► watched ──fail──► counting, and so on;
///                    └────────window over────────► empty                 └──15 minutes──► empty
/// ```
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The hash of the address; with 64 bits two of them are as good as never the same.
    tag: u64,
    /// The millisecond its window or its refusal ends.
    ends: u64,
    /// The millisecond from which on it is as if it had never been; 0 where nothing was.
    forgotten: u64,
    failures: u32,
    /// How often it has been refused.
    strikes: u16,
    is_refused: bool,
}

impl FailureLimiter {
    /// A limiter that has seen nothing yet.
    #[must_use]
    pub fn new(limit: FailureLimit, now: Instant) -> Self {
        Self::with_hasher(limit, now, RandomState::new())
    }
}

impl<S: BuildHasher> FailureLimiter<S> {
    /// The same with a way of hashing that the caller chooses, for a simulation that is to go the same way twice.
    #[must_use]
    pub fn with_hasher(limit: FailureLimit, now: Instant, hasher: S) -> Self {
        Self { limit, origin: now, hasher, entries: vec![Entry::default(); ENTRIES].into() }
    }

    /// Holds addresses to another limit from now on; those that are refused stay so for as long as they were told.
    pub fn set_limit(&mut self, limit: FailureLimit) {
        self.limit = limit;
    }

    /// How much longer tokens of this address are refused unchecked; `None` where they are checked.
    #[must_use]
    pub fn refused_for(&self, address: AddressKey, now: Instant) -> Option<Duration> {
        let (tag, set) = self.place(address);
        let now = self.millis(now);
        let entry = self.entries[set].iter().find(|entry| entry.tag == tag && entry.forgotten > now)?;
        (entry.is_refused && entry.ends > now).then(|| Duration::from_millis(entry.ends - now))
    }

    /// Counts a wrong token of this address. Says whether that was one too many, so that the next ones are refused.
    pub fn fail(&mut self, address: AddressKey, now: Instant) -> bool {
        let (tag, set) = self.place(address);
        let (now, window) = (self.millis(now), whole_millis(self.limit.window));
        let set = &mut self.entries[set];
        let known = set.iter().position(|entry| entry.tag == tag && entry.forgotten > now);
        let index = known.unwrap_or_else(|| next_to_go(set, now));
        let entry = &mut set[index];
        if known.is_none() {
            *entry = Entry { tag, ..Entry::default() };
        }
        if entry.is_refused && entry.ends > now {
            // Checked before it was refused: it makes nothing worse.
            return true;
        }
        if entry.is_refused || entry.ends <= now {
            entry.is_refused = false;
            entry.failures = 0;
            entry.ends = now + window;
        }
        entry.failures += 1;
        if entry.failures >= self.limit.max.max(1) {
            let longest = whole_millis(LONGEST).max(window);
            let length = window.saturating_mul(1 << entry.strikes.min(32)).min(longest);
            entry.strikes = entry.strikes.saturating_add(1);
            entry.is_refused = true;
            entry.ends = now + length;
        }
        let watched = if entry.strikes > 0 { whole_millis(LONGEST) } else { 0 };
        entry.forgotten = entry.ends + watched;
        entry.is_refused
    }

    fn place(&self, address: AddressKey) -> (u64, std::ops::Range<usize>) {
        let tag = self.hasher.hash_one(address);
        let set = (tag as usize % (ENTRIES / WAYS)) * WAYS;
        (tag, set..set + WAYS)
    }

    fn millis(&self, now: Instant) -> u64 {
        // From 1 on, so that an entry that ends at 0 has ended.
        1 + whole_millis(now.saturating_duration_since(self.origin))
    }
}

impl<S> fmt::Debug for FailureLimiter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureLimiter").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The entry whose loss matters least: one of no use any more, then one that only counts, then one that ends soonest.
fn next_to_go(set: &[Entry], now: u64) -> usize {
    let worth = |entry: &Entry| match entry {
        Entry { forgotten, .. } if *forgotten <= now => (0, 0),
        Entry { strikes: 0, forgotten, .. } => (1, *forgotten),
        Entry { forgotten, .. } => (2, *forgotten),
    };
    (0..set.len()).min_by_key(|&index| worth(&set[index])).expect("a set has ways")
}

fn whole_millis(time: Duration) -> u64 {
    // 2^62 ms are 146 million years, and sums of a few of them still count in 64 bits.
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(1 << 61)
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, DefaultHasher};
    use std::net::{IpAddr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    /// The same on every run.
    fn limiter(max: u32, window: Duration, now: Instant) -> FailureLimiter<BuildHasherDefault<DefaultHasher>> {
        FailureLimiter::with_hasher(FailureLimit { max, window }, now, BuildHasherDefault::default())
    }

    fn address(number: u32) -> AddressKey {
        IpAddr::V6(Ipv6Addr::from_bits(u128::from(number) << 64)).into()
    }

    #[test]
    fn refusals_grow_to_fifteen_minutes_and_are_forgotten_after_as_many() {
        let mut now = Instant::now();
        let mut limiter = limiter(3, MINUTE, now);
        let mut refusals = Vec::new();
        for _ in 0..7 {
            assert_eq!([(); 3].map(|()| limiter.fail(address(1), now)), [false, false, true]);
            let length = limiter.refused_for(address(1), now).expect("it is refused");
            refusals.push(length.as_secs() / 60);
            assert_eq!(limiter.refused_for(address(1), now + length - SECOND), Some(SECOND));
            now += length;
            assert_eq!(limiter.refused_for(address(1), now), None);
        }
        assert_eq!(refusals, [1, 2, 4, 8, 15, 15, 15]);
        now += LONGEST - SECOND;
        limiter.fail(address(1), now);
        limiter.fail(address(1), now);
        assert!(limiter.fail(address(1), now));
        assert_eq!(limiter.refused_for(address(1), now), Some(LONGEST), "it was watched still");
        now += LONGEST * 2;
        limiter.fail(address(1), now);
        limiter.fail(address(1), now);
        assert!(limiter.fail(address(1), now));
        assert_eq!(limiter.refused_for(address(1), now), Some(MINUTE), "it was forgotten");
    }

    #[test]
    fn failures_of_another_window_or_another_address_do_not_count() {
        let now = Instant::now();
        let mut limiter = limiter(2, MINUTE, now);
        assert!(!limiter.fail(address(1), now));
        assert!(!limiter.fail(address(2), now));
        assert!(!limiter.fail(address(1), now + MINUTE));
        assert!(limiter.fail(address(1), now + MINUTE + SECOND));
        assert_eq!(limiter.refused_for(address(2), now + MINUTE + SECOND), None);
    }

    #[test]
    fn what_was_under_way_when_it_was_refused_makes_nothing_worse() {
        let now = Instant::now();
        let mut limiter = limiter(1, MINUTE, now);
        for _ in 0..50 {
            assert!(limiter.fail(address(1), now));
        }
        assert_eq!(limiter.refused_for(address(1), now), Some(MINUTE));
    }

    #[test]
    fn another_limit_holds_from_the_next_failure_on() {
        let now = Instant::now();
        let mut limiter = limiter(1, MINUTE, now);
        limiter.fail(address(1), now);
        limiter.set_limit(FailureLimit { max: 2, window: SECOND });
        assert_eq!(limiter.refused_for(address(1), now), Some(MINUTE));
        assert!(!limiter.fail(address(2), now));
        assert!(limiter.fail(address(2), now));
        assert_eq!(limiter.refused_for(address(2), now), Some(SECOND));
    }

    #[test]
    fn a_million_addresses_take_no_more_room_and_free_nobody() {
        let now = Instant::now();
        let mut limiter = limiter(2, MINUTE, now);
        let room = size_of_val(&*limiter.entries);
        assert_eq!(room, 2 << 20);
        limiter.fail(address(0), now);
        limiter.fail(address(0), now);
        for number in 1..1_000_000 {
            limiter.fail(address(number), now + SECOND);
        }
        assert_eq!(size_of_val(&*limiter.entries), room);
        assert_eq!(limiter.refused_for(address(0), now + SECOND), Some(MINUTE - SECOND));
    }

    #[test]
    fn times_beyond_all_reason_are_times() {
        let now = Instant::now();
        let mut limiter = limiter(0, Duration::MAX, now);
        for _ in 0..5 {
            assert!(limiter.fail(address(1), now));
        }
        assert!(limiter.refused_for(address(1), now + LONGEST * 1000).is_some());
    }

    proptest! {
        /// Of few addresses, none is ever lost: each is treated as if it were alone, as a list of its failures says.
        #[test]
        fn an_address_is_treated_as_if_it_were_alone(
            max in 1..5_u32,
            steps in prop::collection::vec((0..4_u32, 0..90_u64), 1..200),
        ) {
            let begin = Instant::now();
            let mut many = limiter(max, MINUTE, begin);
            let mut alone: Vec<_> = (0..4).map(|_| limiter(max, MINUTE, begin)).collect();
            // Of each address: the failures of its window, until when it is refused, how often it was, and when the last
            // window or refusal ends.
            let mut books = vec![(Vec::<Instant>::new(), None::<Instant>, 0_u32, begin); 4];
            let mut now = begin;
            for (who, wait) in steps {
                now += SECOND * wait as u32;
                let (failures, refused, strikes, end) = &mut books[who as usize];
                let refusal = many.refused_for(address(who), now);
                prop_assert_eq!(refusal, alone[who as usize].refused_for(address(who), now));
                prop_assert_eq!(refusal, refused.filter(|end| *end > now).map(|end| end - now));
                if refusal.is_some() {
                    continue;
                }
                if *end + LONGEST <= now {
                    *strikes = 0;
                }
                if refused.take().is_some() || failures.first().is_some_and(|first| *first + MINUTE <= now) {
                    failures.clear();
                }
                failures.push(now);
                let is_last = failures.len() >= max as usize;
                if is_last {
                    *refused = Some(now + (MINUTE * 2_u32.pow(*strikes)).min(LONGEST));
                    *strikes += 1;
                }
                *end = refused.unwrap_or(failures[0] + MINUTE);
                prop_assert_eq!(many.fail(address(who), now), is_last);
                alone[who as usize].fail(address(who), now);
            }
        }

        /// However many fail, the table stays as it is, and who has just been refused is refused.
        #[test]
        fn whoever_offers_too_many_is_refused(numbers in prop::collection::vec(any::<u32>(), 1..300)) {
            let now = Instant::now();
            let mut limiter = limiter(1, MINUTE, now);
            for number in numbers {
                prop_assert!(limiter.fail(address(number), now));
                prop_assert!(limiter.refused_for(address(number), now).is_some());
                prop_assert_eq!(limiter.entries.len(), ENTRIES);
            }
        }
    }
}
