//! Routing: who gets what, and what is left when they are gone.

use expect_test::expect;
use streamfence_core::{Namespace, Overflow};

use crate::{at_least_once, best_effort, both, check};

#[test]
fn a_message_goes_to_every_subscriber_of_its_topic() {
    check(
        both(),
        "join bob /a, join cid /a, bob: room 9, cid: room 9, room 9, bob: subscribe t, cid: subscribe u, offer a, offer x topic=u",
        expect![[r#"
            0s  bob: joined /a
            0s  cid: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 0
            0s  cid: subscribed to u
            0s  cid: told: subscribed to u after 0
            0s  sent a
            0s  bob: sent a
            0s  sent x (attempt 1)
            0s  cid: sent x (attempt 1)
        "#]],
    );
}

#[test]
fn topics_of_other_namespaces_are_other_topics() {
    check(
        [Namespace::new("/a").topic("t"), Namespace::new("/b").topic("t2")],
        "join bob /b with ann, bob: subscribe, room 9, offer a, offer b topic=t2",
        expect![[r#"
            0s  bob: joined /b
            0s  bob: subscribed to t2
            0s  bob: told: subscribed to t2 after 0
            0s  sent a
            0s  bob: sent b
        "#]],
    );
}

#[test]
fn a_message_may_spare_one_client() {
    check(
        best_effort(Overflow::RejectNew),
        "join bob /a, bob: subscribe, bob: room 9, room 9, offer a except=bob, offer b except=ann",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 0
            0s  sent a
            0s  bob: sent b
        "#]],
    );
}

#[test]
fn a_message_nobody_subscribed_to_is_offered_to_nobody() {
    check(
        best_effort(Overflow::RejectNew),
        "room 9, offer a except=ann, unsubscribe, offer b, books",
        expect![[r#"
            0s  nobody is there for a
            0s  unsubscribed from t
            0s  told: unsubscribed from t
            0s  nobody is there for b
            0s  books of t:
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_message_may_go_to_one_client() {
    check(
        best_effort(Overflow::RejectNew),
        "join bob /a, bob: subscribe, bob: room 9, room 9, offer a to=bob, offer b to=ann, offer c",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 0
            0s  bob: sent a
            0s  sent b
            0s  sent c
            0s  bob: sent c
        "#]],
    );
}

#[test]
fn a_message_to_a_client_without_subscription_is_nothing_and_still_moves_the_position() {
    check(
        best_effort(Overflow::RejectNew),
        "join bob /a, bob: room 9, offer a to=bob, bob: subscribe, bob: leave, offer b to=bob, join cid /a, cid: subscribe, cid: room 9",
        expect![[r#"
            0s  bob: joined /a
            0s  bob does not take a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 1
            0s  bob: left (client)
            0s  bob does not take b
            0s  cid: joined /a
            0s  cid: subscribed to t
            0s  cid: told: subscribed to t after 2
        "#]],
    );
}

#[test]
fn one_lane_may_reject_what_others_take() {
    check(
        best_effort(Overflow::RejectNew).max_queued_messages(1),
        "join bob /a, bob: subscribe, bob: room 9, offer a b, room 9, books",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 0
            0s  rejected b: full (2 of 2)
            0s  overflow began
            0s  bob: overflow began
            0s  bob: sent a
            0s  bob: overflow ended: 1 lost
            0s  sent a
            0s  overflow ended: 1 lost
            0s  books of t: 4 offered 2 sent 2 delivered 2 rejected
            0s  2 links, 0 messages resident
        "#]],
    );
}

#[test]
fn the_last_seat_takes_the_place_of_the_one_that_leaves() {
    check(
        best_effort(Overflow::RejectNew),
        "join bob /a, bob: subscribe, join cid /a, cid: subscribe, bob: room 9, cid: room 9, room 9
         leave, offer a, bob: unsubscribe, offer b, join dan /a, dan: subscribe, dan: room 9, cid: leave, offer c, dan: leave, books",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  cid: joined /a
            0s  cid: subscribed to t
            0s  bob: told: subscribed to t after 0
            0s  cid: told: subscribed to t after 0
            0s  left (client)
            0s  cid: sent a
            0s  bob: sent a
            0s  bob: unsubscribed from t
            0s  bob: told: unsubscribed from t
            0s  cid: sent b
            0s  dan: joined /a
            0s  dan: subscribed to t
            0s  dan: told: subscribed to t after 2
            0s  cid: left (client)
            0s  dan: sent c
            0s  dan: left (client)
            0s  books of t: 4 offered 4 sent 4 delivered
            0s  4 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_session_that_leaves_abandons_what_it_held() {
    check(
        both(),
        "room 2, offer a b c, offer u1 u2 topic=u, leave, +60s, books",
        expect![[r#"
            0s  sent a
            0s  sent b
            0s  left (client)
            60s  books of t: 3 offered 2 sent 2 delivered 1 abandoned
            60s  books of u: 2 offered 2 abandoned
            60s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_link_that_closes_takes_its_sessions_with_it() {
    check(
        [at_least_once(1), Namespace::new("/b").topic("u")],
        "join bob /b with ann, bob: subscribe, room 9, offer a b, room 0, offer x topic=u, tell, close, +60s, offer c, books",
        expect![[r#"
            0s  bob: joined /b
            0s  bob: subscribed to u
            0s  bob: told: subscribed to u after 0
            0s  sent a (attempt 1)
            0s  left (transport)
            0s  bob: left (transport)
            60s  nobody is there for c
            60s  books of t: 2 offered 1 sent 2 abandoned
            60s  books of u: 1 offered 1 abandoned
            60s  0 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_session_that_leaves_does_not_stop_the_others_of_its_link() {
    check(
        [Namespace::new("/a").topic("t"), Namespace::new("/b").topic("u")],
        "join bob /b with ann, bob: subscribe, room 9, room 0, offer a b, offer x y topic=u, leave, bob: room 9, bob: offer z topic=u",
        expect![[r#"
            0s  bob: joined /b
            0s  bob: subscribed to u
            0s  bob: told: subscribed to u after 0
            0s  left (client)
            0s  bob: sent x
            0s  bob: sent y
            0s  bob: sent z
        "#]],
    );
}

#[test]
fn stale_keys_are_answered_with_nothing() {
    check(
        at_least_once(1),
        "room 9, offer a, leave, join bob /a, bob: room 9, bob: subscribe, offer b
         ack a, ack b, subscribe, unsubscribe, offer c to=ann, tell, leave, holds
         close, room 9, close, leave, bob: ack b, bob: ack c, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  left (client)
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 1
            0s  bob: sent b (attempt 1)
            0s  is gone
            0s  is gone
            0s  is gone
            0s  was not subscribed
            0s  ann does not take c
            0s  is gone
            0s  bob: acked b
            0s  bob: acked c: unknown
            0s  books of t: 2 offered 2 sent 1 delivered 1 abandoned
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn nobody_joins_a_closed_link() {
    check(
        best_effort(Overflow::RejectNew),
        "close, join bob /a with ann, books",
        expect![[r#"
            0s  left (transport)
            0s  bob finds the link gone
            0s  books of t:
            0s  0 links, 0 messages resident
        "#]],
    );
}

#[test]
fn time_never_runs_backwards() {
    check(
        at_least_once(1),
        "+10s, room 9, offer a, -5s, offer b, +5s, +999ms, +1ms, ack a",
        expect![[r#"
            10s  sent a (attempt 1)
            11s  sent a (attempt 2)
            11s  acked a
            11s  sent b (attempt 1)
        "#]],
    );
}

#[test]
fn a_lane_more_than_half_full_that_could_be_sent_asks_for_a_pause() {
    check(
        best_effort(Overflow::RejectNew).max_queued_messages(4),
        "flood a b c, room 9, flood d e f g, flood h",
        expect![[r#"
            0s  sent a
            0s  sent b
            0s  sent c
            0s  crowded after f
            0s  crowded after g
            0s  sent d
            0s  sent e
            0s  sent f
            0s  sent g
            0s  sent h
        "#]],
    );
    let half = |namespace: Namespace, trace| check(namespace, "room 9, flood 1-6", trace);
    half(
        best_effort(Overflow::RejectNew).max_queued_messages(8),
        expect![[r#"
        0s  crowded after 5
        0s  crowded after 6
        0s  sent 1-6
    "#]],
    );
    half(
        best_effort(Overflow::RejectNew).max_queued_bytes(100),
        expect![[r#"
        0s  crowded after 6
        0s  sent 1-6
    "#]],
    );
}
