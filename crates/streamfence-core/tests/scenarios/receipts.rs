//! A best-effort client that must say what it has: at most so many messages are on their way to its handler.

use std::num::NonZeroU16;

use expect_test::expect;
use streamfence_core::testing::scenario::run_reloaded;
use streamfence_core::{
    AckStyle, Catalog, CatalogError, Delivery, Limits, Namespace, Overflow, Policy, PolicyError, Retry,
};

use crate::{at_least_once, best_effort, check};

fn confirmed(overflow: Overflow, window: u16) -> Namespace {
    best_effort(overflow).max_queued_messages(4).receipt_window(window)
}

#[test]
fn no_more_is_sent_than_the_client_may_leave_unconfirmed() {
    check(
        confirmed(Overflow::DropOldest, 2),
        "room 99, offer 1-4, holds, ack 1, ack 2, holds, books",
        expect![[r#"
            0s  sent 1-2
            0s  holds t: 2 messages, 20 bytes
            0s  acked 1
            0s  sent 3
            0s  acked 2
            0s  sent 4
            0s  holds t: 0 messages, 0 bytes
            0s  books of t: 4 offered 4 sent 4 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn while_the_window_is_full_the_policy_decides() {
    check(
        confirmed(Overflow::SnapshotOnly, 1),
        "room 99, offer 1-9, ack 1, ack 9, offer 10, books",
        expect![[r#"
            0s  coalesced 1
            0s  coalesced 1
            0s  coalesced 1
            0s  coalesced 1
            0s  coalesced 1
            0s  coalesced 1
            0s  coalesced 1
            0s  coalesced 1
            0s  sent 9
            0s  acked 1: late
            0s  acked 9
            0s  sent 10
            0s  books of t: 10 offered 2 sent 2 delivered 8 coalesced
            0s  1 links, 0 messages resident
        "#]],
    );
    check(
        confirmed(Overflow::DropOldest, 1),
        "room 99, offer 1-9, ack 1, ack 6, ack 7, ack 8, ack 9, books",
        expect![[r#"
            0s  displaced 1
            0s  displaced 1
            0s  displaced 1
            0s  displaced 1
            0s  displaced 1
            0s  overflow began
            0s  sent 6
            0s  acked 1: late
            0s  acked 6
            0s  sent 7
            0s  acked 7
            0s  sent 8
            0s  acked 8
            0s  sent 9
            0s  acked 9
            0s  overflow ended: 5 lost
            0s  books of t: 9 offered 4 sent 4 delivered 5 displaced
            0s  1 links, 0 messages resident
        "#]],
    );
    check(
        confirmed(Overflow::RejectNew, 1),
        "room 99, offer 1-6, ack 1, books",
        expect![[r#"
        0s  rejected 5: full
        0s  rejected 6: full
        0s  overflow began
        0s  sent 1
        0s  acked 1
        0s  sent 2
        0s  books of t: 6 offered 2 sent 2 delivered 2 rejected
        0s  1 links, 2 messages resident
    "#]],
    );
}

#[test]
fn a_cumulative_receipt_makes_space_for_all_before_it() {
    check(
        confirmed(Overflow::RejectNew, 3),
        "room 99, offer 1-6, ack 2 upto=yes, ack 2 upto=yes, ack 5 upto=yes, ack 6, books",
        expect![[r#"
            0s  rejected 5: full
            0s  rejected 6: full
            0s  overflow began
            0s  sent 1-3
            0s  acked up to 2
            0s  sent 4
            0s  overflow ended: 2 lost
            0s  acked up to 2: late
            0s  acked up to 5: unknown
            0s  acked 6: unknown
            0s  books of t: 6 offered 4 sent 4 delivered 2 rejected
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_receipt_changes_nothing_twice_or_for_what_was_not_sent() {
    check(
        confirmed(Overflow::RejectNew, 1),
        "room 99, offer a b, ack b, ack never, ack b upto=yes, ack a, ack a, nack a, ack a, ack b, ack b, books",
        expect![[r#"
            0s  sent a
            0s  acked b: unknown
            0s  acked never: unknown
            0s  acked up to b: unknown
            0s  acked a
            0s  sent b
            0s  acked a: late
            0s  nacked a: late
            0s  acked a: late
            0s  acked b
            0s  acked b: late
            0s  books of t: 2 offered 2 sent 2 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn nothing_is_sent_again_however_long_a_receipt_takes() {
    check(
        confirmed(Overflow::RejectNew, 1),
        "room 99, offer a b, +60s, ack a, +60s, books",
        expect![[r#"
        0s  sent a
        60s  acked a
        60s  sent b
        120s  books of t: 2 offered 2 sent 2 delivered
        120s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn on_a_new_link_the_window_is_empty_again() {
    check(
        confirmed(Overflow::RejectNew, 1),
        "retain 10s, room 99, offer a b c, close, return, room 99, ack a, ack b, books",
        expect![[r#"
            0s  sent a
            0s  left (transport)
            0s  is waited for
            0s  joined /a
            0s  is back
            0s  sent b
            0s  acked a: late
            0s  acked b
            0s  sent c
            0s  books of t: 3 offered 3 sent 3 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_client_may_lower_its_window_and_not_raise_it() {
    let script = "unsubscribe, subscribe window=1, room 99, offer 1-4, ack 1";
    check(
        confirmed(Overflow::RejectNew, 2),
        script,
        expect![[r#"
        0s  unsubscribed from t
        0s  subscribed to t
        0s  told: unsubscribed from t
        0s  told: subscribed to t after 0
        0s  sent 1
        0s  acked 1
        0s  sent 2
    "#]],
    );
    let script = "unsubscribe, subscribe window=9, room 99, offer 1-4, ack 1";
    check(
        confirmed(Overflow::RejectNew, 2),
        script,
        expect![[r#"
        0s  unsubscribed from t
        0s  subscribed to t
        0s  told: unsubscribed from t
        0s  told: subscribed to t after 0
        0s  sent 1-2
        0s  acked 1
        0s  sent 3
    "#]],
    );
}

#[test]
fn a_client_that_leaves_takes_what_was_sent_for_delivered() {
    check(
        confirmed(Overflow::RejectNew, 1),
        "room 99, offer a b, unsubscribe, ack a, books",
        expect![[r#"
        0s  sent a
        0s  unsubscribed from t
        0s  told: unsubscribed from t
        0s  acked a: foreign
        0s  books of t: 2 offered 1 sent 1 delivered 1 abandoned
        0s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn at_least_once_has_its_window_by_nature() {
    let built = Catalog::builder().namespace(at_least_once(1).receipt_window(2)).build();
    let why = PolicyError::ReceiptsAtLeastOnce;
    assert_eq!(built.err(), Some(CatalogError::Policy { topic: "/a t".into(), why }));
    let built = Catalog::builder().namespace(at_least_once(1).receipt_window(0).ack(AckStyle::Native)).build();
    let built = built.expect("0 is no window");
    assert!(built.topics().all(|topic| built.class(topic).ack == AckStyle::Native));
    let retry = Retry {
        ack_timeout: std::time::Duration::from_secs(1),
        max_retries: std::num::NonZeroU32::MIN,
        backoff: streamfence_core::Backoff::default(),
    };
    let overflow = streamfence_core::LosslessOverflow::RejectNew;
    let delivery = Delivery::AtLeastOnce { window: NonZeroU16::MIN, retry, overflow };
    let policy = Policy::new(delivery, Limits::default()).expect("a window of one fits");
    assert_eq!(policy.with_receipt_window(Some(NonZeroU16::MIN)), Err(why));
}

#[test]
fn values_that_overtake_each_other_are_confirmed_all_the_same() {
    check(
        best_effort(Overflow::Coalesce).receipt_window(2),
        "offer a key=k, offer b key=l, offer c key=k, offer d key=m, room 9, ack b, ack c, ack c, offer e, ack e upto=yes, ack d, books",
        expect![[r#"
            0s  coalesced 1
            0s  sent c
            0s  sent b
            0s  acked b
            0s  sent d
            0s  acked c
            0s  acked c: late
            0s  sent e
            0s  acked up to e
            0s  acked d: late
            0s  books of t: 5 offered 4 sent 4 delivered 1 coalesced
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn an_ack_of_all_up_to_one_covers_what_is_sent_again_and_what_is_only_confirmed() {
    let scene = at_least_once(2);
    let next = confirmed(Overflow::RejectNew, 2).max_queued_messages(6);
    let script = "room 9, offer a b, reload, offer c d e, ack d upto=yes, books";
    let trace = run_reloaded(scene, vec![next.into()], script);
    expect![[r#"
        0s  sent a (attempt 1)
        0s  sent b (attempt 1)
        0s  reloaded
        0s  sent c
        0s  sent d
        0s  acked up to d
        0s  sent e
        0s  books of t: 5 offered 5 sent 3 delivered
        0s  1 links, 2 messages resident
    "#]]
    .assert_eq(&trace);
}

#[test]
fn a_lane_has_caught_up_when_nothing_is_left_to_confirm_after_a_return_or_a_reload() {
    let scene = || confirmed(Overflow::DropOldest, 1).max_queued_messages(1);
    check(
        scene(),
        "room 9, offer a b c, retain 9s, ack a, close, return, room 9",
        expect![[r#"
            0s  displaced 1
            0s  displaced 1
            0s  overflow began
            0s  sent c
            0s  acked a: late
            0s  left (transport)
            0s  is waited for
            0s  joined /a
            0s  is back
            0s  overflow ended: 2 lost
        "#]],
    );
    let trace =
        run_reloaded(scene(), vec![best_effort(Overflow::DropOldest).into()], "room 9, offer a b c, ack a, reload");
    expect![[r#"
        0s  displaced 1
        0s  displaced 1
        0s  overflow began
        0s  sent c
        0s  acked a: late
        0s  reloaded
        0s  overflow ended: 2 lost
    "#]]
    .assert_eq(&trace);
}

#[test]
fn a_nack_gives_the_place_back_and_nothing_is_sent_again() {
    check(
        confirmed(Overflow::RejectNew, 2),
        "room 99, offer a b c d, nack a after=5s, nack a, nack never, +60s, ack b, books",
        expect![[r#"
            0s  sent a
            0s  sent b
            0s  nacked a
            0s  sent c
            0s  nacked a: late
            0s  nacked never: unknown
            60s  acked b
            60s  sent d
            60s  books of t: 4 offered 4 sent 4 delivered
            60s  1 links, 0 messages resident
        "#]],
    );
}
