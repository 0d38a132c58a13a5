//! A segment log on disk for messages that lanes cannot hold: what stands behind the core's
//! [`SpillBackend`](streamfence_core::SpillBackend).
//!
//! A [`Store`] is one directory. It has one thread that writes and two that read; shards talk to it through
//! [`Store::backend`], which never waits. What it holds does not outlive it: leftovers of a process that died are wiped
//! at the next start. [`inspect`] looks into a directory, whether a store has it open or not.
//!
//! No async runtime, no sockets: blocking disk code is simplest when it is honest about blocking.

mod filesystem;
mod format;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod inspect;
mod ledger;
mod store;
#[cfg(test)]
mod testing;

pub use inspect::{Damage, InspectError, Log, Report, Segment, inspect};
pub use store::{MAX_RECORD_BYTES, OpenError, Store, StoreConfig, Warning};
