//! Seeded simulations of hundreds of clients over the hubs of several shards, whose every delivery is checked.
//!
//! A seed decides the topics, the clients, and all that happens: who reads and who stalls, who acks, who vanishes and
//! comes back, what is published when, where the clock jumps to. Beside each hub stands what its clients know, and says
//! what may not be: see `shard.rs` and `ledger.rs`. Then the faults stop, and all must come to rest.
//!
//! The same seed gives the same run, so a failure is a number to keep: `cargo xtask sim --seed 42`.

mod audience;
mod dice;
mod directory;
mod ledger;
mod link;
mod memory;
mod peer;
mod run;
mod scene;
mod shard;
mod standing;
mod tally;
mod trace;
mod world;

pub use run::{Failure, Report, STEPS, run};
