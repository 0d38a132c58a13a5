//! The story of each rule: a script, and what happens.
//!
//! The commands are told in `streamfence_core::testing::scenario`. Run with `UPDATE_EXPECT=1` to write new traces, and
//! then read them: a trace is right when it is the rule, not when it is what the code does.

mod audience;
mod awaited;
mod delays;
mod exhaustion;
mod forgery;
mod gap;
mod hub;
mod in_flight;
mod ladder;
mod lane;
mod link;
mod patterns;
mod pressure;
mod receipts;
mod reload;
mod retention;
mod session;
mod spill;
mod spill_disk;
mod spill_order;
mod values;

use std::time::Duration;

use expect_test::Expect;
use streamfence_core::testing::scenario::{self, Scene};
use streamfence_core::{AtLeastOnce, LosslessOverflow, Namespace, Overflow, Topic};

#[expect(clippy::needless_pass_by_value, reason = "a scenario reads best without borrows")]
fn check(scene: impl Into<Scene>, script: &str, trace: Expect) {
    trace.assert_eq(&scenario::run(scene, script));
}

/// A namespace `/a` with one topic `t`.
fn best_effort(overflow: Overflow) -> Namespace {
    Namespace::new("/a").topic("t").best_effort(overflow)
}

/// A namespace `/a` with one topic `t`: a window of `window`, an ack timeout of 1 s, one retry.
fn at_least_once(window: u16) -> Namespace {
    Namespace::new("/a").topic("t").at_least_once(promise(window))
}

fn promise(window: u16) -> AtLeastOnce {
    AtLeastOnce::default().window(window).ack_timeout(Duration::from_secs(1)).max_retries(1)
}

/// A namespace `/a` with one topic `t` whose lanes hold four messages and go on on disk.
fn spilling() -> Namespace {
    best_effort(Overflow::Spill).max_queued_messages(4).gap_notices(true)
}

/// The same, with messages that wait for acks.
fn lossless(window: u16) -> Namespace {
    let promise = promise(window).max_retries(9).overflow(LosslessOverflow::Spill);
    Namespace::new("/a").topic("t").at_least_once(promise).max_queued_messages(4).gap_notices(true)
}

/// A namespace `/a` with a best-effort topic `t` and an at-least-once topic `u`.
fn both() -> Namespace {
    Namespace::new("/a").topic("t").topic_with(Topic::new("u").at_least_once(promise(2)))
}
