//! The time a peer has to take something.

use std::pin::Pin;
use std::task::Context;

use tokio::time::{Instant, Sleep, sleep_until};

use super::state::LinkState;

/// Kills a connection whose kernel has taken nothing for too long.
///
/// To be polled by whoever would wait for the connection otherwise.
#[derive(Debug, Default)]
pub(crate) struct StallWatch {
    /// May be armed too early, never too late.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl StallWatch {
    /// Looks whether the time is up. Says whether it goes on looking.
    pub(crate) fn poll(&mut self, link: &LinkState, cx: &mut Context<'_>) -> bool {
        if self.sleep.is_none() && !link.is_kernel_full() {
            return false;
        }
        loop {
            let Some(since) = link.blocked_since() else {
                // It takes something again. The clock runs on as long as it was set: whoever is blocked now and then
                // does not set it each time.
                return self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_pending()) || self.disarm();
            };
            let (deadline, reason) = link.patience(since);
            if Instant::now() >= deadline {
                link.kill(reason);
                return self.disarm();
            }
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if sleep.as_mut().poll(cx).is_pending() {
                return true;
            }
            sleep.as_mut().reset(deadline);
        }
    }

    fn disarm(&mut self) -> bool {
        self.sleep = None;
        false
    }
}
