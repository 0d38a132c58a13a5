//! What a hostile or broken client may do to the binary, and what that must not cost: memory, descriptors, metric series,
//! or anybody else's messages.
//!
//! Each attack is bounded in count and in time, and on loopback alone. What happens after it is looked at as closely as
//! the answer to it: [`scene::Scene::settles`].

#![expect(dead_code, reason = "the helpers are those of all tests of the binary")]

#[path = "../process/mod.rs"]
mod process;

mod scene;
mod socket;

mod acks;
mod disk;
mod flood;
mod frames;
mod growth;
mod http;
mod packets;
mod slow;
mod takeover;
mod tokens;
