//! Windows, retries and acknowledgements.

use std::time::Duration;

use expect_test::expect;
use streamfence_core::{AtLeastOnce, Namespace};

use crate::{at_least_once, both, check};

#[test]
fn a_window_of_one_sends_one_by_one() {
    check(
        at_least_once(1),
        "room 9, offer a b c, ack a, ack b, ack c, holds, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  acked a
            0s  sent b (attempt 1)
            0s  acked b
            0s  sent c (attempt 1)
            0s  acked c
            0s  holds t: 0 messages, 0 bytes
            0s  books of t: 3 offered 3 sent 3 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_window_of_32_sends_32_ahead() {
    check(
        at_least_once(32),
        "room 99, offer 1-34, ack 20, ack 1",
        expect![[r#"
            0s  sent 1-32 (attempt 1)
            0s  acked 20
            0s  sent 33 (attempt 1)
            0s  acked 1
            0s  sent 34 (attempt 1)
        "#]],
    );
}

#[test]
fn an_unacked_message_is_resent_until_its_attempts_run_out() {
    check(
        at_least_once(1),
        "room 9, offer a b, +1s, +1s, +1s, ack b, holds",
        expect![[r#"
            0s  sent a (attempt 1)
            1s  sent a (attempt 2)
            2s  gave up on a
            2s  kept a: exhausted after 2
            2s  sent b (attempt 1)
            3s  sent b (attempt 2)
            3s  acked b
            3s  holds t: 0 messages, 0 bytes
        "#]],
    );
}

#[test]
fn every_retry_counts_and_the_last_one_may_still_be_acked() {
    let promise = AtLeastOnce::default().max_retries(3);
    check(
        at_least_once(1).at_least_once(promise),
        "room 9, offer a, +3s, +999ms, ack a, +5s, books",
        expect![[r#"
            0s  sent a (attempt 1)
            1s  sent a (attempt 2)
            2s  sent a (attempt 3)
            3s  sent a (attempt 4)
            3.999s  acked a
            8.999s  books of t: 1 offered 4 sent 3 retried 1 delivered
            8.999s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn each_message_has_its_own_deadline() {
    check(
        at_least_once(3),
        "room 9, offer a, +300ms, offer b, +300ms, offer c, ack b, +5s",
        expect![[r#"
            0s  sent a (attempt 1)
            300ms  sent b (attempt 1)
            600ms  sent c (attempt 1)
            600ms  acked b
            1s  sent a (attempt 2)
            1.6s  sent c (attempt 2)
            2s  gave up on a
            2s  kept a: exhausted after 2
            2.6s  gave up on c
            2.6s  kept c: exhausted after 2
        "#]],
    );
}

#[test]
fn retries_go_before_new_messages() {
    check(
        at_least_once(4),
        "room 9, offer a b, room 0, room 1, +1s, room 0, offer c d, room 2, +1ms, room 2",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            1s  sent a (attempt 2)
            1s  sent b (attempt 2)
            1s  sent c (attempt 1)
            1.001s  sent d (attempt 1)
        "#]],
    );
}

#[test]
fn a_retry_waits_for_room_and_is_one_attempt_however_long_it_waits() {
    check(
        at_least_once(1),
        "room 2, offer a, +1s, room 0, +60s, room 9, +60s",
        expect![[r#"
            0s  sent a (attempt 1)
            1s  sent a (attempt 2)
            62s  gave up on a
            62s  kept a: exhausted after 2
        "#]],
    );
}

#[test]
fn the_ack_clock_stands_still_without_room() {
    check(
        at_least_once(1),
        "room 1, offer a, +60s, holds, room 1, +999ms, +1ms, +60s, room 9, +1s",
        expect![[r#"
            0s  sent a (attempt 1)
            60s  holds t: 1 messages, 10 bytes
            61s  sent a (attempt 2)
            122s  gave up on a
            122s  kept a: exhausted after 2
        "#]],
    );
}

#[test]
fn the_ack_clock_is_paused_and_resumed_where_it_was() {
    check(
        at_least_once(1),
        "room 9, offer a, +600ms, room 0, +60s, room 9, +399ms, +1ms",
        expect![[r#"
            0s  sent a (attempt 1)
            61s  sent a (attempt 2)
        "#]],
    );
}

#[test]
fn an_ack_while_the_clock_stands_still_releases() {
    check(
        at_least_once(1),
        "room 1, offer a b, +60s, ack a, room 9, ack b, +60s, holds",
        expect![[r#"
            0s  sent a (attempt 1)
            60s  acked a
            60s  sent b (attempt 1)
            60s  acked b
            120s  holds t: 0 messages, 0 bytes
        "#]],
    );
}

#[test]
fn an_ack_of_an_overdue_message_spares_the_retry() {
    check(
        at_least_once(2),
        "room 3, offer a b, +900ms, room 2, +50ms, room 1, offer c, +50ms, room 0, ack a b, room 9, +5s",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            1s  sent a (attempt 2)
            1s  acked a
            1s  acked b
            1s  sent c (attempt 1)
            2s  sent c (attempt 2)
            3s  gave up on c
            3s  kept c: exhausted after 2
        "#]],
    );
}

#[test]
fn a_duplicate_ack_is_late() {
    check(
        at_least_once(1),
        "room 9, offer a, ack a a, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  acked a
            0s  acked a: late
            0s  books of t: 1 offered 1 sent 1 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn an_ack_after_the_message_was_given_up_is_late() {
    check(
        at_least_once(1),
        "room 9, offer a, +5s, ack a, books",
        expect![[r#"
            0s  sent a (attempt 1)
            1s  sent a (attempt 2)
            2s  gave up on a
            2s  kept a: exhausted after 2
            5s  acked a: late
            5s  books of t: 1 offered 2 sent 1 retried 1 exhausted
            5s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn an_ack_of_what_was_never_sent_is_unknown() {
    check(
        at_least_once(1),
        "room 9, offer a b, ack ghost, ack b, ack a",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  acked ghost: unknown
            0s  acked b: unknown
            0s  acked a
            0s  sent b (attempt 1)
        "#]],
    );
}

#[test]
fn an_ack_of_a_topic_without_subscription_is_foreign() {
    check(
        both(),
        "room 9, unsubscribe u, offer a topic=u, ack a",
        expect![[r#"
            0s  unsubscribed from u
            0s  told: unsubscribed from u
            0s  nobody is there for a
            0s  acked a: foreign
        "#]],
    );
}

#[test]
fn an_ack_with_the_id_of_another_topic_releases_nothing_there() {
    check(
        both(),
        "room 9, offer a topic=u, offer b, ack a topic=t, ack a",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b
            0s  acked a: unknown
            0s  acked a
        "#]],
    );
}

#[test]
fn best_effort_messages_want_no_ack() {
    check(
        both(),
        "room 9, offer a, ack a, +60s, books",
        expect![[r#"
            0s  sent a
            0s  acked a: unknown
            60s  books of t: 1 offered 1 sent 1 delivered
            60s  books of u:
            60s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn acks_may_come_in_any_order() {
    check(
        at_least_once(3),
        "room 9, offer a b c d e, ack c, ack a, ack b, ack e, ack d, holds",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            0s  sent c (attempt 1)
            0s  acked c
            0s  sent d (attempt 1)
            0s  acked a
            0s  sent e (attempt 1)
            0s  acked b
            0s  acked e
            0s  acked d
            0s  holds t: 0 messages, 0 bytes
        "#]],
    );
}

#[test]
fn a_subscriber_may_only_lower_the_window() {
    check(
        at_least_once(2),
        "room 99, unsubscribe, subscribe window=1, offer a b, ack a b, unsubscribe, subscribe window=9, offer c d e",
        expect![[r#"
            0s  unsubscribed from t
            0s  told: unsubscribed from t
            0s  subscribed to t
            0s  told: subscribed to t after 0
            0s  sent a (attempt 1)
            0s  acked a
            0s  acked b: unknown
            0s  sent b (attempt 1)
            0s  unsubscribed from t
            0s  told: unsubscribed from t
            0s  subscribed to t
            0s  told: subscribed to t after 2
            0s  sent c (attempt 1)
            0s  sent d (attempt 1)
        "#]],
    );
}

#[test]
fn what_was_given_up_makes_way_for_the_next() {
    check(
        at_least_once(2),
        "room 9, offer a b c d, ack b, +2s, +2s, holds, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            0s  acked b
            0s  sent c (attempt 1)
            1s  sent a (attempt 2)
            1s  sent c (attempt 2)
            2s  gave up on a
            2s  gave up on c
            2s  kept a: exhausted after 2
            2s  kept c: exhausted after 2
            2s  sent d (attempt 1)
            3s  sent d (attempt 2)
            4s  gave up on d
            4s  kept d: exhausted after 2
            4s  holds t: 0 messages, 0 bytes
            4s  books of t: 4 offered 7 sent 3 retried 1 delivered 3 exhausted
            4s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn an_ack_timeout_too_long_for_any_clock_is_never_due() {
    for timeout in [Duration::MAX, Duration::MAX / 2, Duration::from_secs(u64::MAX)] {
        check(
            at_least_once(1).at_least_once(AtLeastOnce::default().ack_timeout(timeout)),
            "room 9, +1s, offer a b, +60s, ack a",
            expect![[r#"
                1s  sent a (attempt 1)
                61s  acked a
                61s  sent b (attempt 1)
            "#]],
        );
    }
}

#[test]
fn a_cumulative_ack_releases_all_before_it_and_opens_the_window() {
    check(
        at_least_once(3),
        "room 9, offer a b c d e, ack b upto=yes, ack b upto=yes, ack x upto=yes, ack a, ack e upto=yes, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            0s  sent c (attempt 1)
            0s  acked up to b
            0s  sent d (attempt 1)
            0s  sent e (attempt 1)
            0s  acked up to b: late
            0s  acked up to x: unknown
            0s  acked a: late
            0s  acked up to e
            0s  books of t: 5 offered 5 sent 5 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_nacked_message_is_sent_again_after_its_delay_as_one_more_attempt() {
    check(
        at_least_once(2),
        "room 9, offer a b c, nack a after=500ms, +499ms, +1ms, nack a, +1s, nack x, nack c",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            0s  nacked a
            500ms  sent a (attempt 2)
            500ms  nacked a
            500ms  gave up on a
            500ms  kept a: nacked after 2
            500ms  sent c (attempt 1)
            1s  sent b (attempt 2)
            1.5s  sent c (attempt 2)
            1.5s  nacked x: unknown
            1.5s  nacked c
        "#]],
    );
}

#[test]
fn a_nack_waits_for_room_like_any_retry() {
    check(
        at_least_once(1),
        "room 9, offer a, room 0, nack a, +5s, room 9, ack a",
        expect![[r#"
        0s  sent a (attempt 1)
        0s  nacked a
        5s  sent a (attempt 2)
        5s  acked a
    "#]],
    );
}

#[test]
fn a_nack_puts_off_what_waits_to_be_sent_again() {
    check(
        at_least_once(2),
        "room 9, offer a b, room 9 5, +1s, nack a after=500ms, room 9, +499ms, +1ms, ack a, ack b",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            1s  nacked a
            1s  sent b (attempt 2)
            1.5s  sent a (attempt 2)
            1.5s  acked a
            1.5s  acked b
        "#]],
    );
}

#[test]
fn each_attempt_has_longer_than_the_one_before_it() {
    let promise = AtLeastOnce::default().ack_timeout(Duration::from_secs(1)).max_retries(4);
    let namespace = Namespace::new("/a").topic("t").at_least_once(promise.backoff(2.0, Duration::from_secs(5)));
    check(
        namespace,
        "room 9, offer a, +60s",
        expect![[r#"
            0s  sent a (attempt 1)
            1s  sent a (attempt 2)
            3s  sent a (attempt 3)
            7s  sent a (attempt 4)
            12s  sent a (attempt 5)
            17s  gave up on a
            17s  kept a: exhausted after 5
        "#]],
    );
}

#[test]
fn jitter_spreads_the_retries_of_clients_and_is_the_same_every_time() {
    let promise = AtLeastOnce::default().ack_timeout(Duration::from_secs(1)).max_retries(1).jitter(0.5);
    let namespace = Namespace::new("/a").topic("t").at_least_once(promise);
    let script =
        "join bob /a, bob: subscribe t, room 9, bob: room 9, offer a, +500ms, +100ms, +100ms, +100ms, +100ms, +100ms";
    check(
        namespace,
        script,
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 0
            0s  sent a (attempt 1)
            0s  bob: sent a (attempt 1)
            542.988769ms  sent a (attempt 2)
            705.628359ms  bob: sent a (attempt 2)
        "#]],
    );
}

#[test]
fn what_expired_while_it_waited_for_room_to_be_sent_again_is_given_up() {
    check(
        at_least_once(2),
        "room 1, offer a ttl=2s, room 1 5, +1s, +5s, room 9, books",
        expect![[r#"
            0s  sent a (attempt 1)
            6s  books of t: 1 offered 1 sent 1 expired
            6s  1 links, 0 messages resident
        "#]],
    );
}
