//! Whose tokens are being looked at. Without this, guesses that come all at once are all looked at before the first of them
//! is known to be wrong.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamfence_auth::AddressKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many tokens from one address are looked at at once; others wait for their turn. Many clients may be behind one
/// address, and those whose tokens were good of late do not wait.
const AT_ONCE: usize = 16;

/// The addresses from which tokens are being looked at, or wait. It takes as much memory as there are of those.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<HashMap<AddressKey, Arc<Semaphore>>>);

/// A token's place in the line of its address, and its turn once it has come.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    home: &'a UnderWay,
    address: AddressKey,
    turns: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl UnderWay {
    /// Waits for the turn of a token from there.
    pub(super) async fn turn(&self, address: IpAddr) -> Turn<'_> {
        let address = AddressKey::from(address);
        let turns = self.lock().entry(address).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone();
        // Before it waits: whoever gives up waiting leaves nothing behind.
        let mut turn = Turn { home: self, address, turns: Some(turns.clone()), permit: None };
        turn.permit = turns.acquire_owned().await.ok();
        turn
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AddressKey, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut all = self.home.lock();
        (self.permit, self.turns) = (None, None);
        if all.get(&self.address).is_some_and(|turns| Arc::strong_count(turns) == 1) {
            all.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn no_more_than_some_are_looked_at_at_once_and_nothing_stays_behind() {
        let (under_way, address) = (UnderWay::default(), IpAddr::from([192, 0, 2, 1]));
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(under_way.turn(address).now_or_never().expect("there is a turn"));
        }
        let mut next = Box::pin(under_way.turn(address));
        assert!(next.as_mut().now_or_never().is_none(), "it waits");
        assert!(under_way.turn(IpAddr::from([192, 0, 2, 2])).now_or_never().is_some(), "a neighbour does not");
        assert_eq!(under_way.lock().len(), 1);
        drop(turns.pop());
        let turn = next.as_mut().now_or_never().expect("it is its turn");
        drop(next);
        drop(Box::pin(under_way.turn(address)));
        let mut gives_up = Box::pin(under_way.turn(address));
        assert!(gives_up.as_mut().now_or_never().is_none());
        drop(turns);
        drop(turn);
        drop(gives_up);
        assert!(under_way.lock().is_empty());
    }
}
