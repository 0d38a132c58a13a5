//! Topics that are made when somebody wants them.

use expect_test::expect;
use streamfence_core::{Namespace, Topic};

use crate::{check, promise};

fn orders() -> Namespace {
    Namespace::new("/a").topic("t").topic_with(Topic::new("orders.*").at_least_once(promise(2)))
}

#[test]
fn each_name_is_a_topic_of_its_own_under_the_policy_of_its_pattern() {
    check(
        orders(),
        "subscribe orders.1, join bob /a, bob: subscribe orders.2, room 9, bob: room 9,
         offer a topic=orders.1, offer b topic=orders.2, offer c topic=orders.3, ack a, bob: ack b, books",
        expect![[r#"
            0s  subscribed to orders.1
            0s  bob: joined /a
            0s  bob: subscribed to orders.2
            0s  told: subscribed to orders.1 after 0
            0s  bob: told: subscribed to orders.2 after 0
            0s  sent a (attempt 1)
            0s  bob: sent b (attempt 1)
            0s  nobody is there for c
            0s  acked a
            0s  bob: acked b
            0s  books of t:
            0s  books of orders.*: 2 offered 2 sent 2 delivered
            0s  2 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_topic_is_gone_with_its_last_subscriber_and_begins_anew_under_its_name() {
    check(
        orders(),
        "subscribe orders.1, room 9, offer a topic=orders.1, ack a, subscribe orders.1, unsubscribe orders.1, tick,
         subscribe orders.1, holds",
        expect![[r#"
            0s  subscribed to orders.1
            0s  told: subscribed to orders.1 after 0
            0s  sent a (attempt 1)
            0s  acked a
            0s  told: subscribed to orders.1 after 1
            0s  unsubscribed from orders.1
            0s  told: unsubscribed from orders.1
            0s  subscribed to orders.1
            0s  told: subscribed to orders.1 after 0
            0s  holds t: 0 messages, 0 bytes; orders.1: 0 messages, 0 bytes
        "#]],
    );
}

#[test]
fn a_client_that_is_waited_for_keeps_its_topics() {
    check(
        orders(),
        "subscribe orders.1, room 9, retain 10s, close, tick, +1s, offer a topic=orders.1, return, room 9, ack a, books",
        expect![[r#"
            0s  subscribed to orders.1
            0s  told: subscribed to orders.1 after 0
            0s  left (transport)
            0s  is waited for
            1s  joined /a
            1s  is back
            1s  sent a (attempt 1)
            1s  acked a
            1s  books of t:
            1s  books of orders.*: 1 offered 1 sent 1 delivered
            1s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn acks_of_another_topic_of_the_same_pattern_are_foreign() {
    check(
        orders(),
        "subscribe orders.1, join bob /a, bob: subscribe orders.2, room 9, bob: room 9,
         offer a topic=orders.1, bob: ack a, bob: ack a topic=orders.2, ack a",
        expect![[r#"
            0s  subscribed to orders.1
            0s  bob: joined /a
            0s  bob: subscribed to orders.2
            0s  told: subscribed to orders.1 after 0
            0s  bob: told: subscribed to orders.2 after 0
            0s  sent a (attempt 1)
            0s  bob: acked a: foreign
            0s  bob: acked a: unknown
            0s  acked a
        "#]],
    );
}
