use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use streamfence_core::{Body, Tier, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::coop::unconstrained;
use tokio::time::Instant;

use super::super::ledger::Expected;
use super::super::packet::Packet;
use super::super::state::LinkLimits;
use super::*;

const LIMITS: LinkLimits = LinkLimits {
    window_frames: 8,
    stall_timeout: Duration::from_secs(30),
    silence: Duration::from_secs(600),
    blocked_read_budget_bytes: 1000,
    max_message_bytes: 10_000,
    tier: Tier::Emit,
};

/// A websocket whose pipe holds so many bytes each way, and its peer.
fn pipe(size_bytes: usize) -> (Shim, DuplexStream, Arc<LinkState>) {
    pipe_with(LIMITS, size_bytes)
}

fn pipe_with(limits: LinkLimits, size_bytes: usize) -> (Shim, DuplexStream, Arc<LinkState>) {
    let (near, far) = duplex(size_bytes);
    let link = Arc::new(LinkState::detached(limits, Transport::WebSocket));
    (Shim::new(near, Arc::clone(&link)), far, link)
}

fn text_frame(payload: &str) -> Vec<u8> {
    let mut frame = vec![0x81, u8::try_from(payload.len()).expect("short")];
    frame.extend(payload.as_bytes());
    frame
}

fn masked_text_frame(payload: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | u8::try_from(payload.len()).expect("short"), 1, 2, 3, 4];
    frame.extend(payload.bytes().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Writes until the pipe says no. A task's own budget says no earlier, so it is left out.
async fn fill(shim: &mut Shim) {
    unconstrained(std::future::poll_fn(|cx| {
        while let Poll::Ready(written) = Pin::new(&mut *shim).poll_write(cx, &[0x89, 0]) {
            written.expect("the pipe is open");
        }
        Poll::Ready(())
    }))
    .await;
}

fn poll_read_once(shim: &mut Shim, cx: &mut Context<'_>, size: usize) -> Poll<io::Result<usize>> {
    let mut space = vec![0; size];
    let mut buf = ReadBuf::new(&mut space);
    Pin::new(shim).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len())
}

#[tokio::test]
async fn room_returns_when_the_kernel_takes_the_frame() {
    let (mut shim, _far, link) = pipe(8);
    let told = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&told);
    link.set_on_room(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    link.expect(Expected::text(&Bytes::from_static(b"2[\"a\"]")));
    assert!(link.is_busy() && !link.await_room().is_empty);
    let frame = text_frame("42[\"a\"]");
    let half = shim.write(&frame).await.expect("open");
    assert_eq!((half, link.room().is_empty), (8, false));
    assert_eq!(told.load(Ordering::SeqCst), 0);

    let mut far = _far;
    far.read_exact(&mut [0; 8]).await.expect("open");
    shim.write_all(&frame[half..]).await.expect("open");
    assert!(link.room().is_empty);
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_accepts_nothing_is_killed_after_the_stall_timeout() {
    let (mut shim, _far, link) = pipe(64);
    fill(&mut shim).await;
    assert!(link.is_blocked());
    let start = Instant::now();
    let error = shim.write_all(&[0; 2]).await.expect_err("nobody reads");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(start.elapsed().as_secs(), 30);
    assert_eq!(link.killed(), Some(CloseReason::Stalled));
}

#[tokio::test]
async fn a_runtime_that_wants_its_turn_is_not_a_blocked_peer() {
    let (mut shim, _far, link) = pipe(1 << 20);
    let mut written = 0;
    std::future::poll_fn(|cx| {
        while Pin::new(&mut shim).poll_write(cx, &[0x89, 0]).is_ready() {
            written += 2;
        }
        Poll::Ready(())
    })
    .await;
    assert!(written < 1 << 20);
    assert!(!link.is_blocked());
}

/// A packet of a shard.
fn packet(text: &'static str) -> Packet {
    let bytes = Bytes::from_static(text.as_bytes());
    Packet::Own(Box::new(Body { bytes, attachments: [].into(), payload: 0..0 }))
}

#[tokio::test]
async fn what_a_writer_without_budget_leaves_of_a_shards_is_told_and_written() {
    let (mut shim, mut far, link) = pipe_with(LinkLimits { tier: Tier::Splice, ..LIMITS }, 4096);
    let told = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&told);
    link.set_on_room(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let event = text_frame("451-[\"a\"]");
    shim.write_all(&event).await.expect("open");
    // An attachment comes first.
    link.splice(&mut [packet("2[1]")].into_iter().collect());
    assert!(!link.await_room().is_some());
    tokio::task::yield_now().await;
    std::future::poll_fn(|cx| {
        for _ in 0..BUDGET - 1 {
            assert!(std::pin::pin!(tokio::task::coop::consume_budget()).poll(cx).is_ready());
        }
        assert!(matches!(Pin::new(&mut shim).poll_write(cx, &[0x82, 1, 7]), Poll::Ready(Ok(3))));
        assert!(!tokio::task::coop::has_budget_remaining());
        Poll::Ready(())
    })
    .await;
    tokio::task::yield_now().await;
    assert!(told.load(Ordering::SeqCst) > 0 && !link.is_blocked());
    // As its shard does, once told.
    assert!(link.resume());
    let mut read = vec![0; event.len() + 3 + 7];
    far.read_exact(&mut read).await.expect("open");
    assert_eq!(&read[event.len() + 3..], text_frame("42[1]"));
}

#[tokio::test(start_paused = true)]
async fn every_accepted_byte_restarts_the_stall_clock() {
    let (mut shim, mut far, link) = pipe(64);
    fill(&mut shim).await;
    let writer = tokio::spawn(async move { shim.write_all(&[0x89, 0].repeat(40)).await });
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        far.read_exact(&mut [0; 10]).await.expect("open");
    }
    assert_eq!(link.killed(), None);
    writer.await.expect("no panic").expect_err("the peer has stopped for good");
    assert_eq!(link.killed(), Some(CloseReason::Stalled));
}

#[tokio::test(start_paused = true)]
async fn a_blocked_peer_that_is_silent_too_is_gone_before_it_has_stalled() {
    let (mut shim, mut far, link) = pipe_with(LinkLimits { silence: Duration::from_secs(8), ..LIMITS }, 64);
    fill(&mut shim).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    far.write_all(&[0; 4]).await.expect("open");
    shim.read_exact(&mut [0; 4]).await.expect("open");
    let heard = Instant::now();
    shim.write_all(&[0x89, 0].repeat(40)).await.expect_err("nothing more is heard");
    assert_eq!(heard.elapsed().as_secs(), 8);
    assert_eq!(link.killed(), Some(CloseReason::Heartbeat));
}

#[tokio::test]
async fn a_blocked_peer_is_read_up_to_its_budget_and_again_when_it_reads() {
    let (mut shim, mut far, link) = pipe(4096);
    far.write_all(&[0; 4000]).await.expect("open");
    fill(&mut shim).await;
    let mut total = 0;
    unconstrained(std::future::poll_fn(|cx| {
        while let Poll::Ready(len) = poll_read_once(&mut shim, cx, 100) {
            total += len.expect("open");
        }
        Poll::Ready(())
    }))
    .await;
    assert_eq!(total, 1000);

    // What the peer reads it may send again, and the reader is woken for it.
    let woken = Arc::new(AtomicU32::new(0));
    let waker = std::task::Waker::from(Arc::new(CountWakes(Arc::clone(&woken))));
    assert!(poll_read_once(&mut shim, &mut Context::from_waker(&waker), 100).is_pending());
    far.read_exact(&mut [0; 200]).await.expect("open");
    fill(&mut shim).await;
    assert!(woken.load(Ordering::SeqCst) > 0);
    assert!(link.is_blocked());
    assert!(poll_read_once(&mut shim, &mut Context::from_waker(&waker), 100).is_ready());
}

#[tokio::test]
async fn a_pause_stops_reading_and_its_end_wakes_the_reader() {
    let (mut shim, mut far, link) = pipe(64);
    far.write_all(b"hello").await.expect("open");
    link.pause_reading(true);
    let woken = Arc::new(AtomicU32::new(0));
    let waker = std::task::Waker::from(Arc::new(CountWakes(Arc::clone(&woken))));
    assert!(poll_read_once(&mut shim, &mut Context::from_waker(&waker), 64).is_pending());
    link.pause_reading(false);
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    assert!(matches!(poll_read_once(&mut shim, &mut Context::from_waker(&waker), 64), Poll::Ready(Ok(5))));
}

#[tokio::test]
async fn a_kill_wakes_reader_and_writer_and_its_reason_is_told_at_the_drop() {
    let (mut shim, _far, link) = pipe(64);
    let ended = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&ended);
    link.set_on_end(move |reason| told.lock().expect("no panic").push(reason));
    let (reader, writer) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let wakes = |count| std::task::Waker::from(Arc::new(CountWakes(count)));
    assert!(poll_read_once(&mut shim, &mut Context::from_waker(&wakes(Arc::clone(&reader))), 64).is_pending());
    let waker = wakes(Arc::clone(&writer));
    while Pin::new(&mut shim).poll_write(&mut Context::from_waker(&waker), &[0x89, 0]).is_ready() {}
    link.kill(CloseReason::Server);
    assert!(reader.load(Ordering::SeqCst) > 0 && writer.load(Ordering::SeqCst) > 0);
    shim.write(b"x").await.expect_err("killed");
    shim.flush().await.expect_err("killed");
    shim.read(&mut [0; 8]).await.expect_err("killed");
    assert!(ended.lock().expect("no panic").is_empty());
    drop(shim);
    assert_eq!(*ended.lock().expect("no panic"), [CloseReason::Server]);
}

