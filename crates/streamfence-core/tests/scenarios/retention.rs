//! Sessions that outlive their link.

use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::expect;
use streamfence_core::{
    Body, Catalog, ClientId, CloseReason, Epoch, Hub, LinkKey, Message, MessageId, Namespace, NamespaceId, Offset,
    Overflow, RequestId, SessionKey, Transmit, Transport, Wishes,
};

use crate::{at_least_once, best_effort, both, check};

#[test]
fn what_was_not_acked_is_sent_again_first_and_nothing_is_lost() {
    let script =
        "retain 10s, room 9, offer a b, ack a, close, +1s, offer c d, +5s, return, room 9, ack b, ack c, ack d";
    check(
        at_least_once(2),
        script,
        expect![[r#"
        0s  sent a (attempt 1)
        0s  sent b (attempt 1)
        0s  acked a
        0s  left (transport)
        0s  is waited for
        6s  joined /a
        6s  is back
        6s  sent b (attempt 2)
        6s  sent c (attempt 1)
        6s  acked b
        6s  sent d (attempt 1)
        6s  acked c
        6s  acked d
    "#]],
    );
}

#[test]
fn a_gap_that_may_have_been_lost_with_its_link_is_told_again() {
    let namespace = || at_least_once(1).max_queued_messages(2).gap_notices(true);
    // `d` was sent, and nobody knows whether it has come and what was told before it.
    check(
        namespace(),
        "retain 10s, room 9, offer a b c, ack a, ack b, offer d, close, return, room 9, ack d, close, return, room 9",
        expect![[r#"
            0s  rejected c: full
            0s  overflow began
            0s  sent a (attempt 1)
            0s  acked a
            0s  sent b (attempt 1)
            0s  acked b
            0s  overflow ended: 1 lost
            0s  told: missed 1 of t, 3 to 3: rejected
            0s  sent d (attempt 1)
            0s  left (transport)
            0s  is waited for
            0s  joined /a
            0s  is back
            0s  told: missed 1 of t, 3 to 3: rejected
            0s  sent d (attempt 2)
            0s  acked d
            0s  left (transport)
            0s  is waited for
            0s  joined /a
            0s  is back
        "#]],
    );
    // Told, and there was no room left for the message behind it.
    check(
        namespace(),
        "retain 10s, room 9, offer a b c, ack a, ack b, room 0, offer d, room 1, close, return, room 9",
        expect![[r#"
            0s  rejected c: full
            0s  overflow began
            0s  sent a (attempt 1)
            0s  acked a
            0s  sent b (attempt 1)
            0s  acked b
            0s  overflow ended: 1 lost
            0s  told: missed 1 of t, 3 to 3: rejected
            0s  left (transport)
            0s  is waited for
            0s  joined /a
            0s  is back
            0s  told: missed 1 of t, 3 to 3: rejected
            0s  sent d (attempt 1)
        "#]],
    );
    // What is given up unacked proves nothing of what was told before it.
    check(
        namespace(),
        "retain 10s, room 9, offer a b c, ack a, ack b, offer d, +1s, +1s, close, return, room 9, offer e",
        expect![[r#"
            0s  rejected c: full
            0s  overflow began
            0s  sent a (attempt 1)
            0s  acked a
            0s  sent b (attempt 1)
            0s  acked b
            0s  overflow ended: 1 lost
            0s  told: missed 1 of t, 3 to 3: rejected
            0s  sent d (attempt 1)
            1s  sent d (attempt 2)
            2s  gave up on d
            2s  kept d: exhausted after 2
            2s  left (transport)
            2s  is waited for
            2s  joined /a
            2s  is back
            2s  told: missed 1 of t, 3 to 3: rejected
            2s  sent e (attempt 1)
        "#]],
    );
}

#[test]
fn a_session_nobody_asked_to_keep_ends_with_its_link() {
    check(
        at_least_once(2),
        "room 9, offer a, close, return, books",
        expect![[r#"
        0s  sent a (attempt 1)
        0s  left (transport)
        0s  comes back too late
        0s  books of t: 1 offered 1 sent 1 abandoned
        0s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn what_expired_while_its_client_was_away_is_not_sent_again() {
    check(
        at_least_once(2),
        "retain 60s, room 9, offer a ttl=5s, offer b, close, +10s, return, room 9, ack b, books",
        expect![[r#"
            0s  sent a (attempt 1)
            0s  sent b (attempt 1)
            0s  left (transport)
            0s  is waited for
            10s  joined /a
            10s  is back
            10s  sent b (attempt 2)
            10s  acked b
            10s  books of t: 2 offered 3 sent 1 retried 1 delivered 1 expired
            10s  1 links, 0 messages resident
        "#]],
    );
}

#[test]
fn a_client_that_moves_is_on_one_link_only_whether_it_is_retained_or_not() {
    let script = "room 9, offer a, return, offer b, room 9, ack a, ack b, books";
    check(
        at_least_once(2),
        script,
        expect![[r#"
        0s  sent a (attempt 1)
        0s  left (replaced)
        0s  is waited for
        0s  joined /a
        0s  is back
        0s  sent a (attempt 2)
        0s  sent b (attempt 1)
        0s  acked a
        0s  acked b
        0s  books of t: 2 offered 3 sent 1 retried 2 delivered
        0s  2 links, 0 messages resident
    "#]],
    );
}

#[test]
fn a_session_that_moves_away_holds_up_nobody_on_its_old_link() {
    let script =
        "join bob /a with ann, bob: subscribe, room 99, room 9 50, offer a size=100 to=ann, offer b to=bob, return";
    check(
        best_effort(Overflow::RejectNew),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  bob: told: subscribed to t after 0
        0s  left (replaced)
        0s  is waited for
        0s  joined /a
        0s  is back
        0s  bob: sent b
    "#]],
    );
}

#[test]
fn whoever_comes_back_too_late_finds_nothing() {
    check(
        at_least_once(1),
        "retain 10s, room 9, offer a b, close, +10s, return, offer c, books",
        expect![[r#"
        0s  sent a (attempt 1)
        0s  left (transport)
        0s  is waited for
        10s  is waited for no more
        10s  comes back too late
        10s  nobody is there for c
        10s  books of t: 2 offered 1 sent 2 abandoned
        10s  1 links, 0 messages resident
    "#]],
    );
}

#[test]
fn attempts_count_over_connections_and_the_last_gets_its_time() {
    let script = "retain 60s, room 9, offer a b, close, +30s, return, room 9, close, return, room 9, +1s, ack b";
    check(
        at_least_once(1),
        script,
        expect![[r#"
            0s  sent a (attempt 1)
            0s  left (transport)
            0s  is waited for
            30s  joined /a
            30s  is back
            30s  sent a (attempt 2)
            30s  left (transport)
            30s  is waited for
            30s  joined /a
            30s  is back
            31s  gave up on a
            31s  kept a: exhausted after 2
            31s  sent b (attempt 1)
            31s  acked b
        "#]],
    );
}

#[test]
fn nothing_is_retried_or_given_up_while_nobody_is_there() {
    check(
        at_least_once(1),
        "retain 60s, room 9, offer a, close, +50s, holds, return, room 9, ack a",
        expect![[r#"
        0s  sent a (attempt 1)
        0s  left (transport)
        0s  is waited for
        50s  holds t: 1 messages, 10 bytes
        50s  joined /a
        50s  is back
        50s  sent a (attempt 2)
        50s  acked a
    "#]],
    );
}

#[test]
fn lanes_keep_their_policies_while_nobody_is_there() {
    let namespace = best_effort(Overflow::DropOldest).max_queued_messages(2);
    check(
        namespace,
        "retain 10s, close, offer a b c, return, room 9",
        expect![[r#"
        0s  left (transport)
        0s  is waited for
        0s  displaced 1
        0s  overflow began
        0s  joined /a
        0s  is back
        0s  sent b
        0s  sent c
        0s  overflow ended: 1 lost
    "#]],
    );
}

#[test]
fn a_goodbye_ends_a_session_that_would_be_kept() {
    check(
        at_least_once(1),
        "retain 10s, room 9, offer a, leave, return, offer b",
        expect![[r#"
        0s  sent a (attempt 1)
        0s  left (client)
        0s  comes back too late
        0s  nobody is there for b
    "#]],
    );
}

#[test]
fn a_second_connection_takes_over_from_a_first_that_lives() {
    check(
        at_least_once(1),
        "retain 10s, room 9, offer a, return, room 9, ack a, offer b",
        expect![[r#"
        0s  sent a (attempt 1)
        0s  left (replaced)
        0s  is waited for
        0s  joined /a
        0s  is back
        0s  sent a (attempt 2)
        0s  acked a
        0s  sent b (attempt 1)
    "#]],
    );
}

#[test]
fn answers_are_not_kept_for_whoever_is_away() {
    check(
        both(),
        "retain 10s, tell, close, tell, unsubscribe t, return, room 9, offer a, offer b topic=u",
        expect![[r#"
            0s  left (transport)
            0s  is waited for
            0s  unsubscribed from t
            0s  joined /a
            0s  is back
            0s  nobody is there for a
            0s  sent b (attempt 1)
        "#]],
    );
}

#[test]
fn one_session_of_a_link_may_be_kept_and_the_other_not() {
    let script = "join bob /a with ann, bob: subscribe u, room 9, retain 10s, close, holds, bob: holds, return";
    check(
        both(),
        script,
        expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to u
        0s  bob: told: subscribed to u after 0
        0s  left (transport)
        0s  is waited for
        0s  bob: left (transport)
        0s  holds t: 0 messages, 0 bytes; u: 0 messages, 0 bytes
        0s  bob: is gone
        0s  joined /a
        0s  is back
    "#]],
    );
}

/// A hub with one namespace, and a client in it whose session is kept for so long.
struct Kept {
    hub: Hub,
    namespace: NamespaceId,
    now: Instant,
}

impl Kept {
    #[expect(clippy::disallowed_methods, reason = "a hub begins at some instant; only differences show")]
    fn new() -> Self {
        let catalog = Catalog::builder().namespace(Namespace::new("/a").topic("t")).build().expect("it is valid");
        let namespace = catalog.namespace("/a").expect("it was just added");
        Self { hub: Hub::new(Arc::new(catalog), Epoch(1)), namespace, now: Instant::now() }
    }

    fn join(&mut self, client: u32, retention: Duration) -> (LinkKey, SessionKey) {
        let mut id = [0; 12];
        id[..4].copy_from_slice(&client.to_be_bytes());
        let link = self.hub.open(self.now);
        let session = self.hub.join(link, self.namespace, ClientId(id), Transport::Other, self.now);
        let session = session.expect("the link is open");
        self.hub.retain(session, retention);
        (link, session)
    }

    fn lose(&mut self, link: LinkKey) {
        self.hub.close(link, CloseReason::Transport, self.now);
        while self.hub.poll_output(self.now).is_some() {}
    }
}

#[test]
fn a_session_is_taken_over_however_many_are_waited_for() {
    let mut kept = Kept::new();
    let (first, session) = kept.join(0, Duration::from_secs(10));
    for client in 1..=10_001 {
        let (link, _) = kept.join(client, Duration::from_secs(10));
        kept.lose(link);
    }
    let second = kept.hub.open(kept.now);
    assert!(kept.hub.attach(session, second, Transport::Other, kept.now));
    kept.lose(first);
    assert_eq!(kept.hub.link_of(session), Some(second), "the connection it left is nothing to it any more");
    kept.hub.leave(session, CloseReason::Client, kept.now);
    kept.lose(second);
    assert!(kept.hub.session(session).is_none());
    assert_eq!(kept.hub.links(), 0);
}

#[test]
fn whoever_comes_back_or_is_waited_for_no_more_makes_place_for_another() {
    let mut kept = Kept::new();
    let lost = |kept: &mut Kept, client, secs| {
        let (link, session) = kept.join(client, Duration::from_secs(secs));
        kept.lose(link);
        kept.hub.session(session).map(|_| session)
    };
    let back = lost(&mut kept, 0, 20).expect("it is waited for");
    assert!(lost(&mut kept, 1, 10).is_some());
    for client in 2..10_000 {
        assert!(lost(&mut kept, client, 20).is_some());
    }
    assert!(lost(&mut kept, 10_000, 20).is_none(), "so many are waited for and no more");
    assert_eq!((kept.hub.sessions().count(), kept.hub.links()), (10_000, 0));

    let link = kept.hub.open(kept.now);
    assert!(kept.hub.attach(back, link, Transport::Other, kept.now));
    assert!(lost(&mut kept, 10_001, 20).is_some());
    assert!(lost(&mut kept, 10_002, 20).is_none());

    kept.now += Duration::from_secs(10);
    kept.hub.handle_timeout(kept.now);
    assert!(lost(&mut kept, 10_003, 20).is_some());
    assert!(lost(&mut kept, 10_004, 20).is_none());
}

#[test]
fn whoever_was_lost_is_waited_for_and_whoever_was_sent_away_is_not() {
    let mut kept = Kept::new();
    let sent_away = CloseReason::ALL.into_iter().zip(0..).filter(|&(reason, client)| {
        let (link, session) = kept.join(client, Duration::from_secs(10));
        kept.hub.close(link, reason, kept.now);
        kept.hub.session(session).is_none()
    });
    let reasons: Vec<_> = sent_away.map(|(reason, _)| reason).collect();
    use CloseReason::{Protocol, RateLimited, Removed, Server, ShuttingDown, UnknownAcks};
    assert_eq!(reasons, [Protocol, Server, ShuttingDown, Removed, RateLimited, UnknownAcks]);
}

#[test]
fn answers_that_a_session_leaves_behind_hold_up_nobody_on_its_old_link() {
    let mut kept = Kept::new();
    let (first, session) = kept.join(0, Duration::from_secs(10));
    let done = Transmit::Done { namespace: kept.namespace, request: RequestId(0) };
    kept.hub.tell(session, done, kept.now);
    assert_eq!(kept.hub.control_backlog(first), 1);
    let second = kept.hub.open(kept.now);
    assert!(kept.hub.attach(session, second, Transport::Other, kept.now));
    assert_eq!([first, second].map(|link| kept.hub.control_backlog(link)), [0, 0]);
}

#[test]
fn a_hub_that_ends_waits_for_nobody_who_is_lost_meanwhile() {
    let mut kept = Kept::new();
    let (before, gone) = kept.join(0, Duration::from_secs(10));
    let (link, session) = kept.join(1, Duration::from_secs(10));
    let topic = kept.hub.catalog().entry(kept.hub.catalog().topics().next().expect("there is one")).clone();
    for (key, messages) in [(gone, 2), (session, 1)] {
        kept.hub.subscribe(key, &topic, Wishes::default(), None, kept.now);
        for offset in 1..=messages {
            let id = MessageId { epoch: Epoch(1), offset: Offset(offset) };
            let (topic, body) = (topic.clone(), Body::plain("hello".into()));
            let message = Message { topic, id, key: None, published: kept.now, expires: None, trace: None, body };
            let _ = kept.hub.publish_to(key, &Arc::new(message), kept.now);
        }
    }
    kept.lose(before);
    assert!(kept.hub.session(gone).is_some());
    assert_eq!(kept.hub.expire_detached(kept.now), 2, "messages are lost with it");
    assert!(kept.hub.session(gone).is_none());
    kept.lose(link);
    assert!(kept.hub.session(session).is_none());
}

#[test]
fn a_retention_longer_than_time_is_for_ever() {
    let mut kept = Kept::new();
    let (link, session) = kept.join(0, Duration::MAX);
    kept.lose(link);
    kept.now += Duration::from_secs(99 * 365 * 24 * 60 * 60);
    kept.hub.handle_timeout(kept.now);
    assert!(kept.hub.session(session).is_some());
}
