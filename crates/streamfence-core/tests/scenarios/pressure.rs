//! What gives way when the process has no memory left for messages.

use expect_test::expect;
use streamfence_core::{Namespace, Overflow, Topic};

use crate::{at_least_once, best_effort, check};

/// Two topics that let older messages give way: `t` and `u`.
fn two() -> Namespace {
    let topic = |name| Topic::new(name).best_effort(Overflow::DropOldest).gap_notices(true);
    Namespace::new("/a").topic_with(topic("t")).topic_with(topic("u"))
}

#[test]
fn a_lane_that_refuses_what_is_new_refuses_it_at_the_budget() {
    check(
        best_effort(Overflow::RejectNew).gap_notices(true),
        "offer a, memory 314, offer b, memory 313, offer c, memory plenty, offer d, room 9, books",
        expect![[r#"
            0s  rejected c: no memory
            0s  sent a
            0s  sent b
            0s  told: missed 1 of t, 3 to 3: rejected
            0s  sent d
            0s  books of t: 4 offered 3 sent 3 delivered 1 over budget
            0s  memory cost: 1 rejected, 0 displaced, 0 bytes shed
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn at_least_once_is_refused_at_the_budget_even_to_a_client_that_reads() {
    check(
        at_least_once(4),
        "room 9, memory 0, offer a, memory 314, offer b, memory 313, offer c, ack b, memory 314, offer d, books",
        expect![[r#"
            0s  rejected a: no memory
            0s  sent b (attempt 1)
            0s  rejected c: no memory
            0s  acked b
            0s  sent d (attempt 1)
            0s  books of t: 4 offered 2 sent 1 delivered 2 over budget
            0s  memory cost: 2 rejected, 0 displaced, 0 bytes shed
            0s  1 links, 1 messages resident
        "#]],
    );
}

#[test]
fn what_a_lane_refuses_at_the_budget_is_one_of_the_reasons_and_no_slow_client() {
    check(
        best_effort(Overflow::RejectNew).max_queued_messages(1).max_queued_bytes(100),
        "memory 0, offer a, offer b size=101, offer c ttl=0s, memory 314, offer d, offer e, books",
        expect![[r#"
            0s  rejected a: no memory
            0s  rejected b: too large
            0s  rejected c: expired
            0s  rejected e: full
            0s  overflow began
            0s  books of t: 5 offered 1 rejected 1 too large 1 over budget 1 expired
            0s  memory cost: 1 rejected, 0 displaced, 0 bytes shed
            0s  1 links, 1 messages resident
        "#]],
    );
}

#[test]
fn a_newer_message_takes_the_place_of_older_ones_and_the_lane_does_not_grow() {
    check(
        best_effort(Overflow::DropOldest).gap_notices(true),
        "offer 1-4 size=100, memory 0, offer 5 size=100, holds, offer 6 size=250, holds, offer 7 size=10, holds,
         memory 0, offer 8 size=2000, holds, room 9, books",
        expect![[r#"
            0s  displaced 1
            0s  overflow began
            0s  holds t: 4 messages, 400 bytes
            0s  displaced 3
            0s  holds t: 2 messages, 350 bytes
            0s  displaced 1
            0s  holds t: 2 messages, 260 bytes
            0s  rejected 8: no memory
            0s  holds t: 2 messages, 260 bytes
            0s  told: missed 5 of t, 1 to 5: displaced
            0s  sent 6-7
            0s  overflow ended: 5 lost
            0s  books of t: 8 offered 2 sent 2 delivered 5 displaced 1 over budget
            0s  memory cost: 1 rejected, 5 displaced, 0 bytes shed
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn an_empty_lane_takes_nothing_unless_it_leaves_at_once() {
    check(
        best_effort(Overflow::DropOldest),
        "memory 0, offer a, room 9, flood b, flood c, books",
        expect![[r#"
            0s  rejected a: no memory
            0s  crowded after b
            0s  sent b
            0s  crowded after c
            0s  sent c
            0s  books of t: 3 offered 2 sent 2 delivered 1 over budget
            0s  memory cost: 1 rejected, 0 displaced, 0 bytes shed
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_value_takes_the_place_of_the_one_it_replaces() {
    check(
        best_effort(Overflow::Coalesce),
        "offer a key=x size=50, offer b key=y size=50, memory 0, offer c key=x size=50, offer d key=x size=70,
         offer e key=z size=20, holds, room 9, books",
        expect![[r#"
            0s  coalesced 1
            0s  displaced 2
            0s  overflow began
            0s  displaced 1
            0s  holds t: 1 messages, 20 bytes
            0s  sent e
            0s  overflow ended: 3 lost
            0s  books of t: 5 offered 1 sent 1 delivered 3 displaced 1 coalesced
            0s  memory cost: 0 rejected, 3 displaced, 0 bytes shed
            0s  1 links, 0 messages resident
        "#]],
    );
    check(
        best_effort(Overflow::SnapshotOnly),
        "offer a size=50, memory 0, offer b size=50, offer c size=80, room 9, books",
        expect![[r#"
            0s  coalesced 1
            0s  rejected c: no memory
            0s  sent b
            0s  books of t: 3 offered 1 sent 1 delivered 1 coalesced 1 over budget
            0s  memory cost: 1 rejected, 0 displaced, 0 bytes shed
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_value_may_grow_in_its_place_while_there_is_memory_and_the_lane_has_place() {
    check(
        best_effort(Overflow::Coalesce).max_queued_bytes(100),
        "offer a key=x size=50, offer b key=y size=40, memory 20, offer c key=x size=60, holds,
         offer d key=x size=61, holds, books",
        expect![[r#"
            0s  coalesced 1
            0s  holds t: 2 messages, 100 bytes
            0s  displaced 2
            0s  overflow began
            0s  holds t: 1 messages, 61 bytes
            0s  books of t: 4 offered 2 displaced 1 coalesced
            0s  memory cost: 0 rejected, 2 displaced, 0 bytes shed
            0s  1 links, 1 messages resident
        "#]],
    );
}

#[test]
fn what_others_hold_too_is_no_place_to_take() {
    // What bob holds stays in memory though ann lets it go, so it pays for an entry and not for another message.
    check(
        two(),
        "join bob /a, bob: subscribe t, offer 1-4 size=1000, memory 0,
         offer 5 size=1000 to=ann, offer 6 size=1000, holds, bob: holds",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  rejected 5: no memory
            0s  rejected 6: no memory (2 of 2)
            0s  holds t: 4 messages, 4000 bytes; u: 0 messages, 0 bytes
            0s  bob: holds t: 4 messages, 4000 bytes
        "#]],
    );
}

#[test]
fn the_lane_that_costs_the_most_sheds_first() {
    check(
        two(),
        "join bob /a, bob: subscribe t, join cat /a, cat: subscribe t,
         offer 1-4 size=100, offer 5-12 size=1000 to=bob, offer 13-14 size=1000 to=cat,
         memory 0 shed=3000, holds, bob: holds, cat: holds,
         memory 0 shed=3000, holds, bob: holds, cat: holds,
         memory 0 shed=100000, holds, bob: holds, cat: holds, books",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  cat: joined /a
            0s  cat: subscribed to t
            0s  shed 7
            0s  bob: overflow began
            0s  holds t: 4 messages, 400 bytes; u: 0 messages, 0 bytes
            0s  bob: holds t: 5 messages, 5000 bytes
            0s  cat: holds t: 6 messages, 2400 bytes
            0s  shed 3
            0s  holds t: 4 messages, 400 bytes; u: 0 messages, 0 bytes
            0s  bob: holds t: 2 messages, 2000 bytes
            0s  cat: holds t: 6 messages, 2400 bytes
            0s  shed 12
            0s  cat: overflow began
            0s  overflow began
            0s  holds t: 0 messages, 0 bytes; u: 0 messages, 0 bytes
            0s  bob: holds t: 0 messages, 0 bytes
            0s  cat: holds t: 0 messages, 0 bytes
            0s  books of t: 22 offered 22 displaced
            0s  books of u:
            0s  memory cost: 0 rejected, 22 displaced, 15040 bytes shed
            0s  3 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_client_is_told_of_what_was_shed_in_order() {
    check(
        two(),
        "offer 1-4, memory 0 shed=100, memory plenty, offer 5, room 9, books",
        expect![[r#"
            0s  shed 1
            0s  overflow began
            0s  told: missed 1 of t, 1 to 1: displaced
            0s  sent 2-5
            0s  overflow ended: 1 lost
            0s  books of t: 5 offered 4 sent 4 delivered 1 displaced
            0s  books of u:
            0s  memory cost: 0 rejected, 1 displaced, 314 bytes shed
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn lanes_that_refuse_what_is_new_shed_nothing_and_detached_ones_do() {
    check(
        best_effort(Overflow::RejectNew).topic_with(Topic::new("u").best_effort(Overflow::DropOldest)),
        "retain 9s, offer 1-3, offer 4-6 topic=u, close, memory 0 shed=100000, holds, return, room 9, books",
        expect![[r#"
            0s  left (transport)
            0s  is waited for
            0s  shed 3
            0s  overflow began
            0s  holds t: 3 messages, 30 bytes; u: 0 messages, 0 bytes
            0s  joined /a
            0s  is back
            0s  overflow ended: 3 lost
            0s  sent 1-3
            0s  books of t: 3 offered 3 sent 3 delivered
            0s  books of u: 3 offered 3 displaced
            0s  memory cost: 0 rejected, 3 displaced, 942 bytes shed
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_held_value_is_replaced_by_a_newer_one_only_if_that_costs_no_more() {
    check(
        best_effort(Overflow::DropOldest).coalesce(true).max_frequency(1.0),
        "room 9, offer a key=k, offer b key=k, memory 0, offer c key=k, offer d key=k size=2000,
         offer e key=l, memory plenty, +1s, books",
        expect![[r#"
            0s  sent a
            0s  coalesced 1
            0s  rejected d: no memory
            0s  rejected e: no memory
            1s  sent c
            1s  books of t: 5 offered 2 sent 2 delivered 1 coalesced 2 over budget
            1s  memory cost: 2 rejected, 0 displaced, 0 bytes shed
            1s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn what_one_lane_pays_with_is_not_there_for_the_next() {
    check(
        best_effort(Overflow::DropOldest),
        "join bob /a, bob: subscribe, offer a b c to=ann size=150, memory 0, offer d size=400, holds, bob: holds, books",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  rejected d: no memory (1 of 2)
            0s  displaced 3
            0s  overflow began
            0s  holds t: 1 messages, 400 bytes
            0s  bob: holds t: 0 messages, 0 bytes
            0s  books of t: 5 offered 3 displaced 1 over budget
            0s  memory cost: 1 rejected, 3 displaced, 0 bytes shed
            0s  2 links, 1 messages resident
        "#]],
    );
}

#[test]
fn values_that_wait_for_their_interval_are_shed_after_those_that_do_not() {
    check(
        best_effort(Overflow::DropOldest).max_frequency(1.0).gap_notices(true),
        "room 9, offer a key=x, offer b key=x size=50, offer c key=y, offer d key=y, room 0, offer e key=z,
         memory 0 shed=1, holds, memory 0 shed=1, holds, memory 0 shed=9999, holds, books",
        expect![[r#"
            0s  sent a
            0s  sent c
            0s  shed 1
            0s  overflow began
            0s  holds t: 2 messages, 60 bytes
            0s  shed 1
            0s  holds t: 1 messages, 10 bytes
            0s  shed 1
            0s  holds t: 0 messages, 0 bytes
            0s  books of t: 5 offered 2 sent 2 delivered 3 displaced
            0s  memory cost: 0 rejected, 3 displaced, 982 bytes shed
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn what_is_shed_makes_way_for_what_there_is_room_for() {
    check(
        best_effort(Overflow::DropOldest),
        "room 9 50, offer a size=100, offer b, memory 1000 shed=100",
        expect![[r#"
            0s  shed 1
            0s  overflow began
            0s  sent b
            0s  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn what_a_client_missed_is_told_before_a_message_that_is_to_leave_at_once() {
    check(
        best_effort(Overflow::RejectNew).gap_notices(true),
        "memory 0, offer a, room 9 200 empty, offer b, memory plenty, room 9 500, memory 0, offer c, holds",
        expect![[r#"
            0s  rejected a: no memory
            0s  rejected b: no memory
            0s  told: missed 2 of t, 1 to 2: rejected
            0s  sent c
            0s  holds t: 0 messages, 0 bytes
        "#]],
    );
    // Each notice takes its room, and without one there is none to take.
    check(
        best_effort(Overflow::RejectNew).gap_notices(true),
        "memory 0, room 1, offer a, room 0, offer b, offer c ttl=0s, room 2, offer d, room 3, offer e, room 4, offer f",
        expect![[r#"
            0s  sent a
            0s  rejected b: no memory
            0s  rejected c: expired
            0s  rejected d: no memory
            0s  rejected e: no memory
            0s  told: missed 1 of t, 2 to 2: rejected
            0s  told: missed 1 of t, 3 to 3: expired
            0s  told: missed 2 of t, 4 to 5: rejected
            0s  sent f
        "#]],
    );
    check(
        best_effort(Overflow::RejectNew).gap_notices(true),
        "memory 0, offer a, room 9 265, offer b, room 9 266, offer c",
        expect![[r#"
            0s  rejected a: no memory
            0s  rejected b: no memory
            0s  told: missed 2 of t, 1 to 2: rejected
            0s  sent c
        "#]],
    );
}

#[test]
fn a_newcomer_for_whom_there_is_no_room_behind_the_answer_costs_nothing() {
    let last = streamfence_core::OnSubscribe::Last;
    check(
        best_effort(Overflow::DropOldest).on_subscribe(last),
        "room 9, offer a, join bob /a, bob:room 2 300, memory 0, bob:subscribe, bob:holds, books",
        expect![[r#"
            0s  sent a
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 1
            0s  bob: holds t: 0 messages, 0 bytes
            0s  books of t: 2 offered 1 sent 1 delivered 1 over budget
            0s  memory cost: 1 rejected, 0 displaced, 0 bytes shed
            0s  2 links, 0 messages resident
        "#]],
    );
}

#[test]
fn places_that_expired_messages_leave_pay_for_no_message() {
    check(
        best_effort(Overflow::RejectNew),
        "join bob /a, bob:subscribe, offer a b ttl=1s, +2s, memory 100, offer c size=500, books",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            2s  rejected c: no memory (2 of 2)
            2s  books of t: 6 offered 2 over budget 4 expired
            2s  memory cost: 2 rejected, 0 displaced, 0 bytes shed
            2s  2 links, 0 messages resident
        "#]],
    );
}
