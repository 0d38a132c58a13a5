//! What gives way when a lane is full.

use expect_test::expect;
use streamfence_core::{Namespace, Overflow, Topic};

use crate::{at_least_once, best_effort, check};

#[test]
fn reject_new_refuses_the_new_message_and_keeps_the_queue() {
    check(
        best_effort(Overflow::RejectNew).max_queued_messages(2),
        "offer a b c d, room 9, offer e",
        expect![[r#"
            0s  rejected c: full
            0s  rejected d: full
            0s  overflow began
            0s  sent a
            0s  sent b
            0s  overflow ended: 2 lost
            0s  sent e
        "#]],
    );
}

#[test]
fn drop_oldest_displaces_until_the_new_message_fits() {
    check(
        best_effort(Overflow::DropOldest).max_queued_messages(2),
        "offer a b c d, room 9, offer e",
        expect![[r#"
            0s  displaced 1
            0s  displaced 1
            0s  overflow began
            0s  sent c
            0s  sent d
            0s  overflow ended: 2 lost
            0s  sent e
        "#]],
    );
}

#[test]
fn drop_oldest_displaces_as_many_as_the_bytes_ask_for() {
    check(
        best_effort(Overflow::DropOldest).max_queued_bytes(40),
        "offer a b c size=10, offer big size=25, holds, room 9",
        expect![[r#"
            0s  displaced 2
            0s  overflow began
            0s  holds t: 2 messages, 35 bytes
            0s  sent c
            0s  sent big
            0s  overflow ended: 2 lost
        "#]],
    );
}

#[test]
fn coalesce_without_keys_keeps_the_newest_value_of_the_topic() {
    check(
        best_effort(Overflow::Coalesce).max_queued_messages(2),
        "offer a b c, room 9, offer d",
        expect![[r#"
            0s  coalesced 1
            0s  coalesced 1
            0s  sent c
            0s  sent d
        "#]],
    );
}

#[test]
fn coalesce_replaces_the_value_of_a_key_in_its_place() {
    check(
        best_effort(Overflow::Coalesce),
        "offer a1 key=a, offer b1 key=b, offer none, offer a2 key=a, offer none2, room 9",
        expect![[r#"
            0s  coalesced 1
            0s  coalesced 1
            0s  sent a2
            0s  sent b1
            0s  sent none2
        "#]],
    );
}

#[test]
fn coalesce_rejects_a_new_key_when_the_lane_is_full() {
    check(
        best_effort(Overflow::Coalesce).max_queued_messages(2),
        "offer a1 key=a, offer b1 key=b, offer c1 key=c, offer b2 key=b, room 9, offer c2 key=c",
        expect![[r#"
            0s  rejected c1: full
            0s  overflow began
            0s  coalesced 1
            0s  sent a1
            0s  sent b2
            0s  overflow ended: 1 lost
            0s  sent c2
        "#]],
    );
}

#[test]
fn coalesce_forgets_a_key_once_its_value_has_left() {
    check(
        best_effort(Overflow::Coalesce),
        "offer a1 key=a, offer b1 key=b, room 1, offer a2 key=a, offer b2 key=b, room 9",
        expect![[r#"
            0s  sent a1
            0s  coalesced 1
            0s  sent b2
            0s  sent a2
        "#]],
    );
}

#[test]
fn a_newer_value_that_no_longer_fits_is_rejected_and_the_older_one_stays() {
    check(
        best_effort(Overflow::Coalesce).max_queued_bytes(30),
        "offer a1 key=a, offer b1 key=b, offer a2 key=a size=25, holds, room 9",
        expect![[r#"
            0s  rejected a2: full
            0s  overflow began
            0s  holds t: 2 messages, 20 bytes
            0s  sent a1
            0s  sent b1
            0s  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn a_newer_value_may_be_larger_as_long_as_the_lane_has_place_for_it() {
    check(
        best_effort(Overflow::Coalesce).max_queued_bytes(100),
        "offer a key=k size=40, offer b key=l size=30, offer c key=k size=70, offer d key=l size=31, holds, room 9",
        expect![[r#"
            0s  coalesced 1
            0s  rejected d: full
            0s  overflow began
            0s  holds t: 2 messages, 100 bytes
            0s  sent c
            0s  sent b
            0s  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn reject_new_with_coalesce_replaces_first_and_then_rejects() {
    check(
        best_effort(Overflow::RejectNew).coalesce(true).max_queued_messages(2),
        "offer a1 key=a, offer b1 key=b, offer a2 key=a, offer c1 key=c, room 9",
        expect![[r#"
            0s  coalesced 1
            0s  rejected c1: full
            0s  overflow began
            0s  sent a2
            0s  sent b1
            0s  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn drop_oldest_with_coalesce_replaces_first_and_then_displaces() {
    check(
        best_effort(Overflow::DropOldest).coalesce(true).max_queued_messages(2),
        "offer a1 key=a, offer b1 key=b, offer b2 key=b, offer c1 key=c, offer a2 key=a, room 9",
        expect![[r#"
            0s  coalesced 1
            0s  displaced 1
            0s  overflow began
            0s  displaced 1
            0s  sent c1
            0s  sent a2
            0s  overflow ended: 2 lost
        "#]],
    );
}

#[test]
fn drop_oldest_with_coalesce_displaces_older_messages_for_a_larger_value() {
    check(
        best_effort(Overflow::DropOldest).coalesce(true).max_queued_bytes(40),
        "offer a1 key=a, offer b1 key=b, offer c1 key=c, offer b2 key=b size=25, holds, room 9",
        expect![[r#"
            0s  displaced 1
            0s  coalesced 1
            0s  overflow began
            0s  holds t: 2 messages, 35 bytes
            0s  sent b2
            0s  sent c1
            0s  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn drop_oldest_with_coalesce_queues_a_larger_value_behind_when_its_own_place_gives_way() {
    check(
        best_effort(Overflow::DropOldest).coalesce(true).max_queued_bytes(40),
        "offer a1 key=a, offer b1 key=b, offer c1 key=c, offer d1 key=d, offer b2 key=b size=25, holds, room 9",
        expect![[r#"
            0s  displaced 2
            0s  coalesced 1
            0s  overflow began
            0s  holds t: 2 messages, 35 bytes
            0s  sent d1
            0s  sent b2
            0s  overflow ended: 2 lost
        "#]],
    );
}

#[test]
fn snapshot_only_keeps_nothing_but_the_newest_message() {
    check(
        best_effort(Overflow::SnapshotOnly),
        "offer a b, offer c key=c, holds, room 9, offer d",
        expect![[r#"
            0s  coalesced 1
            0s  coalesced 1
            0s  holds t: 1 messages, 10 bytes
            0s  sent c
            0s  sent d
        "#]],
    );
}

#[test]
fn snapshot_only_with_coalesce_does_the_same() {
    check(
        best_effort(Overflow::SnapshotOnly).coalesce(true),
        "offer a1 key=a, offer b1 key=b, offer a2 key=a, offer b2 key=b, holds, room 9",
        expect![[r#"
            0s  coalesced 1
            0s  coalesced 1
            0s  coalesced 1
            0s  holds t: 1 messages, 10 bytes
            0s  sent b2
        "#]],
    );
}

#[test]
fn a_message_larger_than_the_lane_is_too_large_whatever_the_policy() {
    for overflow in [Overflow::RejectNew, Overflow::DropOldest, Overflow::Coalesce, Overflow::SnapshotOnly] {
        check(
            best_effort(overflow).max_queued_bytes(20),
            "offer a size=20, offer b size=21, holds, room 9, books",
            expect![[r#"
                0s  rejected b: too large
                0s  holds t: 1 messages, 20 bytes
                0s  sent a
                0s  books of t: 2 offered 1 sent 1 delivered 1 too large
                0s  1 links, 0 messages resident
            "#]],
        );
    }
}

#[test]
fn the_byte_limit_rejects_what_the_message_limit_would_take() {
    check(
        best_effort(Overflow::RejectNew).max_queued_bytes(30),
        "offer a size=20, offer b size=11, offer c size=10, holds, room 9",
        expect![[r#"
            0s  rejected b: full
            0s  overflow began
            0s  holds t: 2 messages, 30 bytes
            0s  sent a
            0s  sent c
            0s  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn limits_cover_what_is_queued_and_what_is_in_flight() {
    check(
        at_least_once(2).max_queued_messages(3),
        "room 9, offer a b c d, holds, ack a, offer e, holds",
        expect![[r#"
            0s  rejected d: full
            0s  overflow began
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            0s  holds t: 3 messages, 30 bytes
            0s  acked a
            0s  sent c (attempt 1)
            0s  holds t: 3 messages, 30 bytes
        "#]],
    );
}

#[test]
fn the_byte_limit_covers_what_is_in_flight() {
    check(
        at_least_once(2).max_queued_bytes(25),
        "room 9, offer a, offer b size=20, offer c size=15, ack a, offer d size=10",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  rejected b: full
            0s  overflow began
            0s  sent c (attempt 1)
            0s  acked a
            0s  overflow ended: 1 lost
            0s  sent d (attempt 1)
        "#]],
    );
}

#[test]
fn an_overflow_ends_when_the_queue_has_been_sent() {
    check(
        best_effort(Overflow::DropOldest).max_queued_messages(2),
        "offer a b c d e, room 1, offer f, room 9, offer g, room 0, offer h i j",
        expect![[r#"
            0s  displaced 1
            0s  displaced 1
            0s  displaced 1
            0s  overflow began
            0s  sent d
            0s  sent e
            0s  sent f
            0s  overflow ended: 3 lost
            0s  sent g
            0s  displaced 1
            0s  overflow began
        "#]],
    );
}

#[test]
fn an_overflow_ends_with_its_lane() {
    check(
        best_effort(Overflow::RejectNew).max_queued_messages(1),
        "offer a b c, unsubscribe, room 9, books",
        expect![[r#"
            0s  rejected b: full
            0s  rejected c: full
            0s  overflow began
            0s  overflow ended: 2 lost
            0s  unsubscribed from t
            0s  told: unsubscribed from t
            0s  books of t: 3 offered 2 rejected 1 abandoned
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_topic_has_the_limits_of_its_namespace_until_told_otherwise() {
    let namespace = Namespace::new("/a")
        .topic("t")
        .topic_with(Topic::new("u").max_queued_messages(2))
        .best_effort(Overflow::DropOldest)
        .max_queued_messages(1);
    check(
        namespace,
        "offer a b, offer c d e topic=u, room 9",
        expect![[r#"
            0s  displaced 1
            0s  overflow began
            0s  displaced 1
            0s  overflow began
            0s  sent b
            0s  sent d
            0s  sent e
            0s  overflow ended: 1 lost
            0s  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn an_overflow_of_a_full_window_ends_when_an_ack_makes_space() {
    check(
        at_least_once(1).max_queued_messages(1),
        "room 9, offer a b c, ack a, offer d",
        expect![[r#"
            0s  rejected b: full
            0s  rejected c: full
            0s  overflow began
            0s  sent a (attempt 1)
            0s  acked a
            0s  overflow ended: 2 lost
            0s  sent d (attempt 1)
        "#]],
    );
}

#[test]
fn an_overflow_of_a_full_window_lasts_while_its_messages_are_only_sent_again() {
    check(
        at_least_once(1).max_queued_messages(1),
        "room 9, offer a b, +1s, offer c, +1s",
        expect![[r#"
            0s  rejected b: full
            0s  overflow began
            0s  sent a (attempt 1)
            1s  sent a (attempt 2)
            1s  rejected c: full
            2s  gave up on a
            2s  overflow ended: 2 lost
            2s  kept a: exhausted after 2
        "#]],
    );
}
