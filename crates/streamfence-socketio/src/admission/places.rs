//! What there is of each address now. No more addresses than connections: what is at zero is forgotten.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamfence_auth::AddressKey;
use streamfence_core::RefusalReason;

/// The places taken. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    unjoined: Unjoined,
    addresses: HashMap<AddressKey, Count>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    sessions: u32,
    unjoined: Unjoined,
    streams: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unjoined {
    /// Sessions that have joined no namespace yet.
    pending: u32,
    /// Sessions that ended before they joined one, and still take memory.
    departed: u32,
}

/// How many sessions there may be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Most {
    /// Of an address.
    pub(super) sessions: Option<NonZeroU32>,
    /// That have joined nothing yet.
    pub(super) pending: Option<NonZeroU32>,
    /// Of an address, that have joined nothing yet or ended so.
    pub(super) pending_per_ip: Option<NonZeroU32>,
    /// That ended before they joined anything.
    pub(super) departed: u32,
}

impl Places {
    /// Takes a place for a session that has joined nothing yet. Sessions without an address have only the shared limits.
    pub(super) fn open_session(&self, address: Option<AddressKey>, most: Most) -> Result<SessionPlace, RefusalReason> {
        let mut taken = self.taken();
        if most.pending.is_some_and(|most| taken.unjoined.pending >= most.get()) {
            return Err(RefusalReason::Pending);
        }
        let here = address.and_then(|address| taken.addresses.get(&address)).copied().unwrap_or_default();
        if most.sessions.is_some_and(|most| here.sessions >= most.get()) {
            return Err(RefusalReason::ConnectionsPerIp);
        }
        if most.pending_per_ip.is_some_and(|most| here.unjoined.pending + here.unjoined.departed >= most.get()) {
            return Err(RefusalReason::PendingPerIp);
        }
        // From half on nobody may take much of what is left: one address alone shuts out itself, and not the others.
        let (all, one) = (taken.unjoined.departed, here.unjoined.departed);
        if all >= most.departed || (all >= most.departed / 2 && one > most.departed / SHARES) {
            return Err(RefusalReason::Departed);
        }
        if let Some(address) = address {
            let count = taken.addresses.entry(address).or_default();
            count.sessions += 1;
            count.unjoined.pending += 1;
        }
        taken.unjoined.pending += 1;
        Ok(SessionPlace { places: Some(self.clone()), address, state: Mutex::new(State::Pending) })
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
    /// Changes what there is of an address that has something.
    fn change(&mut self, address: AddressKey, change: impl FnOnce(&mut Count)) {
        if let Entry::Occupied(mut entry) = self.addresses.entry(address) {
            change(entry.get_mut());
            if *entry.get() == Count::default() {
                entry.remove();
            }
        }
    }
}

impl Unjoined {
    fn turn(&mut self, was: State, is: State) {
        match was {
            State::Pending => self.pending -= 1,
            State::Departed => self.departed -= 1,
            State::Joined | State::Gone => {}
        }
        // Nobody becomes pending.
        self.departed += u32::from(is == State::Departed);
    }
}

/// The place of one session, until it is dropped.
#[derive(Debug)]
pub(crate) struct SessionPlace {
    /// `None` for a session that nobody counts.
    places: Option<Places>,
    address: Option<AddressKey>,
    state: Mutex<State>,
}

/// ```text
/// pending --joins--> joined --ends--> gone
///    '----------ends----------> departed --dropped--> gone
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Joined,
    /// Ended before it has joined: the library keeps it for as long as it might have joined.
    Departed,
    Gone,
}

impl State {
    fn is_living(self) -> bool {
        matches!(self, Self::Pending | Self::Joined)
    }
}

impl SessionPlace {
    /// That of a session nobody counts.
    pub(crate) fn uncounted() -> Self {
        Self { places: None, address: None, state: Mutex::new(State::Gone) }
    }

    /// The session has joined a namespace.
    pub(crate) fn join(&self) {
        self.turn(|state| if state == State::Pending { State::Joined } else { state });
    }

    /// Whether it has joined nothing yet, and has not ended.
    pub(crate) fn is_pending(&self) -> bool {
        *self.state() == State::Pending
    }

    /// The session has ended.
    pub(crate) fn release(&self) {
        self.turn(|state| match state {
            State::Pending | State::Departed => State::Departed,
            State::Joined | State::Gone => State::Gone,
        });
    }

