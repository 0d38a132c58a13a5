//! What there is of each address now. No more addresses than connections: what is at zero is forgotten.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamfence_auth::AddressKey;
use streamfence_core::RefusalReason;

/// The places taken. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    /// Sessions that have joined no namespace yet.
    pending: u32,
    addresses: HashMap<AddressKey, Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    sessions: u32,
    streams: u32,
}

impl Places {
    /// Takes a place for a session that has joined nothing yet. Sessions without an address have only the shared limit.
    pub(super) fn open_session(
        &self,
        address: Option<AddressKey>,
        most: Option<NonZeroU32>,
        most_pending: Option<NonZeroU32>,
    ) -> Result<SessionPlace, RefusalReason> {
        let mut taken = self.taken();
        if most_pending.is_some_and(|most| taken.pending >= most.get()) {
            return Err(RefusalReason::Pending);
        }
        if let Some(address) = address {
            let here = taken.addresses.get(&address).map_or(0, |count| count.sessions);
            if most.is_some_and(|most| here >= most.get()) {
                return Err(RefusalReason::ConnectionsPerIp);
            }
            taken.addresses.entry(address).or_default().sessions += 1;
        }
        taken.pending += 1;
        let (is_held, is_pending) = (AtomicBool::new(true), AtomicBool::new(true));
        Ok(SessionPlace { places: Some(self.clone()), address, is_held, is_pending })
    }

    /// Takes a place for a stream.
    pub(super) fn open_stream(&self, address: AddressKey, most: Option<u32>) -> Option<StreamPlace> {
        let mut taken = self.taken();
        let here = taken.addresses.get(&address).map_or(0, |count| count.streams);
        if most.is_some_and(|most| here >= most) {
            return None;
        }
        taken.addresses.entry(address).or_default().streams += 1;
        Some(StreamPlace { places: self.clone(), address })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn give_back(&mut self, address: AddressKey, less: impl FnOnce(&mut Count)) {
        if let Entry::Occupied(mut entry) = self.addresses.entry(address) {
            less(entry.get_mut());
            if entry.get().sessions == 0 && entry.get().streams == 0 {
                entry.remove();
            }
        }
    }
}

/// The place of one session, until it is released or dropped.
#[derive(Debug)]
pub(crate) struct SessionPlace {
    /// `None` for a session that nobody counts.
    places: Option<Places>,
    address: Option<AddressKey>,
    is_held: AtomicBool,
    is_pending: AtomicBool,
}

impl SessionPlace {
    /// That of a session nobody counts.
    pub(crate) fn uncounted() -> Self {
        let (is_held, is_pending) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { places: None, address: None, is_held, is_pending }
    }

    /// The session has joined a namespace.
    pub(crate) fn join(&self) {
        if self.is_pending.load(Ordering::Relaxed)
            && self.is_pending.swap(false, Ordering::Relaxed)
            && let Some(places) = &self.places
        {
            places.taken().pending -= 1;
        }
    }

    /// The session has ended.
    pub(crate) fn release(&self) {
        self.join();
        if self.is_held.swap(false, Ordering::Relaxed)
            && let (Some(places), Some(address)) = (&self.places, self.address)
        {
            places.taken().give_back(address, |count| count.sessions -= 1);
        }
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        self.release();
    }
}

/// The place of one stream, until it is dropped.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    places: Places,
    address: AddressKey,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.places.taken().give_back(self.address, |count| count.streams -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn address(number: u32) -> AddressKey {
        IpAddr::V4(Ipv4Addr::from_bits(number)).into()
    }

    #[test]
    fn places_are_counted_by_address_and_given_back_once() {
        let places = Places::default();
        let two = NonZeroU32::new(2);
        let open = |number| places.open_session(Some(address(number)), two, None);
        let (first, second) = (open(1).expect("one"), open(1).expect("two"));
        assert_eq!(open(1).map(drop), Err(RefusalReason::ConnectionsPerIp));
        drop(open(2).expect("another address"));
        first.release();
        first.release();
        drop(first);
        let third = open(1).expect("there is one place again");
        assert_eq!(open(1).map(drop), Err(RefusalReason::ConnectionsPerIp));
        drop((second, third));
        let taken = places.taken();
        assert_eq!((taken.addresses.len(), taken.pending), (0, 0));
    }

    #[test]
    fn who_has_joined_is_not_pending() {
        let places = Places::default();
        let one = NonZeroU32::new(1);
        let waits = places.open_session(None, None, one).expect("one");
        assert_eq!(places.open_session(None, None, one).map(drop), Err(RefusalReason::Pending));
        waits.join();
        waits.join();
        let next = places.open_session(None, None, one).expect("the first has joined");
        drop((waits, next));
        assert_eq!(places.taken().pending, 0);
    }

    #[test]
    fn a_million_addresses_leave_nothing_behind() {
        let places = Places::default();
        for number in 0..1_000_000 {
            let stream = places.open_stream(address(number), Some(1)).expect("the first");
            drop((places.open_session(Some(address(number)), NonZeroU32::new(1), None), stream));
        }
        assert!(places.taken().addresses.is_empty());
        assert!(places.taken().addresses.capacity() < 16, "no more room than for what there was at once");
    }
}
