//! Disks that are slow, full, damaged or gone, and lanes that live with it.

use expect_test::expect;

use streamfence_core::{Namespace, Overflow};

use crate::{check, lossless, spilling};

#[test]
fn what_is_not_written_yet_is_taken_from_memory() {
    check(
        spilling(),
        "disk waits, disk tells, offer 1-9, +50ms, room 99, offer 10-12, room 99, books",
        expect![[r#"
        0s  spilled 5-9
        0s  spill began
        20ms  disk: open t
        50ms  sent 1-8
        50ms  spill ended: 5 in 50ms
        50ms  sent 9-12
        50ms  books of t: 12 offered 12 sent 12 delivered 5 spilled
        50ms  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn more_than_may_wait_for_a_disk_is_refused_for_all_and_told_in_its_place() {
    let script = "disk waits, join bob /a, bob: subscribe, offer 1-4, offer 5-7 size=400000, offer 8, offer 9-10 size=400000, \
                  bob: room 2, offer 11 size=400000, disk goes on, +50ms, offer 12, bob: room 99, room 99, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  spilled 5-6 (2 of 2)
        0s  rejected 7: disk_busy (2 of 2)
        0s  spill began
        0s  bob: spill began
        0s  spilled 8 (2 of 2)
        0s  rejected 9: disk_busy (2 of 2)
        0s  rejected 10: disk_busy (2 of 2)
        0s  bob: told: subscribed to t after 0
        0s  rejected 11: disk_busy (2 of 2)
        50ms  spilled 12 (2 of 2)
        50ms  bob: sent 1-5
        50ms  bob: overflow began
        50ms  bob: spill ended: 4 in 50ms
        50ms  bob: sent 6
        50ms  bob: told: missed 1 of t, 7 to 7: rejected
        50ms  bob: sent 8
        50ms  bob: told: missed 3 of t, 9 to 11: rejected
        50ms  bob: sent 12
        50ms  bob: overflow ended: 4 lost
        50ms  sent 1-5
        50ms  overflow began
        50ms  spill ended: 4 in 50ms
        50ms  sent 6
        50ms  told: missed 1 of t, 7 to 7: rejected
        50ms  sent 8
        50ms  told: missed 3 of t, 9 to 11: rejected
        50ms  sent 12
        50ms  overflow ended: 4 lost
        50ms  books of t: 24 offered 16 sent 16 delivered 8 spilled 8 rejected
        50ms  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_full_disk_is_a_refusal_with_its_reason_and_it_recovers_by_itself() {
    let script = "disk size=2000000 grant=1000000, disk tells, offer 1-5 size=400000, +50ms, offer 6-7 size=400000, +50ms, \
                  offer 8-9 size=400000, +50ms, offer 10-12 size=400000, +50ms, room 7 99999999, disk size=99000000, \
                  offer 13 size=400000, +50ms, room 99 99999999, books";
    check(
        spilling().max_queued_bytes(4_000_000),
        script,
        expect![[r#"
        0s  spilled 5
        0s  spill began
        0s  disk: open t
        0s  disk: append 5
        50ms  spilled 6-7
        50ms  disk: append 6
        50ms  disk: append 7
        100ms  spilled 8-9
        100ms  disk: append 8
        100ms  disk is full
        150ms  spilled 10-11
        150ms  rejected 12: disk_full
        200ms  sent 1-4
        200ms  disk: read from 0
        200ms  disk: read from 1
        200ms  sent 5
        200ms  disk: release up to 5
        200ms  sent 6-7
        200ms  overflow began
        200ms  spill ended: 7 in 200ms
        200ms  disk: release up to 7
        200ms  disk is healthy
        200ms  spilled 13
        200ms  spill began
        200ms  disk: append 13
        250ms  sent 8-11
        250ms  spill ended: 1 in 50ms
        250ms  told: missed 1 of t, 12 to 12: rejected
        250ms  sent 13
        250ms  overflow ended: 1 lost
        250ms  books of t: 13 offered 12 sent 12 delivered 8 spilled 1 rejected
        250ms  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn topics_that_find_no_room_do_not_silence_one_that_has_some() {
    let namespace = Namespace::new("/a").topic("orders.*").best_effort(Overflow::Spill).max_queued_messages(2);
    // The first topic gets all the room there is. The others wait for some, with two of 400 kB each.
    let mut script = String::from("disk size=1000000 grant=1000000");
    (0..12).for_each(|topic| script += &format!(", subscribe orders.{topic}"));
    script += ", room 12, room 0, offer 1-3 topic=orders.0, +50ms";
    for topic in 1..12 {
        let first = 4 * topic;
        script += &format!(", offer {first}-{} topic=orders.{topic} size=400000, +50ms", first + 3);
    }
    script += ", offer 90 topic=orders.0 size=400000, room 99 99999999, books";
    check(
        namespace.max_queued_bytes(4_000_000),
        &script,
        expect![[r#"
        0s  subscribed to orders.0
        0s  subscribed to orders.1
        0s  subscribed to orders.2
        0s  subscribed to orders.3
        0s  subscribed to orders.4
        0s  subscribed to orders.5
        0s  subscribed to orders.6
        0s  subscribed to orders.7
        0s  subscribed to orders.8
        0s  subscribed to orders.9
        0s  subscribed to orders.10
        0s  subscribed to orders.11
        0s  told: subscribed to orders.0 after 0
        0s  told: subscribed to orders.1 after 0
        0s  told: subscribed to orders.2 after 0
        0s  told: subscribed to orders.3 after 0
        0s  told: subscribed to orders.4 after 0
        0s  told: subscribed to orders.5 after 0
        0s  spilled 3
        0s  spill began
        50ms  spilled 6-7
        50ms  spill began
        50ms  disk is full
        100ms  spilled 10-11
        100ms  spill began
        150ms  spilled 14-15
        150ms  spill began
        200ms  spilled 18-19
        200ms  spill began
        250ms  spilled 22-23
        250ms  spill began
        300ms  rejected 26: disk_full
        300ms  rejected 27: disk_full
        300ms  overflow began
        350ms  rejected 30: disk_full
        350ms  rejected 31: disk_full
        350ms  overflow began
        400ms  rejected 34: disk_full
        400ms  rejected 35: disk_full
        400ms  overflow began
        450ms  rejected 38: disk_full
        450ms  rejected 39: disk_full
        450ms  overflow began
        500ms  rejected 42: disk_full
        500ms  rejected 43: disk_full
        500ms  overflow began
        550ms  rejected 46: disk_full
        550ms  rejected 47: disk_full
        550ms  overflow began
        600ms  spilled 90
        600ms  told: subscribed to orders.6 after 0
        600ms  told: subscribed to orders.7 after 0
        600ms  told: subscribed to orders.8 after 0
        600ms  told: subscribed to orders.9 after 0
        600ms  told: subscribed to orders.10 after 0
        600ms  told: subscribed to orders.11 after 0
        600ms  sent 1
        600ms  sent 4
        600ms  sent 8
        600ms  sent 12
        600ms  sent 16
        600ms  sent 20
        600ms  sent 24
        600ms  sent 28
        600ms  sent 32
        600ms  sent 36
        600ms  sent 40
        600ms  sent 44
        600ms  sent 2
        600ms  sent 5
        600ms  sent 9
        600ms  sent 13
        600ms  sent 17
        600ms  sent 21
        600ms  sent 25
        600ms  sent 29
        600ms  sent 33
        600ms  sent 37
        600ms  sent 41
        600ms  sent 45
        600ms  overflow ended: 2 lost
        600ms  overflow ended: 2 lost
        600ms  overflow ended: 2 lost
        600ms  overflow ended: 2 lost
        600ms  overflow ended: 2 lost
        600ms  overflow ended: 2 lost
        600ms  spill ended: 2 in 600ms
        600ms  spill ended: 2 in 550ms
        600ms  spill ended: 2 in 500ms
        600ms  spill ended: 2 in 450ms
        600ms  spill ended: 2 in 400ms
        600ms  spill ended: 2 in 350ms
        600ms  sent 3
        600ms  sent 6
        600ms  sent 10
        600ms  sent 14
        600ms  sent 18
        600ms  sent 22
        600ms  sent 90
        600ms  sent 7
        600ms  sent 11
        600ms  sent 15
        600ms  sent 19
        600ms  sent 23
        600ms  books of orders.*: 48 offered 36 sent 36 delivered 12 spilled 12 rejected
        600ms  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_disk_that_has_failed_takes_nothing_more_and_what_is_in_memory_still_comes() {
    let script = "disk waits, offer 1-6, +50ms, disk step, disk step, offer 7, disk fails, disk goes on, offer 8, +50ms, \
                  room 99, offer 9-14, room 99, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  spilled 5-6
        0s  spill began
        50ms  spilled 7
        50ms  disk is failed
        50ms  rejected 8: disk_failed
        100ms  sent 1-4
        100ms  overflow began
        100ms  spill ended: 3 in 100ms
        100ms  sent 5-7
        100ms  overflow ended: 1 lost
        100ms  rejected 13: disk_failed
        100ms  rejected 14: disk_failed
        100ms  overflow began
        100ms  told: missed 1 of t, 8 to 8: rejected
        100ms  sent 9-12
        100ms  overflow ended: 2 lost
        100ms  books of t: 14 offered 11 sent 11 delivered 3 spilled 3 rejected
        100ms  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn what_was_written_before_a_disk_failed_is_still_read() {
    let script = "disk forgets, disk tells, offer 1-20, +50ms, disk fails, offer x, room 4, room 99, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  spilled 5-20
        0s  spill began
        20ms  disk: open t
        20ms  disk: append 5-20
        50ms  disk is failed
        50ms  rejected x: disk_failed
        50ms  sent 1-4
        50ms  disk: read from 0
        50ms  sent 5-8
        50ms  disk: read from 4
        50ms  sent 9-12
        50ms  disk: read from 8
        50ms  sent 13-16
        50ms  disk: read from 12
        50ms  overflow began
        50ms  spill ended: 16 in 50ms
        50ms  sent 17-20
        50ms  overflow ended: 1 lost
        50ms  books of t: 21 offered 20 sent 20 delivered 16 spilled 1 rejected
        50ms  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_damaged_part_is_counted_and_told_and_what_comes_after_it_is_sent() {
    let script = "disk forgets, offer 1-40, +50ms, disk damages 10 12, room 99, offer 41, room 9, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  spilled 5-40
        0s  spill began
        50ms  sent 1-8
        50ms  overflow began
        50ms  sent 9
        50ms  told: missed 3 of t, 10 to 12: damaged
        50ms  sent 13-39
        50ms  spill ended: 33 in 50ms
        50ms  sent 40
        50ms  overflow ended: 3 lost
        50ms  sent 41
        50ms  books of t: 41 offered 38 sent 38 delivered 36 spilled 3 lost on disk
        50ms  1 links, 0 messages resident
    "#]],
    );
    let script = "disk forgets, offer 1-40, +50ms, disk damages 5 34, room 99, ack 1-4, room 99, ack 35-38, room 99, \
                  ack 39-40, books";
    check(
        lossless(4),
        script,
        expect![[r#"
        0s  spilled 5-40
        0s  spill began
        50ms  sent 1-4 (attempt 1)
        50ms  acked 1
        50ms  acked 2
        50ms  acked 3
        50ms  acked 4
        50ms  overflow began
        50ms  told: missed 30 of t, 5 to 34: damaged
        50ms  sent 35-38 (attempt 1)
        50ms  acked 35
        50ms  acked 36
        50ms  acked 37
        50ms  acked 38
        50ms  spill ended: 6 in 50ms
        50ms  sent 39-40 (attempt 1)
        50ms  overflow ended: 30 lost
        50ms  acked 39
        50ms  acked 40
        50ms  books of t: 40 offered 10 sent 10 delivered 36 spilled 30 lost on disk
        50ms  1 links, 0 messages resident
    "#]],
    );
    // The end of what is there, and all of it.
    let script = "disk forgets, offer 1-9, +50ms, disk damages 8 9, room 99, offer 10, room 9, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  spilled 5-9
        0s  spill began
        50ms  sent 1-4
        50ms  overflow began
        50ms  spill ended: 3 in 50ms
        50ms  sent 5-7
        50ms  overflow ended: 2 lost
        50ms  told: missed 2 of t, 8 to 9: damaged
        50ms  sent 10
        50ms  books of t: 10 offered 8 sent 8 delivered 5 spilled 2 lost on disk
        50ms  1 links, 0 messages resident
    "#]],
    );
    let script = "disk forgets, offer 1-9, +50ms, disk damages 5 9, offer 10, room 99, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  spilled 5-9
        0s  spill began
        50ms  spilled 10
        50ms  sent 1-4
        50ms  overflow began
        50ms  spill ended: 1 in 50ms
        50ms  told: missed 5 of t, 5 to 9: damaged
        50ms  sent 10
        50ms  overflow ended: 5 lost
        50ms  books of t: 10 offered 5 sent 5 delivered 6 spilled 5 lost on disk
        50ms  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_lane_amid_a_damaged_part_loses_the_rest_of_it() {
    let script = "disk forgets, offer 1-20, +50ms, room 6, disk damages 6 12, room 99, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  spilled 5-20
        0s  spill began
        50ms  sent 1-10
        50ms  overflow began
        50ms  told: missed 2 of t, 11 to 12: damaged
        50ms  sent 13-16
        50ms  spill ended: 14 in 50ms
        50ms  sent 17-20
        50ms  overflow ended: 2 lost
        50ms  books of t: 20 offered 18 sent 18 delivered 16 spilled 2 lost on disk
        50ms  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn of_a_damaged_part_each_lane_loses_what_was_for_it() {
    let script = "disk forgets, join bob /a, bob: subscribe, offer 1-5, offer a to=bob, offer b to=ann, offer c except=bob, \
                  offer 6-20, +50ms, disk damages a 8, room 99, bob: room 99, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  spilled 5 (2 of 2)
        0s  spill began
        0s  bob: spill began
        0s  spilled a
        0s  spilled b
        0s  spilled c
        0s  spilled 6-20 (2 of 2)
        50ms  sent 1-4
        50ms  overflow began
        50ms  sent 5
        50ms  told: missed 5 of t, 6 to 11: damaged
        50ms  sent 9-19
        50ms  spill ended: 13 in 50ms
        50ms  sent 20
        50ms  overflow ended: 5 lost
        50ms  bob: told: subscribed to t after 0
        50ms  bob: sent 1-4
        50ms  bob: overflow began
        50ms  bob: sent 5
        50ms  bob: told: missed 4 of t, 6 to 11: damaged
        50ms  bob: sent 9-19
        50ms  bob: spill ended: 13 in 50ms
        50ms  bob: sent 20
        50ms  bob: overflow ended: 4 lost
        50ms  books of t: 43 offered 34 sent 34 delivered 35 spilled 9 lost on disk
        50ms  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn lanes_at_one_place_share_a_read_and_reads_may_be_answered_in_any_order() {
    let script = "disk forgets, join bob /a, bob: subscribe, join cat /a, cat: subscribe, offer 1-40 size=4000, +50ms, \
                  cat: room 29, disk waits, disk tells, cat: room 9, room 9, bob: room 9, disk step 2, disk step, \
                  disk goes on, room 99, bob: room 99, cat: room 99, leave, bob: leave, cat: leave";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  cat: joined /a
        0s  cat: subscribed to t
        0s  spilled 5-40 (3 of 3)
        0s  spill began
        0s  cat: spill began
        0s  bob: spill began
        50ms  cat: told: subscribed to t after 0
        50ms  cat: sent 1-31
        50ms  disk: read from 27
        50ms  sent 1-4
        50ms  disk: read from 0
        50ms  bob: told: subscribed to t after 0
        50ms  bob: sent 1-4
        50ms  sent 5-8
        50ms  disk: read from 4
        50ms  bob: sent 5-7
        50ms  cat: sent 32-35
        50ms  disk: read from 31
        50ms  sent 9
        50ms  cat: sent 36
        50ms  sent 10-12
        50ms  disk: read from 8
        50ms  sent 13-16
        50ms  disk: read from 12
        50ms  sent 17-20
        50ms  disk: read from 16
        50ms  sent 21-24
        50ms  disk: read from 20
        50ms  sent 25-28
        50ms  disk: read from 24
        50ms  sent 29-32
        50ms  disk: read from 28
        50ms  sent 33-36
        50ms  disk: read from 32
        50ms  spill ended: 36 in 50ms
        50ms  sent 37-40
        50ms  bob: sent 8-11
        50ms  disk: read from 7
        50ms  bob: sent 12-15
        50ms  disk: read from 11
        50ms  bob: sent 16-19
        50ms  disk: read from 15
        50ms  bob: sent 20-23
        50ms  disk: read from 19
        50ms  bob: sent 24-27
        50ms  disk: read from 23
        50ms  bob: sent 28-31
        50ms  disk: read from 27
        50ms  bob: sent 32-35
        50ms  disk: read from 31
        50ms  bob: sent 36-39
        50ms  disk: read from 35
        50ms  bob: spill ended: 36 in 50ms
        50ms  bob: sent 40
        50ms  cat: sent 37-39
        50ms  disk: read from 35
        50ms  cat: spill ended: 36 in 50ms
        50ms  cat: sent 40
        50ms  left (client)
        50ms  bob: left (client)
        50ms  cat: left (client)
    "#]],
    );
}

#[test]
fn a_lane_that_leaves_while_it_is_read_for_is_not_missed() {
    let script =
        "disk forgets, disk tells, offer 1-40, +50ms, disk waits, room 9, leave, disk goes on, books, +6s, tick";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  spilled 5-40
        0s  spill began
        20ms  disk: open t
        20ms  disk: append 5-40
        50ms  sent 1-4
        50ms  disk: read from 0
        50ms  spill ended: 0 in 50ms
        50ms  left (client)
        50ms  disk: release up to 36
        50ms  books of t: 40 offered 4 sent 4 delivered 36 spilled 36 abandoned
        50ms  1 links, 0 messages resident
        6.05s  disk: close
    "#]],
    );
}

#[test]
fn where_memory_is_short_a_lane_spills_before_it_is_full_and_where_there_is_no_disk_it_refuses() {
    check(
        spilling().gap_notices(true),
        "memory 0, offer 1-3, +50ms, room 2, memory 0, room 9, +1ms, memory plenty, room 9, books",
        expect![[r#"
            0s  spilled 1-3
            0s  spill began
            50ms  sent 1-2
            50ms  spill ended: 3 in 50ms
            50ms  sent 3
            51ms  books of t: 3 offered 3 sent 3 delivered 3 spilled
            51ms  1 links, 0 messages resident
        "#]],
    );
    check(
        spilling().gap_notices(true),
        "memory 313, offer 1, disk fails, +50ms, offer 2, memory plenty, room 9, offer 3, books",
        expect![[r#"
            0s  spilled 1
            0s  spill began
            20ms  disk is failed
            50ms  rejected 2: disk_failed
            50ms  overflow began
            50ms  spill ended: 1 in 50ms
            50ms  sent 1
            50ms  overflow ended: 1 lost
            50ms  told: missed 1 of t, 2 to 2: rejected
            50ms  sent 3
            50ms  books of t: 3 offered 2 sent 2 delivered 1 spilled 1 rejected
            50ms  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_private_message_spills_where_memory_is_short_and_keeps_its_place() {
    check(
        spilling(),
        "join bob /a, bob: subscribe, memory 0, offer 1 to=bob, offer 2, +50ms, memory plenty, bob: room 9, room 9, books",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  spilled 1
            0s  bob: spill began
            0s  spilled 2 (2 of 2)
            0s  spill began
            50ms  bob: spill ended: 2 in 50ms
            50ms  bob: told: subscribed to t after 0
            50ms  bob: sent 1-2
            50ms  spill ended: 1 in 50ms
            50ms  sent 2
            50ms  books of t: 3 offered 3 sent 3 delivered 3 spilled
            50ms  2 links, 0 messages resident
        "#]],
    );
}

#[test]
fn where_memory_is_short_a_session_that_is_away_takes_nothing_from_disk_until_it_is_back() {
    check(
        spilling(),
        "retain 60s, room 9, close, memory 0, offer 1-2, +50ms, holds, return, room 9, memory plenty, room 9, books",
        expect![[r#"
            0s  left (transport)
            0s  is waited for
            0s  spilled 1-2
            0s  spill began
            50ms  holds t: 0 messages, 0 bytes
            50ms  joined /a
            50ms  is back
            50ms  sent 1
            50ms  spill ended: 2 in 50ms
            50ms  sent 2
            50ms  books of t: 2 offered 2 sent 2 delivered 2 spilled
            50ms  1 links, 0 messages resident
        "#]],
    );
}
