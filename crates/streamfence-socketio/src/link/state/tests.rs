use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use bytes::Bytes;

use super::*;
use crate::link::Expected;

fn limits() -> LinkLimits {
    LinkLimits {
        window_frames: 4,
        stall_timeout: Duration::from_secs(1),
        silence: Duration::from_secs(60),
        blocked_read_budget_bytes: 1024,
        max_message_bytes: 10_000,
        tier: Tier::Emit,
    }
}

fn polling() -> LinkState {
    LinkState::detached(limits(), Transport::Polling)
}

fn counted(link: &LinkState) -> Arc<AtomicU32> {
    let count = Arc::new(AtomicU32::new(0));
    let told = Arc::clone(&count);
    link.set_on_room(move || {
        told.fetch_add(1, Ordering::SeqCst);
    });
    count
}

#[test]
fn a_polling_session_is_blocked_while_no_poll_waits() {
    let link = polling();
    let told = counted(&link);
    assert!(link.is_blocked());
    link.set_polling(true);
    assert!(!link.is_blocked());
    assert_eq!(link.blocked_since(), None);
    link.set_polling(false);
    assert!(link.is_blocked());
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

#[test]
fn a_poll_response_gives_the_room_of_its_packets_back() {
    let link = polling();
    let told = counted(&link);
    link.expect(Expected::text(&Bytes::from_static(b"2[\"a\"]")));
    link.expect(Expected::text(&Bytes::from_static(b"51-[\"b\"]")).with_attachments(1, 3));
    link.expect(Expected::text(&Bytes::from_static(b"2[\"c\"]")));
    assert_eq!(link.await_room().frames, 0);
    link.saw_payload(b"2\x1e42[\"a\"]\x1e42[\"application\"]\x1e451-[\"b\"]\x1ebAQID");
    assert_eq!(link.room().frames, 3);
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[test]
fn an_end_is_told_once_and_to_whoever_asks_late() {
    let link = polling();
    let (first, late) = (Arc::new(Mutex::new(vec![])), Arc::new(Mutex::new(vec![])));
    let told = Arc::clone(&first);
    link.set_on_end(move |reason| told.lock().expect("no panic").push(reason));
    link.end(CloseReason::Heartbeat);
    link.end(CloseReason::Client);
    let told = Arc::clone(&late);
    link.set_on_end(move |reason| told.lock().expect("no panic").push(reason));
    assert_eq!(*first.lock().expect("no panic"), [CloseReason::Heartbeat]);
    assert_eq!(*late.lock().expect("no panic"), [CloseReason::Heartbeat]);
}

#[test]
fn a_killed_polling_session_closes_its_session_and_ends_with_the_reason() {
    let link = polling();
    let closed = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&closed);
    link.set_session("sid", move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    link.kill(CloseReason::Server);
    link.kill(CloseReason::Stalled);
    assert_eq!((link.killed(), link.ended()), (Some(CloseReason::Server), Some(CloseReason::Server)));
    assert_eq!(closed.load(Ordering::SeqCst), 1);
}

#[test]
fn an_upgrade_is_claimed_once() {
    let link = polling();
    assert!(link.begin_upgrade());
    assert!(!link.begin_upgrade());
    link.abort_upgrade();
    assert!(link.begin_upgrade());
    link.finish_upgrade();
    link.abort_upgrade();
    assert!(!link.begin_upgrade());
    assert_eq!(link.transport(), Transport::WebSocket);
    assert!(!link.is_blocked());
}

#[test]
fn room_that_nobody_awaits_returns_without_a_word() {
    let link = polling();
    let told = counted(&link);
    let packet = || Expected::text(&Bytes::from_static(b"2[\"a\"]"));
    link.expect(packet());
    link.expect(packet());
    link.expect(packet());
    link.saw_payload(b"42[\"a\"]");
    assert_eq!((link.room().frames, told.load(Ordering::SeqCst)), (2, 0));
    assert_eq!(link.await_room().frames, 2);
    link.saw_payload(b"42[\"a\"]");
    link.saw_payload(b"42[\"a\"]");
    assert_eq!((link.room().frames, told.load(Ordering::SeqCst)), (4, 1));
}
