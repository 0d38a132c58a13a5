//! Another catalog under lanes that are full of messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use streamfence_core::testing::scenario::{self, Scene};
use streamfence_core::{
    AckOutcome, Admission, AtLeastOnce, Body, Catalog, Epoch, Eviction, Lane, Message, MessageId, Namespace, Offset,
    Overflow, SlowClient, Topic, TopicEntry, Wishes,
};

use crate::{at_least_once, best_effort, promise};

fn check(scene: impl Into<Scene>, next: impl Into<Scene>, script: &str, trace: Expect) {
    trace.assert_eq(&scenario::run_reloaded(scene, vec![next.into()], script));
}

#[test]
fn growth_counts_at_once() {
    check(
        best_effort(Overflow::RejectNew).max_queued_messages(2),
        best_effort(Overflow::RejectNew).max_queued_messages(3),
        "offer a b c, reload, offer d e, room 9",
        expect![[r#"
            0s  rejected c: full
            0s  overflow began
            0s  reloaded
            0s  rejected e: full
            0s  sent a
            0s  sent b
            0s  sent d
            0s  overflow ended: 2 lost
        "#]],
    );
}

#[test]
fn a_wider_window_sends_at_once() {
    check(
        at_least_once(1),
        at_least_once(2),
        "room 9, offer a b c, reload, ack a",
        expect![[r#"
        0s  sent a (attempt 1)
        0s  reloaded
        0s  sent b (attempt 1)
        0s  acked a
        0s  sent c (attempt 1)
    "#]],
    );
}

#[test]
fn what_expires_in_front_of_a_full_window_makes_way_for_what_needs_none() {
    check(
        at_least_once(1),
        best_effort(Overflow::RejectNew),
        "room 9, offer a, offer b ttl=100ms, reload, offer c, +200ms, tick",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  reloaded
            200ms  sent c
        "#]],
    );
}

#[test]
fn a_narrower_window_takes_nothing_back() {
    check(
        at_least_once(2),
        at_least_once(1),
        "room 9, offer a b c, reload, ack a, ack b, ack c",
        expect![[r#"
        0s  sent a (attempt 1)
        0s  sent b (attempt 1)
        0s  reloaded
        0s  acked a
        0s  acked b
        0s  sent c (attempt 1)
        0s  acked c
    "#]],
    );
}

#[test]
fn shrinking_discards_nothing() {
    check(
        best_effort(Overflow::RejectNew).max_queued_messages(4),
        best_effort(Overflow::RejectNew).max_queued_messages(2),
        "offer a b c, reload, holds, offer d, room 2, room, offer e, offer f, room 9, books",
        expect![[r#"
            0s  reloaded
            0s  holds t: 3 messages, 30 bytes
            0s  rejected d: full
            0s  overflow began
            0s  sent a
            0s  sent b
            0s  rejected f: full
            0s  sent c
            0s  sent e
            0s  overflow ended: 2 lost
            0s  books of t: 6 offered 4 sent 4 delivered 2 rejected
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn the_next_offer_to_a_lane_that_shrank_goes_by_the_new_limit() {
    check(
        best_effort(Overflow::DropOldest).max_queued_messages(4),
        best_effort(Overflow::DropOldest).max_queued_messages(2),
        "offer a b c, reload, offer d, room 9, books",
        expect![[r#"
            0s  reloaded
            0s  displaced 2
            0s  overflow began
            0s  sent c
            0s  sent d
            0s  overflow ended: 2 lost
            0s  books of t: 4 offered 2 sent 2 delivered 2 displaced
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_smaller_value_fits_the_place_of_a_larger_one_even_in_a_lane_that_shrank() {
    check(
        best_effort(Overflow::Coalesce).max_queued_bytes(100),
        best_effort(Overflow::Coalesce).max_queued_bytes(50),
        "offer a key=k size=90, reload, offer b key=k size=60, offer c key=k size=40, room 9, books",
        expect![[r#"
            0s  reloaded
            0s  rejected b: too large
            0s  coalesced 1
            0s  sent c
            0s  books of t: 3 offered 1 sent 1 delivered 1 coalesced 1 too large
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_lane_that_begins_to_coalesce_finds_what_is_queued() {
    check(
        best_effort(Overflow::RejectNew),
        best_effort(Overflow::Coalesce),
        "offer a key=k, offer b key=l, offer c key=k, reload, offer d key=k, offer e key=l, room 9",
        expect![[r#"
            0s  reloaded
            0s  coalesced 1
            0s  coalesced 1
            0s  sent a
            0s  sent e
            0s  sent d
        "#]],
    );
}

#[test]
fn what_is_due_stays_due_when_it_was() {
    let slower = AtLeastOnce::default().window(2).ack_timeout(Duration::from_secs(5)).max_retries(1);
    check(
        at_least_once(2),
        Namespace::new("/a").topic("t").at_least_once(slower),
        "room 9, offer a, +500ms, reload, +500ms, +4s, +1s",
        expect![[r#"
            0s  sent a (attempt 1)
            500ms  reloaded
            1s  sent a (attempt 2)
            6s  gave up on a
            6s  kept a: exhausted after 2
        "#]],
    );
}

#[test]
fn a_message_keeps_the_promise_it_was_published_under() {
    check(
        best_effort(Overflow::DropOldest).max_queued_messages(4),
        at_least_once(1).max_queued_messages(4),
        "offer a, reload, offer b c, room 9, ack a, ack b, ack c, books",
        expect![[r#"
            0s  reloaded
            0s  sent a
            0s  sent b (attempt 1)
            0s  acked a: late
            0s  acked b
            0s  sent c (attempt 1)
            0s  acked c
            0s  books of t: 3 offered 3 sent 3 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
    check(
        at_least_once(1).max_queued_messages(3),
        best_effort(Overflow::DropOldest).max_queued_messages(3),
        "room 9, offer a b, room 0, reload, offer c d e, room 9, +1s, ack a, ack d, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  reloaded
            0s  displaced 1
            0s  displaced 1
            0s  overflow began
            0s  sent d
            0s  sent e
            1s  sent a (attempt 2)
            1s  acked a
            1s  overflow ended: 2 lost
            1s  acked d: unknown
            1s  books of t: 5 offered 4 sent 1 retried 3 delivered 2 displaced
            1s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn what_is_in_flight_may_leave_no_place_for_what_is_best_effort_now() {
    check(
        at_least_once(2).max_queued_messages(2),
        best_effort(Overflow::DropOldest).max_queued_messages(1),
        "room 9, offer a b, reload, offer c, ack a, ack b, offer d, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            0s  reloaded
            0s  rejected c: full
            0s  overflow began
            0s  acked a
            0s  overflow ended: 1 lost
            0s  acked b
            0s  sent d
            0s  books of t: 4 offered 3 sent 3 delivered 1 rejected
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn what_is_in_flight_is_no_place_for_what_is_best_effort_now() {
    check(
        at_least_once(2).max_queued_messages(2),
        best_effort(Overflow::DropOldest).max_queued_messages(2).max_queued_bytes(100),
        "room 9, offer a size=60, offer b, reload, offer c, ack b, offer d size=41, offer e size=40, room 0, offer f size=40, holds",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            0s  reloaded
            0s  rejected c: full
            0s  overflow began
            0s  acked b
            0s  overflow ended: 1 lost
            0s  rejected d: full
            0s  overflow began
            0s  sent e
            0s  overflow ended: 1 lost
            0s  holds t: 2 messages, 100 bytes
        "#]],
    );
}

#[test]
fn the_subscribers_of_a_topic_that_is_gone_are_told() {
    check(
        Namespace::new("/a").topic("t").topic_with(Topic::new("u").at_least_once(promise(2))),
        best_effort(Overflow::DropOldest),
        "offer a, offer b topic=u, reload, room 9, books",
        expect![[r#"
            0s  reloaded
            0s  unsubscribed from u
            0s  told: unsubscribed from u (removed)
            0s  sent a
            0s  books of t: 1 offered 1 sent 1 delivered
            0s  books of u: 1 offered 1 abandoned
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn new_topics_are_there_and_old_ones_keep_their_numbers() {
    check(
        best_effort(Overflow::DropOldest),
        Namespace::new("/a").topic("new").topic("t").best_effort(Overflow::DropOldest),
        "room 9, offer a, reload, offer b topic=t, subscribe new, offer c topic=new, books",
        expect![[r#"
            0s  sent a
            0s  reloaded
            0s  sent b
            0s  subscribed to new
            0s  told: subscribed to new after 0
            0s  sent c
            0s  books of t: 2 offered 2 sent 2 delivered
            0s  books of new: 1 offered 1 sent 1 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn topics_made_from_a_pattern_follow_it() {
    let orders = |window| Namespace::new("/a").topic("t").topic_with(Topic::new("o.*").at_least_once(promise(window)));
    check(
        orders(1),
        orders(2),
        "room 9, subscribe o.1, offer a b c topic=o.1, reload, ack a, offer d topic=o.1, ack b c d, unsubscribe o.1, tick, books",
        expect![[r#"
            0s  subscribed to o.1
            0s  told: subscribed to o.1 after 0
            0s  sent a (attempt 1)
            0s  reloaded
            0s  sent b (attempt 1)
            0s  acked a
            0s  sent c (attempt 1)
            0s  acked b
            0s  acked c
            0s  acked d: unknown
            0s  sent d (attempt 1)
            0s  unsubscribed from o.1
            0s  told: unsubscribed from o.1
            0s  books of t:
            0s  books of o.*: 4 offered 4 sent 3 delivered 1 abandoned
            0s  1 links, 0 messages resident
        "#]],
    );
    check(
        orders(1),
        Namespace::new("/a").topic("t").topic("o.1"),
        "room 9, subscribe o.1, reload, offer a topic=o.1, subscribe o.1, offer b topic=o.1",
        expect![[r#"
            0s  subscribed to o.1
            0s  told: subscribed to o.1 after 0
            0s  reloaded
            0s  unsubscribed from o.1
            0s  told: unsubscribed from o.1 (removed)
            0s  nobody is there for a
            0s  subscribed to o.1
            0s  told: subscribed to o.1 after 1
            0s  sent b
        "#]],
    );
}

#[test]
fn a_receipt_window_comes_and_goes() {
    let feed = |window| best_effort(Overflow::DropOldest).receipt_window(window);
    check(
        feed(0),
        feed(1),
        "room 9, offer a, reload, offer b c, ack b, ack c, books",
        expect![[r#"
        0s  sent a
        0s  reloaded
        0s  sent b
        0s  acked b
        0s  sent c
        0s  acked c
        0s  books of t: 3 offered 3 sent 3 delivered
        0s  1 links, 0 messages resident
    "#]],
    );
    check(
        feed(1),
        feed(0),
        "room 9, offer a b, reload, ack a, books",
        expect![[r#"
        0s  sent a
        0s  reloaded
        0s  sent b
        0s  acked a: unknown
        0s  books of t: 2 offered 2 sent 2 delivered
        0s  1 links, 0 messages resident
    "#]],
    );
    check(
        feed(1),
        feed(2),
        "room 9, offer a b c, reload, ack a",
        expect![[r#"
            0s  sent a
            0s  reloaded
            0s  sent b
            0s  acked a
            0s  sent c
        "#]],
    );
    check(
        feed(2),
        feed(1),
        "room 9, offer a b c, reload, ack a, ack b",
        expect![[r#"
            0s  sent a
            0s  sent b
            0s  reloaded
            0s  acked a
            0s  acked b
            0s  sent c
        "#]],
    );
    // What did not ask to be confirmed when it was published needs no place in the window.
    check(
        feed(0),
        feed(1),
        "offer a b, reload, room 9, offer c d, ack a, ack c",
        expect![[r#"
            0s  reloaded
            0s  sent a
            0s  sent b
            0s  sent c
            0s  acked a: late
            0s  acked c
            0s  sent d
        "#]],
    );
    // What was sent to be acked is, whatever else is confirmed.
    check(
        at_least_once(2),
        best_effort(Overflow::DropOldest).receipt_window(1),
        "room 9, offer a, reload, offer b c, ack b, ack a, ack c, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  reloaded
            0s  sent b
            0s  acked b
            0s  sent c
            0s  acked a
            0s  acked c
            0s  books of t: 3 offered 3 sent 3 delivered
            0s  1 links, 0 messages resident
        "#]],
    );
}

/// A lane whose client is slow above 2 messages and disconnected above 4.
fn with_ladder(patience: u64) -> Namespace {
    let ladder = SlowClient::default().soft_messages(2).hard_messages(4).hard(Eviction::Disconnect);
    best_effort(Overflow::DropOldest).slow_client(ladder.patience(Duration::from_secs(patience)))
}

#[test]
fn nobody_is_slow_any_more_where_the_ladder_is_gone() {
    check(
        with_ladder(5),
        best_effort(Overflow::DropOldest),
        "offer 1-3, +6s, offer 4 5, reload, +9s, holds",
        expect![[r#"
            5s  slow client began: 3 messages, 30 bytes
            6s  reloaded
            6s  slow client ended after 6s: 0 lost
            15s  holds t: 5 messages, 50 bytes
        "#]],
    );
}

#[test]
fn a_new_ladder_counts_what_its_lanes_hold_and_its_patience_from_now() {
    check(
        best_effort(Overflow::DropOldest),
        with_ladder(5),
        "offer 1-5, +9s, reload, +4s, holds, +1s",
        expect![[r#"
            9s  reloaded
            13s  holds t: 5 messages, 50 bytes
            14s  slow client began: 5 messages, 50 bytes
            14s  slow client ended after 5s: 5 lost
            14s  left (slow_client)
            14s  to be disconnected (slow_client)
        "#]],
    );
}

#[test]
fn another_patience_counts_at_once_and_from_the_beginning() {
    check(
        with_ladder(60),
        with_ladder(2),
        "offer 1-5, +3s, reload, +0s",
        expect![[r#"
        3s  reloaded
        3s  slow client began: 5 messages, 50 bytes
        3s  slow client ended after 3s: 5 lost
        3s  left (slow_client)
        3s  to be disconnected (slow_client)
    "#]],
    );
    check(
        with_ladder(2),
        with_ladder(5),
        "offer 1-3, +1s, reload, +3s, holds, +1s",
        expect![[r#"
        1s  reloaded
        4s  holds t: 3 messages, 30 bytes
        5s  slow client began: 3 messages, 30 bytes
    "#]],
    );
}

#[test]
fn another_limit_counts_at_once() {
    let wider = || best_effort(Overflow::DropOldest).slow_client(SlowClient::default().soft_messages(3));
    check(
        with_ladder(5),
        wider(),
        "offer 1-3, +6s, reload, offer 4, +9s, holds, +1s",
        expect![[r#"
        5s  slow client began: 3 messages, 30 bytes
        6s  reloaded
        6s  slow client ended after 6s: 0 lost
        15s  holds t: 4 messages, 40 bytes
        16s  slow client began: 4 messages, 40 bytes
    "#]],
    );
}

#[test]
fn a_session_that_waits_for_its_client_follows_the_ladder_too() {
    check(
        best_effort(Overflow::DropOldest).session_retention(Duration::from_secs(60)),
        with_ladder(5).session_retention(Duration::from_secs(60)),
        "retain 60s, close, offer 1-5, reload, +9s, holds, return, +4s, holds, +1s",
        expect![[r#"
            0s  left (transport)
            0s  is waited for
            0s  reloaded
            9s  holds t: 5 messages, 50 bytes
            9s  joined /a
            9s  is back
            13s  holds t: 5 messages, 50 bytes
            14s  slow client began: 5 messages, 50 bytes
            14s  slow client ended after 5s: 5 lost
            14s  left (slow_client)
            14s  to be disconnected (slow_client)
        "#]],
    );
}

/// A shard may take a message after the reload that was published before it, which no script can say.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test begins at some instant; only differences show")]
fn a_promised_value_takes_the_place_of_an_older_one_and_is_acked_all_the_same() {
    let promised = entry(Topic::new("t").at_least_once(AtLeastOnce::default().window(4)));
    let coalescing = entry(Topic::new("t").best_effort(Overflow::Coalesce));
    let now = Instant::now();
    let value = |topic: &Arc<TopicEntry>, offset, key| value(topic, offset, key, now);

    let mut lane = Lane::new(promised.clone(), Wishes::default(), 0);
    let plain = Admission::Admitted { coalesced: 0, displaced: 0 };
    assert_eq!(lane.offer(&value(&promised, 1, "a"), now), plain);
    assert_eq!(lane.offer(&value(&promised, 2, "b"), now), plain);
    lane.reload(coalescing, 0);
    let replaces = Admission::Admitted { coalesced: 1, displaced: 0 };
    assert_eq!(lane.offer(&value(&promised, 3, "a"), now), replaces);

    for offset in [3, 2] {
        let sending = lane.send(|| Duration::ZERO, now);
        assert_eq!((sending.message.id, sending.awaits_ack), (id(offset), true));
    }
    assert_eq!(lane.handle_ack(id(3), |_| {}), AckOutcome::Released);
    assert_eq!(lane.handle_ack(id(3), |_| {}), AckOutcome::Late);
    assert_eq!(lane.handle_ack(id(2), |_| {}), AckOutcome::Released);
    assert!(lane.is_empty());
}

/// The same of a lane that has opened since: it has one window, and what is to be acked is confirmed in it.
#[test]
#[expect(clippy::disallowed_methods, reason = "any instant will do: none passes")]
fn a_promised_message_waits_for_the_receipt_window_where_there_is_no_other() {
    let promised = entry(Topic::new("t").at_least_once(AtLeastOnce::default()));
    let confirmed = entry(Topic::new("t").best_effort(Overflow::RejectNew).receipt_window(1));
    let now = Instant::now();
    let mut lane = Lane::new(confirmed, Wishes::default(), 0);
    for offset in [1, 2] {
        let plain = Admission::Admitted { coalesced: 0, displaced: 0 };
        assert_eq!(lane.offer(&value(&promised, offset, "a", now), now), plain);
    }
    assert!(!lane.send(|| Duration::ZERO, now).awaits_ack, "nothing is sent again by a lane that never promised to");
    assert!(lane.next().is_none(), "the window is full");
    assert_eq!(lane.handle_ack(id(1), |_| {}), AckOutcome::Confirmed);
    assert_eq!(lane.next().map(|message| message.id), Some(id(2)));
}

fn entry(topic: Topic) -> Arc<TopicEntry> {
    let catalog = Catalog::builder().namespace(Namespace::new("/a").topic_with(topic)).build().expect("it is valid");
    catalog.entry(catalog.topics().next().expect("there is one")).clone()
}

fn id(offset: u64) -> MessageId {
    MessageId { epoch: Epoch(7), offset: Offset(offset) }
}

fn value(topic: &Arc<TopicEntry>, offset: u64, key: &str, now: Instant) -> Arc<Message> {
    let (topic, body) = (topic.clone(), Body::plain("value".into()));
    Arc::new(Message { topic, id: id(offset), key: Some(key.into()), published: now, expires: None, trace: None, body })
}
