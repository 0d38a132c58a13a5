//! Topics that carry values: how often, which, and what a newcomer gets.

use expect_test::{Expect, expect};
use streamfence_core::testing::scenario;
use streamfence_core::{Namespace, OnSubscribe, Overflow, Topic};

use crate::{at_least_once, best_effort, check};

/// A namespace `/a` with one topic `t`: a value of each key every half second at most.
fn paced(overflow: Overflow) -> Namespace {
    best_effort(overflow).max_frequency(2.0)
}

/// A namespace `/a` with one topic `t`, whose last value of each key a newcomer gets.
fn remembered() -> Namespace {
    best_effort(Overflow::Coalesce).on_subscribe(OnSubscribe::Last)
}

#[test]
fn the_newest_value_goes_at_the_end_of_each_interval() {
    check(
        paced(Overflow::RejectNew),
        "room 99, offer 1, +100ms, offer 2, +100ms, offer 3, +100ms, offer 4, holds, +1s, offer 5, +200ms, offer 6, +1s, books",
        expect![[r#"
            0s  sent 1
            200ms  coalesced 1
            300ms  coalesced 1
            300ms  holds t: 1 messages, 10 bytes
            500ms  sent 4
            1.3s  sent 5
            1.8s  sent 6
            2.5s  books of t: 6 offered 4 sent 4 delivered 2 coalesced
            2.5s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn each_key_has_a_rhythm_of_its_own() {
    check(
        paced(Overflow::RejectNew),
        "room 99, offer a1 key=a, +200ms, offer b1 key=b, offer a2 key=a, +100ms, offer b2 key=b, offer none, +1s",
        expect![[r#"
            0s  sent a1
            200ms  sent b1
            300ms  sent none
            500ms  sent a2
            700ms  sent b2
        "#]],
    );
}

#[test]
fn the_interval_begins_when_a_value_is_sent_and_not_when_it_is_offered() {
    check(
        paced(Overflow::RejectNew),
        "offer 1, +2s, offer 2, room 99, +100ms, offer 3, +399ms, +1ms",
        expect![[r#"
            2s  coalesced 1
            2s  sent 2
            2.5s  sent 3
        "#]],
    );
}

#[test]
fn a_released_value_that_waits_for_room_still_gives_way_to_a_newer_one() {
    check(
        paced(Overflow::RejectNew),
        "room 1, offer 1, offer 2, +3s, holds, offer 3, room 99, offer 4, +1s",
        expect![[r#"
            0s  sent 1
            3s  holds t: 1 messages, 10 bytes
            3s  coalesced 1
            3s  sent 3
            3.5s  sent 4
        "#]],
    );
}

#[test]
fn held_values_count_in_the_limits_and_are_displaced_as_queued_ones_are() {
    check(
        paced(Overflow::DropOldest).max_queued_messages(2).gap_notices(true),
        "room 99, offer a1 key=a, offer b1 key=b, offer c1 key=c, offer a2 key=a, offer b2 key=b, offer c2 key=c, holds, +1s, offer d key=d, books",
        expect![[r#"
            0s  sent a1
            0s  sent b1
            0s  sent c1
            0s  displaced 1
            0s  overflow began
            0s  holds t: 2 messages, 20 bytes
            500ms  told: missed 1 of t, 4 to 4: displaced
            500ms  sent b2
            500ms  sent c2
            500ms  overflow ended: 1 lost
            1s  sent d
            1s  books of t: 7 offered 6 sent 6 delivered 1 displaced
            1s  1 links, 0 messages resident
        "#]],
    );
    check(
        paced(Overflow::RejectNew).max_queued_messages(2),
        "room 99, offer a1 key=a, offer b1 key=b, offer c1 key=c, offer a2 key=a, offer b2 key=b, offer c2 key=c, holds, +1s",
        expect![[r#"
            0s  sent a1
            0s  sent b1
            0s  sent c1
            0s  rejected c2: full
            0s  overflow began
            0s  holds t: 2 messages, 20 bytes
            500ms  sent a2
            500ms  sent b2
            500ms  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn an_overflow_ends_while_values_are_held_unless_they_are_what_fills_the_lane() {
    let namespace = paced(Overflow::RejectNew).max_queued_messages(4);
    let next = "offer a2 key=a, offer b2 key=b, offer c2 key=c, offer d2 key=d, offer e key=e, +1s";
    check(
        namespace.clone(),
        &format!("room 99, offer a key=a, offer b key=b, offer c key=c, +100ms, offer d key=d, {next}"),
        expect![[r#"
            0s  sent a
            0s  sent b
            0s  sent c
            100ms  sent d
            100ms  rejected e: full
            100ms  overflow began
            500ms  sent a2
            500ms  sent b2
            500ms  sent c2
            500ms  overflow ended: 1 lost
            600ms  sent d2
        "#]],
    );
    check(
        namespace,
        &format!("room 99, offer a key=a, +100ms, offer b key=b, offer c key=c, offer d key=d, {next}"),
        expect![[r#"
            0s  sent a
            100ms  sent b
            100ms  sent c
            100ms  sent d
            100ms  rejected e: full
            100ms  overflow began
            500ms  sent a2
            600ms  sent b2
            600ms  sent c2
            600ms  sent d2
            600ms  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn a_newer_value_that_is_too_large_for_its_place_does_as_the_policy_says() {
    let script = "room 99, offer a1 key=a, offer b1 key=b, offer a2 key=a size=40, offer b2 key=b size=40, offer b3 key=b size=70, holds, +1s, books";
    check(
        paced(Overflow::RejectNew).max_queued_bytes(100),
        script,
        expect![[r#"
        0s  sent a1
        0s  sent b1
        0s  rejected b3: full
        0s  overflow began
        0s  holds t: 2 messages, 80 bytes
        500ms  sent a2
        500ms  sent b2
        500ms  overflow ended: 1 lost
        1s  books of t: 5 offered 4 sent 4 delivered 1 rejected
        1s  1 links, 0 messages resident
    "#]],
    );
    check(
        paced(Overflow::DropOldest).max_queued_bytes(100),
        script,
        expect![[r#"
        0s  sent a1
        0s  sent b1
        0s  displaced 1
        0s  coalesced 1
        0s  overflow began
        0s  holds t: 1 messages, 70 bytes
        500ms  sent b3
        500ms  overflow ended: 1 lost
        1s  books of t: 5 offered 3 sent 3 delivered 1 displaced 1 coalesced
        1s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_held_value_may_be_larger_as_long_as_the_lane_has_place_for_it() {
    check(
        paced(Overflow::RejectNew).max_queued_bytes(100),
        "room 99, offer a key=a, offer b key=b, offer a2 key=a size=40, offer b2 key=b size=30,
         offer a3 key=a size=70, offer b3 key=b size=31, holds, +1s",
        expect![[r#"
            0s  sent a
            0s  sent b
            0s  coalesced 1
            0s  rejected b3: full
            0s  overflow began
            0s  holds t: 2 messages, 100 bytes
            500ms  sent a3
            500ms  sent b2
            500ms  overflow ended: 1 lost
        "#]],
    );
    // In a lane that holds too much already it may be as large as what it replaces.
    check_reload(
        paced(Overflow::RejectNew).max_queued_bytes(200),
        paced(Overflow::RejectNew).max_queued_bytes(100),
        "room 99, offer a key=a, offer b key=b, offer a2 key=a size=60, offer b2 key=b size=60, reload,
         offer a3 key=a size=60, offer b3 key=b size=61, holds, +1s",
        expect![[r#"
            0s  sent a
            0s  sent b
            0s  reloaded
            0s  coalesced 1
            0s  rejected b3: full
            0s  overflow began
            0s  holds t: 2 messages, 120 bytes
            500ms  sent a3
            500ms  sent b2
            500ms  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn a_held_value_that_expires_is_given_up_and_told_of() {
    check(
        paced(Overflow::RejectNew).gap_notices(true),
        "room 99, offer 1, +50ms, offer 2 ttl=100ms, +400ms, tick, holds, +1s, offer 3, books",
        expect![[r#"
            0s  sent 1
            450ms  holds t: 0 messages, 0 bytes
            1.45s  told: missed 1 of t, 2 to 2: expired
            1.45s  sent 3
            1.45s  books of t: 3 offered 2 sent 2 delivered 1 expired
            1.45s  1 links, 0 messages resident
        "#]],
    );
    check(
        paced(Overflow::RejectNew),
        "room 99, offer 1, offer 2 ttl=400ms, +1s, holds, books",
        expect![[r#"
            0s  sent 1
            1s  holds t: 0 messages, 0 bytes
            1s  books of t: 2 offered 1 sent 1 delivered 1 expired
            1s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_snapshot_lane_has_one_rhythm_for_all_its_keys() {
    check(
        paced(Overflow::SnapshotOnly),
        "room 99, offer a1 key=a, offer b1 key=b, offer a2 key=a, holds, +1s, offer b2 key=b, books",
        expect![[r#"
            0s  sent a1
            0s  coalesced 1
            0s  holds t: 1 messages, 10 bytes
            500ms  sent a2
            1s  sent b2
            1s  books of t: 4 offered 3 sent 3 delivered 1 coalesced
            1s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_client_may_ask_for_less_and_never_for_more() {
    check(
        Namespace::new("/a").topic_with(Topic::new("t").max_frequency(2.0)).topic("u"),
        "unsubscribe t, unsubscribe u, subscribe t freq=1, subscribe u freq=4, room 99
         offer 1, offer 2, +400ms, +100ms, +500ms
         offer 3 topic=u, offer 4 topic=u, +250ms
         unsubscribe t, subscribe t freq=1000, offer 5, offer 6, +499ms, +1ms",
        expect![[r#"
            0s  unsubscribed from t
            0s  unsubscribed from u
            0s  subscribed to t
            0s  subscribed to u
            0s  told: unsubscribed from t
            0s  told: unsubscribed from u
            0s  told: subscribed to t after 0
            0s  told: subscribed to u after 0
            0s  sent 1
            1s  sent 2-3
            1.25s  sent 4
            1.25s  unsubscribed from t
            1.25s  told: unsubscribed from t
            1.25s  subscribed to t
            1.25s  told: subscribed to t after 2
            1.25s  sent 5
            1.75s  sent 6
        "#]],
    );
    check(
        at_least_once(4),
        "unsubscribe t, subscribe t freq=1, room 99, offer 1, offer 2, ack 1, ack 2",
        expect![[r#"
            0s  unsubscribed from t
            0s  subscribed to t
            0s  told: unsubscribed from t
            0s  told: subscribed to t after 0
            0s  sent 1-2 (attempt 1)
            0s  acked 1
            0s  acked 2
        "#]],
    );
}

#[test]
fn a_session_that_is_waited_for_keeps_the_newest_values_and_their_rhythm() {
    check(
        paced(Overflow::RejectNew),
        "retain 9s, room 99, offer 1, offer 2, close, +200ms, offer 3, return, room 99, +300ms
         offer 4, close, +2s, offer 5, return, room 99, offer 6, +1s",
        expect![[r#"
            0s  sent 1
            0s  left (transport)
            0s  is waited for
            200ms  coalesced 1
            200ms  joined /a
            200ms  is back
            500ms  sent 3
            500ms  left (transport)
            500ms  is waited for
            2.5s  coalesced 1
            2.5s  joined /a
            2.5s  is back
            2.5s  sent 5
            3s  sent 6
        "#]],
    );
}

#[test]
fn many_keys_are_due_at_once_and_all_of_them_go() {
    check(
        paced(Overflow::RejectNew).max_queued_messages(40),
        "room 99, offer a key=a, offer b key=b, offer c key=c, +10ms, offer b2 key=b, offer c2 key=c, offer a2 key=a, +1s",
        expect![[r#"
            0s  sent a
            0s  sent b
            0s  sent c
            500ms  sent a2
            500ms  sent b2
            500ms  sent c2
        "#]],
    );
}

#[test]
fn what_is_held_is_found_after_keys_before_it_have_gone() {
    check(
        paced(Overflow::RejectNew),
        "room 99, offer a key=a, +100ms, offer b key=b, offer c key=c, offer b2 key=b ttl=450ms, offer c2 key=c ttl=470ms
         +460ms, tick, holds, +20ms, tick, holds, books",
        expect![[r#"
            0s  sent a
            100ms  sent b
            100ms  sent c
            560ms  holds t: 1 messages, 10 bytes
            580ms  holds t: 0 messages, 0 bytes
            580ms  books of t: 5 offered 3 sent 3 delivered 2 expired
            580ms  1 links, 0 messages resident
        "#]],
    );
    check(
        paced(Overflow::DropOldest).max_queued_messages(1),
        "room 99, offer a key=a, +100ms, offer b key=b, +100ms, offer c key=c, +350ms, offer b2 key=b, offer c2 key=c, +1s",
        expect![[r#"
            0s  sent a
            100ms  sent b
            200ms  sent c
            550ms  displaced 1
            550ms  overflow began
            700ms  sent c2
            700ms  overflow ended: 1 lost
        "#]],
    );
}

#[test]
fn leaving_counts_what_was_held() {
    check(
        paced(Overflow::RejectNew),
        "room 99, offer 1, offer 2, unsubscribe, +1s, books",
        expect![[r#"
        0s  sent 1
        0s  unsubscribed from t
        0s  told: unsubscribed from t
        1s  books of t: 2 offered 1 sent 1 delivered 1 abandoned
        1s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_newcomer_gets_the_newest_value_of_each_key_in_their_order() {
    check(
        remembered(),
        "room 99, offer a1 key=a, offer b1 key=b, offer a2 key=a, offer none, join bob /a, bob: room 99, bob: subscribe, bob: subscribe
         offer b2 key=b, bob: unsubscribe, bob: subscribe",
        expect![[r#"
            0s  sent a1
            0s  sent b1
            0s  sent a2
            0s  sent none
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 4
            0s  bob: sent b1
            0s  bob: sent a2
            0s  bob: sent none
            0s  bob: told: subscribed to t after 4
            0s  sent b2
            0s  bob: sent b2
            0s  bob: unsubscribed from t
            0s  bob: told: unsubscribed from t
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 5
            0s  bob: sent a2
            0s  bob: sent none
            0s  bob: sent b2
        "#]],
    );
}

#[test]
fn a_topic_that_does_not_coalesce_remembers_one_value() {
    check(
        at_least_once(2).on_subscribe(OnSubscribe::Last),
        "offer a key=a, offer b key=b, join bob /a, bob: room 99, bob: subscribe, bob: ack b, bob: room 99, offer c, bob: ack c",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 2
            0s  bob: sent b (attempt 1)
            0s  bob: acked b
            0s  bob: sent c (attempt 1)
            0s  bob: acked c
        "#]],
    );
    check(
        best_effort(Overflow::SnapshotOnly).on_subscribe(OnSubscribe::Last),
        "offer a key=a, offer b key=b, join bob /a, bob: subscribe, bob: room 99",
        expect![[r#"
            0s  coalesced 1
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 2
            0s  bob: sent b
        "#]],
    );
    check(
        best_effort(Overflow::RejectNew),
        "offer a, join bob /a, bob: room 99, bob: subscribe",
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 1
    "#]],
    );
}

#[test]
fn what_was_for_one_alone_or_has_expired_is_not_remembered() {
    check(
        remembered(),
        "join bob /a, bob: room 99, offer a key=a except=ann, offer b key=b to=ann, offer c key=c ttl=1s, +1s, bob: subscribe
         bob: unsubscribe, tick, bob: subscribe",
        expect![[r#"
            0s  bob: joined /a
            0s  nobody is there for a
            1s  bob: subscribed to t
            1s  bob: told: subscribed to t after 3
            1s  bob: sent a
            1s  bob: unsubscribed from t
            1s  bob: told: unsubscribed from t
            1s  bob: subscribed to t
            1s  bob: told: subscribed to t after 3
            1s  bob: sent a
        "#]],
    );
}

#[test]
fn remembered_values_a_new_lane_has_no_place_for_are_lost_as_any_others() {
    let script =
        "offer a key=a, offer b key=b, offer c key=c, join bob /a, bob: subscribe, bob: room 99, offer d key=d";
    check(
        remembered().max_queued_messages(2).gap_notices(true),
        script,
        expect![[r#"
        0s  rejected c: full
        0s  overflow began
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: overflow began
        0s  bob: told: subscribed to t after 3
        0s  bob: sent a
        0s  bob: sent b
        0s  bob: overflow ended: 1 lost
        0s  rejected d: full (1 of 2)
        0s  bob: told: missed 1 of t, 3 to 3: rejected
        0s  bob: sent d
    "#]],
    );
    let oldest = best_effort(Overflow::DropOldest).coalesce(true).on_subscribe(OnSubscribe::Last);
    check(
        oldest.max_queued_messages(2).gap_notices(true),
        script,
        expect![[r#"
        0s  displaced 1
        0s  overflow began
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: overflow began
        0s  bob: told: subscribed to t after 3
        0s  bob: told: missed 1 of t, 1 to 1: displaced
        0s  bob: sent b
        0s  bob: sent c
        0s  bob: overflow ended: 1 lost
        0s  displaced 1
        0s  bob: sent d
    "#]],
    );
}

#[test]
fn remembered_values_go_at_once_and_begin_the_rhythm() {
    check(
        paced(Overflow::RejectNew).on_subscribe(OnSubscribe::Last),
        "offer a1 key=a, offer b1 key=b, join bob /a, bob: room 99, bob: subscribe, +100ms, offer a2 key=a, +100ms, offer a3 key=a, +1s",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 2
            0s  bob: sent a1
            0s  bob: sent b1
            100ms  coalesced 1
            200ms  coalesced 2
            500ms  bob: sent a3
        "#]],
    );
}

#[test]
fn a_session_that_came_back_is_not_given_the_last_values_again() {
    check(
        remembered(),
        "retain 9s, room 99, offer a key=a, close, return, room 99, subscribe",
        expect![[r#"
            0s  sent a
            0s  left (transport)
            0s  is waited for
            0s  joined /a
            0s  is back
            0s  told: subscribed to t after 1
        "#]],
    );
}

/// Plays a script in which `reload` brings another namespace.
fn check_reload(scene: Namespace, next: Namespace, script: &str, trace: Expect) {
    trace.assert_eq(&scenario::run_reloaded(scene, vec![next.into()], script));
}

#[test]
fn another_frequency_counts_at_once_from_when_a_value_was_sent() {
    let script = "room 99, offer 1, offer 2, +100ms, reload, +2s, offer 3, offer 4, +2s";
    check_reload(
        paced(Overflow::RejectNew),
        best_effort(Overflow::RejectNew).max_frequency(4.0),
        script,
        expect![[r#"
            0s  sent 1
            100ms  reloaded
            250ms  sent 2
            2.1s  sent 3
            2.35s  sent 4
        "#]],
    );
    check_reload(
        paced(Overflow::RejectNew),
        best_effort(Overflow::RejectNew).max_frequency(1.0),
        script,
        expect![[r#"
            0s  sent 1
            100ms  reloaded
            1s  sent 2
            2.1s  sent 3
            3.1s  sent 4
        "#]],
    );
}

#[test]
fn what_is_held_goes_when_there_is_no_frequency_any_more() {
    let script =
        "room 99, offer a1 key=a, offer a2 key=a, offer b1 key=b, offer b2 key=b, reload, offer a3 key=a, +1s, books";
    check_reload(
        paced(Overflow::RejectNew),
        best_effort(Overflow::RejectNew),
        script,
        expect![[r#"
        0s  sent a1
        0s  sent b1
        0s  reloaded
        0s  sent a2
        0s  sent b2
        0s  sent a3
        1s  books of t: 5 offered 5 sent 5 delivered
        1s  1 links, 0 messages resident
    "#]],
    );
    check_reload(
        paced(Overflow::RejectNew),
        at_least_once(9),
        script,
        expect![[r#"
        0s  sent a1
        0s  sent b1
        0s  reloaded
        0s  sent a2
        0s  sent b2
        0s  sent a3 (attempt 1)
        1s  sent a3 (attempt 2)
        1s  books of t: 5 offered 6 sent 1 retried 4 delivered
        1s  1 links, 1 messages resident
    "#]],
    );
    check_reload(
        paced(Overflow::RejectNew),
        paced(Overflow::SnapshotOnly),
        script,
        expect![[r#"
        0s  sent a1
        0s  sent b1
        0s  reloaded
        0s  sent a2
        0s  sent b2
        500ms  sent a3
        1s  books of t: 5 offered 5 sent 5 delivered
        1s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_queue_from_before_the_frequency_goes_as_it_is() {
    check_reload(
        best_effort(Overflow::RejectNew),
        paced(Overflow::RejectNew),
        "offer 1 2 3, reload, room 99, offer 4, offer 5, +1s, offer 6, books",
        expect![[r#"
            0s  reloaded
            0s  sent 1-3
            0s  coalesced 1
            500ms  sent 5
            1s  sent 6
            1s  books of t: 6 offered 5 sent 5 delivered 1 coalesced
            1s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_client_keeps_its_wish_under_another_catalog() {
    check_reload(
        best_effort(Overflow::RejectNew),
        paced(Overflow::RejectNew),
        "unsubscribe, subscribe freq=1, reload, room 99, offer 1, offer 2, +2s",
        expect![[r#"
            0s  unsubscribed from t
            0s  subscribed to t
            0s  reloaded
            0s  told: unsubscribed from t
            0s  told: subscribed to t after 0
            0s  sent 1
            1s  sent 2
        "#]],
    );
}

#[test]
fn values_are_remembered_from_when_a_topic_says_so_and_until_it_says_otherwise() {
    let script = "offer a key=a, reload, offer b key=b, join bob /a, bob: room 99, bob: subscribe";
    check_reload(
        best_effort(Overflow::Coalesce),
        remembered(),
        script,
        expect![[r#"
        0s  reloaded
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 2
        0s  bob: sent b
    "#]],
    );
    check_reload(
        remembered(),
        best_effort(Overflow::Coalesce),
        script,
        expect![[r#"
        0s  reloaded
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 2
    "#]],
    );
    check_reload(
        remembered(),
        remembered().max_queued_messages(9),
        script,
        expect![[r#"
        0s  reloaded
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 2
        0s  bob: sent a
        0s  bob: sent b
    "#]],
    );
    // One value a topic is another memory than one a key.
    let one = || best_effort(Overflow::RejectNew).on_subscribe(OnSubscribe::Last);
    let script = "offer a key=a, offer b key=b, reload, join bob /a, bob: room 99, bob: subscribe
                  offer c key=c, offer d key=d, bob: unsubscribe, bob: subscribe";
    check_reload(
        remembered(),
        one(),
        script,
        expect![[r#"
        0s  reloaded
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 2
        0s  bob: sent c
        0s  bob: sent d
        0s  bob: unsubscribed from t
        0s  bob: told: unsubscribed from t
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 4
        0s  bob: sent d
    "#]],
    );
    check_reload(
        one(),
        remembered(),
        script,
        expect![[r#"
        0s  reloaded
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 2
        0s  bob: sent c
        0s  bob: sent d
        0s  bob: unsubscribed from t
        0s  bob: told: unsubscribed from t
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 4
        0s  bob: sent c
        0s  bob: sent d
    "#]],
    );
}

#[test]
fn a_hub_that_is_about_to_stop_sends_what_is_held() {
    check(
        best_effort(Overflow::DropOldest).max_frequency(0.1),
        "room 9, offer a key=x, offer b key=x, offer c key=x, offer d key=y, offer e key=y, +1s, drain, offer f key=y",
        expect![[r#"
            0s  sent a
            0s  coalesced 1
            0s  sent d
            1s  sent c
            1s  sent e
            1s  sent f
        "#]],
    );
}

#[test]
fn what_is_held_waits_for_room_when_the_hub_is_about_to_stop() {
    check(
        best_effort(Overflow::DropOldest).max_frequency(0.1),
        "room 1, offer a key=x, offer b key=x, offer c key=y, drain, holds, room 9",
        expect![[r#"
            0s  sent a
            0s  holds t: 2 messages, 20 bytes
            0s  sent c
            0s  sent b
        "#]],
    );
}
