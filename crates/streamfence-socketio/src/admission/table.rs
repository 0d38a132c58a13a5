//! A bucket for each address, in memory that does not grow.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use streamfence_auth::AddressKey;

use super::rate::{Bucket, Rate};

/// The buckets of as many addresses as there are slots. An address has a few slots it may be in; where others have all
/// of them, the one that has the least to pay for is forgotten, which is most often one that has paid.
#[derive(Debug)]
pub(super) struct AddressBuckets {
    /// Keyed at random, so that nobody can choose addresses that share their slots.
    hasher: RandomState,
    slots: Mutex<Box<[Slot]>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    address: Option<AddressKey>,
    bucket: Bucket,
}

impl Default for AddressBuckets {
    fn default() -> Self {
        Self { hasher: RandomState::new(), slots: Mutex::new(vec![Slot::default(); SLOTS].into()) }
    }
}

impl AddressBuckets {
    /// Takes one from the bucket of an address, or says how long it takes until there is one.
    pub(super) fn take(&self, address: AddressKey, rate: &Rate, now: u64) -> Result<(), Duration> {
        let start = self.hasher.hash_one(address) as usize % (SLOTS / WAYS) * WAYS;
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let ways = &mut slots[start..start + WAYS];
        let at = match ways.iter().position(|slot| slot.address == Some(address)) {
            Some(at) => at,
            None => {
                let at = (0..WAYS).min_by_key(|at| ways[*at].bucket).unwrap_or_default();
                ways[at] = Slot { address: Some(address), bucket: Bucket::default() };
                at
            }
        };
        ways[at].bucket.take(rate, now)
    }
}

/// How many addresses are remembered: 2 MiB.
const SLOTS: usize = 65_536;
/// In how many slots an address may be.
const WAYS: usize = 8;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;

    fn address(number: u64) -> AddressKey {
        IpAddr::V6(Ipv6Addr::from_bits(u128::from(number) << 64)).into()
    }

    #[test]
    fn each_address_has_its_own() {
        let buckets = AddressBuckets::default();
        let rate = Rate::new(1, Duration::from_secs(1));
        assert!(buckets.take(address(1), &rate, 0).is_ok());
        assert!(buckets.take(address(1), &rate, 0).is_err());
        assert!(buckets.take(address(2), &rate, 0).is_ok());
    }

    #[test]
    fn a_million_addresses_take_no_more_memory_and_let_nobody_in_who_is_over() {
        let buckets = AddressBuckets::default();
        let rate = Rate::new(1, Duration::from_secs(1)).burst(100);
        let victim = address(u64::MAX);
        (0..100).for_each(|_| assert!(buckets.take(victim, &rate, 0).is_ok()));
        for number in 0..1_000_000 {
            assert!(buckets.take(address(number), &rate, 0).is_ok(), "one of each is allowed");
        }
        let slots = buckets.slots.lock().expect("nobody panicked");
        assert_eq!((slots.len(), size_of_val(&**slots)), (SLOTS, 2 << 20));
        drop(slots);
        assert!(buckets.take(victim, &rate, 0).is_err(), "who owes the most is forgotten last");
    }
}
