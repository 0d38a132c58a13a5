//! Subscriptions, and what becomes of what a lane held.

use expect_test::expect;
use streamfence_core::Overflow;

use crate::{at_least_once, best_effort, both, check};

#[test]
fn a_subscriber_gets_what_comes_after_the_position_it_is_told() {
    check(
        best_effort(Overflow::RejectNew),
        "room 9, unsubscribe, offer a b, subscribe, offer c",
        expect![[r#"
            0s  unsubscribed from t
            0s  told: unsubscribed from t
            0s  nobody is there for a
            0s  nobody is there for b
            0s  subscribed to t
            0s  told: subscribed to t after 2
            0s  sent c
        "#]],
    );
}

#[test]
fn the_answer_comes_before_every_message_after_its_position() {
    check(
        best_effort(Overflow::RejectNew),
        "unsubscribe, offer a b, subscribe, offer c, room 9",
        expect![[r#"
            0s  unsubscribed from t
            0s  nobody is there for a
            0s  nobody is there for b
            0s  subscribed to t
            0s  told: unsubscribed from t
            0s  told: subscribed to t after 2
            0s  sent c
        "#]],
    );
}

#[test]
fn a_second_subscription_changes_nothing_and_is_answered_the_same() {
    check(
        at_least_once(1),
        "room 1, offer a b, subscribe, holds, room 9, ack a, ack b, offer c, ack c, holds",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  holds t: 2 messages, 20 bytes
            0s  told: subscribed to t after 2
            0s  acked a
            0s  sent b (attempt 1)
            0s  acked b
            0s  sent c (attempt 1)
            0s  acked c
            0s  holds t: 0 messages, 0 bytes
        "#]],
    );
}

#[test]
fn what_a_lane_held_is_abandoned_when_its_subscription_ends() {
    check(
        at_least_once(1),
        "room 9, offer a b c, unsubscribe, +60s, ack a, holds, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  unsubscribed from t
            0s  told: unsubscribed from t
            60s  acked a: foreign
            60s  holds nothing
            60s  books of t: 3 offered 1 sent 3 abandoned
            60s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn no_message_comes_after_the_end_of_a_subscription() {
    check(
        both(),
        "offer a, offer u1 topic=u, unsubscribe t, room 9, offer b, offer u2 topic=u",
        expect![[r#"
            0s  unsubscribed from t
            0s  told: unsubscribed from t
            0s  sent u1 (attempt 1)
            0s  nobody is there for b
            0s  sent u2 (attempt 1)
        "#]],
    );
}

#[test]
fn the_end_of_no_subscription_is_answered_too() {
    check(
        best_effort(Overflow::RejectNew),
        "room 9, unsubscribe, unsubscribe",
        expect![[r#"
            0s  unsubscribed from t
            0s  told: unsubscribed from t
            0s  was not subscribed
            0s  told: unsubscribed from t
        "#]],
    );
}

#[test]
fn a_subscription_after_another_starts_anew() {
    check(
        at_least_once(1),
        "room 9, offer a b, unsubscribe, subscribe, offer c, ack a, ack c, +60s, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  unsubscribed from t
            0s  told: unsubscribed from t
            0s  subscribed to t
            0s  told: subscribed to t after 2
            0s  sent c (attempt 1)
            0s  acked a: late
            0s  acked c
            60s  books of t: 3 offered 2 sent 1 delivered 2 abandoned
            60s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_lane_that_takes_the_place_of_another_does_not_take_its_turn() {
    check(
        both(),
        "offer a, unsubscribe t, subscribe t, offer u1 topic=u, offer b, room 9",
        expect![[r#"
            0s  unsubscribed from t
            0s  subscribed to t
            0s  told: unsubscribed from t
            0s  told: subscribed to t after 1
            0s  sent u1 (attempt 1)
            0s  sent b
        "#]],
    );
}

#[test]
fn a_deadline_of_an_ended_subscription_passes_in_silence() {
    check(
        both(),
        "room 9, offer u1 topic=u, +500ms, unsubscribe u, subscribe u, offer u2 topic=u, +5s",
        expect![[r#"
            0s  sent u1 (attempt 1)
            500ms  unsubscribed from u
            500ms  told: unsubscribed from u
            500ms  subscribed to u
            500ms  told: subscribed to u after 1
            500ms  sent u2 (attempt 1)
            1.5s  sent u2 (attempt 2)
            2.5s  gave up on u2
            2.5s  kept u2: exhausted after 2
        "#]],
    );
}
