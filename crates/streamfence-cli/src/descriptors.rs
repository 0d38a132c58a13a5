//! File descriptors: a connection is one, and what a process may have of them at first is often a thousand.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use streamfence_config::Settings;

/// What is needed beside connections: listeners, files of the configuration, a store's segments, the admin address.
const BESIDE: u64 = 512;

/// Lets the process have as many descriptors as its clients may take, as far as that is its own to say, and warns where it
/// is not.
pub(crate) fn provide(settings: &Settings) {
    let clients: u64 = settings.servers.iter().map(|server| u64::from(server.max_connections)).sum();
    let (wanted, limit) = (clients + BESIDE, getrlimit(Resource::Nofile));
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let most = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    // Where it may not be raised, the warning below is all there is to do.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum }).is_ok();
    let found = if raised { most } else { limit.current.unwrap_or(most) };
    if found < wanted {
        tracing::warn!(
            code = "descriptors",
            found,
            wanted,
            "fewer file descriptors than `maxConnections` may take: raise `ulimit -Hn` (LimitNOFILE=), or lower it"
        );
    }
}

/// Takes as many as this process may have: a command that plays clients cannot know how many more it will want. With too
/// few, connecting says so.
pub(crate) fn take_all() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
