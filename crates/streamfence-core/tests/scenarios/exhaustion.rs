//! What becomes of a message whose last retry was not acked, and of its client.

use expect_test::expect;
use streamfence_core::{Exhaustion, Namespace, Topic};

use crate::{check, promise};

fn disconnecting() -> Namespace {
    Namespace::new("/a").topic("t").at_least_once(promise(2).on_exhausted(Exhaustion::Disconnect))
}

#[test]
fn what_was_given_up_is_handed_out_and_the_next_message_flows() {
    let script = "room 9, offer a b, +2s, ack b, books";
    check(
        Namespace::new("/a").topic("t").at_least_once(promise(1)),
        script,
        expect![[r#"
        0s  sent a (attempt 1)
        1s  sent a (attempt 2)
        2s  gave up on a
        2s  kept a: exhausted after 2
        2s  sent b (attempt 1)
        2s  acked b
        2s  books of t: 2 offered 3 sent 1 retried 1 delivered 1 exhausted
        2s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_message_the_client_refused_to_the_last_is_kept_as_nacked() {
    let script = "room 9, offer a b, nack a, +0s, nack a, +0s, +1s, nack b, +0s, +1s, books";
    check(
        Namespace::new("/a").topic("t").at_least_once(promise(2)),
        script,
        expect![[r#"
        0s  sent a (attempt 1)
        0s  sent b (attempt 1)
        0s  nacked a
        0s  sent a (attempt 2)
        0s  nacked a
        0s  gave up on a
        0s  kept a: nacked after 2
        1s  sent b (attempt 2)
        1s  nacked b
        1s  gave up on b
        1s  kept b: nacked after 2
        2s  books of t: 2 offered 4 sent 2 retried 2 exhausted
        2s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_topic_that_keeps_none_hands_out_none() {
    let none = Namespace::new("/a").topic("t").at_least_once(promise(1).dead_letters(0));
    check(
        none,
        "room 9, offer a, +2s, books",
        expect![[r#"
        0s  sent a (attempt 1)
        1s  sent a (attempt 2)
        2s  gave up on a
        2s  books of t: 1 offered 2 sent 1 retried 1 exhausted
        2s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_client_that_does_not_ack_is_cut_where_that_costs_the_connection() {
    let script = "join bob /a, bob: subscribe, bob: room 9, room 9, offer a b c, bob: ack a, bob: ack b, +2s, \
                  bob: ack c, offer d, books";
    check(
        disconnecting(),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 0
        0s  sent a (attempt 1)
        0s  sent b (attempt 1)
        0s  bob: sent a (attempt 1)
        0s  bob: sent b (attempt 1)
        0s  bob: acked a
        0s  bob: sent c (attempt 1)
        0s  bob: acked b
        1s  sent a (attempt 2)
        1s  sent b (attempt 2)
        1s  bob: sent c (attempt 2)
        2s  gave up on a
        2s  gave up on b
        2s  left (retries_exhausted)
        2s  bob: gave up on c
        2s  bob: left (retries_exhausted)
        2s  kept a: exhausted after 2
        2s  kept b: exhausted after 2
        2s  bob: kept c: exhausted after 2
        2s  to be disconnected (retries_exhausted)
        2s  bob: to be disconnected (retries_exhausted)
        2s  bob: is gone
        2s  nobody is there for d
        2s  books of t: 6 offered 8 sent 3 retried 2 delivered 3 exhausted 1 abandoned
        2s  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn whoever_is_cut_is_not_waited_for_and_the_others_of_its_link_stay() {
    let script = "join bob /b with ann, bob: subscribe, retain 60s, room 9, offer a, bob: offer b topic=u, +2s, \
                  return, bob: holds, books";
    let other = Namespace::new("/b").topic_with(Topic::new("u"));
    check(
        [disconnecting(), other],
        script,
        expect![[r#"
        0s  bob: joined /b
        0s  bob: subscribed to u
        0s  bob: told: subscribed to u after 0
        0s  sent a (attempt 1)
        0s  bob: sent b
        1s  sent a (attempt 2)
        2s  gave up on a
        2s  left (retries_exhausted)
        2s  kept a: exhausted after 2
        2s  to be disconnected (retries_exhausted)
        2s  comes back too late
        2s  bob: holds u: 0 messages, 0 bytes
        2s  books of t: 1 offered 2 sent 1 retried 1 exhausted
        2s  books of u: 1 offered 1 sent 1 delivered
        2s  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn whoever_is_away_is_not_cut() {
    let script = "retain 60s, room 9, offer a, close, +30s, return, room 9, ack a, books";
    check(
        disconnecting(),
        script,
        expect![[r#"
        0s  sent a (attempt 1)
        0s  left (transport)
        0s  is waited for
        30s  joined /a
        30s  is back
        30s  sent a (attempt 2)
        30s  acked a
        30s  books of t: 1 offered 2 sent 1 retried 1 delivered
        30s  1 links, 0 messages resident
    "#]],
    );
}
