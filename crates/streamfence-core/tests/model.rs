//! The hub against a model that keeps lanes in plain vectors, under random policies and random wishes.
//!
//! The model does not guess whose turn it is. It is told what left and says whether that might leave: the next message
//! of its lane, what was missed before what comes after it, answers first, with room, nobody overtaken twice. When the
//! hub falls silent, it says whether there was still something to send. Clients lose their links, and come back to them
//! or to others. The same wishes go to one more hub per link, so that a hub of all links is seen to behave like lonely
//! ones.

mod model {
    pub(crate) mod clients;
    pub(crate) mod lane;
    pub(crate) mod system;
    pub(crate) mod world;
}

use proptest::test_runner::{Config, RngSeed};
use proptest_state_machine::prop_state_machine;

use crate::model::system::System;

prop_state_machine! {
    // A fixed seed: the gate gives the same answer twice. To look further, change it or raise the cases.
    #![proptest_config(Config { cases: 4_000, rng_seed: RngSeed::Fixed(9), failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_hub_does_what_its_model_does(sequential 1..120 => System);
}
