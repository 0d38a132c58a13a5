//! Time to live, and what a client is told of what it missed.

use expect_test::expect;
use streamfence_core::{Namespace, Overflow};

use crate::{at_least_once, best_effort, check};

fn told(overflow: Overflow, messages: u32) -> Namespace {
    best_effort(overflow).max_queued_messages(messages).gap_notices(true)
}

#[test]
fn what_has_expired_is_never_sent_and_counted() {
    check(
        best_effort(Overflow::RejectNew),
        "offer a ttl=1s, offer b, offer c ttl=2s, +1s, room 9, books",
        expect![[r#"
            1s  sent b
            1s  sent c
            1s  books of t: 3 offered 2 sent 2 delivered 1 expired
            1s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn what_has_expired_makes_place_for_what_is_new() {
    let namespace = best_effort(Overflow::RejectNew).max_queued_messages(2);
    check(
        namespace,
        "offer a b ttl=1s, offer c, +1s, offer d e f, room 9, books",
        expect![[r#"
        0s  rejected c: full
        0s  overflow began
        1s  rejected f: full
        1s  overflow ended: 1 lost
        1s  overflow began
        1s  sent d
        1s  sent e
        1s  overflow ended: 1 lost
        1s  books of t: 6 offered 2 sent 2 delivered 2 rejected 2 expired
        1s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn an_idle_lane_gives_up_what_has_expired_with_the_tick() {
    check(
        best_effort(Overflow::RejectNew),
        "offer a ttl=1s, +2s, holds, tick, holds",
        expect![[r#"
        2s  holds t: 1 messages, 10 bytes
        2s  holds t: 0 messages, 0 bytes
    "#]],
    );
}

#[test]
fn what_expires_with_the_tick_no_longer_holds_up_what_there_is_room_for() {
    check(
        best_effort(Overflow::RejectNew),
        "room 2 50, offer a size=100 ttl=1s, offer b, +1s, tick",
        expect![[r#"
            1s  sent b
        "#]],
    );
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_worth_sending_again() {
    check(
        best_effort(Overflow::RejectNew),
        "+5s, -5s, offer a ttl=1s, offer b ttl=1s to=ann, offer c ttl=6s, books",
        expect![[r#"
            0s  rejected a: expired
            0s  rejected b: expired
            0s  books of t: 3 offered 2 expired
            0s  1 links, 1 messages resident
        "#]],
    );
}

#[test]
fn what_is_in_flight_and_expires_is_not_sent_again() {
    check(
        at_least_once(1),
        "room 9, offer a ttl=500ms, offer b, +1s, ack a, ack b, books",
        expect![[r#"
        0s  sent a (attempt 1)
        1s  sent b (attempt 1)
        1s  acked a: late
        1s  acked b
        1s  books of t: 2 offered 2 sent 1 delivered 1 expired
        1s  1 links, 0 messages resident
    "#]],
    );
    // Its time was over before its last attempt was: it is no dead letter.
    check(
        at_least_once(1),
        "room 9, offer a ttl=1500ms, offer b, +2s, ack a, ack b, books",
        expect![[r#"
            0s  sent a (attempt 1)
            1s  sent a (attempt 2)
            2s  sent b (attempt 1)
            2s  acked a: late
            2s  acked b
            2s  books of t: 2 offered 3 sent 1 retried 1 delivered 1 expired
            2s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_keyed_lane_finds_its_values_after_some_have_expired() {
    let namespace = best_effort(Overflow::Coalesce);
    let script = "offer a key=x ttl=1s, offer b key=y, offer c key=z, +1s, offer d key=x, offer e key=y, room 9";
    check(
        namespace,
        script,
        expect![[r#"
        1s  coalesced 1
        1s  sent e
        1s  sent c
        1s  sent d
    "#]],
    );
}

#[test]
fn a_client_is_told_of_what_was_displaced_before_the_next_message() {
    check(
        told(Overflow::DropOldest, 2),
        "offer a b c d e, room 9, offer f",
        expect![[r#"
        0s  displaced 1
        0s  displaced 1
        0s  displaced 1
        0s  overflow began
        0s  told: missed 3 of t, 1 to 3: displaced
        0s  sent d
        0s  sent e
        0s  overflow ended: 3 lost
        0s  sent f
    "#]],
    );
}

#[test]
fn a_client_is_told_of_what_was_rejected_when_the_next_message_comes() {
    check(
        told(Overflow::RejectNew, 2),
        "offer a b c d, room 9, offer e, books",
        expect![[r#"
        0s  rejected c: full
        0s  rejected d: full
        0s  overflow began
        0s  sent a
        0s  sent b
        0s  overflow ended: 2 lost
        0s  told: missed 2 of t, 3 to 4: rejected
        0s  sent e
        0s  books of t: 5 offered 3 sent 3 delivered 2 rejected
        0s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_gap_waits_for_the_message_it_precedes() {
    check(
        told(Overflow::RejectNew, 1),
        "offer a b, room 9, +5s, offer c",
        expect![[r#"
        0s  rejected b: full
        0s  overflow began
        0s  sent a
        0s  overflow ended: 1 lost
        5s  told: missed 1 of t, 2 to 2: rejected
        5s  sent c
    "#]],
    );
}

#[test]
fn gaps_of_different_reasons_are_told_apart_and_in_order() {
    let script = "offer a ttl=1s, offer b, offer c size=9999999, +1s, offer d e f, room 9";
    check(
        told(Overflow::DropOldest, 3),
        script,
        expect![[r#"
        0s  rejected c: too large
        1s  displaced 1
        1s  overflow began
        1s  told: missed 1 of t, 1 to 1: expired
        1s  told: missed 1 of t, 2 to 2: displaced
        1s  told: missed 1 of t, 3 to 3: rejected
        1s  sent d
        1s  sent e
        1s  sent f
        1s  overflow ended: 1 lost
    "#]],
    );
}

#[test]
fn what_was_coalesced_is_no_gap_but_what_was_missed_before_it_still_is() {
    let namespace = told(Overflow::SnapshotOnly, 1);
    check(
        namespace,
        "offer a b size=9999999, offer c, offer d, room 9",
        expect![[r#"
        0s  rejected a: too large
        0s  rejected b: too large
        0s  coalesced 1
        0s  told: missed 2 of t, 1 to 2: rejected
        0s  sent d
    "#]],
    );
}

#[test]
fn the_private_messages_of_others_are_no_gap() {
    let script = "join bob /a, bob: room 9, bob: subscribe t, offer a b c, offer x y to=bob, offer d e f, room 9";
    check(
        told(Overflow::DropOldest, 2),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 0
        0s  displaced 2
        0s  overflow began
        0s  bob: overflow began
        0s  bob: told: missed 1 of t, 1 to 1: displaced
        0s  bob: sent b
        0s  bob: sent c
        0s  bob: overflow ended: 1 lost
        0s  bob: sent x
        0s  bob: sent y
        0s  displaced 1
        0s  displaced 1
        0s  displaced 2
        0s  bob: overflow began
        0s  bob: told: missed 1 of t, 6 to 6: displaced
        0s  bob: sent e
        0s  told: missed 4 of t, 1 to 6: displaced
        0s  sent e
        0s  sent f
        0s  overflow ended: 4 lost
    "#]],
    );
}

#[test]
fn a_gap_takes_room_like_anything_else() {
    check(
        told(Overflow::DropOldest, 1),
        "offer a b, room 1, room 1, room 0, offer c, room 2",
        expect![[r#"
        0s  displaced 1
        0s  overflow began
        0s  told: missed 1 of t, 1 to 1: displaced
        0s  sent b
        0s  overflow ended: 1 lost
        0s  sent c
    "#]],
    );
}

#[test]
fn a_resend_goes_before_a_gap() {
    let namespace = at_least_once(1).max_queued_messages(2).gap_notices(true);
    check(
        namespace,
        "room 9, offer a b c, +1s, ack a, ack b, offer d",
        expect![[r#"
        0s  rejected c: full
        0s  overflow began
        0s  sent a (attempt 1)
        1s  sent a (attempt 2)
        1s  acked a
        1s  sent b (attempt 1)
        1s  acked b
        1s  overflow ended: 1 lost
        1s  told: missed 1 of t, 3 to 3: rejected
        1s  sent d (attempt 1)
    "#]],
    );
}
