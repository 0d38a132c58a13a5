//! Lanes that are full and go on on disk.

use std::num::NonZeroU64;
use std::time::Duration;

use expect_test::expect;
use streamfence_core::testing::scenario::{self, Scene};
use streamfence_core::{Namespace, Overflow, SlowClient, SpillFull, SpillRules, StoreId};

use crate::{best_effort, check, lossless, spilling};

fn rules(client: Option<u64>, topic: Option<u64>, on_full: SpillFull) -> SpillRules {
    SpillRules {
        store: StoreId(0),
        max_bytes_per_client: client.and_then(NonZeroU64::new),
        max_bytes_per_topic: topic.and_then(NonZeroU64::new),
        on_full,
    }
}

#[test]
fn a_full_lane_goes_on_on_disk_and_everything_comes_in_order() {
    check(
        spilling(),
        "offer 1-12, holds, room 3, holds, +50ms, room 99, holds, books",
        expect![[r#"
        0s  spilled 5-12
        0s  spill began
        0s  holds t: 4 messages, 40 bytes
        0s  sent 1-3
        0s  holds t: 4 messages, 40 bytes
        50ms  sent 4-11
        50ms  spill ended: 8 in 50ms
        50ms  sent 12
        50ms  holds t: 0 messages, 0 bytes
        50ms  books of t: 12 offered 12 sent 12 delivered 8 spilled
        50ms  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_new_message_does_not_overtake_those_on_disk() {
    check(
        spilling(),
        "offer 1-6, room 1, offer 7, room 9, offer 8",
        expect![[r#"
        0s  spilled 5-6
        0s  spill began
        0s  sent 1
        0s  spilled 7
        0s  sent 2-4
        0s  spill ended: 3 in 0ns
        0s  sent 5-8
    "#]],
    );
    check(
        lossless(2),
        "offer 1-6, room 1, offer 7, ack 1, room 9, ack 1, offer 8, ack 2-8, ack 2-8",
        expect![[r#"
        0s  spilled 5-6
        0s  spill began
        0s  sent 1 (attempt 1)
        0s  spilled 7
        0s  acked 1
        0s  sent 2-3 (attempt 1)
        0s  acked 1: late
        0s  spilled 8
        0s  acked 2
        0s  acked 3
        0s  acked 4: unknown
        0s  acked 5: unknown
        0s  acked 6: unknown
        0s  acked 7: unknown
        0s  acked 8: unknown
        0s  sent 4-5 (attempt 1)
        0s  acked 2: late
        0s  acked 3: late
        0s  acked 4
        0s  acked 5
        0s  acked 6: unknown
        0s  acked 7: unknown
        0s  acked 8: unknown
        0s  spill ended: 4 in 0ns
        0s  sent 6-7 (attempt 1)
    "#]],
    );
}

#[test]
fn a_burst_that_is_over_in_time_is_never_written() {
    let script = "disk tells, offer 1-9, +10ms, room 99, +10s, tick, offer 10-18, +20ms, +10s, room 99, +10s, tick";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  spilled 5-9
        0s  spill began
        10ms  sent 1-8
        10ms  spill ended: 5 in 10ms
        10ms  sent 9
        10.01s  spilled 14-18
        10.01s  spill began
        10.01s  sent 10-17
        10.01s  spill ended: 5 in 0ns
        10.01s  sent 18
    "#]],
    );
}

#[test]
fn a_lane_that_is_far_behind_reads_what_was_written_and_one_that_is_near_does_not() {
    let far = "disk tells, offer 1-600 size=1000, +50ms, offer 601-1200 size=1000, +50ms, room 20, +1s, room 140, +1s, room 999, leave";
    let namespace = best_effort(Overflow::Spill).max_queued_messages(40);
    check(
        namespace,
        far,
        expect![[r#"
        0s  spilled 41-600
        0s  spill began
        0s  disk: open t
        0s  disk: append 41-600
        50ms  spilled 601-1200
        50ms  disk: append 601-1200
        100ms  sent 1-20
        100ms  disk: read from 0
        1.1s  sent 21-60
        1.1s  disk: read from 20
        1.1s  sent 61-100
        1.1s  disk: read from 60
        1.1s  sent 101-140
        1.1s  disk: read from 100
        1.1s  sent 141-160
        1.1s  disk: read from 140
        2.1s  sent 161-200
        2.1s  disk: read from 160
        2.1s  sent 201-240
        2.1s  disk: read from 200
        2.1s  sent 241-280
        2.1s  disk: read from 240
        2.1s  sent 281-320
        2.1s  disk: read from 280
        2.1s  sent 321-360
        2.1s  disk: read from 320
        2.1s  sent 361-1080
        2.1s  disk: release up to 1080
        2.1s  sent 1081-1159
        2.1s  spill ended: 1159 in 2.1s
        2.1s  left (client)
        2.1s  disk: release up to 1160
    "#]],
    );
    let near = "disk tells, offer 1-600 size=1000, +50ms, room 999";
    let namespace = best_effort(Overflow::Spill).max_queued_messages(40);
    check(
        namespace,
        near,
        expect![[r#"
        0s  spilled 41-600
        0s  spill began
        0s  disk: open t
        0s  disk: append 41-600
        50ms  sent 1-560
        50ms  spill ended: 560 in 50ms
        50ms  sent 561-600
    "#]],
    );
}

#[test]
fn a_message_that_waits_for_its_ack_is_untouched_by_what_lies_on_disk() {
    let script =
        "offer 1-8, room 9, nack 1, +1s, room 9, ack 2, room 9, ack 1, room 9, ack 3-8, room 9, ack 3-8, books";
    check(
        lossless(2),
        script,
        expect![[r#"
        0s  spilled 5-8
        0s  spill began
        0s  sent 1-2 (attempt 1)
        0s  nacked 1
        0s  sent 1 (attempt 2)
        1s  sent 1 (attempt 3)
        1s  sent 2 (attempt 2)
        1s  acked 2
        1s  sent 3 (attempt 1)
        1s  acked 1
        1s  sent 4 (attempt 1)
        1s  acked 3
        1s  acked 4
        1s  acked 5: unknown
        1s  acked 6: unknown
        1s  acked 7: unknown
        1s  acked 8: unknown
        1s  spill ended: 4 in 1s
        1s  sent 5-6 (attempt 1)
        1s  acked 3: late
        1s  acked 4: late
        1s  acked 5
        1s  acked 6
        1s  acked 7: unknown
        1s  acked 8: unknown
        1s  sent 7-8 (attempt 1)
        1s  books of t: 8 offered 11 sent 3 retried 6 delivered 4 spilled
        1s  1 links, 2 messages resident
    "#]],
    );
}

#[test]
fn a_client_that_comes_back_while_it_is_behind_gets_everything() {
    let script =
        "retain 60s, offer 1-6, room 1, close, offer 7-9, +1s, return, room 99, ack 1-4, room 99, ack 5-9, books";
    check(
        lossless(4),
        script,
        expect![[r#"
        0s  spilled 5-6
        0s  spill began
        0s  sent 1 (attempt 1)
        0s  left (transport)
        0s  is waited for
        0s  spilled 7-9
        1s  joined /a
        1s  is back
        1s  sent 1 (attempt 2)
        1s  sent 2-4 (attempt 1)
        1s  acked 1
        1s  acked 2
        1s  acked 3
        1s  acked 4
        1s  sent 5-8 (attempt 1)
        1s  acked 5
        1s  acked 6
        1s  acked 7
        1s  acked 8
        1s  acked 9: unknown
        1s  spill ended: 5 in 1s
        1s  sent 9 (attempt 1)
        1s  books of t: 9 offered 10 sent 1 retried 8 delivered 5 spilled
        1s  1 links, 1 messages resident
    "#]],
    );
}

#[test]
fn what_lies_on_disk_for_a_client_that_is_gone_is_abandoned() {
    check(
        spilling(),
        "offer 1-9, unsubscribe, books, room 9",
        expect![[r#"
        0s  spilled 5-9
        0s  spill began
        0s  spill ended: 0 in 0ns
        0s  unsubscribed from t
        0s  books of t: 9 offered 5 spilled 9 abandoned
        0s  1 links, 0 messages resident
        0s  told: unsubscribed from t
    "#]],
    );
    check(
        spilling(),
        "join bob /a, bob: subscribe, offer 1-9, bob: leave, leave, books, tick, +6s, tick",
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  spilled 5-9 (2 of 2)
        0s  spill began
        0s  bob: spill began
        0s  bob: spill ended: 0 in 0ns
        0s  bob: left (client)
        0s  spill ended: 0 in 0ns
        0s  left (client)
        0s  books of t: 18 offered 10 spilled 18 abandoned
        0s  2 links, 0 messages resident
    "#]],
    );
    check(
        lossless(2),
        "retain 1s, offer 1-9, close, +2s, books",
        expect![[r#"
        0s  spilled 5-9
        0s  spill began
        0s  left (transport)
        0s  is waited for
        1s  spill ended: 0 in 1s
        1s  is waited for no more
        2s  books of t: 9 offered 5 spilled 9 abandoned
        2s  0 links, 0 messages resident
    "#]],
    );
}

#[test]
fn what_has_expired_on_disk_is_counted_and_told() {
    let script = "offer 1-4, offer 5-6 ttl=1s, offer 7, offer 8-9 ttl=1s, +2s, room 99, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  spilled 5-6
        0s  spill began
        0s  spilled 7-9
        2s  sent 1-4
        2s  spill ended: 5 in 2s
        2s  told: missed 2 of t, 5 to 6: expired
        2s  sent 7
        2s  books of t: 9 offered 5 sent 5 delivered 5 spilled 4 expired
        2s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn what_no_lane_could_hold_is_refused_as_ever_and_told_in_its_place() {
    let namespace = spilling().max_queued_bytes(100);
    check(
        namespace,
        "offer 1-6, offer big size=101, offer late ttl=0s, offer 7, room 99, books",
        expect![[r#"
        0s  spilled 5-6
        0s  spill began
        0s  rejected big: too large
        0s  rejected late: expired
        0s  spilled 7
        0s  sent 1-4
        0s  spill ended: 3 in 0ns
        0s  sent 5-6
        0s  told: missed 1 of t, 7 to 7: rejected
        0s  told: missed 1 of t, 8 to 8: expired
        0s  sent 7
        0s  books of t: 9 offered 7 sent 7 delivered 3 spilled 1 too large 1 expired
        0s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn messages_for_some_lie_among_those_for_all_and_keep_their_place() {
    let script = "join bob /a, bob: subscribe, bob: room 0, offer 1-5, offer a to=bob, offer b except=bob, offer c to=ann+bob, \
                  offer d except=ann+bob, offer 6, books, room 99, bob: room 99, books";
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
        0s  spilled c (2 of 2)
        0s  nobody is there for d
        0s  spilled 6 (2 of 2)
        0s  books of t: 16 offered 8 spilled
        0s  2 links, 16 messages resident
        0s  sent 1-4
        0s  spill ended: 4 in 0ns
        0s  sent 5
        0s  sent b
        0s  sent c
        0s  sent 6
        0s  bob: told: subscribed to t after 0
        0s  bob: sent 1-4
        0s  bob: spill ended: 4 in 0ns
        0s  bob: sent 5
        0s  bob: sent a
        0s  bob: sent c
        0s  bob: sent 6
        0s  books of t: 16 offered 16 sent 16 delivered 8 spilled
        0s  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_message_for_one_makes_its_full_lane_spill_and_no_other() {
    let script = "join bob /a, bob: subscribe, bob: room 9, offer 1-4, offer a to=ann, offer 5, room 99, books";
    check(
        spilling(),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 0
        0s  bob: sent 1-4
        0s  spilled a
        0s  spill began
        0s  spilled 5 (1 of 2)
        0s  bob: sent 5
        0s  sent 1-4
        0s  spill ended: 2 in 0ns
        0s  sent a
        0s  sent 5
        0s  books of t: 11 offered 11 sent 11 delivered 2 spilled
        0s  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_client_has_no_more_on_disk_than_it_may_and_takes_new_ones_when_half_of_it_is_left() {
    let namespace = spilling().spill(rules(Some(40), None, SpillFull::Reject));
    let script = "join bob /a, bob: subscribe, bob: room 99, offer 1-9, bob: room 99, offer 10-11, bob: room 99, \
                  offer x to=ann, room 1, offer 12, room 2, bob: room 99, offer 13, room 99, offer 14, books";
    check(
        namespace,
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 0
        0s  spilled 5-8 (2 of 2)
        0s  rejected 9: client_quota (2 of 2)
        0s  spill began
        0s  bob: spill began
        0s  bob: sent 1-4
        0s  bob: overflow began
        0s  bob: spill ended: 4 in 0ns
        0s  bob: sent 5-8
        0s  bob: overflow ended: 1 lost
        0s  rejected 10: client_quota (1 of 2)
        0s  rejected 11: client_quota (1 of 2)
        0s  bob: told: missed 1 of t, 9 to 9: rejected
        0s  bob: sent 10-11
        0s  rejected x: client_quota
        0s  sent 1
        0s  rejected 12: client_quota (1 of 2)
        0s  bob: sent 12
        0s  sent 2-3
        0s  spilled 13 (1 of 2)
        0s  bob: sent 13
        0s  sent 4-7
        0s  overflow began
        0s  spill ended: 5 in 0ns
        0s  sent 8
        0s  told: missed 5 of t, 9 to 13: rejected
        0s  sent 13
        0s  overflow ended: 5 lost
        0s  bob: sent 14
        0s  sent 14
        0s  books of t: 29 offered 23 sent 23 delivered 9 spilled 6 rejected
        0s  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_client_that_has_too_much_on_disk_is_disconnected_where_that_is_the_rule() {
    let namespace = spilling().spill(rules(Some(40), None, SpillFull::Disconnect));
    check(
        namespace,
        "offer 1-9, offer 10, books",
        expect![[r#"
        0s  spilled 5-8
        0s  rejected 9: client_quota
        0s  spill began
        0s  spill ended: 0 in 0ns
        0s  left (spill_full)
        0s  to be disconnected (spill_full)
        0s  nobody is there for 10
        0s  books of t: 9 offered 4 spilled 1 rejected 8 abandoned
        0s  1 links, 0 messages resident
    "#]],
    );
    let namespace = spilling().spill(rules(Some(40), None, SpillFull::Disconnect));
    check(
        namespace,
        "retain 60s, offer 1-8, close, offer 9, books",
        expect![[r#"
        0s  spilled 5-8
        0s  spill began
        0s  left (transport)
        0s  is waited for
        0s  rejected 9: client_quota
        0s  spill ended: 0 in 0ns
        0s  is waited for no more
        0s  books of t: 9 offered 4 spilled 1 rejected 8 abandoned
        0s  0 links, 0 messages resident
    "#]],
    );
    let namespace = spilling().spill(rules(Some(40), None, SpillFull::Disconnect));
    check(
        namespace,
        "offer 1-8, offer a to=ann, books",
        expect![[r#"
        0s  spilled 5-8
        0s  spill began
        0s  rejected a: client_quota
        0s  spill ended: 0 in 0ns
        0s  left (spill_full)
        0s  to be disconnected (spill_full)
        0s  books of t: 9 offered 4 spilled 1 rejected 8 abandoned
        0s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_topic_has_no_more_on_disk_than_it_may() {
    let namespace = spilling().spill(rules(None, Some(60), SpillFull::Reject));
    let script = "join bob /a, bob: subscribe, offer 1-12, room 99, offer 13, bob: room 4, offer 14, bob: room 99, room 99, books";
    check(
        namespace,
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  spilled 5-10 (2 of 2)
        0s  rejected 11: topic_quota (2 of 2)
        0s  rejected 12: topic_quota (2 of 2)
        0s  spill began
        0s  bob: spill began
        0s  sent 1-8
        0s  overflow began
        0s  spill ended: 6 in 0ns
        0s  sent 9-10
        0s  overflow ended: 2 lost
        0s  rejected 13: topic_quota (1 of 2)
        0s  told: missed 2 of t, 11 to 12: rejected
        0s  sent 13
        0s  bob: told: subscribed to t after 0
        0s  bob: sent 1-2
        0s  spilled 14 (1 of 2)
        0s  sent 14
        0s  bob: sent 3-10
        0s  bob: overflow began
        0s  bob: spill ended: 7 in 0ns
        0s  bob: told: missed 3 of t, 11 to 13: rejected
        0s  bob: sent 14
        0s  bob: overflow ended: 3 lost
        0s  books of t: 28 offered 23 sent 23 delivered 13 spilled 5 rejected
        0s  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_message_larger_than_a_client_may_have_on_disk_is_refused() {
    let namespace = spilling().spill(rules(Some(40), None, SpillFull::Reject));
    check(
        namespace,
        "offer 1-4, offer a size=41, offer 5, offer b size=41, room 99, books",
        expect![[r#"
        0s  rejected a: client_quota
        0s  overflow began
        0s  spilled 5
        0s  spill began
        0s  rejected b: client_quota
        0s  sent 1-4
        0s  spill ended: 1 in 0ns
        0s  told: missed 1 of t, 5 to 5: rejected
        0s  sent 5
        0s  overflow ended: 2 lost
        0s  books of t: 7 offered 5 sent 5 delivered 1 spilled 2 rejected
        0s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_lane_that_loses_nothing_to_the_disk_does_not_overflow_and_a_refusal_is_an_overflow() {
    let namespace = spilling().spill(rules(None, Some(30), SpillFull::Reject));
    check(
        namespace,
        "offer 1-9, room 2, room 99, offer 10, books",
        expect![[r#"
        0s  spilled 5-7
        0s  rejected 8: topic_quota
        0s  rejected 9: topic_quota
        0s  spill began
        0s  sent 1-6
        0s  overflow began
        0s  spill ended: 3 in 0ns
        0s  sent 7
        0s  overflow ended: 2 lost
        0s  told: missed 2 of t, 8 to 9: rejected
        0s  sent 10
        0s  books of t: 10 offered 8 sent 8 delivered 3 spilled 2 rejected
        0s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn the_ladder_weighs_what_is_in_memory_and_what_comes_from_disk_is_progress() {
    let ladder = SlowClient::default().soft_messages(3).hard_messages(3).patience(Duration::from_secs(2));
    let namespace = spilling().slow_client(ladder);
    check(
        namespace,
        "offer 1-20, +1s, room 2, +1s, room 2, +1s, room 2, +1s, room 99, +9s",
        expect![[r#"
        0s  spilled 5-20
        0s  spill began
        1s  sent 1-2
        2s  slow client began: 4 messages, 40 bytes
        2s  sent 3-4
        3s  sent 5-6
        4s  sent 7-18
        4s  spill ended: 16 in 4s
        4s  slow client ended after 4s: 0 lost
        4s  sent 19-20
    "#]],
    );
    let namespace = spilling().slow_client(ladder);
    check(
        namespace,
        "offer 1-9, +2s, books",
        expect![[r#"
        0s  spilled 5-9
        0s  spill began
        2s  slow client began: 4 messages, 40 bytes
        2s  spill ended: 0 in 2s
        2s  unsubscribed from t
        2s  slow client ended after 2s: 4 lost
        2s  books of t: 9 offered 5 spilled 9 abandoned
        2s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_topic_that_spills_no_more_lets_its_lanes_catch_up() {
    let next = vec![Scene::from(best_effort(Overflow::RejectNew).max_queued_messages(4))];
    let trace =
        scenario::run_reloaded(spilling(), next, "offer 1-9, reload, offer 10, room 99, offer 11-15, room 99, books");
    expect![[r#"
        0s  spilled 5-9
        0s  spill began
        0s  reloaded
        0s  spilled 10
        0s  sent 1-8
        0s  spill ended: 6 in 0ns
        0s  sent 9-10
        0s  rejected 15: full
        0s  overflow began
        0s  sent 11-14
        0s  overflow ended: 1 lost
        0s  books of t: 15 offered 14 sent 14 delivered 6 spilled 1 rejected
        0s  1 links, 0 messages resident
    "#]]
    .assert_eq(&trace);
}

#[test]
fn a_message_from_disk_keeps_the_promise_it_was_published_under() {
    let next = vec![Scene::from(spilling().max_queued_messages(2).max_queued_bytes(15))];
    let script =
        "offer 1-8 size=20, +50ms, reload, offer 9 size=12, room 99, ack 1-4, room 99, ack 5-8, room 99, books";
    let trace = scenario::run_reloaded(lossless(4), next, script);
    expect![[r#"
        0s  spilled 5-8
        0s  spill began
        50ms  reloaded
        50ms  spilled 9
        50ms  sent 1-4 (attempt 1)
        50ms  acked 1
        50ms  acked 2
        50ms  acked 3
        50ms  acked 4
        50ms  sent 5 (attempt 1)
        50ms  acked 5
        50ms  acked 6: unknown
        50ms  acked 7: unknown
        50ms  acked 8: unknown
        50ms  sent 6 (attempt 1)
        50ms  books of t: 9 offered 6 sent 5 delivered 5 spilled
        50ms  1 links, 4 messages resident
    "#]]
    .assert_eq(&trace);
}

#[test]
fn a_topic_that_is_gone_takes_its_log_along() {
    let next = vec![Scene::from(Namespace::new("/a").topic("u"))];
    let trace = scenario::run_reloaded(spilling(), next, "disk tells, offer 1-9, +50ms, reload, books, +6s, tick");
    expect![[r#"
        0s  spilled 5-9
        0s  spill began
        20ms  disk: open t
        20ms  disk: append 5-9
        50ms  reloaded
        50ms  spill ended: 0 in 50ms
        50ms  unsubscribed from t
        50ms  disk: release up to 5
        50ms  books of t: 9 offered 5 spilled 9 abandoned
        50ms  books of u:
        50ms  1 links, 0 messages resident
        6.05s  disk: close
    "#]]
    .assert_eq(&trace);
}

#[test]
fn a_quota_that_a_reload_changes_counts_at_once() {
    let next = vec![Scene::from(spilling().spill(rules(Some(30), None, SpillFull::Reject))), Scene::from(spilling())];
    let script = "offer 1-9, reload, offer 10, reload, offer 11, room 99, books";
    let trace = scenario::run_reloaded(spilling(), next, script);
    expect![[r#"
        0s  spilled 5-9
        0s  spill began
        0s  reloaded
        0s  rejected 10: client_quota
        0s  reloaded
        0s  spilled 11
        0s  sent 1-8
        0s  overflow began
        0s  spill ended: 6 in 0ns
        0s  sent 9
        0s  told: missed 1 of t, 10 to 10: rejected
        0s  sent 11
        0s  overflow ended: 1 lost
        0s  books of t: 11 offered 10 sent 10 delivered 6 spilled 1 rejected
        0s  1 links, 0 messages resident
    "#]]
    .assert_eq(&trace);
}

#[test]
fn a_topic_made_from_a_pattern_has_a_log_of_its_own() {
    let namespace = Namespace::new("/a").topic("orders.*").best_effort(Overflow::Spill).max_queued_messages(2);
    let script = "disk tells, subscribe orders.7, subscribe orders.8, room 9, room 0, offer 1-4 topic=orders.7, \
                  offer 5-8 topic=orders.8, +50ms, room 99, unsubscribe orders.7, +6s, tick, unsubscribe orders.8, books";
    check(
        namespace,
        script,
        expect![[r#"
        0s  subscribed to orders.7
        0s  subscribed to orders.8
        0s  told: subscribed to orders.7 after 0
        0s  told: subscribed to orders.8 after 0
        0s  spilled 3-4
        0s  spill began
        0s  spilled 7-8
        0s  spill began
        20ms  disk: open orders.7
        20ms  disk: open orders.8
        20ms  disk: append 3-4
        20ms  disk: append 3-4
        50ms  sent 1
        50ms  sent 5
        50ms  sent 2
        50ms  sent 6
        50ms  spill ended: 2 in 50ms
        50ms  spill ended: 2 in 50ms
        50ms  sent 3
        50ms  sent 7
        50ms  sent 4
        50ms  sent 8
        50ms  unsubscribed from orders.7
        50ms  told: unsubscribed from orders.7
        6.05s  disk: close
        6.05s  disk: close
        6.05s  unsubscribed from orders.8
        6.05s  told: unsubscribed from orders.8
        6.05s  books of orders.*: 8 offered 8 sent 8 delivered 4 spilled
        6.05s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn where_memory_is_short_nothing_on_disk_gives_way_and_lanes_take_one_at_a_time() {
    let script = "offer 1-6, memory 0, offer 7, room 99, ack 1-3, holds, ack 4, holds, ack 5, memory plenty, ack 6, ack 7, books";
    check(
        lossless(4),
        script,
        expect![[r#"
        0s  spilled 5-6
        0s  spill began
        0s  spilled 7
        0s  sent 1-4 (attempt 1)
        0s  acked 1
        0s  acked 2
        0s  acked 3
        0s  holds t: 1 messages, 10 bytes
        0s  acked 4
        0s  sent 5 (attempt 1)
        0s  holds t: 1 messages, 10 bytes
        0s  acked 5
        0s  sent 6 (attempt 1)
        0s  acked 6
        0s  spill ended: 3 in 0ns
        0s  sent 7 (attempt 1)
        0s  acked 7
        0s  books of t: 7 offered 7 sent 7 delivered 3 spilled
        0s  1 links, 0 messages resident
    "#]],
    );
    check(
        spilling(),
        "offer 1-6, +50ms, memory plenty shed=1000, holds, memory plenty, room 99, books",
        expect![[r#"
        0s  spilled 5-6
        0s  spill began
        50ms  holds t: 4 messages, 40 bytes
        50ms  sent 1-4
        50ms  spill ended: 2 in 50ms
        50ms  sent 5-6
        50ms  books of t: 6 offered 6 sent 6 delivered 2 spilled
        50ms  memory cost: 0 rejected, 0 displaced, 20 bytes shed
        50ms  1 links, 0 messages resident
    "#]],
    );
}