/// A websocket over the loopback, and its peer.
async fn loopback() -> (Shim, tokio::net::TcpStream, Arc<LinkState>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let address = listener.local_addr().expect("bound");
    let (far, near) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
    let (far, (near, _)) = (far.expect("loopback connects"), near.expect("loopback accepts"));
    let link = Arc::new(LinkState::detached(LIMITS, Transport::WebSocket));
    (Shim::new(near, Arc::clone(&link)), far, link)
}

/// How it ends for its peer.
async fn end_of(far: &mut tokio::net::TcpStream) -> io::Result<()> {
    while far.read(&mut [0; 65_536]).await? > 0 {}
    Ok(())
}

async fn fill_kernel(shim: &mut Shim) {
    std::future::poll_fn(|cx| {
        while Pin::new(&mut *shim).poll_write(cx, &[0; 65_536]).is_ready() {}
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_killed_connection_is_reset_and_leaves_nothing_in_the_kernel() {
    let (mut shim, mut far, link) = loopback().await;
    fill_kernel(&mut shim).await;
    link.kill(CloseReason::Server);
    drop(shim);
    let end = end_of(&mut far).await;
    assert_eq!(end.expect_err("reset, not closed").kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_server_that_stops_resets_only_those_that_do_not_read() {
    let (mut shim, mut far, link) = loopback().await;
    shim.write_all(&text_frame("42[1]")).await.expect("open");
    link.kill(CloseReason::ShuttingDown);
    drop(shim);
    end_of(&mut far).await.expect("closed, not reset");

    let (mut shim, mut far, link) = loopback().await;
    fill_kernel(&mut shim).await;
    link.kill(CloseReason::ShuttingDown);
    drop(shim);
    end_of(&mut far).await.expect_err("reset, not closed");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_ends_its_link_with_the_better_reason() {
    let (shim, _far, link) = pipe(64);
    drop(shim);
    link.end(CloseReason::Heartbeat);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(link.ended(), Some(CloseReason::Heartbeat));

    let (shim, _far, link) = pipe(64);
    drop(shim);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(link.ended(), Some(CloseReason::Transport));
}

#[tokio::test]
async fn the_upgrade_is_done_when_the_client_says_so() {
    let (near, mut far) = duplex(256);
    let link = Arc::new(LinkState::detached(LIMITS, Transport::Polling));
    let mut shim = Shim::upgrading(near, Arc::clone(&link));
    far.write_all(&masked_text_frame("2probe")).await.expect("open");
    shim.read_exact(&mut [0; 12]).await.expect("open");
    assert_eq!(link.transport(), Transport::Polling);
    far.write_all(&masked_text_frame("5")).await.expect("open");
    shim.read_exact(&mut [0; 3]).await.expect("open");
    assert_eq!(link.transport(), Transport::Polling);
    shim.read_exact(&mut [0; 4]).await.expect("open");
    assert_eq!(link.transport(), Transport::WebSocket);
    assert!(!link.is_blocked());
}

/// What a task may do in one turn of its runtime.
const BUDGET: usize = 128;

struct CountWakes(Arc<AtomicU32>);

impl std::task::Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_to_join_again_and_again_is_read_no_further_for_a_while() {
    let (mut shim, mut far, link) = pipe(1 << 20);
    let connect = masked_text_frame("40/feed,");
    far.write_all(&connect.repeat(1000)).await.expect("the pipe is open");
    far.write_all(&masked_text_frame("3")).await.expect("the pipe is open");
    let began = Instant::now();
    let mut read = 0;
    let mut space = [0; 1024];
    while read < 1000 * connect.len() + 7 {
        read += shim.read(&mut space).await.expect("nobody is cut for it");
        let most = 128 + began.elapsed().as_millis() as usize / 20;
        assert!(read <= most * connect.len() + 2 * space.len(), "{read} bytes after {:?}", began.elapsed());
    }
    // As slowly as they may come, and no slower.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(link.killed(), None);
}
