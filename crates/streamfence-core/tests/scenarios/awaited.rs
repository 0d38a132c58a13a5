//! What whoever waits for acks of a message is told of each client: once, whatever becomes of the message there.

use expect_test::expect;

use crate::{at_least_once, check, lossless, promise};

#[test]
fn who_has_acked_it_is_told_one_by_one_and_of_others_nothing_is() {
    let script = "join bob /a, bob: subscribe, room 9, bob: room 9, offer a, offer b wait=yes, offer c, \
                  ack a, ack b, bob: ack c, bob: ack b, ack b, bob: ack a, ack c";
    check(
        at_least_once(4),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 0
        0s  sent a (attempt 1)
        0s  bob: sent a (attempt 1)
        0s  sent b (attempt 1)
        0s  bob: sent b (attempt 1)
        0s  sent c (attempt 1)
        0s  bob: sent c (attempt 1)
        0s  acked a
        0s  acked b
        0s  whoever waits for b is told: ann has acked it
        0s  bob: acked c
        0s  bob: acked b
        0s  whoever waits for b is told: bob has acked it
        0s  acked b: late
        0s  bob: acked a
        0s  acked c
    "#]],
    );
}

#[test]
fn an_ack_of_all_up_to_one_is_an_ack_of_each_that_was_sent() {
    let script =
        "room 2, offer a wait=yes, offer b, offer c wait=yes, offer d wait=yes, ack b upto=yes, room 9, ack d upto=yes";
    check(
        at_least_once(4),
        script,
        expect![[r#"
        0s  sent a (attempt 1)
        0s  sent b (attempt 1)
        0s  acked up to b
        0s  whoever waits for a is told: ann has acked it
        0s  sent c (attempt 1)
        0s  sent d (attempt 1)
        0s  acked up to d
        0s  whoever waits for c is told: ann has acked it
        0s  whoever waits for d is told: ann has acked it
    "#]],
    );
}

#[test]
fn whose_attempts_run_out_never_will() {
    check(
        at_least_once(4),
        "room 9, offer a wait=yes, offer b, +3s",
        expect![[r#"
        0s  sent a (attempt 1)
        0s  sent b (attempt 1)
        1s  sent a (attempt 2)
        1s  sent b (attempt 2)
        2s  gave up on a
        2s  gave up on b
        2s  kept a: exhausted after 2
        2s  kept b: exhausted after 2
        2s  whoever waits for a is told: ann never will ack it
    "#]],
    );
    let none_kept = streamfence_core::Namespace::new("/a").topic("t").at_least_once(promise(1).dead_letters(0));
    check(
        none_kept,
        "room 9, offer a wait=yes, +3s",
        expect![[r#"
        0s  sent a (attempt 1)
        1s  sent a (attempt 2)
        2s  gave up on a
        2s  whoever waits for a is told: ann never will ack it
    "#]],
    );
}

#[test]
fn what_comes_too_late_never_will_be_acked_wherever_it_is() {
    let script = "offer a ttl=500ms wait=yes, offer b, +600ms, tick, room 9, offer c ttl=500ms wait=yes, +2s, +2s";
    check(
        at_least_once(4),
        script,
        expect![[r#"
        600ms  whoever waits for a is told: ann never will ack it
        600ms  sent b (attempt 1)
        600ms  sent c (attempt 1)
        1.6s  sent b (attempt 2)
        1.6s  whoever waits for c is told: ann never will ack it
        2.6s  gave up on b
        2.6s  kept b: exhausted after 2
    "#]],
    );
}

#[test]
fn who_leaves_never_will_whether_it_was_sent_or_not() {
    let join = "join bob /a, bob: subscribe, bob: room 9, join cat /a, cat: subscribe, cat: room 9";
    let script = format!("{join}, offer a b wait=yes, bob: unsubscribe t, cat: ack a, cat: close, leave");
    check(
        at_least_once(1),
        &script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 0
        0s  cat: joined /a
        0s  cat: subscribed to t
        0s  cat: told: subscribed to t after 0
        0s  bob: sent a (attempt 1)
        0s  cat: sent a (attempt 1)
        0s  bob: unsubscribed from t
        0s  bob: told: unsubscribed from t
        0s  whoever waits for a is told: bob never will ack it
        0s  whoever waits for b is told: bob never will ack it
        0s  cat: acked a
        0s  cat: sent b (attempt 1)
        0s  whoever waits for a is told: cat has acked it
        0s  cat: left (transport)
        0s  whoever waits for b is told: cat never will ack it
        0s  left (client)
        0s  whoever waits for a is told: ann never will ack it
        0s  whoever waits for b is told: ann never will ack it
    "#]],
    );
    let script = "retain 10s, room 9, offer a wait=yes, close, +5s, +6s";
    check(
        at_least_once(1),
        script,
        expect![[r#"
        0s  sent a (attempt 1)
        0s  left (transport)
        0s  is waited for
        10s  is waited for no more
        10s  whoever waits for a is told: ann never will ack it
    "#]],
    );
}

#[test]
fn who_was_not_meant_or_refused_it_is_not_told_of() {
    let namespace = at_least_once(1).max_queued_messages(1);
    let script = "join bob /a, bob: subscribe, offer a, offer b wait=yes, bob: leave, leave";
    check(
        namespace,
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  rejected b: full (2 of 2)
        0s  overflow began
        0s  bob: overflow began
        0s  bob: overflow ended: 1 lost
        0s  bob: left (client)
        0s  overflow ended: 1 lost
        0s  left (client)
    "#]],
    );
    let script = "join bob /a, bob: subscribe, offer a to=bob wait=yes, leave, bob: leave";
    check(
        at_least_once(1),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  left (client)
        0s  bob: left (client)
        0s  whoever waits for a is told: bob never will ack it
    "#]],
    );
}

#[test]
fn what_comes_from_disk_is_told_of_as_well() {
    let script = "room 9, offer 1-5, offer a wait=yes, offer 6, ack 4 upto=yes, ack 5, ack a, ack 6";
    check(
        lossless(4),
        script,
        expect![[r#"
        0s  spilled 5
        0s  spill began
        0s  sent 1-4 (attempt 1)
        0s  spilled a
        0s  spilled 6
        0s  acked up to 4
        0s  spill ended: 3 in 0ns
        0s  sent 5 (attempt 1)
        0s  sent a (attempt 1)
        0s  sent 6 (attempt 1)
        0s  acked 5
        0s  acked a
        0s  whoever waits for a is told: ann has acked it
        0s  acked 6
    "#]],
    );
    check(
        lossless(4),
        "room 9, offer 1-5, offer a wait=yes, leave",
        expect![[r#"
        0s  spilled 5
        0s  spill began
        0s  sent 1-4 (attempt 1)
        0s  spilled a
        0s  spill ended: 0 in 0ns
        0s  left (client)
        0s  whoever waits for a is told: ann never will ack it
    "#]],
    );
}
