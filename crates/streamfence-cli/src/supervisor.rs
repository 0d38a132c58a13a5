//! What systemd is told of how the server is, where it is what has started it. Anywhere else nothing is.
//!
//! Never a decision: what it does about a server that says nothing stands in its unit.

use std::time::Duration;

use sd_notify::NotifyState;
use streamfence_runtime::Fence;

/// What a stop may take beyond its drain, until the process has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// All servers listen.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The configuration is read again; [`ready`] says that what holds now holds.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration again")]),
        Err(why) => tracing::debug!(code = "supervisor", %why, "the clock cannot be read"),
    }
}

/// The server stops, which takes as long as this, and a little.
pub(crate) fn stopping(drain: Duration) {
    let longest = drain.saturating_add(LAST_WORDS).as_micros().try_into().unwrap_or(u32::MAX);
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(longest), NotifyState::Status("draining")]);
}

/// Shows again and again that the server lives, where its unit asks for it (`WatchdogSec=`): that all shards answer.
pub(crate) fn show_life(fence: &Fence) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let fence = fence.clone();
    tokio::spawn(async move {
        let mut signs = tokio::time::interval(patience / 2);
        loop {
            signs.tick().await;
            // One shard that hangs never answers, and then nothing is said.
            fence.flush_stats().await;
            tell(&[NotifyState::Watchdog]);
        }
    });
}

fn tell(what: &[NotifyState<'_>]) {
    if let Err(why) = sd_notify::notify(what) {
        tracing::warn!(code = "supervisor", %why, "systemd cannot be told how the server is");
    }
}
