//! Clients that stay behind: when they are told of, and when they are evicted.

use std::time::Duration;

use expect_test::expect;
use streamfence_core::{CatalogError, Eviction, Namespace, Overflow, SlowClient, SlowClientError, Topic};

use crate::{best_effort, check, promise};

const PATIENCE: Duration = Duration::from_secs(5);

/// Told of above 2 messages, evicted above 4.
fn ladder(eviction: Eviction) -> SlowClient {
    SlowClient::default().soft_messages(2).hard_messages(4).hard(eviction).patience(PATIENCE)
}

fn lanes(eviction: Eviction) -> Namespace {
    best_effort(Overflow::DropOldest)
        .topic_with(Topic::new("u").at_least_once(promise(2)))
        .slow_client(ladder(eviction))
}

#[test]
fn a_client_above_a_soft_limit_for_the_whole_patience_is_slow_until_it_is_below() {
    check(
        lanes(Eviction::Disconnect),
        "offer 1-3, +4s, holds, +1s, +2s, room 1, room 9",
        expect![[r#"
        4s  holds t: 3 messages, 30 bytes; u: 0 messages, 0 bytes
        5s  slow client began: 3 messages, 30 bytes
        7s  sent 1
        7s  slow client ended after 7s: 0 lost
        7s  sent 2-3
    "#]],
    );
}

#[test]
fn a_client_that_comes_below_in_time_is_not_slow_and_the_patience_begins_anew() {
    check(
        lanes(Eviction::Disconnect),
        "offer 1-3, +4s, room 1, offer 4, +4s, holds, +1s",
        expect![[r#"
        4s  sent 1
        8s  holds t: 3 messages, 30 bytes; u: 0 messages, 0 bytes
        9s  slow client began: 3 messages, 30 bytes
    "#]],
    );
}

#[test]
fn the_limits_are_over_all_lanes_and_over_what_is_in_flight() {
    let script = "room 9, offer a b topic=u, room 0, offer 1, +5s, ack a topic=u";
    check(
        lanes(Eviction::Disconnect),
        script,
        expect![[r#"
        0s  sent a (attempt 1)
        0s  sent b (attempt 1)
        5s  slow client began: 3 messages, 30 bytes
        5s  acked a
        5s  slow client ended after 5s: 0 lost
    "#]],
    );
}

#[test]
fn a_limit_in_bytes_counts_as_one_in_messages() {
    let bytes = SlowClient::default().soft_bytes(25).patience(PATIENCE);
    let script = "offer a size=25, +9s, offer b size=1, +5s, room 1";
    check(
        best_effort(Overflow::RejectNew).slow_client(bytes),
        script,
        expect![[r#"
        14s  slow client began: 2 messages, 26 bytes
        14s  sent a
        14s  slow client ended after 5s: 0 lost
    "#]],
    );
}

#[test]
fn what_a_slow_client_lost_is_told_when_it_ends() {
    let small = best_effort(Overflow::DropOldest).max_queued_messages(3).slow_client(ladder(Eviction::Disconnect));
    check(
        small,
        "offer 1-5, +5s, offer 6, room 9, books",
        expect![[r#"
        0s  displaced 1
        0s  displaced 1
        0s  overflow began
        5s  slow client began: 3 messages, 30 bytes
        5s  displaced 1
        5s  sent 4-6
        5s  overflow ended: 3 lost
        5s  slow client ended after 5s: 3 lost
        5s  books of t: 6 offered 3 sent 3 delivered 3 displaced
        5s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_client_above_the_hard_limit_that_makes_no_progress_is_disconnected() {
    check(
        lanes(Eviction::Disconnect),
        "offer 1-5, +5s, +9s, books",
        expect![[r#"
        5s  slow client began: 5 messages, 50 bytes
        5s  slow client ended after 5s: 5 lost
        5s  left (slow_client)
        5s  to be disconnected (slow_client)
        14s  books of t: 5 offered 5 abandoned
        14s  books of u:
        14s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_client_that_drains_slowly_is_never_evicted_for_its_size() {
    // It is always above the hard limit, and one message leaves every four seconds.
    let step = "room 1, offer 7, +4s";
    check(
        lanes(Eviction::Disconnect),
        &format!("offer 1-6, {step}, {step}, {step}, {step}, holds"),
        expect![[r#"
        0s  sent 1
        4s  sent 2
        5s  slow client began: 6 messages, 60 bytes
        8s  sent 3
        12s  sent 4
        16s  holds t: 6 messages, 60 bytes; u: 0 messages, 0 bytes
    "#]],
    );
}

#[test]
fn an_ack_is_progress_and_a_retry_is_none() {
    let script = "room 9, offer 1-9 topic=u, +4s, ack 1 topic=u, +4s, ack 2 topic=u, +4s, holds, +9s";
    let patient = promise(2).ack_timeout(Duration::from_secs(3)).max_retries(9);
    let namespace = Namespace::new("/a")
        .topic_with(Topic::new("u").at_least_once(patient))
        .slow_client(ladder(Eviction::Disconnect));
    check(
        namespace,
        script,
        expect![[r#"
        0s  sent 1-2 (attempt 1)
        3s  sent 1-2 (attempt 2)
        4s  acked 1
        4s  sent 3 (attempt 1)
        5s  slow client began: 8 messages, 80 bytes
        6s  sent 2 (attempt 3)
        7s  sent 3 (attempt 2)
        8s  acked 2
        8s  sent 4 (attempt 1)
        10s  sent 3 (attempt 3)
        12s  holds u: 7 messages, 70 bytes
        13s  slow client ended after 13s: 7 lost
        13s  left (slow_client)
        13s  to be disconnected (slow_client)
    "#]],
    );
}

#[test]
fn an_ack_that_releases_nothing_is_no_progress() {
    let script = "room 9, offer 1-6 topic=u, ack 1, room 0, +3s, ack 1, ack 1 upto=yes, ack never topic=u, +2s";
    check(
        lanes(Eviction::Disconnect),
        script,
        expect![[r#"
            0s  sent 1-2 (attempt 1)
            0s  acked 1
            0s  sent 3 (attempt 1)
            3s  acked 1: late
            3s  acked up to 1: late
            3s  acked never: unknown
            5s  slow client began: 5 messages, 50 bytes
            5s  slow client ended after 5s: 5 lost
            5s  left (slow_client)
            5s  to be disconnected (slow_client)
        "#]],
    );
}

#[test]
fn the_fullest_lane_ends_and_the_client_reads_why() {
    let script = "offer 1-4 topic=u, offer 5, +5s, +20s, room 9, offer 6, unsubscribe, holds, books";
    check(
        lanes(Eviction::Unsubscribe),
        script,
        expect![[r#"
            5s  slow client began: 5 messages, 50 bytes
            5s  unsubscribed from u
            5s  slow client ended after 5s: 4 lost
            25s  told: unsubscribed from u (slow_client)
            25s  sent 5-6
            25s  unsubscribed from t
            25s  told: unsubscribed from t
            25s  holds nothing
            25s  books of t: 2 offered 2 sent 2 delivered
            25s  books of u: 4 offered 4 abandoned
            25s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn lane_after_lane_ends_while_the_client_stays_above() {
    check(
        lanes(Eviction::Unsubscribe),
        "offer 1-6 topic=u, offer a b c d e, +5s, +5s, books",
        expect![[r#"
        5s  slow client began: 11 messages, 110 bytes
        5s  unsubscribed from u
        10s  unsubscribed from t
        10s  slow client ended after 10s: 11 lost
        10s  books of t: 5 offered 5 abandoned
        10s  books of u: 6 offered 6 abandoned
        10s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn where_bytes_are_too_many_the_heaviest_lane_ends() {
    let heavy = SlowClient::default().hard_bytes(100).patience(PATIENCE);
    let namespace = best_effort(Overflow::RejectNew).topic("u").slow_client(heavy);
    check(
        namespace,
        "offer a b c size=10, offer d size=90 topic=u, +5s, holds",
        expect![[r#"
        5s  unsubscribed from u
        5s  holds t: 3 messages, 30 bytes
    "#]],
    );
    // As many bytes as there may be are not too many: it is the messages that are.
    let both = SlowClient::default().hard_messages(3).hard_bytes(100).patience(PATIENCE);
    check(
        best_effort(Overflow::RejectNew).topic("u").slow_client(both),
        "offer a b c size=10, offer d size=70 topic=u, +5s, holds",
        expect![[r#"
            5s  unsubscribed from t
            5s  holds u: 1 messages, 70 bytes
        "#]],
    );
}

#[test]
fn whoever_is_away_is_on_no_ladder() {
    let script = "retain 60s, offer 1-5, +4s, close, +20s, return, +4s, room 9";
    check(
        lanes(Eviction::Disconnect),
        script,
        expect![[r#"
        4s  left (transport)
        4s  is waited for
        24s  joined /a
        24s  is back
        28s  sent 1-5
    "#]],
    );
}

#[test]
fn whoever_is_evicted_is_not_waited_for() {
    check(
        lanes(Eviction::Disconnect),
        "retain 60s, offer 1-5, +5s, return, books",
        expect![[r#"
        5s  slow client began: 5 messages, 50 bytes
        5s  slow client ended after 5s: 5 lost
        5s  left (slow_client)
        5s  to be disconnected (slow_client)
        5s  comes back too late
        5s  books of t: 5 offered 5 abandoned
        5s  books of u:
        5s  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_slow_client_that_leaves_is_slow_no_more() {
    check(
        lanes(Eviction::Disconnect),
        "offer 1-3, +5s, leave, books",
        expect![[r#"
        5s  slow client began: 3 messages, 30 bytes
        5s  slow client ended after 5s: 0 lost
        5s  left (client)
        5s  books of t: 3 offered 3 abandoned
        5s  books of u:
        5s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn what_expires_makes_a_client_less_slow() {
    check(
        lanes(Eviction::Disconnect),
        "offer 1-3 ttl=6s, +5s, +1s, tick",
        expect![[r#"
        5s  slow client began: 3 messages, 30 bytes
        6s  slow client ended after 6s: 3 lost
    "#]],
    );
    // It is the same when that is seen only as the next message is looked for.
    check(
        lanes(Eviction::Disconnect),
        "offer 1-3 ttl=6s, offer 4, +6s, room 9, books",
        expect![[r#"
            5s  slow client began: 4 messages, 40 bytes
            6s  sent 4
            6s  slow client ended after 6s: 3 lost
            6s  books of t: 4 offered 1 sent 1 delivered 3 expired
            6s  books of u:
            6s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_place_that_is_given_anew_holds_nothing_of_the_lane_before() {
    let script = "offer 1-3, unsubscribe, subscribe, +9s, offer 4-6, +5s, holds";
    check(
        lanes(Eviction::Disconnect),
        script,
        expect![[r#"
        0s  unsubscribed from t
        0s  subscribed to t
        14s  slow client began: 3 messages, 30 bytes
        14s  holds t: 3 messages, 30 bytes; u: 0 messages, 0 bytes
    "#]],
    );
}

#[test]
fn a_ladder_that_cannot_be_kept_is_refused() {
    let build = |ladder| {
        let namespace = Namespace::new("/a").topic("t").slow_client(ladder);
        match streamfence_core::Catalog::builder().namespace(namespace).build() {
            Err(CatalogError::SlowClient { why, .. }) => Some(why),
            other => {
                assert!(other.is_ok(), "{other:?}");
                None
            }
        }
    };
    let none = SlowClient::default();
    assert_eq!(build(none), Some(SlowClientError::NoLimit));
    assert_eq!(build(none.soft_bytes(0)), Some(SlowClientError::Zero { key: "soft_bytes" }));
    let hasty = none.soft_bytes(1).patience(Duration::ZERO);
    assert_eq!(build(hasty), Some(SlowClientError::Zero { key: "patience" }));
    let crossed = SlowClientError::SoftExceedsHard { unit: "messages", soft: 3, hard: 2 };
    assert_eq!(build(none.soft_messages(3).hard_messages(2)), Some(crossed));
    assert_eq!(build(none.soft_messages(2).hard_messages(2)), None);
}

/// A value of each key every 20 s at most.
fn paced() -> Namespace {
    best_effort(Overflow::DropOldest).max_frequency(0.05).slow_client(ladder(Eviction::Disconnect))
}

#[test]
fn held_values_count_and_what_takes_their_place_or_is_given_up_is_counted_once() {
    check(
        paced(),
        "room 99, offer a1 key=a, offer b1 key=b, offer c1 key=c, offer a2 key=a, offer b2 key=b, offer c2 key=c ttl=7s,
        +2s, offer a3 key=a size=40, +3s, holds, +2s, tick, holds, +13s, books",
        expect![[r#"
            0s  sent a1
            0s  sent b1
            0s  sent c1
            2s  coalesced 1
            5s  slow client began: 3 messages, 60 bytes
            5s  holds t: 3 messages, 60 bytes
            7s  slow client ended after 7s: 1 lost
            7s  holds t: 2 messages, 50 bytes
            20s  sent a3
            20s  sent b2
            20s  books of t: 7 offered 5 sent 5 delivered 1 coalesced 1 expired
            20s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn nobody_is_evicted_for_what_only_waits_for_its_interval() {
    check(
        paced(),
        "room 99, offer 1 key=a, offer 2 key=b, offer 3 key=c, offer 4 key=d, offer 5 key=e,
        offer 6 key=a, offer 7 key=b, offer 8 key=c, offer 9 key=d, offer 10 key=e, +6s, room 0, offer 11 key=f, +3s, +2s",
        expect![[r#"
            0s  sent 1-5
            5s  slow client began: 5 messages, 50 bytes
            11s  slow client ended after 11s: 6 lost
            11s  left (slow_client)
            11s  to be disconnected (slow_client)
        "#]],
    );
}

#[test]
fn a_receipt_is_progress() {
    let unconfirmed = best_effort(Overflow::DropOldest).receipt_window(2).slow_client(ladder(Eviction::Disconnect));
    check(
        unconfirmed.clone(),
        "room 2, offer 1-9, +3s, ack 1, +4s, holds, +1s",
        expect![[r#"
            0s  sent 1-2
            3s  acked 1
            5s  slow client began: 7 messages, 70 bytes
            7s  holds t: 7 messages, 70 bytes
            8s  slow client ended after 8s: 7 lost
            8s  left (slow_client)
            8s  to be disconnected (slow_client)
        "#]],
    );
    // So is one of all up to a message.
    check(
        unconfirmed,
        "room 2, offer 1-9, +3s, ack 2 upto=yes, +4s, holds, +1s",
        expect![[r#"
        0s  sent 1-2
        3s  acked up to 2
        5s  slow client began: 7 messages, 70 bytes
        7s  holds t: 7 messages, 70 bytes
        8s  slow client ended after 8s: 7 lost
        8s  left (slow_client)
        8s  to be disconnected (slow_client)
    "#]],
    );
}
