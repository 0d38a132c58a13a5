//! How many wrong tokens came from where. Never what was wrong with them.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use streamfence_auth::{AddressKey, FailureLimit, FailureLimiter};
use tokio::time::Instant;

/// The wrong tokens that came to an adapter, by address. It takes no memory before the first of them.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    limiter: Option<Box<FailureLimiter>>,
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

    /// Counts a wrong token, where there is a limit; with none whoever was refused before may try again, too.
    pub(super) fn count(&self, address: Option<IpAddr>, limit: Option<FailureLimit>) {
        let mut state = self.lock();
        let Some(limit) = limit else {
            state.limiter = None;
            return;
        };
        let Some(address) = address else {
            if !std::mem::replace(&mut state.is_said, true) {
                let what = "wrong tokens are not limited where the address of a client is not known";
                tracing::warn!(code = "auth_failures_unlimited", "{what}");
            }
            return;
        };
        let limiter = state.limiter.get_or_insert_with(|| Box::new(FailureLimiter::new(limit, now())));
        limiter.set_limit(limit);
        limiter.fail(AddressKey::from(address), now());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
