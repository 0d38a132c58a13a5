//! Whom a message is for: the sessions of a principal, and all but some.

use expect_test::expect;
use streamfence_core::{Namespace, Overflow};

use crate::{best_effort, check};

#[test]
fn a_message_reaches_all_sessions_of_a_principal_and_no_other() {
    check(
        best_effort(Overflow::DropOldest),
        "join bob /a as=amy, join cat /a as=amy, join dan /a as=tim, join eve /a as=amy,
         bob: subscribe, cat: subscribe, dan: subscribe,
         bob: room 9, cat: room 9, dan: room 9, room 9,
         offer a whose=amy, offer b whose=amy except=bob, offer c whose=nobody, offer d whose=tim, books",
        expect![[r#"
            0s  bob: joined /a as amy
            0s  cat: joined /a as amy
            0s  dan: joined /a as tim
            0s  eve: joined /a as amy
            0s  bob: subscribed to t
            0s  cat: subscribed to t
            0s  dan: subscribed to t
            0s  bob: told: subscribed to t after 0
            0s  cat: told: subscribed to t after 0
            0s  dan: told: subscribed to t after 0
            0s  bob: sent a
            0s  cat: sent a
            0s  cat: sent b
            0s  nobody is there for c
            0s  dan: sent d
            0s  books of t: 4 offered 4 sent 4 delivered
            0s  5 links, 0 messages resident
        "#]],
    );
}

#[test]
fn whoever_says_later_who_it_is_is_reached_from_then_on_and_stays_who_it_is() {
    check(
        best_effort(Overflow::DropOldest),
        "subscribe, room 9, offer a whose=amy, identify as=amy, offer b whose=amy, identify as=tim, identify as=amy,
         offer c whose=tim, leave, identify as=amy, offer d whose=amy",
        expect![[r#"
            0s  told: subscribed to t after 0
            0s  nobody is there for a
            0s  is amy
            0s  told: is amy
            0s  sent b
            0s  is not tim
            0s  told: is amy
            0s  nobody is there for c
            0s  left (client)
            0s  is not amy
            0s  nobody is there for d
        "#]],
    );
}

#[test]
fn sessions_of_a_principal_come_and_go() {
    check(
        best_effort(Overflow::DropOldest),
        "join bob /a as=amy, join cat /a as=amy, join dan /a as=amy,
         bob: subscribe, cat: subscribe, dan: subscribe,
         bob: leave, offer a whose=amy, dan: retain 5s, dan: close, offer b whose=amy, cat: leave, offer c whose=amy,
         dan: return, dan: close, +5s, offer d whose=amy, books",
        expect![[r#"
            0s  bob: joined /a as amy
            0s  cat: joined /a as amy
            0s  dan: joined /a as amy
            0s  bob: subscribed to t
            0s  cat: subscribed to t
            0s  dan: subscribed to t
            0s  bob: left (client)
            0s  dan: left (transport)
            0s  dan: is waited for
            0s  cat: left (client)
            0s  dan: joined /a as amy
            0s  dan: is back
            0s  dan: left (transport)
            0s  dan: is waited for
            5s  dan: is waited for no more
            5s  nobody is there for d
            5s  books of t: 5 offered 5 abandoned
            5s  3 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_principal_is_the_same_in_every_namespace_but_a_topic_is_of_one() {
    check(
        [Namespace::new("/a").topic("t"), Namespace::new("/b").topic("u")],
        "join bob /a as=amy, bob: subscribe t, join cat /b as=amy, cat: subscribe u, offer a whose=amy, offer b topic=u whose=amy",
        expect![[r#"
            0s  bob: joined /a as amy
            0s  bob: subscribed to t
            0s  cat: joined /b as amy
            0s  cat: subscribed to u
        "#]],
    );
}

#[test]
fn a_message_may_go_to_some_clients_or_to_all_but_some() {
    check(
        best_effort(Overflow::RejectNew),
        "room 99, join bob /a, bob: room 99, bob: subscribe, join cat /a, cat: room 99, cat: subscribe, join dan /a
         offer 1 to=cat+bob, offer 2 to=bob+ann except=ann, offer 3 to=dan+cat, offer 4 except=ann+cat
         offer 5 except=ann+bob+cat+dan, bob: leave, offer 6 to=bob+ann, offer 7 except=cat+bob, books",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 0
            0s  cat: joined /a
            0s  cat: subscribed to t
            0s  cat: told: subscribed to t after 0
            0s  dan: joined /a
            0s  bob: sent 1
            0s  cat: sent 1
            0s  bob: sent 2
            0s  cat: sent 3
            0s  bob: sent 4
            0s  nobody is there for 5
            0s  bob: left (client)
            0s  sent 6-7
            0s  books of t: 7 offered 7 sent 7 delivered
            0s  4 links, 0 messages resident
        "#]],
    );
}