    fn turn(&self, next: impl FnOnce(State) -> State) {
        let mut state = self.state();
        let (was, is) = (*state, next(*state));
        let Some(places) = self.places.as_ref().filter(|_| was != is) else { return };
        *state = is;
        let mut taken = places.taken();
        taken.unjoined.turn(was, is);
        if let Some(address) = self.address {
            taken.change(address, |count| {
                count.unjoined.turn(was, is);
                count.sessions -= u32::from(was.is_living() && !is.is_living());
            });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody keeps anything of the session any more.
impl Drop for SessionPlace {
    fn drop(&mut self) {
        self.turn(|_| State::Gone);
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
        self.places.taken().change(self.address, |count| count.streams -= 1);
    }
}

/// How many addresses could share what is scarce.
const SHARES: u32 = 32;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn address(number: u32) -> AddressKey {
        IpAddr::V4(Ipv4Addr::from_bits(number)).into()
    }

    fn most() -> Most {
        Most { departed: 1_000, ..Most::default() }
    }

    #[test]
    fn places_are_counted_by_address_and_given_back_once() {
        let places = Places::default();
        let most = Most { sessions: NonZeroU32::new(2), ..most() };
        let open = |number| places.open_session(Some(address(number)), most);
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
        assert_eq!((taken.addresses.len(), taken.unjoined), (0, Unjoined::default()));
    }

    #[test]
    fn who_has_joined_is_not_pending() {
        let places = Places::default();
        let most = Most { pending: NonZeroU32::new(1), ..most() };
        let waits = places.open_session(None, most).expect("one");
        assert_eq!(places.open_session(None, most).map(drop), Err(RefusalReason::Pending));
        waits.join();
        waits.join();
        let next = places.open_session(None, most).expect("the first has joined");
        drop((waits, next));
        assert_eq!(places.taken().unjoined, Unjoined::default());
    }

    #[test]
    fn of_an_address_those_count_too_that_ended_without_having_joined() {
        let places = Places::default();
        let most = Most { pending_per_ip: NonZeroU32::new(2), ..most() };
        let open = |number| places.open_session(Some(address(number)), most);
        let (ended, joins) = (open(1).expect("one"), open(1).expect("two"));
        ended.release();
        assert_eq!(open(1).map(drop), Err(RefusalReason::PendingPerIp), "it is kept still");
        open(2).expect("another address").join();
        joins.join();
        let next = open(1).expect("one has joined");
        assert_eq!(open(1).map(drop), Err(RefusalReason::PendingPerIp));
        drop(ended);
        drop((open(1).expect("the other is kept no more"), next, joins));
        assert!(places.taken().addresses.is_empty());
    }

    #[test]
    fn one_address_takes_what_is_kept_of_the_departed_from_nobody_else() {
        let places = Places::default();
        let depart = |number| {
            let place = places.open_session(Some(address(number)), most())?;
            place.release();
            Ok(place)
        };
        let mut kept: Vec<_> = std::iter::from_fn(|| depart(1).ok()).take(2_000).collect();
        assert_eq!(kept.len(), 500, "half of all");
        assert_eq!(depart(1).map(drop), Err(RefusalReason::Departed));
        for number in 2..100 {
            kept.extend(std::iter::from_fn(|| depart(number).ok()).take(2_000));
        }
        assert_eq!(kept.len(), 1_000, "never more than that");
        assert_eq!(places.open_session(None, most()).map(drop), Err(RefusalReason::Departed));
        kept.truncate(400);
        let joins = depart(200).expect("there is memory again");
        joins.join();
        drop((joins, kept));
        assert_eq!(places.taken().unjoined, Unjoined::default());
        assert!(places.taken().addresses.is_empty());
    }

    #[test]
    fn a_million_addresses_leave_nothing_behind() {
        let places = Places::default();
        let most = Most { sessions: NonZeroU32::new(1), ..most() };
        for number in 0..1_000_000 {
            let stream = places.open_stream(address(number), Some(1)).expect("the first");
            drop((places.open_session(Some(address(number)), most), stream));
        }
        assert!(places.taken().addresses.is_empty());
        assert!(places.taken().addresses.capacity() < 16, "no more room than for what there was at once");
    }
}
