//! Room in the transport, and whose turn it is.

use expect_test::expect;
use streamfence_core::{Namespace, Overflow};

use crate::{at_least_once, best_effort, both, check};

fn two_namespaces() -> [Namespace; 2] {
    [Namespace::new("/a").topic("t"), Namespace::new("/b").topic("u")]
}

#[test]
fn nothing_leaves_without_room() {
    check(
        best_effort(Overflow::RejectNew),
        "offer a b, room 0, +1s, room 9 0, +1s, room 1, +1s, room 0, +1s, room 1",
        expect![[r#"
            2s  sent a
            4s  sent b
        "#]],
    );
}

#[test]
fn room_is_counted_in_frames() {
    check(
        best_effort(Overflow::RejectNew),
        "offer a frames=3, offer b, room 2, +1s, room 3, +1s, room 1",
        expect![[r#"
            1s  sent a
            2s  sent b
        "#]],
    );
}

#[test]
fn room_is_counted_in_bytes() {
    check(
        best_effort(Overflow::RejectNew),
        "offer a b c, room 9 25, +1s, room 9 9, +1s, room 9 10",
        expect![[r#"
            0s  sent a
            0s  sent b
            2s  sent c
        "#]],
    );
}

#[test]
fn frames_without_bytes_are_no_room_and_no_time_passes_with_them() {
    check(
        at_least_once(1),
        "room 9, offer a, room 9 0, +5s, room 9, +999ms, +1ms, ack a",
        expect![[r#"
            0s  sent a (attempt 1)
            6s  sent a (attempt 2)
            6s  acked a
        "#]],
    );
}

#[test]
fn room_is_a_level_and_not_a_grant() {
    check(
        best_effort(Overflow::RejectNew),
        "room 1, room 1, room 1, offer a b, +1s, room 1",
        expect![[r#"
            0s  sent a
            1s  sent b
        "#]],
    );
}

#[test]
fn a_message_larger_than_the_room_goes_when_nothing_is_below() {
    check(
        best_effort(Overflow::RejectNew),
        "offer big size=1000, offer small, room 9 100, +1s, room 9 100 empty, +1s, room 9 100",
        expect![[r#"
            1s  sent big
            2s  sent small
        "#]],
    );
}

#[test]
fn an_empty_transport_takes_one_message_whatever_it_says() {
    check(
        best_effort(Overflow::RejectNew),
        "offer a b, room empty, +1s, room empty",
        expect![[r#"
            0s  sent a
            1s  sent b
        "#]],
    );
}

#[test]
fn what_is_too_large_for_the_room_keeps_its_turn() {
    check(
        both(),
        "offer big size=100, offer u1 topic=u, room 9 50, +500ms, offer u2 topic=u, room 9 200",
        expect![[r#"
            500ms  sent big
            500ms  sent u1 (attempt 1)
            500ms  sent u2 (attempt 1)
        "#]],
    );
}

#[test]
fn the_lanes_of_a_session_take_turns() {
    check(
        both(),
        "offer a b c, offer u1 u2 u3 topic=u, room 9",
        expect![[r#"
            0s  sent a
            0s  sent u1 (attempt 1)
            0s  sent b
            0s  sent u2 (attempt 1)
            0s  sent c
        "#]],
    );
}

#[test]
fn the_lanes_of_a_session_take_turns_over_little_room() {
    check(
        both(),
        "offer a b c, offer u1 u2 u3 topic=u, room 1, +1s, room 1, +1s, room 1, +1s, room 1",
        expect![[r#"
            0s  sent a
            1s  sent u1 (attempt 1)
            2s  sent b
            3s  sent u2 (attempt 1)
        "#]],
    );
}

#[test]
fn the_sessions_of_a_link_take_turns() {
    check(
        two_namespaces(),
        "join bob /b with ann, bob: subscribe, room 9, room 0, offer a b c, offer x y z topic=u, room 9",
        expect![[r#"
            0s  bob: joined /b
            0s  bob: subscribed to u
            0s  bob: told: subscribed to u after 0
            0s  sent a
            0s  bob: sent x
            0s  sent b
            0s  bob: sent y
            0s  sent c
            0s  bob: sent z
        "#]],
    );
}

#[test]
fn the_sessions_of_a_link_share_its_room() {
    check(
        two_namespaces(),
        "join bob /b with ann, bob: subscribe, room 9, room 0, offer a b c, offer x y z topic=u, room 3, +1s, bob: room 1",
        expect![[r#"
            0s  bob: joined /b
            0s  bob: subscribed to u
            0s  bob: told: subscribed to u after 0
            0s  sent a
            0s  bob: sent x
            0s  sent b
            1s  bob: sent y
        "#]],
    );
}

#[test]
fn the_links_of_a_hub_do_not_share_room() {
    check(
        best_effort(Overflow::DropOldest).max_queued_messages(1),
        "join bob /a, bob: room 9, bob: subscribe, offer a b, room 9, offer c",
        expect![[r#"
            0s  bob: joined /a
            0s  bob: subscribed to t
            0s  bob: told: subscribed to t after 0
            0s  displaced 2
            0s  overflow began
            0s  bob: overflow began
            0s  bob: sent b
            0s  bob: overflow ended: 1 lost
            0s  sent b
            0s  overflow ended: 1 lost
            0s  sent c
            0s  bob: sent c
        "#]],
    );
}

#[test]
fn answers_go_before_messages() {
    check(
        both(),
        "offer a b, tell, unsubscribe u, room 4, +1s, room 9",
        expect![[r#"
            0s  unsubscribed from u
            0s  told: published
            0s  told: unsubscribed from u
            0s  sent a
            1s  sent b
        "#]],
    );
}

#[test]
fn answers_wait_for_room_too() {
    check(
        both(),
        "unsubscribe u, room 1, room 2 100, +1s, room 2, room 0, tell, +1s, room empty",
        expect![[r#"
            0s  unsubscribed from u
            1s  told: unsubscribed from u
            2s  told: published
        "#]],
    );
}

#[test]
fn the_clocks_of_a_link_stand_still_for_all_its_sessions() {
    let namespaces = [at_least_once(2), Namespace::new("/b").topic("u").at_least_once(crate::promise(2))];
    check(
        namespaces,
        "join bob /b with ann, bob: subscribe, room 9, offer a, offer x topic=u, +500ms, room 0, +60s, room 9, +499ms, +1ms",
        expect![[r#"
            0s  bob: joined /b
            0s  bob: subscribed to u
            0s  bob: told: subscribed to u after 0
            0s  sent a (attempt 1)
            0s  bob: sent x (attempt 1)
            61s  sent a (attempt 2)
            61s  bob: sent x (attempt 2)
        "#]],
    );
}

#[test]
fn more_than_one_batch_leaves_in_order() {
    check(
        best_effort(Overflow::RejectNew).max_queued_messages(200),
        "offer 1-130, room 200, holds, books",
        expect![[r#"
            0s  sent 1-130
            0s  holds t: 0 messages, 0 bytes
            0s  books of t: 130 offered 130 sent 130 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_session_that_leaves_no_longer_holds_up_the_others_of_its_link() {
    check(
        two_namespaces(),
        "join bob /b with ann, bob: subscribe, room 9, room 0, offer big size=100, offer x topic=u, room 9 50, +1s, leave",
        expect![[r#"
            0s  bob: joined /b
            0s  bob: subscribed to u
            0s  bob: told: subscribed to u after 0
            1s  left (client)
            1s  bob: sent x
        "#]],
    );
}

#[test]
fn equal_deadlines_are_served_by_age_and_not_by_place() {
    let namespaces = [at_least_once(2), Namespace::new("/b").topic("u").at_least_once(crate::promise(2))];
    check(
        namespaces,
        "join bob /b with ann, bob: subscribe, leave, join cid /a with bob, cid: subscribe, bob: room 9
         offer x topic=u, offer a, +1s",
        expect![[r#"
            0s  bob: joined /b
            0s  bob: subscribed to u
            0s  left (client)
            0s  cid: joined /a
            0s  cid: subscribed to t
            0s  bob: told: subscribed to u after 0
            0s  cid: told: subscribed to t after 0
            0s  bob: sent x (attempt 1)
            0s  cid: sent a (attempt 1)
            1s  bob: sent x (attempt 2)
            1s  cid: sent a (attempt 2)
        "#]],
    );
}
